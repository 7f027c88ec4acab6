from types import SimpleNamespace

import numpy as np
import pytest
from numba import njit

from market.kernels import book as kernels
from market.kernels import engine
from market.kernels.book import (
    ASKS,
    BIDS,
    BOOK,
    BOOK_FIELDS,
    EVENT,
    FILL,
    PREVENTED,
    REMOVED,
    Resting,
)
from market.kernels.engine import Incoming
from market.native.record import Record
from market.types.orders import Flag, Status
from market.types.specs import SelfTrade

CAPACITY, FAR = 4, 1_000_000
BLOCK = 9


class Book:
    """A book with its columns as arrays, and what its kernels told last."""

    def __init__(self):
        self.columns = {
            name: np.zeros((2, CAPACITY), np.int64) for name in BOOK_FIELDS[:-1]
        }
        self.count = np.zeros(2, np.int64)
        columns = (*self.columns.values(), self.count)
        addresses = [column.ctypes.data for column in columns]
        self.words = np.array([CAPACITY, *addresses], np.int64)
        self.told = np.zeros((2 * CAPACITY + 1, EVENT.words), np.int64)

    def events(self, count):
        """[(kind, owner, ticks, lots)]; the reservation must be the owner's own."""
        found = self.told[:count].tolist()
        assert all(row[4] == 7 * row[1] for row in found)
        return [tuple(row[:4]) for row in found]


def callable_from_python(function):
    """A kernel has no wrapper for Python of its own, and takes records."""
    book_at = BOOK.at

    @njit
    def call(words, *arguments):
        return function(book_at(words.ctypes.data), *arguments)

    return lambda book, *arguments: call(book.words, *arguments)


def telling(function):
    """The same for a kernel that writes events, as its last argument."""
    book_at, told_at = BOOK.at, TOLD.at

    @njit
    def call(words, told, *arguments):
        events = told_at(told.ctypes.data).events
        return function(book_at(words.ctypes.data), *arguments, events)

    def run(book, *arguments):
        address = np.array([book.told.ctypes.data], np.int64)
        return call(book.words, address, *arguments)

    return run


TOLD = Record("Told")
TOLD.rows("events", EVENT)
NAMES = "insert remove find_on_side find would_take drop_empty count_range"
kernel = SimpleNamespace(
    **{name: callable_from_python(getattr(kernels, name)) for name in NAMES.split()},
    remove_range=telling(kernels.remove_range),
    expire=telling(kernels.expire),
    volume=callable_from_python(engine.volume),
    refusal=callable_from_python(engine.refusal),
    sweep=telling(engine.sweep),
    match=telling(engine.match),
)


@pytest.fixture
def book():
    return Book()


def rest(book, side, *orders):
    for ticks, lots, owner in orders:
        order = Resting(ticks, lots, owner, 7 * owner, owner, BLOCK)
        assert kernel.insert(book, side, order)


def resting(book, side):
    """[(ticks, lots, owner)], best first; checks that the free entries are clear."""
    count = book.count[side]
    for column in book.columns.values():
        assert not column[side, count:].any()
    names = ("ticks", "lots", "owner")
    columns = (book.columns[name][side, :count][::-1].tolist() for name in names)
    return list(zip(*columns, strict=True))


def incoming(side, limit, lots, account=(64, 68), mode=0, flags=0):
    """An order that takes from ``side``; the account's names are a range."""
    first, end = account
    sign = 1 if side == ASKS else -1
    loss, expiry = 7 * first, first
    return Incoming(
        sign, limit, lots, flags, first, first, end, loss, expiry, BLOCK, int(mode)
    )


def sweep(book, order):
    left, filled, count, stopped = kernel.sweep(book, order)
    events = book.events(count)
    assert filled == sum(lots for kind, _, _, lots in events if kind == FILL)
    return left, events, stopped


def test_better_prices_first_and_at_one_price_the_earlier_first(book):
    rest(book, BIDS, (10, 1, 1), (12, 1, 2), (10, 1, 3), (11, 1, 4))
    assert resting(book, BIDS) == [(12, 1, 2), (11, 1, 4), (10, 1, 1), (10, 1, 3)]


