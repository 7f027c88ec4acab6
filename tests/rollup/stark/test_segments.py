"""Segments: every update is held to the prices and indices of its own stretch."""

import dataclasses

import numpy as np
import pytest

from rollup.stark.fields.ntt import interpolate
from rollup.stark.prove.constraints import band_columns
from rollup.stark.prove.prover import prove, prove_trace
from rollup.stark.prove.trace import build_trace
from rollup.stark.rules.arithmetic import Ext, P, horner, root_of_unity
from rollup.stark.rules.bands import bands, values_at
from rollup.stark.rules.statement import PublicInputs, Segment
from rollup.stark.verify.verifier import verify
from rollup.stark.witness.batch import UnprovableBatchError, VenueState
from rollup.stark.witness.witness import build_witness, public_inputs
from tests.rollup.stark import batches
from tests.rollup.stark.batches import MULTIPLIERS, PRICES, RISK, SMALL

RICH = 10**13
#: One lot of BTC at plain prices, and what it needs.
LOT = PRICES[0] * MULTIPLIERS[0]
NEED = LOT * RISK[0] // 1_000_000


def lots(n: int) -> list[int]:
    return [n, 0, 0]


def venue(*segments) -> VenueState:
    """Segments given as (updates, price of BTC) or (updates, price, indices)."""
    parts = [
        Segment(count, (price, *PRICES[1:]), (*rest, (0, 0, 0))[0])
        for count, price, *rest in segments
    ]
    return VenueState(tuple(parts), MULTIPLIERS, RISK, 7)


def accepted(proof, public) -> bool:
    return bool(verify(proof, public, SMALL.queries, SMALL.grinding))


def forged(old, updates, shown: VenueState, claimed: VenueState) -> bool:
    """Whether a proof made at the prices ``shown`` passes for the ones ``claimed``."""
    witness = build_witness(old, updates, shown, SMALL, enforce=False)
    public = public_inputs(witness, shown)
    trace = build_trace(witness, public, SMALL)
    public = dataclasses.replace(public, segments=claimed.segments)
    return accepted(prove_trace(trace, public, SMALL), public)


def fallen():
    """Account 0 buys at 60,000 with little to spare; then the price falls.

    In the second segment account 2 deposits. At the later price account 0 is far below
    its margin, but nothing touches it there.
    """
    old = batches.table([105 * NEED, RICH, 0], [lots(0)] * 3)
    updates = batches.updates(
        (0, 105 * NEED - 100 * LOT, lots(100)),
        (1, RICH + 100 * LOT, lots(-100)),
        (2, 500, lots(0)),
    )
    return old, updates


def test_an_account_is_judged_at_the_prices_of_its_own_block():
    old, updates = fallen()
    proven = prove(old, updates, venue((2, 60_000), (1, 59_000)), SMALL)
    assert accepted(proven.proof, proven.public)
    assert proven.public.updates == 3 and len(proven.public.segments) == 2
    late = venue((0, 60_000), (3, 59_000))
    with pytest.raises(UnprovableBatchError, match="account 0 below its margin"):
        prove(old, updates, late, SMALL)


@pytest.mark.parametrize(
    "claimed",
    [
        [(3, 59_000)],  # everything at the last price
        [(2, 59_000), (1, 60_000)],  # the segments' prices exchanged
        [(1, 60_000), (2, 59_000)],  # an update moved over the border
        [(1, 60_000), (1, 59_000), (1, 59_000)],
        [(2, 59_999), (1, 59_000)],  # a price a tick off
        [(2, 60_000), (2, 59_000)],  # an update too many
        [(2, 60_000)],  # an update too few
    ],
)
def test_an_update_checked_at_other_prices_than_claimed_is_refused(claimed):
    old, updates = fallen()
    shown = venue((2, 60_000), (1, 59_000))
    assert forged(old, updates, shown, shown)
    assert not forged(old, updates, shown, venue(*claimed))


def test_an_account_below_margin_at_its_own_price_is_refused_at_any_shown():
    """It is healthy at another segment's price only."""
    old, updates = fallen()
    truth = venue((2, 59_000), (1, 60_000))
    witness = build_witness(old, updates, truth, SMALL, enforce=False)
    public = public_inputs(witness, truth)
    proof = prove_trace(build_trace(witness, public, SMALL), public, SMALL)
    assert not accepted(proof, public)
    assert not forged(old, updates, venue((2, 60_000), (1, 60_000)), truth)


def test_funding_is_paid_where_the_index_moves():
    """Held before the move, paid in the second segment, nothing more in the third."""
    old = batches.table([RICH, RICH], [lots(100), lots(-100)])
    move = (2_000_000, 0, 0)
    state = venue((0, 60_000), (2, 60_000, move), (1, 60_000, move))
    updates = batches.updates(
        (0, RICH - 200, lots(100)), (1, RICH + 200, lots(-100)), (0, RICH, lots(100))
    )
    proven = prove(old, updates, state, SMALL)
    assert accepted(proven.proof, proven.public)
    assert (proven.public.funding_flow, proven.public.net_deposit) == (0, 200)
    unmoved = venue((2, 60_000), (1, 60_000, move))
    assert not forged(old, updates, state, unmoved)


def random_public(rng, counts) -> PublicInputs:
    state = batches.venue(rng, counts)
    return PublicInputs(
        *((0,) * 8,) * 2, state.segments, MULTIPLIERS, RISK, 0, 0, 0, 0, 6
    )


@pytest.mark.parametrize(
    "counts", [(0,), (1,), (256,), (3, 0, 200, 53), (1,) * 90, (100, 100)]
)
def test_public_columns_have_the_values_that_interpolation_gives(counts):
    """The verifier's sums over bands against the polynomial through the columns."""
    rng = np.random.default_rng(len(counts))
    public = random_public(rng, counts)
    point = Ext([int(v) for v in rng.integers(0, P, 4)])
    columns = band_columns(SMALL, public)
    assert columns.shape[1] == SMALL.rows
    names = list(bands(SMALL, public)[0].rows)
    got = values_at(SMALL, public, point)
    assert list(got) == names
    some = rng.choice(len(names), 8, replace=False)
    coefficients = np.asarray(interpolate(columns[some])).tolist()
    for k, row in zip(some, coefficients, strict=True):
        assert got[names[k]] == horner(row, point), names[k]


def test_a_point_of_the_trace_domain_is_no_point_to_evaluate_at():
    public = random_public(np.random.default_rng(0), (5,))
    for power in (0, 1, 4095):
        x = pow(root_of_unity(SMALL.rows), power, P)
        with pytest.raises(ZeroDivisionError):
            values_at(SMALL, public, Ext((x, 0, 0, 0)))


def test_bands_tell_updates_from_idle_slots():
    public = random_public(np.random.default_rng(1), (2, 0, 3))
    found = bands(SMALL, public)
    assert [(b.start, b.end) for b in found] == [(0, 2), (2, 5), (5, 256)]
    assert [b.rows["active0"][0] for b in found] == [1, 1, 0]
    assert [b.rows["moves"][SMALL.height - 1] for b in found] == [1, 1, 0]
    assert found[1].rows["value0_0"] == found[2].rows["value0_0"]
    price, multiplier = public.segments[0].prices[0], MULTIPLIERS[0]
    digits = found[0].rows["value0_1"][1:5]
    assert sum(d << 12 * i for i, d in enumerate(digits)) == price * multiplier
