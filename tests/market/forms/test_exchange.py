"""Rules of the exchange block, each by a case computed by hand.

One lot of BTC is 0.0001 BTC and a tick one dollar, so a lot at 60,000 is 6 dollars or
6,000,000 quanta; fees are 1 bp for the maker and 5 bp for the taker.
"""

from dataclasses import replace

import jax
import jax.numpy as jnp
import pytest

from market.exchange import execute
from market.numbers.units import QUANTA_PER_USD as USD
from market.types.environment import Turn
from market.types.orders import BUY, SELL, Flag, Kind, Status
from market.types.specs import SelfTrade
from market.types.state import open_exchange
from market.venues.dydx_v4.preset import dydx_v4
from tests.market.forms import exchange_cases as cases

ALICE, BOB, CAROL, DAVE = range(4)
_RUN = {}


class Venue:
    """A BTC venue of four accounts, block after block."""

    build = staticmethod(dydx_v4)

    def __init__(self, usd=10_000, insurance=0, auction=False, **changes):
        self.spec, params = self.build(
            ("BTC",),
            accounts=4,
            book_capacity=3,
            self_trade=changes.pop("self_trade", SelfTrade.CANCEL_OLDEST),
        )
        values = {name: jnp.asarray(value) for name, value in changes.items()}
        self.params, self.auction, self.block = replace(params, **values), auction, 0
        money = jnp.full(4, usd * USD)
        self.state = open_exchange(
            self.spec, money, jnp.asarray(insurance * USD), jnp.array([60_000])
        )

    def send(self, *rows, oracle=None, seed=0):
        """Runs a block; returns the statuses."""
        self.block += 1
        if oracle is not None:
            self.state = replace(self.state, oracle=jnp.array([oracle]))
        key = self.spec, self.auction
        if key not in _RUN:
            _RUN[key] = jax.jit(
                lambda s, x, b, w, p: execute(
                    s, x, Turn(b, w), p, spec=key[0], auction=key[1]
                )
            )
        self.state, self.receipt, self.info = _RUN[key](
            self.state,
            cases.columns(rows),
            jnp.asarray(self.block),
            jnp.asarray(seed),
            self.params,
        )
        return [Status(s) for s in self.receipt.status[: len(rows)].tolist()]

    def money(self, account):
        return int(self.state.collateral[account])

    def held(self, account):
        return int(self.state.position[account, 0])


def order(account, side, ticks, lots, flags=0, slot=0, **rest):
    names = {"account": account, "side": side, "ticks": ticks, "lots": lots}
    return {"kind": Kind.ORDER, **names, "flags": flags, "slot": slot, **rest}


def liquidation(account, target, lots=0):
    return {"kind": Kind.LIQUIDATE, "account": account, "slot": target, "lots": lots}


def test_a_fill_is_at_the_makers_price_and_both_pay_their_fee():
    venue = Venue()
    assert venue.send(
        order(ALICE, BUY, 60_000, 1000), order(BOB, SELL, 59_900, 400)
    ) == [Status.RESTING, Status.FILLED]
    quote = 400 * 60_000 * 100
    assert venue.held(ALICE) == 400 and venue.held(BOB) == -400
    assert venue.money(ALICE) == 10_000 * USD - quote - quote // 10_000
    assert venue.money(BOB) == 10_000 * USD + quote - 5 * quote // 10_000
    assert int(venue.state.fees) == 6 * quote // 10_000
    assert int(venue.state.open_lots[ALICE, 0, 0]) == 600
    assert int(venue.info.traded_lots[0]) == 400


def test_a_resting_order_reserves_its_worst_loss_and_fee():
    venue = Venue()
    venue.send(order(ALICE, BUY, 60_100, 10))
    per_lot = 100 * 100 + 60_100 * 100 * 5 // 10_000
    assert int(venue.state.open_loss[ALICE, 0]) == 10 * per_lot
    venue.send({"kind": Kind.CANCEL, "account": ALICE})
    assert int(venue.state.open_loss[ALICE, 0]) == 0
    assert int(venue.state.book.count.sum()) == 0


