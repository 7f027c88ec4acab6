"""Hyperliquid's liquidations in the exchange block, each stage by hand.

BTC at 60,000: a lot is 6 dollars, maintenance 1.25 % (largest leverage 40). Alice is
long, Bob has the other side, Dave makes the market, Carol keeps.
"""

from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from market.numbers.units import QUANTA_PER_USD as USD
from market.types.limits import MAX_NOTIONAL
from market.types.orders import BUY, SELL, Flag, Kind, Status
from market.types.state import open_exchange
from market.venues.hyperliquid import LiquidationStage, liquidation_stage
from market.venues.hyperliquid.preset import hyperliquid
from tests.market.forms import exchange_cases as cases
from tests.market.venues import rule_cases

MODES = {"argvalues": [False, True], "ids": ["continuous", "auction"]}
AUCTION = pytest.mark.parametrize("auction", **MODES)
ALICE, BOB, CAROL, DAVE, VAULT = range(5)
TICKS, LOT = 60_000, 6 * USD


class Venue:
    """Alice long ``lots`` of BTC with that equity in quanta; blocks of ten seconds."""

    def __init__(self, equity, lots=1_000, vault=VAULT, auction=False, waits=0):
        spec, params = hyperliquid(("BTC",), accounts=5, vault=vault, book_capacity=4)
        params = replace(params, cooldown_waits=jnp.asarray(waits))
        self.spec, self.auction = spec, auction
        zero = jnp.asarray(0)
        self.params = replace(params, maker_fee_ppm=zero, taker_fee_ppm=zero)
        position = np.array([lots, -lots, 0, 0, 0])
        worth = np.array([equity, *[10**6 * USD] * 4]) - position * LOT
        state = open_exchange(spec, jnp.asarray(worth), zero, jnp.array([TICKS]))
        position = jnp.asarray(position)[:, None]
        self.state = replace(state, position=position, cost=position * LOT)
        self.block = 0

    def send(self, *rows, mark=TICKS, previous=TICKS):
        """Runs a block; returns the statuses."""
        self.block += 1
        before = self.state.collateral.sum()
        run = rule_cases.compiled(self.spec, self.auction, "native")
        self.state, self.receipt, self.info = run(
            rule_cases.at_prices(self.spec, self.state, [mark], [previous]),
            cases.columns(rows),
            jnp.asarray(self.block),
            jnp.asarray(0),
            self.params,
        )
        assert self.state.collateral.sum() == before
        assert not self.state.position.sum()
        return [Status(s) for s in self.receipt.status[: len(rows)].tolist()]

    def held(self, account):
        return int(self.state.position[account, 0])

    def equity(self, account, mark=TICKS):
        return int(self.state.collateral[account]) + self.held(account) * mark * 100


def bid(lots, ticks=TICKS, slot=0):
    row = {"kind": Kind.ORDER, "account": DAVE, "side": BUY, "ticks": ticks}
    return {**row, "lots": lots, "slot": slot}


def liquidation(target=ALICE, account=CAROL, lots=0):
    return {"kind": Kind.LIQUIDATE, "account": account, "slot": target, "lots": lots}


# --- the book ----------------------------------------------------------------------


def test_an_account_is_safe_at_exactly_its_maintenance_margin():
    # 1,000 lots are 6,000 dollars: 75 of maintenance.
    assert Venue(75 * USD).send(liquidation()) == [Status.NOT_LIQUIDATABLE]
    assert Venue(75 * USD - 1).send(liquidation()) == [Status.NOTHING_TO_TAKE]


@AUCTION
def test_the_whole_position_is_sent_without_a_fee_and_the_rest_is_the_accounts(auction):
    venue = Venue(70 * USD, auction=auction)
    assert venue.send(bid(1_000, 59_990), liquidation())[1] == Status.FILLED
    assert venue.held(ALICE) == 0
    # An auction has one price, the middle of bid and band edge where both trade all.
    paid = 1_000 * 100 * int(venue.state.last[0])
    assert venue.equity(ALICE) == 70 * USD - (1_000 * LOT - paid)
    assert not venue.state.insurance.any() and int(venue.info.liquidation_fees) == 0
    assert int(venue.state.collateral[CAROL]) == 10**6 * USD
    assert int(venue.info.liquidations) == 1
    assert int(venue.info.liquidated_quote) == paid


