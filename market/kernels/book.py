"""The order book of one market, and the matching of an order with it.

`match` is the one matching engine: a block of the exchange (`market.kernels.matching`)
and a stream of messages alone (`market.kernels.messages`) run it. The functions here
change the columns of the state in place, allocate nothing and know nothing of margin or
fees. What happened to resting orders is written as events, to be applied afterwards;
that is the same as applying fill by fill, because what a maker owes was reserved when
its order was admitted.

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
from market.types.orders import IMMEDIATE, Flag, Status
from market.types.specs import SelfTrade

BIDS, ASKS = np.int64(0), np.int64(1)

CANCEL_OLDEST = int(SelfTrade.CANCEL_OLDEST)
CANCEL_NEWEST = int(SelfTrade.CANCEL_NEWEST)
DECREMENT = int(SelfTrade.DECREMENT)

POST_ONLY, FOK = int(Flag.POST_ONLY), int(Flag.FOK)

OK = 0
RESTING, FILLED, PARTIAL = int(Status.RESTING), int(Status.FILLED), int(Status.PARTIAL)
WOULD_TAKE, CANNOT_FILL = int(Status.WOULD_TAKE), int(Status.CANNOT_FILL)
BOOK_FULL, SELF_TRADE = int(Status.BOOK_FULL), int(Status.SELF_TRADE)

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


class Incoming(NamedTuple):
    """An order as the book meets it."""

    sign: int  # +1 buys, -1 sells
    limit: int  # worst price in ticks
    lots: int
    flags: int
    owner: int  # its name
    first: int  # first name of its account
    end: int  # one past its last name
    loss: int  # to be reserved per lot that rests
    expiry: int  # last block in which it rests; 0 is never
    now: int  # the block
    mode: int  # `SelfTrade`


class Resting(NamedTuple):
    """An order as it rests: one entry of each column of the book."""

    ticks: int
    lots: int
    owner: int
    loss: int
    expiry: int
    came: int


class Matched(NamedTuple):
    """What came of an order."""

    status: int
    dropped: int  # why the rest of an order that filled in part was dropped, or 0
    filled: int  # lots
    rested: int  # lots
    events: int  # how many were written


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
def _tell(book, side, index, event, kind, lots):
    """Writes what happened to the order at ``index``."""
    event.kind, event.lots = kind, lots
    event.owner = book.owner[side, index]
    event.ticks = book.ticks[side, index]
    event.loss = book.loss[side, index]


# --- matching -------------------------------------------------------------------------


@kernel
def volume(book, order, enough):
    """Lots that an order could fill, counted up to ``enough``; nothing is changed.

    Orders of its own account do not count. Under `CANCEL_OLDEST` the count goes on
    behind them; under the other modes the order cannot pass them whole, so it stops.
    """
    side = taken_side(order.sign)
    total, index = 0, book.count[side] - 1
    while index >= 0 and total < enough:
        if not crosses(side, book.ticks[side, index], order.limit):
            break
        if order.first <= book.owner[side, index] < order.end:
            if order.mode != CANCEL_OLDEST:
                break
        else:
            total += book.lots[side, index]
        index -= 1
    return min(total, enough)


@kernel
def refusal(book, order):
    """Why the book does not let the order do what its flags ask; `OK` if it does."""
    flags = order.flags
    if flags & POST_ONLY != 0 and would_take(book, taken_side(order.sign), order.limit):
        return WOULD_TAKE
    full = flags & IMMEDIATE == 0 and not has_room(book, resting_side(order.sign))
    if full or flags & FOK != 0:
        there = volume(book, order, order.lots)
        if flags & FOK != 0 and there < order.lots:
            return CANNOT_FILL
        if full and there == 0:
            return BOOK_FULL
    return OK


@kernel
def sweep(book, order, events):
    """Takes up to the order's lots, best first, through every level in its limit.

    Where the order meets one of its own account, self-trade prevention applies:
    `CANCEL_OLDEST` takes the resting order off and goes on, `CANCEL_NEWEST` stops,
    `DECREMENT` shrinks both by the smaller.

    Args:
        book: the market's book.
        order: `Incoming`, of 0 lots or more.
        events: `EVENT` for each order that may be met and one more; overwritten from
            the first on, best first.

    Returns:
        ``(left, filled, count, stopped)``: lots neither filled nor decremented, lots
        filled, events written, and whether `CANCEL_NEWEST` stopped it.
    """
    side, left, filled, count = taken_side(order.sign), order.lots, 0, 0
    while left > 0 and book.count[side] > 0:
        index = book.count[side] - 1
        if not crosses(side, book.ticks[side, index], order.limit):
            break
        there, kind = book.lots[side, index], FILL
        taken = min(left, there)
        if order.first <= book.owner[side, index] < order.end:
            if order.mode == CANCEL_NEWEST:
                return left, filled, count, True
            kind = PREVENTED
            if order.mode == CANCEL_OLDEST:
                taken = there
        _tell(book, side, index, events[count], kind, taken)
        count += 1
        filled += taken if kind == FILL else 0
        if kind == FILL or order.mode == DECREMENT:
            left -= taken
        if taken == there:
            _pop(book, side)
        else:
            book.lots[side, index] = there - taken
    return left, filled, count, False


@kernel
def match(book, order, events):
    """Takes from the other side, then rests what is left, or drops it.

    Args:
        book: the market's book.
        order: `Incoming`, that `refusal` let pass.
        events: as in `sweep`.

    Returns:
        `Matched`.
    """
    left, filled, count, stopped = sweep(book, order, events)
    if stopped:
        if filled == 0:
            return Matched(SELF_TRADE, OK, 0, 0, count)
        return Matched(PARTIAL, SELF_TRADE, filled, 0, count)
    if left == 0 or order.flags & IMMEDIATE != 0:
        status = FILLED if filled == order.lots else PARTIAL
        return Matched(status, OK, filled, 0, count)
    rest = Resting(order.limit, left, order.owner, order.loss, order.expiry, order.now)
    if insert(book, resting_side(order.sign), rest):
        return Matched(RESTING, OK, filled, left, count)
    return Matched(PARTIAL, BOOK_FULL, filled, 0, count)


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
        _pop(book, side)


@kernel
def remove_range(book, side, first, end, events):
    """Cancels all orders of ``side`` with names in ``[first, end)``, worst first.

    Writes an event for each, from the first on, and returns how many.
    """
    kept, count = 0, 0
    for index in range(book.count[side]):
        if first <= book.owner[side, index] < end:
            lots = book.lots[side, index]
            _tell(book, side, index, events[count], REMOVED, lots)
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
            _tell(book, side, index, events[count], REMOVED, lots)
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
