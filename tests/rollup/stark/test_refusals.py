"""What an operator might try: each dishonest batch yields a proof that is refused.

The dishonest prover here runs the honest code on a wrong witness or trace, so that
everything but the one lie is in order.
"""

import dataclasses

import numpy as np
import pytest

from rollup.stark.prove import openings
from rollup.stark.prove import prover as prover_module
from rollup.stark.prove.prover import prove, prove_batch, prove_trace
from rollup.stark.prove.trace import build_trace
from rollup.stark.rules.arithmetic import P
from rollup.stark.rules.layout import layout_for
from rollup.stark.rules.statement import ALLOWANCE_BOUND
from rollup.stark.witness.accounts import root_of
from rollup.stark.witness.batch import UnprovableBatchError, updates_between
from rollup.stark.witness.witness import build_witness, public_inputs
from tests.rollup.stark import batches
from tests.rollup.stark.batches import SMALL

LAYOUT = layout_for(3)


def flat(update_list):
    """One segment at plain prices for these updates."""
    return batches.flat_venue(len(update_list.account))


def attempt(old, update_list, venue=None, forge=None, **claimed):
    """The verdict on a proof of a batch that may break the rules.

    Args:
        venue: prices and indices of the batch; plain ones if not given.
        forge: what the dishonest prover makes of the witness.
        claimed: public inputs that it states instead.
    """
    venue = venue or flat(update_list)
    witness = build_witness(old, update_list, venue, SMALL, enforce=False)
    witness = forge(witness) if forge else witness
    honest_sums = dict(
        net_deposit=int((witness.after.collateral - witness.funded).sum()),
        funding_flow=int((witness.funded - witness.before.collateral).sum()),
    )
    trades = witness.after.positions - witness.before.positions
    still = dataclasses.replace(
        witness,
        after=dataclasses.replace(witness.after, positions=witness.before.positions),
    )
    public = public_inputs(still if trades.any() else witness, venue)
    public = dataclasses.replace(public, **{**honest_sums, **claimed})
    trace = build_trace(witness, public, SMALL)
    proof = prove_trace(trace, public, SMALL)
    return prover_module_verify(proof, public)


def prover_module_verify(proof, public):
    from rollup.stark.verify.verifier import verify

    return verify(proof, public, SMALL.queries, SMALL.grinding)


def btc(lots: int) -> list[int]:
    return [lots, 0, 0]


#: One lot of BTC is worth 60,000 * 100 quanta and asks 1.2 % of that.
LOT = 6_000_000
NEED = LOT * 12_000 // 1_000_000


def test_exactly_the_maintenance_margin_is_enough():
    old = batches.table([100 * NEED, 10**12], [btc(0), btc(0)])
    new = batches.updates(
        (0, 100 * NEED - 100 * LOT, btc(100)), (1, 10**12 + 100 * LOT, btc(-100))
    )
    assert attempt(old, new)


@pytest.mark.parametrize("short_by", [1, 1000, 90 * NEED, 10 * LOT])
def test_an_account_left_below_its_margin_is_refused(short_by):
    start = 100 * NEED - short_by
    old = batches.table([start, 10**12], [btc(0), btc(0)])
    new = batches.updates(
        (0, start - 100 * LOT, btc(100)), (1, 10**12 + 100 * LOT, btc(-100))
    )
    assert not attempt(old, new)
    with pytest.raises(UnprovableBatchError, match="account 0 below its margin"):
        prove(old, new, flat(new), SMALL)


#: An account far below its margin: value 20 lots' need for 100 lots.
WEAK = 20 * NEED - 100 * LOT


def test_an_unhealthy_account_may_reduce_at_no_worse_a_ratio():
    old = batches.table([WEAK, 10**12], [btc(100), btc(0)])
    new = batches.updates(
        (0, WEAK + 50 * LOT, btc(50)), (1, 10**12 - 50 * LOT, btc(50))
    )
    assert attempt(old, new)


def no_allowance(witness):
    """The same updates, each held to the margin rule itself."""
    value1 = witness.value1 - witness.allowance
    slack = np.where(
        witness.rule == 1,
        value1 * witness.risk0 - witness.value0 * witness.risk1,
        np.where(witness.rule == 2, value1 - witness.value0, witness.slack),
    )
    nothing = np.zeros_like(witness.allowance)
    return dataclasses.replace(witness, value1=value1, slack=slack, allowance=nothing)


def reducing_too_dearly(quanta: int):
    """Half of a weak account's lots are sold; its value falls too far by so much."""
    old = batches.table([WEAK, 10**12], [btc(100), btc(0)])
    worse = 10 * NEED + quanta  # 10 NEED is the half that goes with the risk
    new = batches.updates(
        (0, WEAK + 50 * LOT - worse, btc(50)), (1, 10**12 - 50 * LOT + worse, btc(50))
    )
    return old, new


