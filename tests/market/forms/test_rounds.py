"""What an order's terms mean in an auction's round, in all three forms.

Each block is run by the twin and by a compiled form, which must agree in everything.
A lot of BTC at 60,000 is six dollars; without a word to the contrary nobody pays fees.
"""

from dataclasses import replace

import jax.numpy as jnp
import pytest

from market.numbers.units import QUANTA_PER_USD as USD
from market.twin.lane import open_loss, open_lots
from market.types.orders import BUY, SELL, Flag, Kind, Status
from market.types.specs import SelfTrade
from tests.market.forms import exchange_cases as cases

ALICE, BOB, CAROL, DAVE = range(4)
RESTING, FILLED, PARTIAL = Status.RESTING, Status.FILLED, Status.PARTIAL
ACCEPTED, CANCELLED = Status.ACCEPTED, Status.CANCELLED
SELF_TRADE = Status.SELF_TRADE


@pytest.fixture(params=["native", pytest.param("array", marks=pytest.mark.slow)])
def form(request):
    return request.param


class Venue:
    """An exchange that matches in rounds, each in two forms.

    Arrays are compiled for one mode of self-trade prevention; of the others they are
    compared by themselves (`test_prevention`).
    """

    def __init__(self, form, mode=SelfTrade.CANCEL_OLDEST, usd=10_000, **numbers):
        if form == "array" and mode != SelfTrade.CANCEL_OLDEST:
            pytest.skip("arrays are compiled for one mode")
        kind = cases.Venue(self_trade=mode)
        spec, params = cases.venue(kind)
        free = {"maker_fee_ppm": 0, "taker_fee_ppm": 0, "max_open_orders": 0}
        free |= {"max_market_orders": [0, 0], "liquidation_max_portion_ppm": 1_000_000}
        numbers = {name: jnp.asarray(n) for name, n in {**free, **numbers}.items()}
        self.params, self.block = replace(params, **numbers), 0
        money, oracle = [usd * USD] * cases.ACCOUNTS, [60_000, 15_000]
        self.state, self.twin = cases.start(spec, self.params, money, 0, oracle)
        self.run = cases.compiled(kind, True, form)

    def send(self, *rows, oracle=60_000, **numbers):
        """Runs a round; returns the statuses."""
        self.block += 1
        numbers = {name: jnp.asarray(n) for name, n in numbers.items()}
        params, txs = replace(self.params, **numbers), cases.columns([*rows])
        ticks, self.twin.params = [oracle, 15_000], cases.plain(params)
        state, self.twin.price = replace(self.state, oracle=jnp.asarray(ticks)), ticks
        self.state, self.receipt, info = self.run(
            state, txs, jnp.asarray(self.block), jnp.asarray(0), params
        )
        fills = cases.run_twin(self.twin, txs, self.block, 0, auction=True)
        cases.assert_same(self.state, self.receipt, info, self.twin, fills)
        return [Status(fill.status) for fill in fills[: len(rows)]]

    def held(self, account=ALICE):
        return self.twin.position[account][0]

    def money(self, account=ALICE):
        return self.twin.collateral[account]

    def open(self, account=ALICE):
        """Lots that the account bids and asks."""
        return tuple(open_lots(self.twin, account, 0, side) for side in (BUY, SELL))


def order(account, side, ticks, lots, flags=0, slot=0, **rest):
    names = {"account": account, "side": side, "ticks": ticks, "lots": lots}
    return {"kind": Kind.ORDER, **names, "flags": flags, "slot": slot, **rest}


def replaced(row, **terms):
    return {**row, "kind": Kind.REPLACE, **terms}


def cancel(account=ALICE, slot=0):
    return {"kind": Kind.CANCEL, "account": account, "slot": slot}


def cancel_all(account=ALICE, market=0):
    return {"kind": Kind.CANCEL_ALL, "account": account, "market": market}


def reduction(lots, account=ALICE, slot=0):
    return {"kind": Kind.REDUCE, "account": account, "slot": slot, "lots": lots}


def liquidation(target=ALICE, account=CAROL):
    return {"kind": Kind.LIQUIDATE, "account": account, "slot": target}


SALE = order(ALICE, SELL, 60_000, 5)
BID = order(BOB, BUY, 60_000, 5)

# --- what is sent last counts --------------------------------------------------------