def test_closing_takes_its_share_of_the_entry_value_floored():
    venue = Venue(maker_fee_ppm=0, taker_fee_ppm=0)
    venue.send(order(BOB, SELL, 60_001, 3), order(ALICE, BUY, 60_001, 3))
    venue.send(order(BOB, BUY, 59_000, 1), order(ALICE, SELL, 59_000, 1))
    entry = 3 * 60_001 * 100
    assert int(venue.state.cost[ALICE, 0]) == entry - entry // 3
    venue.send(order(BOB, BUY, 61_000, 5), order(ALICE, SELL, 61_000, 5))
    assert venue.held(ALICE) == -3
    assert int(venue.state.cost[ALICE, 0]) == -3 * 61_000 * 100


def test_an_order_is_admitted_up_to_its_initial_margin_and_no_further():
    # 2 % of 60,000 plus the fee of 5 bp: 120,000 + 3,000 quanta a lot.
    venue = Venue(usd=123)
    assert venue.send(order(ALICE, BUY, 60_000, 1001)) == [Status.MARGIN]
    assert venue.send(order(ALICE, BUY, 60_000, 1000)) == [Status.RESTING]
    # What rests counts: nothing more in the other slot, on the other side just as much.
    assert venue.send(
        order(ALICE, BUY, 60_000, 1, slot=1), order(ALICE, SELL, 60_000, 1, slot=2)
    ) == [Status.MARGIN, Status.MARGIN]


def test_an_account_under_its_margin_may_reduce_but_not_grow():
    venue = Venue(usd=200)
    venue.send(order(BOB, SELL, 60_000, 1000), order(ALICE, BUY, 60_000, 1000))
    grow = order(ALICE, BUY, 59_000, 1, Flag.IOC)
    beyond = order(ALICE, SELL, 59_000, 1001, slot=1)
    reduce = order(ALICE, SELL, 59_000, 1000, slot=2)
    assert venue.send(grow, beyond, reduce, oracle=59_000) == [
        Status.MARGIN,
        Status.MARGIN,
        Status.RESTING,
    ]


@pytest.mark.parametrize(
    "bad, reason",
    [
        ({"kind": 99}, Status.UNKNOWN_KIND),
        ({"account": 4}, Status.UNKNOWN_ACCOUNT),
        ({"account": -1}, Status.UNKNOWN_ACCOUNT),
        ({"market": 1}, Status.UNKNOWN_MARKET),
        ({"market": -1}, Status.UNKNOWN_MARKET),
        ({"slot": 4}, Status.UNKNOWN_SLOT),
        ({"side": 0}, Status.BAD_SIDE),
        ({"side": -(1 << 63)}, Status.BAD_SIDE),
        ({"lots": 0}, Status.BAD_LOTS),
        ({"lots": -5}, Status.BAD_LOTS),
        ({"lots": (1 << 63) - 1}, Status.BAD_LOTS),
        ({"ticks": 0}, Status.BAD_PRICE),
        ({"ticks": 1 << 31}, Status.BAD_PRICE),
        ({"ticks": 66_001}, Status.PRICE_BAND),
        ({"ticks": 53_999}, Status.PRICE_BAND),
        ({"flags": 32}, Status.BAD_FLAGS),
        ({"flags": Flag.POST_ONLY | Flag.IOC}, Status.BAD_FLAGS),
        ({"flags": Flag.REDUCE_ONLY}, Status.BAD_FLAGS),
        ({"flags": Flag.REDUCE_ONLY | Flag.IOC}, Status.WOULD_INCREASE),
        ({"flags": Flag.FOK}, Status.CANNOT_FILL),
        ({"expiry_block": -1}, Status.EXPIRED),
    ],
)
def test_a_malformed_order_is_rejected_with_its_reason_and_changes_nothing(bad, reason):
    venue = Venue()
    before = venue.state
    assert venue.send({**order(ALICE, BUY, 60_000, 5), **bad}) == [reason]
    counters = before.counters.at[int(reason)].add(1)
    expected = replace(before, counters=counters)
    jax.tree.map(_assert_equal, expected, venue.state)


def _assert_equal(a, b):
    assert (a == b).all()


def test_the_price_band_includes_its_edges_and_bounds_market_orders():
    venue = Venue()
    assert venue.send(
        order(ALICE, SELL, 66_000, 1), order(BOB, BUY, 54_000, 1, slot=1)
    ) == [Status.RESTING, Status.RESTING]
    assert venue.send(order(CAROL, BUY, 0, 2, Flag.MARKET)) == [Status.PARTIAL]
    assert int(venue.state.last[0]) == 66_000


