"""The order book of one market as Numba functions on raw int64 arrays.

These are the primitives of the exchange's native block. They change the arrays of the
state in place, allocate nothing and know nothing of accounts, margin or fees. What
happened to resting orders is written as rows of an event buffer, which the caller
settles afterwards; that is the same as settling fill by fill, because what a maker owes
was reserved when its order was admitted.

The layout is `market.types.state.BookState` without its market axis: each side is
sorted from worst to best, equal prices from the latest to the earliest, so the next
order to trade stands at ``count - 1``. Entries from ``count`` on are zero. Finding an
order is one linear pass over packed keys, which vectorises; inserting and removing move
the tail between the place and the touch.

An order is named by ``owner = account * slots + slot``. The orders of one account are
therefore the half-open range of keys ``[first, end)``, with ``first = account * slots``
and ``end = first + slots``; no division is needed to tell whose an order is.
"""

from typing import NamedTuple

import numpy as np
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from market.native.ffi import kernel
from market.types.specs import SelfTrade

BIDS, ASKS = 0, 1

#: What an event row tells about the resting order it names.
FILL = 1  # traded with the incoming order, `lots` at `ticks`
PREVENTED = 2  # `lots` taken off the book by self-trade prevention
REMOVED = 3  # `lots` taken off the book by cancel-all or expiry

#: Columns of an event row.
EVENT_KIND, EVENT_OWNER, EVENT_TICKS, EVENT_LOTS, EVENT_LOSS = 0, 1, 2, 3, 4
EVENT_WIDTH = 5

CANCEL_OLDEST = int(SelfTrade.CANCEL_OLDEST)
CANCEL_NEWEST = int(SelfTrade.CANCEL_NEWEST)
DECREMENT = int(SelfTrade.DECREMENT)


class Book(NamedTuple):
    """The arrays of one market; views into the state, changed in place."""

    ticks: np.ndarray  # [2, C]
    lots: np.ndarray  # [2, C] what is left
    owner: np.ndarray  # [2, C] account * slots + slot
    loss: np.ndarray  # [2, C] quanta reserved per lot at admission
    expiry: np.ndarray  # [2, C] last block in which it rests; 0 is never
    came: np.ndarray  # [2, C] block in which it came to rest
    count: np.ndarray  # [2]


@kernel
def resting_side(sign):
    """The side on which an order of ``sign`` (+1 buy, -1 sell) rests."""
    return BIDS if sign > 0 else ASKS


@kernel
def taken_side(sign):
    """The side from which an order of ``sign`` takes."""
    return ASKS if sign > 0 else BIDS


@kernel
def crosses(side, ticks, limit):
    """Whether an order resting on ``side`` at ``ticks`` trades with a taker's limit."""
    return ticks <= limit if side == ASKS else ticks >= limit


@kernel
def would_take(book, side, limit):
    """Whether a taker of ``side`` with that limit finds any order, its own included."""
    count = book.count[side]
    return count > 0 and crosses(side, book.ticks[side, count - 1], limit)


@kernel
def has_room(book, side):
    """Whether one more order fits on ``side``."""
    return book.count[side] < book.ticks.shape[1]


@kernel
def find_on_side(book, side, key):
    """Index of the order named ``key`` on ``side``, or -1. One vectorised pass."""
    owner = book.owner[side]
    place = 0  # index + 1, so that the reduction starts from zero
    for index in range(book.count[side]):
        place |= index + 1 if owner[index] == key else 0
    return place - 1


@kernel
def _place(book, side, ticks):
    """Where a new order goes: behind all better and equal prices, before the worse."""
    column = book.ticks[side]
    place = 0
    if side == BIDS:
        for index in range(book.count[side]):
            place += column[index] < ticks
    else:
        for index in range(book.count[side]):
            place += column[index] > ticks
    return place


@intrinsic
def _move(typingctx, column, target, source, count):
    """C's ``memmove`` of ``count`` words inside one contiguous int64 array."""
    signature = types.void(column, types.intp, types.intp, types.intp)

    def codegen(context, builder, signature, args):
        array = context.make_array(signature.args[0])(context, builder, args[0])
        to, origin = (builder.gep(array.data, [index]) for index in args[1:3])
        cgutils.raw_memmove(builder, to, origin, args[3], 8)
        return context.get_dummy_value()

    return signature, codegen


@kernel
def _open_gap(column, place, count, value):
    """Moves entries ``[place, count)`` one up and fills the gap."""
    _move(column, place + 1, place, count - place)
    column[place] = value


@kernel
def _close_gap(column, place, count):
    """Moves entries ``(place, count)`` one down and clears the last."""
    _move(column, place, place + 1, count - 1 - place)
    column[count - 1] = 0


@kernel
def insert(book, side, ticks, lots, owner, loss, expiry, came):
    """Rests an order at its price-time place; the newest is last of its price.

    Args:
        book: the market's arrays.
        side: `BIDS` or `ASKS`.
        ticks: price.
        lots: size.
        owner: name of the order; no other order may rest under it.
        loss: quanta reserved per lot.
        expiry: last block in which it rests; 0 is never.
        came: the block of now.

    Returns:
        True; False and an untouched book where the side is full.
    """
    if not has_room(book, side):
        return False
    place, count = _place(book, side, ticks), book.count[side]
    _open_gap(book.ticks[side], place, count, ticks)
    _open_gap(book.lots[side], place, count, lots)
    _open_gap(book.owner[side], place, count, owner)
    _open_gap(book.loss[side], place, count, loss)
    _open_gap(book.expiry[side], place, count, expiry)
    _open_gap(book.came[side], place, count, came)
    book.count[side] = count + 1
    return True