@pytest.mark.parametrize(
    "message", [cancel(), cancel_all(), cancel_all(market=-1), reduction(5)]
)
def test_an_order_that_was_taken_back_does_not_fill_and_reserves_nothing(form, message):
    venue = Venue(form)
    assert venue.send(SALE, BID, message) == [CANCELLED, RESTING, ACCEPTED]
    assert venue.held() == 0 and venue.open() == (0, 0)
    assert open_loss(venue.twin, ALICE, 0) == 0
    # The same of an order that rests.
    venue = Venue(form)
    venue.send(SALE)
    assert venue.send(BID, message) == [RESTING, ACCEPTED]
    assert venue.held() == 0 and venue.open() == (0, 0)


def test_what_is_sent_after_a_cancel_counts(form):
    venue = Venue(form)
    again = order(ALICE, SELL, 59_990, 2)
    assert venue.send(SALE, cancel(), again, BID) == [
        *(CANCELLED, ACCEPTED, FILLED, RESTING)
    ]
    assert venue.held() == -2
    # A cancel of what has not come yet finds nothing.
    assert venue.send(cancel(), SALE) == [Status.UNKNOWN_ORDER, RESTING]


def test_the_last_replacement_of_a_slot_counts(form):
    venue = Venue(form)
    venue.send(SALE)
    away = [replaced(SALE, ticks=ticks) for ticks in (60_100, 60_300, 60_200)]
    assert venue.send(*away, BID) == [CANCELLED, CANCELLED, RESTING, RESTING]
    assert [ask.ticks for ask in venue.twin.books[0].asks] == [60_200]
    # A replacement that is refused has taken the old order off all the same.
    bad = replaced(SALE, ticks=0)
    assert venue.send(replaced(SALE), bad) == [CANCELLED, Status.BAD_PRICE]
    assert venue.open() == (0, 0)


def test_a_reduction_takes_lots_off_a_waiting_order(form):
    venue = Venue(form)
    assert venue.send(SALE, reduction(6), reduction(0), reduction(2), BID) == [
        *(FILLED, Status.BAD_LOTS, Status.BAD_LOTS, ACCEPTED, RESTING)
    ]
    assert (venue.held(), venue.open(BOB)) == (-3, (2, 0))
    rest = order(ALICE, SELL, 60_000, 9)
    assert venue.send(rest, reduction(4), BID) == [RESTING, ACCEPTED, Status.SLOT_BUSY]
    assert venue.send(reduction(3)) == [ACCEPTED]
    assert (venue.held(), venue.open()) == (-5, (0, 0))


def test_immediate_orders_may_be_taken_back_and_hold_their_slot(form):
    venue = Venue(form)
    take = order(ALICE, SELL, 60_000, 5, Flag.IOC)
    assert venue.send(take, SALE, cancel(), BID) == [
        *(CANCELLED, Status.SLOT_BUSY, ACCEPTED, RESTING)
    ]


def test_what_was_taken_back_frees_margin_and_its_place_in_the_round(form):
    venue = Venue(form, usd=100, max_open_orders=1)
    large = order(ALICE, BUY, 60_000, 600)  # 3,600 dollars, 72 of margin
    other = {**large, "slot": 1}
    assert venue.send(large, {**other, "flags": Flag.IOC}, other, cancel(), other) == [
        *(CANCELLED, Status.MARGIN, Status.TOO_MANY_ORDERS, ACCEPTED, RESTING)
    ]
    take_out = {"kind": Kind.WITHDRAW, "account": ALICE, "lots": 100 * USD}
    assert venue.send(take_out, cancel_all(), take_out) == [
        *(Status.NO_FUNDS, ACCEPTED, ACCEPTED)
    ]


def test_a_liquidation_cannot_be_taken_back_and_drops_what_waits(form):
    venue = Venue(form, usd=200)
    venue.send(order(ALICE, BUY, 60_000, 1_000), order(BOB, SELL, 60_000, 1_000))
    bids = order(DAVE, BUY, 58_200, 100), order(CAROL, BUY, 58_200, 500)
    sale = order(ALICE, SELL, 58_200, 10)
    rows = (sale, *bids, liquidation(account=DAVE), cancel_all(), cancel_all(market=-1))
    assert venue.send(*rows, oracle=58_200) == [
        *(CANCELLED, RESTING, RESTING, FILLED, ACCEPTED, ACCEPTED)
    ]
    assert 0 < venue.held() < 1_000