def test_post_only_that_crosses_and_a_busy_slot_are_rejected():
    venue = Venue()
    assert venue.send(
        order(ALICE, SELL, 60_000, 1),
        order(BOB, BUY, 60_000, 1, Flag.POST_ONLY),
        order(ALICE, SELL, 60_100, 1),
        order(BOB, BUY, 59_999, 1, Flag.POST_ONLY),
    ) == [Status.RESTING, Status.WOULD_TAKE, Status.SLOT_BUSY, Status.RESTING]


def test_a_full_side_rejects_what_cannot_trade_and_drops_what_is_left():
    venue = Venue()
    rows = [order(ALICE, BUY, 59_000, 1, slot=i) for i in range(3)]
    venue.send(*rows, order(BOB, SELL, 60_000, 1))
    assert venue.send(
        order(CAROL, BUY, 59_500, 1), order(CAROL, BUY, 60_000, 3, slot=1)
    ) == [Status.BOOK_FULL, Status.PARTIAL]
    assert venue.held(CAROL) == 1
    assert int(venue.state.counters[int(Status.BOOK_FULL)]) == 2


@pytest.mark.parametrize(
    "mode, status, left_own, left_other, got",
    [
        (SelfTrade.CANCEL_OLDEST, Status.FILLED, 0, 1, 4),
        (SelfTrade.CANCEL_NEWEST, Status.SELF_TRADE, 3, 5, 0),
        (SelfTrade.DECREMENT, Status.PARTIAL, 0, 4, 1),
    ],
)
def test_self_trade_prevention(mode, status, left_own, left_other, got):
    venue = Venue(self_trade=mode)
    venue.send(order(ALICE, SELL, 60_000, 3), order(BOB, SELL, 60_001, 5))
    assert venue.send(order(ALICE, BUY, 60_001, 4, slot=1)) == [status]
    assert int(venue.state.open_lots[ALICE, 0, 1]) == left_own
    assert int(venue.state.open_lots[BOB, 0, 1]) == left_other
    assert venue.held(ALICE) == got


def test_replace_loses_priority_and_a_rejected_one_leaves_no_order():
    venue = Venue()
    venue.send(order(ALICE, BUY, 60_000, 1), order(BOB, BUY, 60_000, 1))
    again = {**order(ALICE, BUY, 60_000, 1), "kind": Kind.REPLACE}
    venue.send(again, order(CAROL, SELL, 60_000, 1, Flag.IOC))
    assert venue.held(BOB) == 1 and venue.held(ALICE) == 0
    assert venue.send({**again, "lots": 0}) == [Status.BAD_LOTS]
    assert int(venue.state.book.count.sum()) == 0


def reduction(account, lots, slot=0):
    names = {"account": account, "lots": lots, "slot": slot}
    return {"kind": Kind.REDUCE, **names}


@pytest.mark.parametrize("auction", [False, True])
def test_a_reduction_keeps_the_orders_time_and_frees_what_it_reserved(auction):
    venue = Venue(auction=auction)
    venue.send(order(ALICE, BUY, 60_000, 5), order(BOB, BUY, 60_000, 5, slot=2))
    per_lot = int(venue.state.open_loss[ALICE, 0]) // 5
    assert venue.send(reduction(ALICE, 3)) == [Status.ACCEPTED]
    assert int(venue.state.open_lots[ALICE, 0, 0]) == 2
    assert int(venue.state.open_loss[ALICE, 0]) == 2 * per_lot
    assert venue.state.book.owner[0, 0].tolist() == [BOB * 4 + 2, ALICE * 4, 0]
    assert venue.state.book.came[0, 0].tolist() == [1, 1, 0]
    assert venue.send(reduction(ALICE, 2)) == [Status.ACCEPTED]
    assert venue.state.book.owner[0, 0].tolist() == [BOB * 4 + 2, 0, 0]
    assert int(venue.state.open_loss[ALICE, 0]) == 0


