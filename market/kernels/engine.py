"""The matching engine: what happens where an order meets a book.

A block of the exchange (`market.kernels.matching`, `market.kernels.liquidation`) and a
stream of messages alone (`market.kernels.messages`) run this code. It knows nothing of
margin or fees. What happened to resting orders is told as events, to be applied to the
accounts afterwards; that is the same as applying fill by fill, because what a maker
owes was reserved when its order was admitted.
"""

from typing import NamedTuple

from market.kernels.book import (
    FILL,
    PREVENTED,
    Resting,
    crosses,
    has_room,
    insert,
    pop,
    resting_side,
    taken_side,
    tell,
    would_take,
)
from market.native.ffi import kernel
from market.types.orders import IMMEDIATE, Flag, Status
from market.types.specs import SelfTrade

CANCEL_OLDEST = int(SelfTrade.CANCEL_OLDEST)
CANCEL_NEWEST = int(SelfTrade.CANCEL_NEWEST)
DECREMENT = int(SelfTrade.DECREMENT)

POST_ONLY, FOK = int(Flag.POST_ONLY), int(Flag.FOK)

OK = 0
RESTING, FILLED, PARTIAL = int(Status.RESTING), int(Status.FILLED), int(Status.PARTIAL)
WOULD_TAKE, CANNOT_FILL = int(Status.WOULD_TAKE), int(Status.CANNOT_FILL)
BOOK_FULL, SELF_TRADE = int(Status.BOOK_FULL), int(Status.SELF_TRADE)


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


class Matched(NamedTuple):
    """What came of an order."""

    status: int
    dropped: int  # why the rest of an order that filled in part was dropped, or 0
    filled: int  # lots
    rested: int  # lots
    events: int  # how many were written


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
        tell(book, side, index, events[count], kind, taken)
        count += 1
        filled += taken if kind == FILL else 0
        if kind == FILL or order.mode == DECREMENT:
            left -= taken
        if taken == there:
            pop(book, side)
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