@pytest.mark.parametrize("quanta", [1, 10_000, ALLOWANCE_BOUND - 1])
def test_what_a_weak_account_loses_beyond_the_rule_is_stated(quanta):
    """Gas and rounding are allowed up to a bound, and add up in the public inputs."""
    old, new = reducing_too_dearly(quanta)
    proven = prove(old, new, flat(new), SMALL)
    assert proven.public.allowance == quanta
    assert prover_module_verify(proven.proof, proven.public)
    assert not attempt(old, new, forge=no_allowance, allowance=0)
    assert not attempt(old, new, allowance=quanta - 1)
    assert not attempt(old, new, allowance=0)


def test_an_unhealthy_account_that_reduces_at_a_much_worse_ratio_is_refused():
    old, new = reducing_too_dearly(ALLOWANCE_BOUND)
    assert not attempt(old, new, allowance=0)
    assert not attempt(old, new, forge=allowing(ALLOWANCE_BOUND))
    with pytest.raises(UnprovableBatchError, match="more than an allowance covers"):
        prove(old, new, flat(new), SMALL)


def allowing(quanta: int):
    """Takes an allowance out of bounds for the first update, by the reducing rule."""

    def forge(witness):
        allowance, value1 = witness.allowance.copy(), witness.value1.copy()
        rule, slack = witness.rule.copy(), witness.slack.copy()
        allowance[0], rule[0] = quanta, 1
        value1[0] += quanta
        slack[0] = value1[0] * witness.risk0[0]
        slack[0] -= witness.value0[0] * witness.risk1[0]
        return dataclasses.replace(
            witness, allowance=allowance, value1=value1, rule=rule, slack=slack
        )

    return forge


@pytest.mark.parametrize("lots", [101, -101, 400])
def test_an_unhealthy_account_whose_requirement_grows_is_refused(lots):
    """Even where its ratio gets better by money that comes in."""
    old = batches.table([WEAK, 10**12], [btc(100), btc(0)])
    paid = (lots - 100) * LOT - 2 * NEED
    new = batches.updates(
        (0, WEAK - paid, btc(lots)), (1, 10**12 + paid, btc(100 - lots))
    )
    assert not attempt(old, new)
    assert not attempt(old, new, forge=allowing(0))
    with pytest.raises(UnprovableBatchError, match="its requirement grows"):
        prove(old, new, flat(new), SMALL)


def test_an_unhealthy_account_may_flip_to_a_smaller_requirement():
    """dYdX v4 compares requirements in all, not positions one by one."""
    old = batches.table([WEAK, 10**12], [btc(100), btc(0)])
    new = batches.updates(
        (0, WEAK + 150 * LOT, btc(-50)), (1, 10**12 - 150 * LOT, btc(150))
    )
    assert attempt(old, new, allowance=0)


def test_a_bankrupt_account_may_only_lose_no_more():
    """Negative value: the ratio must be compared by cross-multiplication."""
    bankrupt = -100 * LOT - 50 * NEED
    old = batches.table([bankrupt, 10**12], [btc(100), btc(0)])
    at_price = (0, bankrupt + 50 * LOT + 25 * NEED, btc(50))
    assert attempt(
        old,
        batches.updates(at_price, (1, 10**12 - 50 * LOT - 25 * NEED, btc(50))),
    )
    dearer = (0, bankrupt + 50 * LOT + 25 * NEED - 1, btc(50))
    rest = (1, 10**12 - 50 * LOT - 25 * NEED + 1, btc(50))
    worse = batches.updates(dearer, rest)
    assert attempt(old, worse).ok  # for an allowance of one quantum, stated
    assert not attempt(old, worse, forge=no_allowance)


def test_a_bankrupt_account_may_close_everything_without_losing():
    """No position is left; what it owes may not grow."""
    bankrupt = -100 * LOT - 50 * NEED
    old = batches.table([bankrupt, 10**12], [btc(100), btc(0)])
    at_price = batches.updates(
        (0, bankrupt + 100 * LOT, btc(0)), (1, 10**12 - 100 * LOT, btc(100))
    )
    assert attempt(old, at_price, allowance=0)
    dearer = batches.updates(
        (0, bankrupt + 100 * LOT - 1, btc(0)), (1, 10**12 - 100 * LOT + 1, btc(100))
    )
    assert not attempt(old, dearer, forge=no_allowance)


def test_a_riskless_debtor_may_gain_but_not_lose():
    old = batches.table([-500, 10**12], [btc(0), btc(0)])
    gain = batches.updates((0, -400, btc(0)), (1, 10**12 - 100, btc(0)))
    lose = batches.updates((0, -501, btc(0)), (1, 10**12 + 1, btc(0)))
    assert attempt(old, gain, allowance=0)
    assert not attempt(old, lose, forge=no_allowance)
    assert not attempt(old, lose, allowance=0)


def test_collateral_created_beyond_the_net_deposit_is_refused():
    old = batches.table([10**12, 10**12], [btc(0), btc(0)])
    new = batches.updates((0, 10**12 + 1, btc(0)), (1, 10**12, btc(0)))
    assert not attempt(old, new, net_deposit=0)
    assert attempt(old, new)