@pytest.mark.parametrize("auction", [False, True])
def test_a_reduction_by_too_much_or_of_nothing_is_rejected_and_changes_nothing(auction):
    venue = Venue(auction=auction)
    venue.send(order(ALICE, BUY, 60_000, 5))
    before = venue.state
    assert venue.send(
        reduction(ALICE, 6),
        reduction(ALICE, 0),
        reduction(ALICE, -1),
        reduction(ALICE, 1, slot=1),
        reduction(BOB, 1),
        reduction(ALICE, 1, slot=4),
        reduction(ALICE, (1 << 63) - 1),
    ) == [
        *[Status.BAD_LOTS] * 3,
        *[Status.UNKNOWN_ORDER] * 2,
        Status.UNKNOWN_SLOT,
        Status.BAD_LOTS,
    ]
    jax.tree.map(_assert_equal, before.book, venue.state.book)
    jax.tree.map(_assert_equal, before.open_loss, venue.state.open_loss)


def test_orders_rest_through_their_expiry_block_and_are_gone_in_the_next():
    venue = Venue()
    venue.send(order(ALICE, BUY, 60_000, 1, expiry_block=2))
    venue.send()
    assert int(venue.state.open_lots[ALICE, 0, 0]) == 1
    venue.send()
    assert int(venue.state.open_lots[ALICE, 0, 0]) == 0
    assert int(venue.state.open_loss[ALICE, 0]) == 0


def test_a_halt_rejects_orders_and_lets_cancels_and_reductions_pass():
    venue = Venue()
    venue.send(order(ALICE, BUY, 60_000, 2))
    venue.params = replace(venue.params, halted=jnp.array([1]))
    assert venue.send(
        order(BOB, SELL, 60_000, 1),
        reduction(ALICE, 1),
        {"kind": Kind.CANCEL, "account": ALICE},
        liquidation(BOB, ALICE),
    ) == [Status.HALTED, Status.ACCEPTED, Status.ACCEPTED, Status.HALTED]


@pytest.mark.parametrize("auction", [False, True])
def test_an_account_has_no_more_resting_orders_than_its_limit(auction):
    venue = Venue(auction=auction, max_open_orders=2)
    low = [order(ALICE, BUY, 59_000 + i, 1, slot=i) for i in range(4)]
    other = order(ALICE, SELL, 61_000, 1, slot=2)
    assert venue.send(low[0], low[1], low[2], other) == [
        *[Status.RESTING] * 2,
        *[Status.TOO_MANY_ORDERS] * 2,
    ]
    # The others have limits of their own, and immediate orders do not rest.
    assert venue.send(
        order(BOB, SELL, 61_000, 2), order(ALICE, BUY, 61_000, 1, Flag.IOC, slot=3)
    ) == [Status.RESTING, Status.FILLED]
    swap = {**order(ALICE, BUY, 59_500, 1), "kind": Kind.REPLACE}
    assert venue.send(swap, low[3]) == [Status.RESTING, Status.TOO_MANY_ORDERS]
    cancel = {"kind": Kind.CANCEL, "account": ALICE, "slot": 1}
    assert venue.send(cancel, low[3]) == [Status.ACCEPTED, Status.RESTING]
    assert int(venue.state.counters[int(Status.TOO_MANY_ORDERS)]) == 3


@pytest.mark.parametrize("auction", [False, True])
def test_a_market_has_no_more_resting_orders_than_its_limit(auction):
    venue = Venue(auction=auction, max_market_orders=[3])
    rows = [order(ALICE, BUY, 59_000, 1, slot=i) for i in range(2)]
    rows += [order(BOB, SELL, 61_000, 1), order(CAROL, SELL, 61_000, 1)]
    assert venue.send(*rows) == [*[Status.RESTING] * 3, Status.TOO_MANY_ORDERS]
    assert venue.send(order(CAROL, BUY, 61_000, 2, Flag.IOC)) == [Status.PARTIAL]
    assert venue.send(order(CAROL, SELL, 61_000, 1)) == [Status.RESTING]


def _long_alice(venue, lots=1000):
    """Alice buys from Bob at 60,000, without fees."""
    zero = jnp.asarray(0)
    venue.params = replace(venue.params, maker_fee_ppm=zero, taker_fee_ppm=zero)
    venue.send(order(BOB, SELL, 60_000, lots), order(ALICE, BUY, 60_000, lots))


def test_an_account_is_liquidatable_strictly_below_its_maintenance_margin():
    # At 58,700 the maintenance margin is 1.2 % of 5,870 dollars: 70.44. The loss of
    # 130 leaves exactly that of 200.44; one tick further it does not.
    venue = Venue(usd=200)
    _long_alice(venue)
    venue.send({"kind": Kind.DEPOSIT, "account": ALICE, "lots": 440_000})
    assert venue.send(liquidation(CAROL, ALICE), oracle=58_700) == [
        Status.NOT_LIQUIDATABLE
    ]
    assert venue.send(liquidation(CAROL, ALICE), oracle=58_699) == [
        Status.NOTHING_TO_TAKE
    ]
    assert not venue.state.adl_pending.any()