# --- nobody trades with itself -------------------------------------------------------

PAIR = order(ALICE, BUY, 60_100, 5), order(ALICE, SELL, 60_000, 5, slot=1)


@pytest.mark.parametrize(
    ("mode", "statuses", "left"),
    [
        (SelfTrade.CANCEL_OLDEST, [SELF_TRADE, RESTING], (0, 5)),
        (SelfTrade.CANCEL_NEWEST, [RESTING, SELF_TRADE], (5, 0)),
        (SelfTrade.DECREMENT, [PARTIAL, PARTIAL], (0, 0)),
    ],
)
def test_an_account_does_not_trade_with_itself(form, mode, statuses, left):
    venue = Venue(form, mode, maker_fee_ppm=100, taker_fee_ppm=500)
    assert venue.send(*PAIR) == statuses
    assert venue.open() == left and venue.money() == 10_000 * USD
    # The same where the older order rests, or where neither would rest.
    venue = Venue(form, mode, maker_fee_ppm=100, taker_fee_ppm=500)
    assert venue.send(PAIR[0]) == [RESTING]
    assert venue.send(PAIR[1]) == statuses[1:]
    assert venue.open() == left and venue.money() == 10_000 * USD
    venue.send(cancel_all())
    venue.send(*({**row, "flags": Flag.IOC} for row in PAIR))
    assert venue.open() == (0, 0) and venue.money() == 10_000 * USD


def test_decrement_shrinks_both_and_the_rest_trades(form):
    venue = Venue(form, SelfTrade.DECREMENT)
    small, large = order(ALICE, BUY, 60_100, 2), {**PAIR[1], "lots": 9}
    assert venue.send(small, large, order(BOB, BUY, 60_000, 7)) == [
        *(PARTIAL, PARTIAL, FILLED)
    ]
    assert venue.held() == -7 and int(venue.receipt.filled_lots[1]) == 7


def test_a_pair_of_one_account_does_not_move_the_price_of_others(form):
    venue = Venue(form)
    others = order(BOB, BUY, 60_000, 1), order(CAROL, SELL, 59_000, 1)
    wash = order(ALICE, BUY, 61_000, 900), order(ALICE, SELL, 60_900, 900, slot=1)
    assert venue.send(*wash, *others) == [SELF_TRADE, RESTING, FILLED, FILLED]
    assert venue.twin.last[0] == 59_500


@pytest.mark.parametrize("mode", list(SelfTrade), ids=lambda mode: mode.name)
def test_orders_of_one_account_that_would_not_both_trade_stay(form, mode):
    far, market = order(ALICE, SELL, 61_000, 4, slot=1), order(ALICE, BUY, 1, 5, 16)
    rows = far, order(BOB, SELL, 60_000, 5), market
    venue = Venue(form, mode)
    assert venue.send(*rows) == [RESTING, FILLED, FILLED]
    assert (venue.held(), venue.open()) == (5, (0, 4))
    venue = Venue(form, mode)
    assert venue.send(*reversed(rows)) == [FILLED, FILLED, RESTING]
    assert (venue.held(), venue.open()) == (5, (0, 4))


@pytest.mark.parametrize("mode", list(SelfTrade), ids=lambda mode: mode.name)
def test_a_liquidation_stays_where_its_account_bids_for_it(form, mode):
    venue = Venue(form, mode, usd=200)
    venue.send(order(ALICE, BUY, 60_000, 1_000), order(BOB, SELL, 60_000, 1_000))
    # Her purchase needs margin, so money comes first; her sale waits already.
    money = {"kind": Kind.DEPOSIT, "account": ALICE, "lots": 900 * USD}
    bid = order(ALICE, BUY, 59_000, 10)
    rows = (liquidation(), money, bid, order(DAVE, BUY, 58_200, 600))
    statuses = venue.send(*rows, oracle=58_200)
    assert statuses[1:3] == [ACCEPTED, PARTIAL if mode == 2 else SELF_TRADE]
    assert statuses[0] == FILLED and venue.held() < 1_000


# --- the other terms -----------------------------------------------------------------


