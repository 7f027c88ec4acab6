"""Stale prices halt a market; after a halt of the chain liquidations may wait."""

from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import pytest

from market import block
from market.numbers.units import as_int
from market.types.environment import Environment
from market.types.orders import STATUS_COUNT, Kind, Status, Tx
from market.types.state import open_exchange
from market.venues.dydx_v4.preset import dydx_v4

SECOND = 1_000_000
MAX_AGE, GRACE = 5, 4
FRESH, SILENT = [[1_000] * 3, [1_000] * 3], [[0] * 3, [0] * 3]
BTC_SILENT = [[0] * 3, [1_000] * 3]
SPEC, PARAMS = dydx_v4(("BTC", "ETH"), accounts=3, book_capacity=8)
RULED = replace(
    PARAMS,
    oracle_max_age_us=as_int(MAX_AGE * SECOND),
    restart_grace_us=as_int(GRACE * SECOND),
    initial_margin_ppm=as_int([500_000] * 2),
)
STEP = jax.jit(partial(block.step, spec=SPEC, auction=False))
ORDER = {"kind": Kind.ORDER, "side": 1, "ticks": 1_000, "lots": 1}
WITHDRAW = {"kind": Kind.WITHDRAW, "lots": 5}
LIQUIDATE = {"kind": Kind.LIQUIDATE, "account": 0, "slot": 2}
ROWS = 4


def records(*rows) -> Tx:
    names = Tx.__dataclass_fields__
    filled = [*rows, *[{}] * (ROWS - len(rows))]
    columns = {name: [row.get(name, 0) for row in filled] for name in names}
    return Tx(**{name: as_int(column) for name, column in columns.items()})


class Venue:
    """A venue of two markets, stepped second by second."""

    def __init__(self, params=RULED, step=STEP):
        collateral = as_int([10**9] * 3)
        self.state = open_exchange(SPEC, collateral, as_int(10**9), as_int([1_000] * 2))
        self.params, self.second, self.run = params, 0, step

    def step(self, *rows, reports=FRESH, halted=False) -> list[Status]:
        self.state, receipts, self.info = self.run(
            self.state,
            records(*rows),
            Environment(
                block=jnp.int64(self.second),
                height=jnp.int64(self.second + 1),
                is_halted=jnp.asarray(halted),
                reports=as_int(reports),
                seed_word=jnp.int64(0),
                block_us=SECOND,
            ),
            self.params,
        )
        self.second += 1
        return [Status(int(status)) for status in receipts.status[: len(rows)]]

    def wait(self, seconds, **how):
        for _ in range(seconds):
            self.step(**how)
        return self

    def count(self, status) -> int:
        return int(self.state.counters[status])


def in_danger() -> Venue:
    """Account 2 is long and nearly broke; account 1 bids for what it holds."""
    venue = Venue()
    state = venue.state
    venue.state = replace(
        state,
        position=state.position.at[2, 0].set(10).at[1, 0].set(-10),
        cost=state.cost.at[2, 0].set(10 * 1_000 * SPEC.multipliers[0]),
        collateral=state.collateral.at[2].set(-10 * 1_000 * SPEC.multipliers[0] + 100),
    )
    venue.state = replace(venue.state, paid_in=venue.state.collateral.sum() + 10**9)
    return venue


BID = {**ORDER, "account": 1, "lots": 10}


def test_a_price_at_its_greatest_age_still_trades_and_one_beyond_does_not():
    venue = Venue().wait(1).wait(MAX_AGE - 1, reports=SILENT)
    assert venue.step(ORDER, reports=SILENT) == [Status.RESTING]
    assert venue.step({**ORDER, "slot": 1}, reports=SILENT) == [Status.HALTED]
    assert venue.count(Status.HALTED) == 1


def test_cancels_pass_in_a_stale_market():
    venue = Venue()
    venue.step(ORDER)
    venue.wait(MAX_AGE, reports=SILENT)
    cancel = {"kind": Kind.CANCEL}
    assert venue.step(cancel, reports=SILENT) == [Status.ACCEPTED]


def test_a_fresh_price_opens_the_market_in_its_own_block():
    venue = Venue().wait(1).wait(MAX_AGE + 3, reports=SILENT)
    assert venue.step(ORDER, reports=SILENT) == [Status.HALTED]
    assert venue.step(ORDER, WITHDRAW) == [Status.RESTING, Status.ACCEPTED]


def test_one_stale_market_leaves_the_others_open():
    venue = Venue().wait(1).wait(MAX_AGE, reports=BTC_SILENT)
    elsewhere = {**ORDER, "market": 1}
    assert venue.step(ORDER, elsewhere, reports=BTC_SILENT) == [
        Status.HALTED,
        Status.RESTING,
    ]