def test_a_liquidation_above_bankruptcy_pays_a_capped_fee_shared_with_the_liquidator():
    # At 58,200: equity 20, requirement 69.84. The least size is 1,000 dollars, which
    # is floor(1000 / 5.82) = 171 lots; all bids at 58,200 are taken at the oracle.
    venue = Venue(usd=200)
    _long_alice(venue)
    bid = order(DAVE, BUY, 58_200, 500)
    assert venue.send(bid, liquidation(CAROL, ALICE), oracle=58_200) == [
        Status.RESTING,
        Status.FILLED,
    ]
    assert int(venue.receipt.filled_lots[1]) == 171
    quote = 171 * 58_200 * 100
    before, after = 69_840_000, -(-829 * 58_200 * 100 * 12 // 1000)
    gain = 20_000_000 * (before - after) // before
    assert gain < quote * 15 // 1000
    assert int(venue.info.liquidation_fees) == gain
    assert venue.money(CAROL) == 200 * USD + gain // 5
    assert int(venue.state.insurance[0]) == gain - gain // 5
    assert venue.send(bid | {"slot": 1}, liquidation(CAROL, ALICE))[1] == (
        Status.NOT_LIQUIDATABLE if gain == 0 else Status.FILLED
    )


def test_a_position_is_liquidated_once_a_block():
    venue = Venue(usd=200)
    _long_alice(venue)
    assert venue.send(
        order(DAVE, BUY, 58_200, 500),
        liquidation(CAROL, ALICE),
        liquidation(BOB, ALICE),
        oracle=58_200,
    )[1:] == [Status.FILLED, Status.ALREADY_LIQUIDATED]


def test_the_fund_pays_what_a_liquidation_brings_below_bankruptcy():
    # At 57,000: equity -100, and the fill at the oracle for 175 lots is short of its
    # share of the deficit.
    venue = Venue(usd=200, insurance=1000)
    _long_alice(venue)
    statuses = venue.send(
        order(DAVE, BUY, 57_000, 500), liquidation(CAROL, ALICE), oracle=57_000
    )
    assert statuses == [Status.RESTING, Status.FILLED]
    lots = 1000 * USD // (57_000 * 100)
    before, after = 68_400_000, -(-(1000 - lots) * 57_000 * 100 * 12 // 1000)
    paid = -(-100 * USD * (before - after) // before)
    assert int(venue.info.insurance_paid) == paid
    assert int(venue.state.insurance[0]) == 1000 * USD - paid
    assert venue.state.gate_block.tolist() == [venue.block + 50, 0]


def test_without_fund_or_bid_the_loss_is_deleveraged_at_the_bankruptcy_price():
    venue = Venue(usd=200)
    _long_alice(venue)
    statuses = venue.send(
        order(DAVE, BUY, 57_000, 500), liquidation(CAROL, ALICE), oracle=57_000
    )
    assert statuses[1] == Status.INSURANCE_EMPTY
    # Alice's whole long goes to Bob's short, at what leaves her with nothing.
    assert venue.held(ALICE) == 0 and venue.held(BOB) == 0
    assert venue.money(ALICE) == 0
    assert venue.money(BOB) == 400 * USD
    assert int(venue.info.deleveraging_loss) == 100 * USD
    assert not venue.state.adl_pending.any()


def test_withdrawals_leave_what_orders_and_positions_need():
    venue = Venue(usd=200)
    _long_alice(venue)
    # Initial margin 120 of an equity of 200, long or short.
    for account in (ALICE, BOB):
        leave = {"kind": Kind.WITHDRAW, "account": account}
        assert venue.send({**leave, "lots": 80 * USD + 1}) == [Status.NO_FUNDS]
        assert venue.send({**leave, "lots": 80 * USD}) == [Status.ACCEPTED]
        assert int(venue.state.withdrawn[account]) == 80 * USD


def test_an_auction_clears_at_the_middle_of_the_prices_that_maximise_volume():
    venue = Venue(auction=True)
    assert venue.send(
        order(ALICE, BUY, 60_101, 10),
        order(BOB, SELL, 59_900, 4),
        order(CAROL, SELL, 60_500, 7),
    ) == [Status.RESTING, Status.FILLED, Status.RESTING]
    assert int(venue.state.last[0]) == 60_000
    assert venue.held(ALICE) == 4


def test_at_the_margin_of_an_auction_time_comes_first_then_size():
    venue = Venue(auction=True)
    venue.send(order(ALICE, BUY, 60_000, 3))
    venue.send(
        order(BOB, BUY, 60_000, 6),
        order(CAROL, BUY, 60_000, 3),
        order(DAVE, SELL, 60_000, 7, Flag.IOC),
    )
    # Three to Alice; four over sizes 6 and 3: 2 2/3 and 1 1/3, the remainder to Bob.
    assert [venue.held(a) for a in range(4)] == [3, 3, 1, -7]


def test_resting_orders_of_one_batch_share_the_margin_by_size():
    venue = Venue(auction=True)
    venue.send(order(ALICE, BUY, 60_000, 10), order(BOB, BUY, 60_000, 20))
    venue.send(order(CAROL, BUY, 60_000, 40))
    venue.send(order(DAVE, SELL, 60_000, 16, Flag.IOC))
    # 16 over 10 and 20: 5 1/3 and 10 2/3, the remainder to Bob; Carol came later.
    assert [venue.held(a) for a in range(4)] == [5, 11, 0, -16]
    venue.send(order(DAVE, SELL, 60_000, 16, Flag.IOC))
    # What is left of the first batch, 5 and 9, then 2 of Carol's.
    assert [venue.held(a) for a in range(4)] == [10, 20, 2, -32]


def test_an_order_filled_whole_behind_one_that_is_not_leaves_the_book():
    venue = Venue(auction=True)
    venue.send(
        order(ALICE, BUY, 60_000, 2),
        order(BOB, BUY, 60_000, 3),
        order(CAROL, BUY, 60_000, 1),
    )
    venue.send(order(DAVE, SELL, 60_000, 5, Flag.IOC))
    # 5 over 2, 3, 1: 1 2/3, 2 1/2, 5/6; the two left over to Carol and Alice.
    assert [venue.held(a) for a in range(4)] == [2, 2, 1, -5]
    assert venue.state.book.lots[0, 0].tolist() == [1, 0, 0]
    assert venue.state.book.owner[0, 0].tolist() == [BOB * 4, 0, 0]


def test_rests_of_a_batch_keep_their_batch_behind_a_later_better_price():
    venue = Venue(auction=True)
    venue.send(order(ALICE, BUY, 60_000, 3), order(BOB, BUY, 60_000, 3))
    venue.send(order(CAROL, BUY, 60_100, 2))
    assert venue.state.book.came[0, 0].tolist() == [1, 1, 2]
    venue.send(order(DAVE, SELL, 60_000, 5, Flag.IOC))
    assert [venue.held(a) for a in range(4)] == [2, 1, 2, -5]
    venue.send(order(BOB, BUY, 60_000, 2, slot=1))
    assert venue.state.book.came[0, 0].tolist() == [4, 1, 1]


def test_a_cancel_counts_whenever_it_comes_and_fill_or_kill_is_rejected():
    venue = Venue(auction=True)
    venue.send(order(ALICE, SELL, 60_000, 3))
    assert venue.send(
        order(BOB, BUY, 60_000, 3),
        {"kind": Kind.CANCEL, "account": ALICE},
        order(CAROL, SELL, 60_000, 3, Flag.FOK),
    ) == [Status.RESTING, Status.ACCEPTED, Status.CANNOT_FILL]
    assert venue.held(BOB) == 0


def test_a_liquidation_in_an_auction_does_not_sell_below_what_the_fund_can_bear():
    venue = Venue(usd=200, auction=True)
    _long_alice(venue)
    assert venue.held(ALICE) == 1000
    # Equity -100 at 57,000, an empty fund: Alice's sale asks for her bankruptcy price,
    # 58,000 for 175 lots, and a bid at 57,500 does not reach it.
    assert venue.send(
        order(DAVE, BUY, 57_500, 500), liquidation(CAROL, ALICE), oracle=57_000
    ) == [Status.RESTING, Status.NOTHING_TO_TAKE]
    assert venue.held(ALICE) == 0  # deleveraged at the end of the block
    assert int(venue.state.insurance[0]) == 0