def test_post_only_is_never_refused_and_pays_the_makers_fee(form):
    venue = Venue(form, maker_fee_ppm=100, taker_fee_ppm=500)
    sale = {**SALE, "flags": Flag.POST_ONLY}
    assert venue.send(BID, sale) == [FILLED, FILLED]
    quote = 5 * 60_000 * 100
    assert venue.money() == 10_000 * USD + quote - quote // 10_000
    assert venue.money(BOB) == 10_000 * USD - quote - 5 * quote // 10_000
    # What rests pays the maker's fee in the next round, what comes the taker's.
    venue.send(BID)
    venue.send(SALE)
    assert venue.money(BOB) == 10_000 * USD - 2 * quote - 6 * quote // 10_000


def test_immediate_orders_wait_for_one_round(form):
    venue = Venue(form)
    take = order(ALICE, SELL, 60_000, 7, Flag.IOC)
    assert venue.send(take, BID) == [PARTIAL, FILLED]
    assert venue.open() == (0, 0)
    # Of a market order the edge of the band is the limit.
    market = order(ALICE, SELL, 0, 7, Flag.MARKET)
    assert venue.send(market, BID) == [PARTIAL, FILLED]


def test_a_fill_or_kill_order_is_refused(form):
    venue = Venue(form)
    assert venue.send({**SALE, "flags": Flag.FOK}, BID) == [
        Status.CANNOT_FILL,
        RESTING,
    ]


def test_an_order_waits_and_rests_through_its_expiry_block(form):
    venue = Venue(form)
    assert venue.send({**SALE, "expiry_block": 1}) == [RESTING]
    assert venue.send(BID) == [RESTING]
    past = {**SALE, "expiry_block": 2}
    assert venue.send(past) == [Status.EXPIRED]
    # So does a cancel, and what it would have cancelled stays.
    assert venue.send(SALE, {**cancel(), "expiry_block": 3}) == [
        FILLED,
        Status.EXPIRED,
    ]


def test_reductions_take_what_the_accounts_other_orders_leave(form):
    venue = Venue(form)
    venue.send(order(ALICE, BUY, 60_000, 10), order(BOB, SELL, 60_000, 10))
    leave = order(ALICE, SELL, 60_000, 8, Flag.IOC | Flag.REDUCE_ONLY, slot=1)
    sale = order(ALICE, SELL, 60_000, 7)
    rows = (sale, leave, order(BOB, BUY, 60_000, 20))
    assert venue.send(*rows) == [FILLED, FILLED, RESTING]
    assert venue.held() == 0 and int(venue.receipt.filled_lots[1]) == 3
    assert venue.send(leave) == [Status.WOULD_INCREASE]


def test_who_has_room_is_counted_as_each_order_comes(form):
    venue = Venue(form, max_market_orders=[2, 0])
    low = [order(account, BUY, 59_000, 1) for account in range(3)]
    assert venue.send(*low) == [RESTING, RESTING, Status.TOO_MANY_ORDERS]
    assert venue.send(cancel(), low[2], low[0]) == [
        *(ACCEPTED, RESTING, Status.TOO_MANY_ORDERS)
    ]
    # Seven bids on a side of six: the last is refused as the round closes.
    venue = Venue(form)
    seven = [order(account, BUY, 59_000, 1) for account in range(7)]
    assert venue.send(*seven) == [*[RESTING] * 6, Status.BOOK_FULL]


def test_limits_are_within_the_price_band(form):
    venue = Venue(form)
    far = order(ALICE, BUY, 70_000, 1)
    assert venue.send(far, BID, replaced(BID, ticks=70_000)) == [
        *(Status.PRICE_BAND, CANCELLED, Status.PRICE_BAND)
    ]


def test_in_a_halted_market_orders_are_taken_back_and_none_comes(form):
    venue = Venue(form)
    venue.send(SALE, BID, order(CAROL, BUY, 59_000, 5), order(DAVE, BUY, 59_000, 5))
    other = order(CAROL, BUY, 59_500, 1, slot=1)
    rows = (other, reduction(2, CAROL), replaced(other, account=DAVE, slot=0))
    assert venue.send(*rows, liquidation(), halted=[1, 0]) == [
        *(Status.HALTED, ACCEPTED, Status.HALTED, Status.HALTED)
    ]
    assert venue.open(CAROL) == (3, 0) and venue.open(DAVE) == (0, 0)