@kernel
def remove(book, side, index):
    """Takes the order at ``index`` off ``side``; the others keep their priority."""
    count = book.count[side]
    _close_gap(book.ticks[side], index, count)
    _close_gap(book.lots[side], index, count)
    _close_gap(book.owner[side], index, count)
    _close_gap(book.loss[side], index, count)
    _close_gap(book.expiry[side], index, count)
    _close_gap(book.came[side], index, count)
    book.count[side] = count - 1


@kernel
def _record(book, side, index, kind, lots, events, row):
    """Writes one event row about the order at ``index``."""
    events[row, EVENT_KIND] = kind
    events[row, EVENT_OWNER] = book.owner[side, index]
    events[row, EVENT_TICKS] = book.ticks[side, index]
    events[row, EVENT_LOTS] = lots
    events[row, EVENT_LOSS] = book.loss[side, index]


@kernel
def _pop(book, side):
    """Clears the best order of ``side``."""
    index = book.count[side] - 1
    book.ticks[side, index] = 0
    book.lots[side, index] = 0
    book.owner[side, index] = 0
    book.loss[side, index] = 0
    book.expiry[side, index] = 0
    book.came[side, index] = 0
    book.count[side] = index


@kernel
def volume(book, side, limit, enough, first, end, mode):
    """Lots that a taker could fill on ``side``, counted up to ``enough``.

    The taker's own orders do not count. Under `CANCEL_OLDEST` the count goes on behind
    them; under the other modes the taker cannot pass its own order whole, so it stops.
    Nothing is changed. Fill-or-kill is ``volume(..., enough=lots, ...) == lots``.
    """
    total, index = 0, book.count[side] - 1
    while index >= 0 and total < enough:
        if not crosses(side, book.ticks[side, index], limit):
            break
        if first <= book.owner[side, index] < end:
            if mode != CANCEL_OLDEST:
                break
        else:
            total += book.lots[side, index]
        index -= 1
    return min(total, enough)


@kernel
def sweep(book, side, limit, lots, first, end, mode, events):
    """Takes up to ``lots`` from ``side``, best first, through every level in the limit.

    Where the taker meets an order of its own account (key in ``[first, end)``),
    self-trade prevention applies: `CANCEL_OLDEST` takes the resting order off and goes
    on, `CANCEL_NEWEST` stops, `DECREMENT` shrinks both by the smaller.

    Args:
        book: the market's arrays.
        side: the side that is taken from.
        limit: worst price in ticks.
        lots: size of the taker, at least 0.
        first: first key of the taker's account.
        end: one past its last key.
        mode: `SelfTrade`.
        events: [>= C + 1, EVENT_WIDTH]; rows from 0 are overwritten, best first.

    Returns:
        ``(left, rows, stopped)``: lots neither filled nor decremented, event rows
        written, and whether `CANCEL_NEWEST` stopped the taker (drop what is left).
    """
    left, rows = lots, 0
    while left > 0 and book.count[side] > 0:
        index = book.count[side] - 1
        if not crosses(side, book.ticks[side, index], limit):
            break
        there, kind = book.lots[side, index], FILL
        taken = min(left, there)
        if first <= book.owner[side, index] < end:
            if mode == CANCEL_NEWEST:
                return left, rows, True
            kind = PREVENTED
            if mode == CANCEL_OLDEST:
                taken = there
        _record(book, side, index, kind, taken, events, rows)
        rows += 1
        if kind == FILL or mode == DECREMENT:
            left -= taken
        if taken == there:
            _pop(book, side)
        else:
            book.lots[side, index] = there - taken
    return left, rows, False


@kernel
def _keep(book, side, index, place):
    """Moves the order at ``index`` down to ``place``."""
    book.ticks[side, place] = book.ticks[side, index]
    book.lots[side, place] = book.lots[side, index]
    book.owner[side, place] = book.owner[side, index]
    book.loss[side, place] = book.loss[side, index]
    book.expiry[side, place] = book.expiry[side, index]
    book.came[side, place] = book.came[side, index]


@kernel
def count_range(book, side, first, end):
    """Number of orders of ``side`` with keys in ``[first, end)``."""
    owner, found = book.owner[side], 0
    for index in range(book.count[side]):
        found += first <= owner[index] < end
    return found


@kernel
def remove_range(book, side, first, end, events, row):
    """Cancels all orders of ``side`` with keys in ``[first, end)``, worst first.

    Writes event rows from ``row`` on and returns the next free row.
    """
    kept = 0
    for index in range(book.count[side]):
        if first <= book.owner[side, index] < end:
            lots = book.lots[side, index]
            _record(book, side, index, REMOVED, lots, events, row)
            row += 1
        else:
            if kept < index:
                _keep(book, side, index, kept)
            kept += 1
    while book.count[side] > kept:
        _pop(book, side)
    return row


@kernel
def expire(book, side, block, events, row):
    """Drops the orders of ``side`` with ``0 < expiry < block``, worst first.

    Writes event rows from ``row`` on and returns the next free row.
    """
    kept = 0
    for index in range(book.count[side]):
        if 0 < book.expiry[side, index] < block:
            lots = book.lots[side, index]
            _record(book, side, index, REMOVED, lots, events, row)
            row += 1
        else:
            if kept < index:
                _keep(book, side, index, kept)
            kept += 1
    while book.count[side] > kept:
        _pop(book, side)
    return row


@kernel
def drop_empty(book, side):
    """Takes the orders of ``side`` without lots off; the others keep their priority."""
    kept = 0
    for index in range(book.count[side]):
        if book.lots[side, index] > 0:
            if kept < index:
                _keep(book, side, index, kept)
            kept += 1
    while book.count[side] > kept:
        _pop(book, side)
