"""Orders and cancels in continuous matching, one after the other."""

from market.kernels.admission import (
    BAD_LOTS,
    IS_ISOLATED,
    REDUCE_ONLY,
    WOULD_INCREASE,
    breaks_isolation,
    can_afford,
    check_order,
    has_too_many,
    reducible_lots,
    worst_loss,
)
from market.kernels.book import find_on_side, remove, resting_side
from market.kernels.engine import OK, match, refusal
from market.kernels.fills import apply_events, cancel_orders, reserve
from market.kernels.lane import NOTHING, incoming, order_of
from market.native.ffi import kernel
from market.types.orders import IMMEDIATE, Status

ACCEPTED, UNKNOWN_ORDER = int(Status.ACCEPTED), int(Status.UNKNOWN_ORDER)
SLOT_BUSY, TOO_MANY_ORDERS = int(Status.SLOT_BUSY), int(Status.TOO_MANY_ORDERS)
MARGIN = int(Status.MARGIN)


@kernel
def place_of(lane, account, market, slot):
    """``(side, index)`` of the account's order in that slot; index -1 without one."""
    for side in range(2):
        if lane.open_lots[account, market, side] > 0:
            name = account * lane.slots + slot
            index = find_on_side(lane.book[market], side, name)
            if index >= 0:
                return side, index
    return 0, -1


@kernel
def cancel(lane, account, market, slot):
    """Takes one order off the book and frees what it reserved."""
    side, index = place_of(lane, account, market, slot)
    if index < 0:
        return UNKNOWN_ORDER
    book = lane.book[market]
    lots, loss = book.lots[side, index], book.loss[side, index]
    reserve(lane, account, market, side, -lots, loss)
    remove(book, side, index)
    return ACCEPTED


@kernel
def reduce(lane, account, market, slot, lots):
    """Takes lots off an order, which keeps its place; the last lot takes it away."""
    if lots < 1:
        return BAD_LOTS
    side, index = place_of(lane, account, market, slot)
    if index < 0:
        return UNKNOWN_ORDER
    book = lane.book[market]
    left = book.lots[side, index] - lots
    if left < 0:
        return BAD_LOTS
    if left == 0:
        return cancel(lane, account, market, slot)
    reserve(lane, account, market, side, -lots, book.loss[side, index])
    book.lots[side, index] = left
    return ACCEPTED


@kernel
def cancel_all(lane, account, market):
    """Takes all orders of the account off one book, or off all where market is -1."""
    for each in range(lane.markets):
        if market == -1 or market == each:
            cancel_orders(lane, account, each)
    return ACCEPTED


@kernel
def admit(lane, tx):
    """Every check that an order meets before the book: ``(reason, limit, lots)``."""
    reason, limit = check_order(lane, tx)
    if reason != OK:
        return reason, 0, 0
    account, market, lots = tx.account, tx.market, tx.lots
    if breaks_isolation(lane, account, market):
        return IS_ISOLATED, 0, 0
    if tx.flags & REDUCE_ONLY != 0:
        lots = reducible_lots(lane, account, market, tx.sign, lots)
        if lots == 0:
            return WOULD_INCREASE, 0, 0
    if place_of(lane, account, market, tx.slot)[1] >= 0:
        return SLOT_BUSY, 0, 0
    if tx.flags & IMMEDIATE == 0:
        if has_too_many(lane, account, market, NOTHING, NOTHING):
            return TOO_MANY_ORDERS, 0, 0
    return OK, limit, lots


@kernel
def check_book(lane, order):
    """Whether the book lets the order do what its flags ask; `OK` or a status."""
    return refusal(lane.book[order.market], incoming(lane, order))


@kernel
def place_order(lane, tx):
    """Runs one order: admission, matching, resting.

    Returns:
        ``(status, filled lots, filled quote)``.
    """
    reason, limit, lots = admit(lane, tx)
    if reason != OK:
        return reason, 0, 0
    order = order_of(tx, limit, lots, worst_loss(lane, tx.market, tx.sign, limit))
    reason = check_book(lane, order)
    if reason != OK:
        return reason, 0, 0
    if not can_afford(lane, order):
        return MARGIN, 0, 0
    return _match(lane, order)


@kernel
def _match(lane, order):
    """Takes from the book, then rests or drops what is left; the accounts follow."""
    account, market, sign = order.account, order.market, order.sign
    done = match(lane.book[market], incoming(lane, order), lane.event)
    fee_ppm = lane.params.taker_fee_ppm[market]
    filled, quote = apply_events(lane, market, account, sign, done.events, fee_ppm)
    if done.dropped != OK:
        lane.counters[done.dropped] += 1
    reserve(lane, account, market, resting_side(sign), done.rested, order.loss)
    return done.status, filled, quote
