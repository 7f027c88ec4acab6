"""Continuous matching: one order after the other meets the book as it stands.

What a book does by itself, without asking for anybody's margin, are `cancel`, `reduce`,
`check_book` and `match_order`; a message stream (`messages`) is these alone. The block
puts admission and margin before them, and applies what was filled to the accounts.
"""

from typing import NamedTuple

from market.twin.admission import (
    breaks_isolation,
    can_afford,
    check_order,
    has_too_many,
    reducible_lots,
    worst_loss,
)
from market.twin.book import (
    Event,
    find,
    has_room,
    insert,
    remove,
    remove_account,
    sweep,
    volume,
    would_take,
)
from market.twin.fills import apply_events
from market.twin.lane import IMMEDIATE, Book, Fill, Lane, Order, RejectError, Tx
from market.types.orders import Flag, Status
from market.types.specs import SelfTrade


class Match(NamedTuple):
    """What became of an order in the book.

    Attributes:
        status: `RESTING`, `FILLED` or `PARTIAL`.
        events: what it met, in time order.
        reason: why the rest was dropped, where the order did not ask for that.
    """

    status: Status
    events: list[Event]
    reason: Status | None = None


# --- the book alone ------------------------------------------------------------------


def cancel(book: Book, account: int, slot: int) -> int:
    """Takes one order off the book; returns its lots, 0 where none rests."""
    order = find(book, account, slot)
    if order is None:
        return 0
    remove(book, order)
    return order.lots


def reduce(book: Book, account: int, slot: int, lots: int) -> None:
    """Takes lots off an order, which keeps its place; the last lot takes it away."""
    if lots < 1:
        raise RejectError(Status.BAD_LOTS)
    order = find(book, account, slot)
    if order is None:
        raise RejectError(Status.UNKNOWN_ORDER)
    if lots > order.lots:
        raise RejectError(Status.BAD_LOTS)
    order.lots -= lots
    if order.lots == 0:
        remove(book, order)


def check_book(book: Book, order: Order, flags: int, mode: SelfTrade) -> None:
    """Whether the book lets the order do what its flags ask.

    Post-only may meet nobody, fill-or-kill needs its volume, and an order that takes
    nothing needs a place to rest.
    """
    if flags & Flag.POST_ONLY and would_take(book, order):
        raise RejectError(Status.WOULD_TAKE)
    available = volume(book, order, mode)
    if flags & Flag.FOK and available < order.lots:
        raise RejectError(Status.CANNOT_FILL)
    is_full = not flags & IMMEDIATE and not has_room(book, order.side)
    if is_full and available == 0:
        raise RejectError(Status.BOOK_FULL)


def match_order(book: Book, order: Order, flags: int, mode: SelfTrade) -> Match:
    """Takes from the book, best first; rests or drops what is left.

    An order that meets one of its own account first, where that stops it, is rejected.
    """
    size = order.lots
    taken = sweep(book, order, mode)
    if taken.stopped and not taken.events:
        raise RejectError(Status.SELF_TRADE)
    if order.lots == 0:
        status = Status.FILLED if taken.filled == size else Status.PARTIAL
        return Match(status, taken.events)
    if taken.stopped:
        return Match(Status.PARTIAL, taken.events, Status.SELF_TRADE)
    if flags & IMMEDIATE:
        return Match(Status.PARTIAL, taken.events)
    if insert(book, order):
        return Match(Status.RESTING, taken.events)
    return Match(Status.PARTIAL, taken.events, Status.BOOK_FULL)


# --- in the block --------------------------------------------------------------------


def cancel_all(lane: Lane, account: int, market: int = -1) -> None:
    """Takes all orders of the account off one book, or off all where market is -1."""
    for each, book in enumerate(lane.books):
        if market in (-1, each):
            remove_account(book, account)


def admit(lane: Lane, tx: Tx) -> Order:
    """Every check that an order meets before the book, margin apart."""
    limit = check_order(lane, tx)
    if breaks_isolation(lane, tx.account, tx.market):
        raise RejectError(Status.ISOLATED)
    lots = reducible_lots(lane, tx) if tx.flags & Flag.REDUCE_ONLY else tx.lots
    if lots == 0:
        raise RejectError(Status.WOULD_INCREASE)
    if find(lane.books[tx.market], tx.account, tx.slot):
        raise RejectError(Status.SLOT_BUSY)
    if not tx.flags & IMMEDIATE and has_too_many(lane, tx.account, tx.market):
        raise RejectError(Status.TOO_MANY_ORDERS)
    return Order(
        account=tx.account,
        market=tx.market,
        slot=tx.slot,
        side=tx.side,
        ticks=limit,
        lots=lots,
        loss=worst_loss(lane, tx.market, tx.side, limit),
        expiry=tx.expiry_block,
        came=lane.block,
    )


def place_order(lane: Lane, tx: Tx) -> Fill:
    """Runs one order: admission, the book, margin, matching, resting."""
    order, book, mode = admit(lane, tx), lane.books[tx.market], lane.spec.self_trade
    check_book(book, order, tx.flags, mode)
    if not can_afford(lane, order):
        raise RejectError(Status.MARGIN)
    match = match_order(book, order, tx.flags, mode)
    if match.reason is not None:
        lane.counters[match.reason] += 1
    fee_ppm = lane.params.taker_fee_ppm
    lots, quote = apply_events(lane, order, match.events, fee_ppm)
    return Fill(match.status, lots, quote)
