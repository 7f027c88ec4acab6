"""Orders and cancels in continuous matching, one after the other."""

from market.kernels.admission import (
    BAD_LOTS,
    FOK,
    IMMEDIATE,
    IS_ISOLATED,
    OK,
    POST_ONLY,
    REDUCE_ONLY,
    WOULD_INCREASE,
    breaks_isolation,
    can_afford,
    check_order,
    has_too_many,
    reducible_lots,
    worst_loss,
)
from market.kernels.book import (
    find_on_side,
    has_room,
    insert,
    remove,
    resting_side,
    sweep,
    taken_side,
    volume,
    would_take,
)
from market.kernels.fills import apply_events, cancel_orders, reserve
from market.kernels.lane import (
    BLOCK,
    MARKETS,
    NOTHING,
    SELF_TRADE,
    SLOTS,
    TAKER_FEE,
    book_of,
    counters_of,
    events_of,
    open_lots_of,
    parameters,
)
from market.native.ffi import kernel
from market.types.orders import Status

ACCEPTED, RESTING = int(Status.ACCEPTED), int(Status.RESTING)
FILLED, PARTIAL = int(Status.FILLED), int(Status.PARTIAL)
UNKNOWN_ORDER, SLOT_BUSY = int(Status.UNKNOWN_ORDER), int(Status.SLOT_BUSY)
WOULD_TAKE, CANNOT_FILL = int(Status.WOULD_TAKE), int(Status.CANNOT_FILL)
MARGIN, BOOK_FULL = int(Status.MARGIN), int(Status.BOOK_FULL)
IS_SELF_TRADE = int(Status.SELF_TRADE)
TOO_MANY_ORDERS = int(Status.TOO_MANY_ORDERS)


@kernel
def place_of(t, account, market, slot):
    """``(side, index)`` of the account's order in that slot; index -1 without one."""
    open_lots, book = open_lots_of(t), book_of(t, market)
    for side in range(2):
        if open_lots[account, market, side] > 0:
            index = find_on_side(book, side, account * t[SLOTS] + slot)
            if index >= 0:
                return side, index
    return 0, -1


@kernel
def cancel(t, account, market, slot):
    """Takes one order off the book and frees what it reserved."""
    side, index = place_of(t, account, market, slot)
    if index < 0:
        return UNKNOWN_ORDER
    book = book_of(t, market)
    lots, loss = book.lots[side, index], book.loss[side, index]
    reserve(t, account, market, side, -lots, loss)
    remove(book, side, index)
    return ACCEPTED


@kernel
def reduce(t, account, market, slot, lots):
    """Takes lots off an order, which keeps its place; the last lot takes it away."""
    if lots < 1:
        return BAD_LOTS
    side, index = place_of(t, account, market, slot)
    if index < 0:
        return UNKNOWN_ORDER
    book = book_of(t, market)
    left = book.lots[side, index] - lots
    if left < 0:
        return BAD_LOTS
    if left == 0:
        return cancel(t, account, market, slot)
    reserve(t, account, market, side, -lots, book.loss[side, index])
    book.lots[side, index] = left
    return ACCEPTED


@kernel
def cancel_all(t, account, market):
    """Takes all orders of the account off one book, or off all where market is -1."""
    for each in range(t[MARKETS]):
        if market == -1 or market == each:
            cancel_orders(t, account, each)
    return ACCEPTED


@kernel
def admit(t, account, market, sign, ticks, lots, flags, slot):
    """Every check that an order meets before the book: ``(reason, limit, lots)``."""
    reason, limit = check_order(t, market, sign, ticks, lots, flags)
    if reason != OK:
        return reason, 0, 0
    if breaks_isolation(t, account, market):
        return IS_ISOLATED, 0, 0
    if flags & REDUCE_ONLY != 0:
        lots = reducible_lots(t, account, market, sign, lots)
        if lots == 0:
            return WOULD_INCREASE, 0, 0
    if place_of(t, account, market, slot)[1] >= 0:
        return SLOT_BUSY, 0, 0
    if flags & IMMEDIATE == 0 and has_too_many(t, account, market, NOTHING, NOTHING):
        return TOO_MANY_ORDERS, 0, 0
    return OK, limit, lots


@kernel
def check_book(t, account, market, sign, limit, lots, flags):
    """Whether the book lets the order do what its flags ask."""
    book, side = book_of(t, market), taken_side(sign)
    if flags & POST_ONLY != 0 and would_take(book, side, limit):
        return WOULD_TAKE
    full = flags & IMMEDIATE == 0 and not has_room(book, resting_side(sign))
    if full or flags & FOK != 0:
        first = account * t[SLOTS]
        end = first + t[SLOTS]
        there = volume(book, side, limit, lots, first, end, t[SELF_TRADE])
        if flags & FOK != 0 and there < lots:
            return CANNOT_FILL
        if full and there == 0:
            return BOOK_FULL
    return OK


@kernel
def place_order(t, account, market, sign, ticks, lots, flags, slot, expiry):
    """Runs one order: admission, matching, resting.

    Returns:
        ``(status, filled lots, filled quote)``.
    """
    reason, limit, lots = admit(t, account, market, sign, ticks, lots, flags, slot)
    if reason != OK:
        return reason, 0, 0
    reason = check_book(t, account, market, sign, limit, lots, flags)
    if reason != OK:
        return reason, 0, 0
    loss = worst_loss(t, market, sign, limit)
    if not can_afford(t, account, market, sign, lots, limit, loss):
        return MARGIN, 0, 0
    return _match(t, account, market, sign, limit, lots, flags, slot, expiry, loss)


@kernel
def _match(t, account, market, sign, limit, lots, flags, slot, expiry, loss):
    """Takes from the book, then rests or drops what is left."""
    book, side, first = book_of(t, market), taken_side(sign), account * t[SLOTS]
    mode, events = t[SELF_TRADE], events_of(t)
    left, rows, stopped = sweep(
        book, side, limit, lots, first, first + t[SLOTS], mode, events
    )
    if stopped and rows == 0:
        return IS_SELF_TRADE, 0, 0
    fee_ppm = parameters(t)[TAKER_FEE, market]
    filled, quote = apply_events(t, market, side, rows, account, sign, fee_ppm)
    if filled == lots:
        return FILLED, filled, quote
    if left == 0 or stopped or flags & IMMEDIATE != 0:
        if stopped:
            counters_of(t)[IS_SELF_TRADE] += 1
        return PARTIAL, filled, quote
    side = resting_side(sign)
    now = t[BLOCK]
    if not insert(book, side, limit, left, first + slot, loss, expiry, now):
        counters_of(t)[BOOK_FULL] += 1
        return PARTIAL, filled, quote
    reserve(t, account, market, side, left, loss)
    return RESTING, filled, quote