def test_asks_are_better_when_lower(book):
    rest(book, ASKS, (10, 1, 1), (12, 1, 2), (10, 1, 3), (11, 1, 4))
    assert resting(book, ASKS) == [(10, 1, 1), (10, 1, 3), (11, 1, 4), (12, 1, 2)]


def test_a_full_side_takes_no_further_order_and_keeps_what_rests(book):
    rest(book, BIDS, *((10, 1, owner) for owner in range(4)))
    before = resting(book, BIDS)
    assert not kernel.insert(book, BIDS, Resting(99, 5, 9, 0, 0, BLOCK))
    assert resting(book, BIDS) == before


def test_find_and_remove_name_one_order_and_keep_the_others_in_order(book):
    rest(book, BIDS, (10, 1, 1), (10, 2, 2), (11, 3, 3))
    rest(book, ASKS, (20, 4, 4))
    assert kernel.find_on_side(book, ASKS, 4) == 0
    kernel.remove(book, BIDS, kernel.find_on_side(book, BIDS, 2))
    assert resting(book, BIDS) == [(11, 3, 3), (10, 1, 1)]
    assert kernel.find_on_side(book, BIDS, 2) == -1
    assert kernel.find(book, 4) == (ASKS, 0)
    assert kernel.find(book, 2)[1] == -1


def test_a_freed_entry_is_not_found_by_the_key_zero(book):
    assert kernel.find_on_side(book, ASKS, 0) == -1
    rest(book, ASKS, (20, 1, 0))
    assert kernel.find_on_side(book, ASKS, 0) == 0


def test_a_sweep_goes_through_every_level_in_its_limit(book):
    rest(book, ASKS, (100, 5, 1), (102, 5, 2), (106, 5, 3))
    result = sweep(book, incoming(ASKS, 105, 12))
    assert result == (2, [(FILL, 1, 100, 5), (FILL, 2, 102, 5)], False)
    assert resting(book, ASKS) == [(106, 5, 3)]


def test_a_partly_filled_order_keeps_its_place(book):
    rest(book, BIDS, (10, 5, 1), (10, 5, 2))
    result = sweep(book, incoming(BIDS, 1, 3))
    assert result == (0, [(FILL, 1, 10, 3)], False)
    assert resting(book, BIDS) == [(10, 2, 1), (10, 5, 2)]


SELF_TRADES = {
    SelfTrade.CANCEL_OLDEST: (
        (0, [(FILL, 1, 10, 2), (PREVENTED, 8, 10, 3), (FILL, 2, 11, 3)], False),
        [(11, 1, 2)],
    ),
    SelfTrade.CANCEL_NEWEST: (
        (3, [(FILL, 1, 10, 2)], True),
        [(10, 3, 8), (11, 4, 2)],
    ),
    SelfTrade.DECREMENT: (
        (0, [(FILL, 1, 10, 2), (PREVENTED, 8, 10, 3)], False),
        [(11, 4, 2)],
    ),
}


@pytest.mark.parametrize("mode", SelfTrade)
def test_self_trade_prevention(book, mode):
    rest(book, ASKS, (10, 2, 1), (10, 3, 8), (11, 4, 2))
    outcome, left = SELF_TRADES[mode]
    assert sweep(book, incoming(ASKS, FAR, 5, (8, 12), mode)) == outcome
    assert resting(book, ASKS) == left


@pytest.mark.parametrize(
    ("mode", "lots"), [(0, 6), (1, 2), (2, 2)], ids=[m.name for m in SelfTrade]
)
def test_volume_leaves_out_the_takers_own_orders(book, mode, lots):
    rest(book, ASKS, (10, 2, 1), (10, 3, 8), (11, 4, 2), (12, 9, 3))
    order = incoming(ASKS, 11, 100, (8, 12), mode)
    assert kernel.volume(book, order, 100) == lots
    assert kernel.volume(book, order, 1) == 1


def test_remove_range_cancels_one_account_and_reports_each_order(book):
    rest(book, BIDS, (10, 1, 4), (11, 2, 8), (12, 3, 5), (13, 4, 3))
    assert kernel.remove_range(book, BIDS, 4, 8) == 2
    assert book.events(2) == [(REMOVED, 4, 10, 1), (REMOVED, 5, 12, 3)]
    assert resting(book, BIDS) == [(13, 4, 3), (11, 2, 8)]


