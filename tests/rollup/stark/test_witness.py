"""The witness against a plain-Python walk over accounts and tree."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rollup.commitments.hashing.poseidon2_reference import compress
from rollup.stark.rules.layout import LEAF_TAG
from rollup.stark.rules.parameters import StarkParameters
from rollup.stark.rules.statement import AMOUNT_BOUND, POSITION_BOUND
from rollup.stark.witness.accounts import AccountTable, leaf_digests, root_of
from rollup.stark.witness.batch import UnprovableBatchError
from rollup.stark.witness.paths import earlier_lane, earlier_sibling
from rollup.stark.witness.witness import build_witness
from tests.rollup.stark import batches

P = 2130706433
TINY = StarkParameters(height=3, log_rows=12, queries=4, grinding=0)


def plain_leaf(account, collateral, positions, indices) -> list[int]:
    """The leaf hash, one element after the other."""

    def amount(value):
        value += 1 << 59
        return [value % 2**24, value // 2**24 % 2**24, value // 2**48]

    elements = [account, *amount(collateral)]
    for lots, index in zip(positions, indices, strict=True):
        sign = -1 if lots < 0 else 1
        halves = [abs(lots) % 2**24, abs(lots) // 2**24]
        elements += [sign * h % P for h in halves] + amount(index)
    elements += [0] * (-len(elements) % 8)
    state = [LEAF_TAG, len(positions), 0, 0, 0, 0, 0, 0]
    for start in range(0, len(elements), 8):
        state = compress(state, elements[start : start + 8])
    return state


def plain_root(leaves: list) -> list[int]:
    while len(leaves) > 1:
        leaves = [
            compress(a, b) for a, b in zip(leaves[::2], leaves[1::2], strict=True)
        ]
    return leaves[0]


def plain_rows(table: AccountTable) -> list:
    return [
        (int(c), [int(v) for v in p], [int(v) for v in i])
        for c, p, i in zip(
            table.collateral, table.positions, table.indices, strict=True
        )
    ]


EXTREMES = [0, 1, -1, AMOUNT_BOUND - 1, -AMOUNT_BOUND + 1]


def test_leaf_of_extreme_amounts_equals_the_plain_hash():
    lots = [0, 1, -1, POSITION_BOUND - 1, 1 - POSITION_BOUND]
    table = batches.table(
        EXTREMES, [[v, -v, 0] for v in lots], [[v] * 3 for v in EXTREMES]
    )
    got = leaf_digests(np.arange(5), table)
    for k, row in enumerate(plain_rows(table)):
        assert list(got[:, k]) == plain_leaf(k, *row)


@pytest.mark.parametrize("seed", range(2))
def test_roots_and_funding_equal_a_plain_walk(seed):
    """Updates in sequence, accounts repeated: the same tree, one by one."""
    rng = np.random.default_rng(seed)
    venue, table = batches.venue(rng, (6, 3, 0, 1)), batches.accounts(rng, 8)
    changes = batches.trades(rng, table, venue)
    witness = build_witness(table, changes, venue, TINY)
    rows = plain_rows(table)
    leaves = [plain_leaf(k, *row) for k, row in enumerate(rows)]
    assert list(witness.old_root) == plain_root(leaves)
    segment_of = [s for s in venue.segments for _ in range(s.updates)]
    for lane, account in enumerate(changes.account):
        collateral, positions, cached = rows[account]
        indices = segment_of[lane].funding_indices
        paid = sum(
            (new - old) * lots
            for new, old, lots in zip(indices, cached, positions, strict=True)
        )
        assert witness.funded[lane] == (collateral * 10**6 - paid) // 10**6
        assert witness.remainder[lane] == (collateral * 10**6 - paid) % 10**6
        rows[account] = (
            int(changes.collateral[lane]),
            [int(v) for v in changes.positions[lane]],
            list(indices),
        )
        leaves[account] = plain_leaf(int(account), *rows[account])
    assert list(witness.new_root) == plain_root(leaves)


def test_funding_rounds_against_the_account():
    """A fraction of a quantum owed either way is taken, never given."""
    old = batches.table([100, 100], [[1, 0, 0], [-1, 0, 0]])
    venue = batches.flat_venue(2, indices=(1, 0, 0))
    new = batches.updates((0, 99, [1, 0, 0]), (1, 100, [-1, 0, 0]))
    witness = build_witness(old, new, venue, TINY, enforce=False)
    assert list(witness.funded) == [99, 100, 0]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 7), max_size=30))
def test_earlier_lanes_are_found(keys):
    array = np.array(keys, np.int64)
    own, sibling = earlier_lane(array), earlier_sibling(array)
    for k, key in enumerate(keys):
        same = [j for j in range(k) if keys[j] == key]
        other = [j for j in range(k) if keys[j] == key ^ 1]
        assert own[k] == (same[-1] if same else -1)
        assert sibling[k] == (other[-1] if other else -1)


AMOUNT = st.integers(-(10**9), 10**9)
LOTS = st.sampled_from([-100, -50, -1, 0, 1, 50, 99, 100, 101])


@settings(max_examples=30, deadline=None)
@given(AMOUNT, AMOUNT, LOTS, LOTS)
def test_the_chosen_rule_is_the_one_the_venue_states(c0, c1, b0, b1):
    """dYdX v4's rule in its own words, on one account and one market."""
    price, need = 6_000_000, 12_000
    value0, value1 = c0 + b0 * price, c1 + b1 * price
    risk0, risk1 = abs(b0) * price * need, abs(b1) * price * need
    healthy = risk1 <= value1 * 1_000_000
    smaller = risk1 <= risk0
    kept_ratio = value0 * risk1 <= value1 * risk0
    by_the_rule = smaller and kept_ratio and (risk0 > 0 or value0 <= value1)
    by_the_rule |= b1 == 0 and value0 <= value1
    old = batches.table([c0], [[b0, 0, 0]])
    new = batches.updates((0, c1, [b1, 0, 0]))
    venue = batches.flat_venue(1)
    witness = build_witness(old, new, venue, TINY, enforce=False)
    if healthy or by_the_rule:
        assert witness.allowance[0] == 0 and witness.slack[0] >= 0
        assert witness.rule[0] == 0 or not healthy
        return
    # The least allowance that makes it right, by trial in plain integers.
    missing = value0 * risk1 - value1 * risk0
    needed = value0 - value1 if b1 == 0 else -(-missing // max(risk0, 1))
    if smaller and needed < 1 << 24:
        a = int(witness.allowance[0])
        assert a == needed > 0 and witness.slack[0] >= 0
        less = value1 + a - 1
        assert value0 > less if b1 == 0 else value0 * risk1 > less * risk0
        return
    with pytest.raises(UnprovableBatchError, match="margin"):
        build_witness(old, new, venue, TINY)


def test_amounts_out_of_range_are_named():
    with pytest.raises(ValueError, match="collateral of account row 1"):
        batches.table([0, AMOUNT_BOUND], [[0] * 3] * 2)
    old = batches.table([0], [[0, 0, 0]])
    far = batches.updates((0, 0, [POSITION_BOUND, 0, 0]))
    with pytest.raises(UnprovableBatchError, match="positions"):
        build_witness(old, far, batches.flat_venue(1), TINY)


def test_a_batch_that_does_not_fit_is_refused():
    old = batches.table([0], [[0, 0, 0]])
    many = batches.updates(*[(0, 0, [0, 0, 0])] * 257)
    with pytest.raises(UnprovableBatchError, match="257 updates"):
        build_witness(old, many, batches.flat_venue(257), TINY)


def test_segments_that_hold_another_number_of_updates_are_refused():
    old = batches.table([0], [[0, 0, 0]])
    with pytest.raises(UnprovableBatchError, match="segments hold others"):
        build_witness(old, batches.updates(), batches.flat_venue(1), TINY)


def test_root_of_an_empty_table_is_the_root_of_empty_accounts():
    empty = batches.table(np.zeros(0), np.zeros((0, 3)))
    leaves = [plain_leaf(k, 0, [0] * 3, [0] * 3) for k in range(8)]
    assert list(root_of(empty, 3)) == plain_root(leaves)
