"""The order book of one market: how orders rest, are found and leave.

The functions here change the columns of the state in place, allocate nothing and know
nothing of accounts. Where several orders may leave at once they are told as events.

The layout is `market.types.state.BookState` without its market axis: each side is
sorted from worst to best, equal prices from the latest to the earliest, so the next
order to trade stands at ``count - 1``. Entries from ``count`` on are zero. Finding an
order is one linear pass over the owners, which vectorises; inserting and removing move
the tail between the place and the touch.

An order is named by ``owner = account * slots + slot``. The orders of one account are
therefore the half-open range of names ``[first, end)``, with ``first = account *
slots`` and ``end = first + slots``; no division is needed to tell whose an order is.
"""

from typing import NamedTuple

import numpy as np
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from market.native.ffi import kernel
from market.native.record import Record

BIDS, ASKS = np.int64(0), np.int64(1)

#: The book of one market; its columns are views into the state, changed in place.
BOOK = Record("Book")
BOOK.numbers("capacity")  # orders of a side
BOOK.array("ticks", 2, "capacity")
BOOK.array("lots", 2, "capacity")  # what is left
BOOK.array("owner", 2, "capacity")  # account * slots + slot
BOOK.array("loss", 2, "capacity")  # quanta reserved per lot
BOOK.array("expiry", 2, "capacity")  # last block in which it rests; 0 is never
BOOK.array("came", 2, "capacity")  # block in which it came to rest
BOOK.array("count", 2)
BOOK_FIELDS = tuple(BOOK.places)[1:]

#: What happened to a resting order.
EVENT = Record("Event")
EVENT.numbers("kind", "owner", "ticks", "lots", "loss")

#: Kinds of events.
FILL = 1  # traded with the incoming order, `lots` at `ticks`
PREVENTED = 2  # `lots` taken off the book by self-trade prevention
REMOVED = 3  # `lots` taken off the book by cancel-all or expiry


class Resting(NamedTuple):
    """An order as it rests: one entry of each column of the book."""

    ticks: int
    lots: int
    owner: int
    loss: int
    expiry: int
    came: int


# --- sides ----------------------------------------------------------------------------


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
    return book.count[side] < book.capacity


# --- one resting order ----------------------------------------------------------------


@kernel
def find_on_side(book, side, name):
    """Index of the order of that name on ``side``, or -1. One vectorised pass."""
    owner = book.owner[side]
    place = 0  # index + 1, so that the reduction starts from zero
    for index in range(book.count[side]):
        place |= index + 1 if owner[index] == name else 0
    return place - 1


@kernel
def find(book, name):
    """``(side, index)`` of the order of that name; index -1 without one."""
    for side in (BIDS, ASKS):
        index = find_on_side(book, side, name)
        if index >= 0:
            return side, index
    return BIDS, -1


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
def insert(book, side, order):
    """Rests an order at its price-time place; the newest is last of its price.

    Args:
        book: the market's book.
        side: `BIDS` or `ASKS`.
        order: `Resting`; no other order may rest under its name.

    Returns:
        True; False and an untouched book where the side is full.
    """
    if not has_room(book, side):
        return False
    place, count = _place(book, side, order.ticks), book.count[side]
    _open_gap(book.ticks[side], place, count, order.ticks)
    _open_gap(book.lots[side], place, count, order.lots)
    _open_gap(book.owner[side], place, count, order.owner)
    _open_gap(book.loss[side], place, count, order.loss)
    _open_gap(book.expiry[side], place, count, order.expiry)
    _open_gap(book.came[side], place, count, order.came)
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
def pop(book, side):
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
def tell(book, side, index, event, kind, lots):
    """Writes what happened to the order at ``index``."""
    event.kind, event.lots = kind, lots
    event.owner = book.owner[side, index]
    event.ticks = book.ticks[side, index]
    event.loss = book.loss[side, index]


# --- many resting orders --------------------------------------------------------------


@kernel
def count_range(book, side, first, end):
    """Number of orders of ``side`` with names in ``[first, end)``."""
    owner, found = book.owner[side], 0
    for index in range(book.count[side]):
        found += first <= owner[index] < end
    return found


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
def _cut(book, side, kept):
    """Leaves the first ``kept`` orders of ``side``."""
    while book.count[side] > kept:
        pop(book, side)


@kernel
def remove_range(book, side, first, end, events):
    """Cancels all orders of ``side`` with names in ``[first, end)``, worst first.

    Writes an event for each, from the first on, and returns how many.
    """
    kept, count = 0, 0
    for index in range(book.count[side]):
        if first <= book.owner[side, index] < end:
            lots = book.lots[side, index]
            tell(book, side, index, events[count], REMOVED, lots)
            count += 1
        else:
            if kept < index:
                _keep(book, side, index, kept)
            kept += 1
    _cut(book, side, kept)
    return count


@kernel
def expire(book, side, block, events):
    """Drops the orders of ``side`` with ``0 < expiry < block``, worst first.

    Writes an event for each, from the first on, and returns how many.
    """
    kept, count = 0, 0
    for index in range(book.count[side]):
        if 0 < book.expiry[side, index] < block:
            lots = book.lots[side, index]
            tell(book, side, index, events[count], REMOVED, lots)
            count += 1
        else:
            if kept < index:
                _keep(book, side, index, kept)
            kept += 1
    _cut(book, side, kept)
    return count


@kernel
def drop_empty(book, side):
    """Takes the orders of ``side`` without lots off; the others keep their priority."""
    kept = 0
    for index in range(book.count[side]):
        if book.lots[side, index] > 0:
            if kept < index:
                _keep(book, side, index, kept)
            kept += 1
    _cut(book, side, kept)