def test_the_market_order_goes_to_the_edge_of_the_band_and_no_further():
    edge = TICKS * 9 // 10
    venue = Venue(70 * USD)
    assert venue.send(bid(1_000, edge), liquidation())[1] == Status.FILLED
    # A tick up, the edge is 54,000.9 and rounds up: the bid is out of reach.
    venue = Venue(70 * USD)
    venue.send(bid(1_000, edge))
    assert venue.send(liquidation(), mark=TICKS + 1) == [Status.NOTHING_TO_TAKE]
    assert venue.held(ALICE) == 1_000


def test_what_a_bad_fill_leaves_negative_is_the_accounts():
    venue = Venue(70 * USD)
    assert venue.send(bid(1_000, 59_000), liquidation())[1] == Status.FILLED
    assert venue.equity(ALICE) == -30 * USD
    assert not venue.state.gate_block.any(), "Hyperliquid has no gate"


# --- large positions ---------------------------------------------------------------


def test_a_position_of_100_000_dollars_goes_whole_and_a_larger_one_by_a_fifth():
    # At 50,000 a lot is 5 dollars: 20,000 lots are the limit exactly.
    for lots, sent in ((20_000, 20_000), (20_001, 4_001)):
        venue = Venue(0, lots=lots)
        short = lots * LOT - lots * 5 * USD
        money = venue.state.collateral.at[ALICE].add(short + lots * 5 * USD // 100)
        venue.state = replace(venue.state, collateral=money)
        assert venue.send(bid(30_000, 50_000), liquidation(), mark=50_000)[1] == (
            Status.FILLED
        )
        assert venue.receipt.filled_lots[1] == sent
        assert int(venue.state.cooldown_us[ALICE]) == (
            0 if sent == lots else venue.block * 10**7 + 30 * 10**6
        )


def large(**changes):
    """Alice at 1 % with 50,000 lots: 300,000 dollars, 3,750 of maintenance."""
    return Venue(3_000 * USD, lots=50_000, **changes)


def test_within_the_cooldown_the_rest_goes_whole():
    venue = large()
    venue.send(bid(10_000), liquidation())
    assert venue.held(ALICE) == 40_000
    # Four fifths of the position need 3,000: Alice is safe at the same mark, not lower.
    assert venue.send(liquidation()) == [Status.NOT_LIQUIDATABLE]
    assert venue.send(bid(60_000, 59_999), liquidation(), mark=59_999)[1] == (
        Status.FILLED
    )
    assert venue.held(ALICE) == 0


@pytest.mark.parametrize(
    "waits, blocks, status, left",
    [
        (0, 2, Status.FILLED, 0),
        (0, 3, Status.FILLED, 32_000),
        (1, 2, Status.ALREADY_LIQUIDATED, 40_000),
        (1, 3, Status.FILLED, 0),
    ],
)
def test_the_cooldown_ends_after_30_seconds(waits, blocks, status, left):
    venue = large(waits=waits)
    venue.send(bid(10_000), liquidation())
    for _ in range(blocks - 1):
        venue.send()
    result = venue.send(bid(60_000, 59_999), liquidation(), mark=59_999)
    assert result[1] == status and venue.held(ALICE) == left


def test_a_keepers_cap_is_no_partial_liquidation_of_a_small_position():
    venue = Venue(70 * USD)
    assert venue.send(bid(100), liquidation(lots=100))[1] == Status.FILLED
    assert venue.held(ALICE) == 900 and int(venue.state.cooldown_us[ALICE]) == 0


def test_in_an_auction_the_cooldown_starts_only_where_lots_are_filled():
    venue = large(auction=True)
    assert venue.send(liquidation()) == [Status.NOTHING_TO_TAKE]
    assert int(venue.state.cooldown_us[ALICE]) == 0
    assert venue.send(bid(5_000), liquidation())[1] == Status.PARTIAL
    assert int(venue.state.cooldown_us[ALICE]) == 20 * 10**6 + 30 * 10**6


# --- the vault ---------------------------------------------------------------------


@AUCTION
def test_below_two_thirds_of_maintenance_the_vault_takes_everything(auction):
    venue = Venue(50 * USD, auction=auction)
    assert venue.send(liquidation()) == [Status.NOTHING_TO_TAKE]
    venue = Venue(50 * USD - 1, auction=auction)
    ask = {**bid(5, 60_100), "account": ALICE, "side": SELL}
    venue.send(ask)
    assert venue.send(bid(1_000), liquidation())[1] == Status.FILLED
    assert venue.receipt.filled_lots[1] == 1_000
    assert venue.receipt.filled_quote[1] == 6_000 * USD
    assert venue.held(ALICE) == 0 and int(venue.state.collateral[ALICE]) == 0
    assert int(venue.state.cost[ALICE, 0]) == 0
    assert venue.held(VAULT) == 1_000
    assert venue.equity(VAULT) == 10**6 * USD + 50 * USD - 1
    assert int(venue.state.cost[VAULT, 0]) == 6_000 * USD
    assert int(venue.state.open_lots[ALICE].sum()) == 0
    assert int(venue.info.taken_over) == 6_000 * USD
    assert int(venue.info.traded_lots[0]) == 0


def test_in_an_auction_the_waiting_orders_of_a_taken_account_are_dropped():
    venue = Venue(50 * USD - 1, auction=True)
    # A reduction that the batch would fill, sent before the keeper's transaction.
    sale = {**bid(1_000, 59_990), "account": ALICE, "side": SELL}
    assert venue.send(sale, bid(1_000), liquidation()) == [
        Status.CANCELLED,
        Status.RESTING,
        Status.FILLED,
    ]
    assert venue.held(ALICE) == 0 and venue.held(DAVE) == 0


def test_in_an_auction_reductions_of_the_vault_lapse_where_it_takes_over():
    venue = Venue(50 * USD - 1, auction=True)
    position = jnp.array([1_000, -1_000, 500, 0, -500])[:, None]
    venue.state = replace(venue.state, position=position)
    # Alice's long turns the vault's short into a long, which a purchase would enlarge.
    flags = Flag.MARKET | Flag.REDUCE_ONLY
    purchase = {**bid(500), "account": VAULT, "flags": flags}
    offer = {**bid(500), "side": SELL}
    assert venue.send(purchase, liquidation(), offer) == [
        Status.CANCELLED,
        Status.FILLED,
        Status.RESTING,
    ]
    assert venue.held(VAULT) == 500


def test_without_a_vault_the_book_is_tried_until_equity_is_below_zero():
    venue = Venue(1, vault=-1)
    assert venue.send(bid(1_000), liquidation())[1] == Status.FILLED
    assert venue.equity(ALICE) == 1


def test_the_vault_itself_is_liquidated_into_the_book_and_never_taken_over():
    venue = Venue(10 * USD, vault=ALICE)
    assert venue.send(bid(1_000), liquidation())[1] == Status.FILLED
    assert venue.held(ALICE) == 0 and venue.equity(ALICE) == 10 * USD


def test_what_the_vault_takes_may_bring_it_under_its_own_margin():
    venue = Venue(40 * USD)
    money = venue.state.collateral.at[VAULT].set(10 * USD)
    money = money.at[DAVE].add(10**6 * USD - 10 * USD)
    venue.state = replace(venue.state, collateral=money)
    venue.send(liquidation())
    assert venue.held(VAULT) == 1_000 and venue.equity(VAULT) == 50 * USD
    # 50 dollars are two thirds of 75: the keepers' next order goes into the book.
    assert venue.send(bid(1_000), liquidation(VAULT))[1] == Status.FILLED


def test_the_vault_takes_no_position_beyond_the_largest_notional():
    lots = MAX_NOTIONAL // LOT
    for held, status in ((lots - 1_000, Status.FILLED), (lots - 999, 0)):
        venue = Venue(40 * USD)
        position = venue.state.position.at[VAULT, 0].set(held).at[DAVE, 0].set(-held)
        money = venue.state.collateral.at[VAULT].add(-held * LOT)
        money = money.at[DAVE].add(held * LOT)
        venue.state = replace(
            venue.state, position=position, cost=position * LOT, collateral=money
        )
        assert venue.send(liquidation()) == [status or Status.NOTHING_TO_TAKE]


# --- deleveraging ------------------------------------------------------------------


@AUCTION
def test_below_zero_all_positions_are_deleveraged_at_the_previous_mark(auction):
    venue = Venue(-1, auction=auction)
    statuses = venue.send(bid(1_000), liquidation(), previous=60_100)
    assert statuses[1] == Status.BANKRUPT
    # Bob's short of 1,000 lots is bought back at 60,100: ten dollars to Alice.
    assert venue.held(ALICE) == 0 and venue.held(BOB) == 0 and venue.held(DAVE) == 0
    assert int(venue.state.collateral[ALICE]) == 10 * USD - 1
    assert venue.equity(BOB) == (10**6 - 10) * USD
    assert not venue.state.adl_pending.any()


@pytest.mark.parametrize("lowering", ["native", "array"])
def test_in_a_halted_market_a_bankrupt_position_stays(lowering):
    spec, params = hyperliquid(("BTC", "ETH"), accounts=3, book_capacity=4)
    params = replace(params, halted=jnp.asarray([0, 1]))
    state = open_exchange(spec, jnp.zeros(3, int), jnp.asarray(0), jnp.array([6, 3]))
    position = jnp.asarray([[0, 0], [5, 7], [-5, -7]])
    state = replace(state, position=position, cost=position * 100)
    state = replace(state, collateral=jnp.asarray([10**9, -(10**6), 10**9]))
    rows = cases.columns([liquidation(target=1, account=0)])
    state, receipt, _ = rule_cases.compiled(spec, False, lowering)(
        rule_cases.at_prices(spec, state, [6, 3], [6, 3]),
        rows,
        jnp.asarray(1),
        jnp.asarray(0),
        params,
    )
    assert int(receipt.status[0]) == Status.BANKRUPT
    assert state.position.tolist() == [[0, 0], [0, 7], [0, -7]]
    assert not state.adl_pending.any()


def test_the_vault_pays_what_the_previous_mark_leaves_negative():
    venue = Venue(-30 * USD)
    venue.send(liquidation())
    assert int(venue.state.collateral[ALICE]) == 0
    assert int(venue.state.collateral[VAULT]) == (10**6 - 30) * USD
    assert int(venue.info.backstop_paid) == 30 * USD


def test_equity_of_zero_is_still_the_vaults():
    venue = Venue(0)
    assert venue.send(liquidation()) == [Status.FILLED]
    assert venue.held(VAULT) == 1_000


@settings(max_examples=60, deadline=None)
@given(st.integers(-5 * USD, 90 * USD), st.integers(1, 1_000))
def test_the_stage_of_an_account_is_the_rules(equity, lots):
    venue = Venue(equity, lots=lots)
    status = venue.send(bid(1_000), liquidation())[1]
    maintenance = -(-lots * LOT * 125 // 10_000)
    stage = liquidation_stage(equity, maintenance)
    assert (status == Status.NOT_LIQUIDATABLE) == (stage == LiquidationStage.SAFE)
    if equity < 0:
        assert status == Status.BANKRUPT
    elif stage == LiquidationStage.BACKSTOP:
        assert status == Status.FILLED and venue.held(VAULT) == lots
    elif stage == LiquidationStage.BOOK:
        assert status == Status.FILLED and venue.held(DAVE) == lots
