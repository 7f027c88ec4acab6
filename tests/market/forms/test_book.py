from types import SimpleNamespace

import numpy as np
import pytest
from numba import njit

from market.kernels import book as book_kernel
from market.kernels.book import ASKS, BIDS, EVENT_WIDTH, FILL, PREVENTED, REMOVED
from market.types.specs import SelfTrade


def callable_from_python(function):
    """A kernel has no wrapper for Python of its own."""

    @njit
    def call(*arguments):
        return function(*arguments)

    return call


NAMES = "insert remove sweep volume find_on_side remove_range expire would_take"
kernel = SimpleNamespace(
    **{
        name: callable_from_python(getattr(book_kernel, name))
        for name in (*NAMES.split(), "drop_empty", "count_range")
    }
)
CAPACITY, FAR = 4, 1_000_000
NOBODY = (0, 0)


@pytest.fixture
def book():
    side = [np.zeros((2, CAPACITY), np.int64) for _ in range(6)]
    return book_kernel.Book(*side, np.zeros(2, np.int64))


@pytest.fixture
def events():
    return np.zeros((2 * CAPACITY + 1, EVENT_WIDTH), np.int64)


def rest(book, side, *orders):
    for ticks, lots, owner in orders:
        assert kernel.insert(book, side, ticks, lots, owner, 7 * owner, owner, 9)


def resting(book, side):
    """[(ticks, lots, owner)], best first; checks that the free entries are clear."""
    count = book.count[side]
    for column in book[:6]:
        assert not column[side, count:].any()
    columns = (column[side, :count][::-1].tolist() for column in book[:3])
    return list(zip(*columns, strict=True))


def rows(events, count):
    """[(kind, owner, ticks, lots)]; the reservation must be the owner's own."""
    found = events[:count].tolist()
    assert all(row[4] == 7 * row[1] for row in found)
    return [tuple(row[:4]) for row in found]


def sweep(book, side, limit, lots, owners, mode, events):
    left, count, stopped = kernel.sweep(
        book, side, limit, lots, *owners, int(mode), events
    )
    return left, rows(events, count), stopped


def test_better_prices_first_and_at_one_price_the_earlier_first(book):
    rest(book, BIDS, (10, 1, 1), (12, 1, 2), (10, 1, 3), (11, 1, 4))
    assert resting(book, BIDS) == [(12, 1, 2), (11, 1, 4), (10, 1, 1), (10, 1, 3)]


def test_asks_are_better_when_lower(book):
    rest(book, ASKS, (10, 1, 1), (12, 1, 2), (10, 1, 3), (11, 1, 4))
    assert resting(book, ASKS) == [(10, 1, 1), (10, 1, 3), (11, 1, 4), (12, 1, 2)]


def test_a_full_side_takes_no_further_order_and_keeps_what_rests(book):
    rest(book, BIDS, *((10, 1, owner) for owner in range(4)))
    before = resting(book, BIDS)
    assert not kernel.insert(book, BIDS, 99, 5, 9, 0, 0, 0)
    assert resting(book, BIDS) == before


def test_find_and_remove_name_one_order_and_keep_the_others_in_order(book):
    rest(book, BIDS, (10, 1, 1), (10, 2, 2), (11, 3, 3))
    rest(book, ASKS, (20, 4, 4))
    assert kernel.find_on_side(book, ASKS, 4) == 0
    kernel.remove(book, BIDS, kernel.find_on_side(book, BIDS, 2))
    assert resting(book, BIDS) == [(11, 3, 3), (10, 1, 1)]
    assert kernel.find_on_side(book, BIDS, 2) == -1


def test_a_freed_entry_is_not_found_by_the_key_zero(book):
    assert kernel.find_on_side(book, ASKS, 0) == -1
    rest(book, ASKS, (20, 1, 0))
    assert kernel.find_on_side(book, ASKS, 0) == 0


def test_a_sweep_goes_through_every_level_in_its_limit(book, events):
    rest(book, ASKS, (100, 5, 1), (102, 5, 2), (106, 5, 3))
    result = sweep(book, ASKS, 105, 12, NOBODY, SelfTrade.CANCEL_OLDEST, events)
    assert result == (2, [(FILL, 1, 100, 5), (FILL, 2, 102, 5)], False)
    assert resting(book, ASKS) == [(106, 5, 3)]


def test_a_partly_filled_order_keeps_its_place(book, events):
    rest(book, BIDS, (10, 5, 1), (10, 5, 2))
    result = sweep(book, BIDS, 1, 3, NOBODY, SelfTrade.CANCEL_OLDEST, events)
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
def test_self_trade_prevention(book, events, mode):
    rest(book, ASKS, (10, 2, 1), (10, 3, 8), (11, 4, 2))
    outcome, left = SELF_TRADES[mode]
    assert sweep(book, ASKS, FAR, 5, (8, 12), mode, events) == outcome
    assert resting(book, ASKS) == left


@pytest.mark.parametrize(
    ("mode", "lots"), [(0, 6), (1, 2), (2, 2)], ids=[m.name for m in SelfTrade]
)
def test_volume_leaves_out_the_takers_own_orders(book, mode, lots):
    rest(book, ASKS, (10, 2, 1), (10, 3, 8), (11, 4, 2), (12, 9, 3))
    assert kernel.volume(book, ASKS, 11, 100, 8, 12, mode) == lots
    assert kernel.volume(book, ASKS, 11, 1, 8, 12, mode) == 1


def test_remove_range_cancels_one_account_and_reports_each_order(book, events):
    rest(book, BIDS, (10, 1, 4), (11, 2, 8), (12, 3, 5), (13, 4, 3))
    assert kernel.remove_range(book, BIDS, 4, 8, events, 1) == 3
    assert rows(events[1:], 2) == [(REMOVED, 4, 10, 1), (REMOVED, 5, 12, 3)]
    assert resting(book, BIDS) == [(13, 4, 3), (11, 2, 8)]


def test_expiry_drops_what_is_past_and_keeps_what_never_expires(book, events):
    rest(book, ASKS, (10, 1, 0), (10, 2, 5), (11, 3, 6), (11, 4, 4))
    assert kernel.expire(book, ASKS, 6, events, 0) == 2
    assert rows(events, 2) == [(REMOVED, 4, 11, 4), (REMOVED, 5, 10, 2)]
    assert resting(book, ASKS) == [(10, 1, 0), (11, 3, 6)]


def test_touch_and_crossing(book):
    assert not kernel.would_take(book, ASKS, FAR)
    rest(book, ASKS, (10, 1, 1))
    rest(book, BIDS, (8, 1, 2))
    assert kernel.would_take(book, ASKS, 10) and not kernel.would_take(book, ASKS, 9)
    assert kernel.would_take(book, BIDS, 8) and not kernel.would_take(book, BIDS, 9)


def test_orders_without_lots_leave_and_the_others_keep_their_order(book):
    rest(book, BIDS, (10, 1, 1), (10, 2, 2), (11, 3, 3), (9, 4, 4))
    book.lots[BIDS, [0, 2]] = 0
    kernel.drop_empty(book, BIDS)
    assert resting(book, BIDS) == [(11, 3, 3), (10, 2, 2)]


def test_the_orders_of_an_account_are_counted_by_their_names(book):
    rest(book, ASKS, (10, 1, 4), (11, 2, 8), (12, 3, 5), (13, 4, 7))
    assert kernel.count_range(book, ASKS, 4, 8) == 3
    assert kernel.count_range(book, BIDS, 4, 8) == 0