def test_expiry_drops_what_is_past_and_keeps_what_never_expires(book):
    rest(book, ASKS, (10, 1, 0), (10, 2, 5), (11, 3, 6), (11, 4, 4))
    assert kernel.expire(book, ASKS, 6) == 2
    assert book.events(2) == [(REMOVED, 4, 11, 4), (REMOVED, 5, 10, 2)]
    assert resting(book, ASKS) == [(10, 1, 0), (11, 3, 6)]


def test_touch_and_crossing(book):
    assert not kernel.would_take(book, ASKS, FAR)
    rest(book, ASKS, (10, 1, 1))
    rest(book, BIDS, (8, 1, 2))
    assert kernel.would_take(book, ASKS, 10) and not kernel.would_take(book, ASKS, 9)
    assert kernel.would_take(book, BIDS, 8) and not kernel.would_take(book, BIDS, 9)


def test_orders_without_lots_leave_and_the_others_keep_their_order(book):
    rest(book, BIDS, (10, 1, 1), (10, 2, 2), (11, 3, 3), (9, 4, 4))
    book.columns["lots"][BIDS, [0, 2]] = 0
    kernel.drop_empty(book, BIDS)
    assert resting(book, BIDS) == [(11, 3, 3), (10, 2, 2)]


def test_the_orders_of_an_account_are_counted_by_their_names(book):
    rest(book, ASKS, (10, 1, 4), (11, 2, 8), (12, 3, 5), (13, 4, 7))
    assert kernel.count_range(book, ASKS, 4, 8) == 3
    assert kernel.count_range(book, BIDS, 4, 8) == 0


def test_what_is_left_rests_and_the_rest_of_an_immediate_order_is_dropped(book):
    rest(book, ASKS, (10, 2, 1))
    done = kernel.match(book, incoming(ASKS, 10, 5))
    assert done == (Status.RESTING, Status.NONE, 2, 3, 1)
    assert resting(book, BIDS) == [(10, 3, 64)]
    rest(book, ASKS, (10, 2, 1))
    done = kernel.match(book, incoming(ASKS, 10, 5, (68, 72), flags=int(Flag.IOC)))
    assert done == (Status.PARTIAL, Status.NONE, 2, 0, 1)
    assert resting(book, BIDS) == [(10, 3, 64)]


def test_a_dropped_rest_says_why(book):
    rest(book, ASKS, (10, 2, 1), (11, 2, 64))
    newest = SelfTrade.CANCEL_NEWEST
    done = kernel.match(book, incoming(ASKS, 11, 5, mode=newest))
    assert done == (Status.PARTIAL, Status.SELF_TRADE, 2, 0, 1)
    done = kernel.match(book, incoming(ASKS, 11, 5, mode=newest))
    assert done == (Status.SELF_TRADE, Status.NONE, 0, 0, 0)
    rest(book, BIDS, *((1, 1, owner) for owner in range(CAPACITY)))
    done = kernel.match(book, incoming(ASKS, 11, 5, (68, 72)))
    assert done == (Status.PARTIAL, Status.BOOK_FULL, 2, 0, 1)


def test_what_the_book_refuses(book):
    def refused(flags, lots=1, limit=10):
        order = incoming(ASKS, limit, lots, flags=int(flags))
        return Status(kernel.refusal(book, order))

    rest(book, ASKS, (10, 2, 1))
    assert refused(Flag.POST_ONLY) == Status.WOULD_TAKE
    assert refused(Flag.POST_ONLY, limit=9) == Status.NONE
    assert refused(Flag.FOK, lots=2) == Status.NONE
    assert refused(Flag.FOK, lots=3) == Status.CANNOT_FILL
    rest(book, BIDS, *((1, 1, owner) for owner in range(CAPACITY)))
    assert refused(0, limit=9) == Status.BOOK_FULL
    assert refused(0, lots=3) == Status.NONE
    assert refused(Flag.IOC, limit=9) == Status.NONE