def test_positions_created_out_of_nothing_are_refused():
    old = batches.table([10**12, 10**12], [btc(0), btc(0)])
    for lots in (1, -7):
        new = batches.updates((0, 10**12 - lots * LOT, btc(lots)))
        assert not attempt(old, new)
        with pytest.raises(UnprovableBatchError, match="market 0"):
            prove(old, new, flat(new), SMALL)


def test_forged_claims_of_the_sums_are_refused(honest):
    """The claims make the public flows right; the trace's own sums do not."""
    public = dataclasses.replace(honest.public, net_deposit=5)
    trace = honest.trace.copy()
    column = LAYOUT.at("sum_deposit")
    trace[column, -1] = (int(trace[column, -1]) + 5) % P
    assert not prover_module_verify(prove_trace(trace, public, SMALL), public)


@pytest.mark.parametrize("seed", range(3))
def test_a_leaf_swapped_for_another_account_is_refused(seed):
    """The old leaf shown is not the one under the old root."""
    rng = np.random.default_rng(seed)
    venue, real = batches.venue(rng, (5, 3)), batches.accounts(rng, 20)
    order = np.arange(20)
    a, b = rng.choice(20, 2, replace=False)
    order[[a, b]] = order[[b, a]]
    forged = real.rows(order)
    new = batches.trades(rng, forged, venue)
    new.account[0] = a
    root = root_of(real, SMALL.height)
    assert not attempt(forged, new, venue, old_root=root)


def test_funding_that_was_not_applied_is_refused():
    """An account that keeps its collateral was given what it owed."""
    old = batches.table([10**12], [btc(100)])
    venue = batches.flat_venue(1, indices=(256_000_000, 0, 0))
    unpaid = batches.updates((0, 10**12, btc(100)))
    paid = batches.updates((0, 10**12 - 100 * 256, btc(100)))
    assert not attempt(old, unpaid, venue, net_deposit=0, funding_flow=0)
    assert not attempt(old, unpaid, venue, net_deposit=0)
    assert attempt(old, paid, venue, net_deposit=0)


@pytest.mark.parametrize("seed", range(4))
def test_a_trace_with_one_wrong_cell_is_refused(honest, seed):
    rng = np.random.default_rng(100 + seed)
    trace = honest.trace.copy()
    column, row = rng.integers(LAYOUT.width), rng.integers(trace.shape[1])
    trace[column, row] = (int(trace[column, row]) + int(rng.integers(2, P))) % P
    proof = prove_trace(trace, honest.public, SMALL)
    assert not honest.verify(proof), (column, row)


@pytest.mark.parametrize("seed", range(3))
def test_a_word_of_too_high_degree_is_refused_by_fri(honest, seed, monkeypatch):
    """The committed word is random, or of one degree too many."""
    rng = np.random.default_rng(seed)

    def too_high(*args):
        word = openings.deep_values(*args).copy()
        if seed == 0:
            return rng.integers(0, P, word.shape, dtype=np.uint32)
        x = np.array([int(v) for v in natural_points(args[-1])], object)
        degree = args[-1].rows if seed == 1 else args[-1].domain - 1
        powers_of_x = np.array([pow(v, degree, P) for v in x], np.uint64)
        word[0] = (word[0] + powers_of_x) % P
        return word

    monkeypatch.setattr(prover_module, "deep_values", too_high)
    proof = prove_trace(honest.trace, honest.public, SMALL)
    verdict = honest.verify(proof)
    assert not verdict and "FRI" in verdict.reason


def natural_points(parameters):
    from rollup.stark.fields.field import KOALABEAR
    from rollup.stark.fields.ntt import powers
    from rollup.stark.rules.arithmetic import root_of_unity

    omega = root_of_unity(parameters.domain)
    return powers(KOALABEAR, omega, parameters.domain) * np.uint64(3) % np.uint64(P)


def test_prove_batch_refuses_public_inputs_that_do_not_follow(honest):
    wrong = dataclasses.replace(honest.public, batch=9, net_deposit=1)
    with pytest.raises(UnprovableBatchError, match="do not lead"):
        prove_batch(honest.accounts, honest.updates, wrong, SMALL)


def test_a_batch_between_two_account_tables_is_proven(honest):
    """One update per account that differs: what the lab proves."""
    rng = np.random.default_rng(8)
    old = batches.accounts(rng, 30)
    old = batches.table(old.collateral, old.positions)
    new = batches.table(old.collateral.copy(), old.positions.copy())
    new.positions[3, 1] += 5
    new.positions[9, 1] -= 5
    new.collateral[3] -= 700
    new.collateral[9] += 650
    new.collateral[0] += 50
    changed = updates_between(old, new)
    assert list(changed.account) == [0, 3, 9]
    proven = prove(old, changed, flat(changed), SMALL)
    assert prover_module_verify(proven.proof, proven.public)
    assert proven.public.net_deposit == 0 and proven.public.updates == 3


def test_an_empty_batch_is_proven_and_changes_nothing():
    old = batches.table([5, 6], [btc(0), btc(0)])
    nothing = batches.updates()
    proven = prove(old, nothing, flat(nothing), SMALL)
    assert proven.public.old_root == proven.public.new_root
    assert prover_module_verify(proven.proof, proven.public)