def test_a_stale_price_holds_those_with_a_position_or_an_order_in_its_market():
    venue = Venue()
    venue.step({**ORDER, "account": 1}, {**ORDER, "market": 1})
    position = venue.state.position.at[2, 0].set(1)
    venue.state = replace(venue.state, position=position)
    venue.wait(MAX_AGE, reports=BTC_SILENT)
    forced = {**WITHDRAW, "kind": Kind.FORCED_WITHDRAW}
    rows = [WITHDRAW, {**forced, "account": 1}, {**WITHDRAW, "account": 2}]
    unknown = {**WITHDRAW, "account": -1}
    assert venue.step(*rows, unknown, reports=BTC_SILENT) == [
        Status.ACCEPTED,
        Status.WITHDRAWALS_GATED,
        Status.WITHDRAWALS_GATED,
        Status.UNKNOWN_ACCOUNT,
    ]
    assert venue.count(Status.WITHDRAWALS_GATED) == 2
    assert venue.state.withdrawn.tolist() == [5, 0, 0]
    # An order that is cancelled frees its account in the next block.
    leaves = {**WITHDRAW, "account": 1}
    cancel = {"kind": Kind.CANCEL, "account": 1}
    assert venue.step(cancel, leaves, reports=BTC_SILENT) == [
        Status.ACCEPTED,
        Status.WITHDRAWALS_GATED,
    ]
    assert venue.step(leaves, reports=BTC_SILENT) == [Status.ACCEPTED]


def test_deposits_pass_at_any_age():
    venue = Venue().wait(MAX_AGE + 9, reports=SILENT)
    deposit = {"kind": Kind.DEPOSIT, "lots": 7}
    assert venue.step(deposit, reports=SILENT) == [Status.ACCEPTED]


def test_without_a_limit_no_price_is_stale():
    venue = Venue(replace(RULED, oracle_max_age_us=as_int(0)))
    assert venue.wait(40, reports=SILENT).step(ORDER) == [Status.RESTING]


def test_nobody_is_liquidated_or_deleveraged_at_a_stale_price():
    venue = in_danger().wait(1).wait(MAX_AGE, reports=SILENT)
    marked = venue.state.adl_pending.at[2, 0].set(1)
    venue.state = replace(
        venue.state,
        adl_pending=marked,
        collateral=venue.state.collateral.at[2].add(-10_000),
    )
    assert venue.step(LIQUIDATE, reports=SILENT) == [Status.HALTED]
    assert int(venue.state.adl_pending[2, 0]) == 1, "it waits"
    assert int(venue.state.position[2, 0]) == 10
    venue.step()
    assert int(venue.state.adl_pending[2, 0]) == 0
    assert int(venue.state.position[2, 0]) == 0, "and comes with a fresh price"


def test_liquidations_wait_for_the_end_of_the_grace_and_orders_do_not():
    venue = in_danger().wait(2)
    venue.wait(3, halted=True)
    assert venue.step(BID, LIQUIDATE) == [Status.RESTING, Status.HALTED]
    venue.wait(GRACE - 2)
    assert venue.step(LIQUIDATE) == [Status.HALTED]
    assert venue.count(Status.HALTED) == 2
    assert venue.step(LIQUIDATE) == [Status.FILLED]


def test_the_grace_counts_from_the_last_halted_block():
    venue = in_danger().wait(1).wait(1, halted=True).wait(2).wait(1, halted=True)
    venue.step(BID)
    venue.wait(GRACE - 2)
    assert venue.step(LIQUIDATE) == [Status.HALTED]
    assert venue.step(LIQUIDATE) == [Status.FILLED]


def test_no_grace_at_the_start_of_a_run_or_where_it_is_off():
    assert in_danger().step(BID, LIQUIDATE) == [Status.RESTING, Status.FILLED]
    off = in_danger()
    off.params = replace(RULED, restart_grace_us=as_int(0))
    off.wait(1).wait(1, halted=True)
    assert off.step(BID, LIQUIDATE) == [Status.RESTING, Status.FILLED]


def test_in_the_grace_deleveraging_waits_too():
    venue = in_danger().wait(1)
    venue.state = replace(
        venue.state,
        adl_pending=venue.state.adl_pending.at[2, 0].set(1),
        collateral=venue.state.collateral.at[2].add(-10_000),
    )
    venue.wait(1, halted=True).wait(GRACE)
    assert int(venue.state.adl_pending[2, 0]) == 1
    venue.wait(1)
    assert int(venue.state.adl_pending[2, 0]) == 0


LEAVES = [{**WITHDRAW, "account": 1}, {"kind": Kind.FORCED_WITHDRAW, "account": 2}]


@pytest.mark.parametrize("row", [LIQUIDATE, *LEAVES])
def test_a_refusal_changes_nothing_but_its_counter(row):
    def settled():
        venue = in_danger().wait(1).wait(MAX_AGE, reports=SILENT)
        return venue.wait(1, reports=SILENT, halted=True)

    idle, asked = settled(), settled()
    idle.step(reports=SILENT)
    (status,) = asked.step(row, reports=SILENT)
    assert status >= Status.REJECTED
    counters = asked.state.counters - idle.state.counters
    assert counters.tolist() == [int(s == status) for s in range(STATUS_COUNT)]
    without = replace(asked.state, counters=idle.state.counters)
    for left, right in zip(
        jax.tree.leaves(without), jax.tree.leaves(idle.state), strict=True
    ):
        assert (left == right).all()
