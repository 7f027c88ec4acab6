"""What a batch did, block by block, told from the ledgers between its blocks."""

import numpy as np
import pytest

from experiments.evidence.segments import Ledger, batch_updates, risk_of
from market.types.specs import Margin
from rollup.stark.rules.parameters import StarkParameters
from rollup.stark.rules.statement import Segment
from rollup.stark.witness.accounts import root_of
from rollup.stark.witness.witness import build_witness, public_inputs

SMALL = StarkParameters(markets=1, height=3, log_rows=12, queries=4, grinding=0)
NUMBERS = ((100,), (20_000,), 5)


def ledger(collateral, lots, index=0, price=1_000) -> Ledger:
    """Accounts with a position in one market; three funds behind them."""
    positions = np.array([*lots, 0, 0, 0], np.int64)[:, None]
    numbers = np.array([index], np.int64), np.array([price], np.int64)
    return Ledger(np.array(collateral, np.int64), positions, *numbers)


def witnessed(ledgers):
    updates, state = batch_updates(ledgers, *NUMBERS)
    witness = build_witness(ledgers[0].table, updates, state, SMALL)
    return public_inputs(witness, state), updates


START = ledger([10**9, 10**9, 7, 10**6, 0, 0], [3, -3, 0])


def test_each_block_is_a_segment_at_its_own_price():
    traded = ledger([10**9 - 500, 10**9 + 499, 7, 10**6, 1, 0], [4, -4, 0], 0, 1_010)
    paid_in = ledger([10**9 - 500, 10**9 + 499, 57, 10**6, 1, 0], [4, -4, 0], 0, 990)
    public, updates = witnessed([START, traded, paid_in])
    assert public.segments == (Segment(3, (1_010,), (0,)), Segment(1, (990,), (0,)))
    assert list(updates.account) == [0, 1, 4, 2]
    assert (public.net_deposit, public.funding_flow) == (50, 0)
    assert public.new_root == root_of(paid_in.table, SMALL.height)


def test_a_block_without_changes_is_no_segment():
    still = ledger([10**9, 10**9, 7, 10**6, 0, 0], [3, -3, 0], 0, 900)
    public, updates = witnessed([START, still, still])
    assert public.segments == (Segment(0, (900,), (0,)),)
    assert len(updates.account) == 0 and public.old_root == public.new_root


def test_neighbours_of_equal_prices_are_joined_and_keep_every_update():
    one = ledger([10**9 + 1, 10**9, 7, 10**6, 0, 0], [3, -3, 0])
    two = ledger([10**9 + 2, 10**9, 7, 10**6, 0, 0], [3, -3, 0])
    public, updates = witnessed([START, one, two])
    assert public.segments == (Segment(2, (1_000,), (0,)),)
    assert list(updates.collateral) == [10**9 + 1, 10**9 + 2]


def test_funding_is_a_segment_of_its_own_behind_the_trades():
    """Index 0.75: three lots owe 2.25, the floors take 3 and give 2, 1 is left."""
    index = 750_000
    traded = ledger([10**9 - 9, 10**9 + 9, 7, 10**6, 0, 0], [3, -3, 0])
    funded = ledger([10**9 - 12, 10**9 + 11, 7, 10**6, 0, 1], [3, -3, 0], index)
    back = funded.before_funding(START.indices)
    assert list(back.collateral) == list(traded.collateral)
    public, updates = witnessed([START, funded])
    assert public.segments == (
        Segment(2, (1_000,), (0,)),
        Segment(6, (1_000,), (index,)),
    )
    assert list(updates.account) == [0, 1, 0, 1, 2, 3, 4, 5]
    assert (public.funding_flow, public.net_deposit) == (-1, 1)
    assert public.new_root == root_of(funded.table, SMALL.height)


def test_a_ledger_takes_one_fund_or_one_for_each_market():
    class State:
        collateral, position = np.array([5, 6]), np.array([[1], [-1]])
        insurance, fees, residue = np.array([7, 8]), np.int64(9), np.int64(10)
        funding_index, mark = np.array([3]), np.array([1_000])

    found = Ledger.of(State)
    assert list(found.collateral) == [5, 6, 7, 8, 9, 10]
    assert found.positions.tolist() == [[1], [-1], [0], [0], [0], [0]]
    State.insurance = np.int64(7)
    assert list(Ledger.of(State).collateral) == [5, 6, 7, 9, 10]


@pytest.mark.parametrize("seed", range(3))
def test_random_funding_is_undone_to_the_quantum(seed):
    """Payments by the venue's own function, taken back from the state after."""
    from market.rules.funding import pay_funding

    rng = np.random.default_rng(seed)
    held = rng.integers(-(10**9), 10**9, (20, 2))
    held[0] -= held.sum(axis=0)
    moves, start = rng.integers(-(10**12), 10**12, 2), rng.integers(-9, 9, 2)
    money = rng.integers(-(10**14), 10**14, 20)
    paid = pay_funding(moves, held)
    positions = np.concatenate([held, np.zeros((3, 2), np.int64)])
    after = Ledger(
        np.concatenate([money + paid.payment, [1, 2, 3 + int(paid.residue)]]),
        positions,
        start + moves,
        np.array([1, 1]),
    )
    before = after.before_funding(start)
    assert list(before.collateral) == [*money, 1, 2, 3]


def test_the_requirement_is_the_maintenance_fraction_or_the_first_risk_step():
    class Params:
        initial_margin_ppm = np.array([20_000, 50_000])
        maintenance_fraction_ppm = np.array([600_000, 600_000])
        risk_factor_ppm = np.array([[25_000, 50_000], [40_000, 80_000]])

    class Venue:
        margin = Margin.FRACTIONS

    assert risk_of(Venue, Params) == (12_000, 30_000)
    Venue.margin = Margin.RISK_STEPS
    assert risk_of(Venue, Params) == (25_000, 50_000)
