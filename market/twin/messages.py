"""Matching alone: a stream of messages on one market's book, without margin.

This is what `market.match` does. The matching is the block's (`market.twin.matching`
and `market.twin.book`); here stands what a message may be when there are no accounts,
no price band and no venue around the book.

Rules of one message, in this order:

1. A record must name a known kind, account and slot, else it is rejected.
2. A *cancel* takes the named order off, a *cancel-all* every order of the account; a
   *replace* first takes off what rests in its slot, even if the order is rejected then.
   A *reduce* takes lots off the named order, which keeps its place; one by more lots
   than rest is rejected.
3. An *order* must have side, lots, ticks, flags and expiry in order, and a free slot.
4. Post-only that would meet any order on the other side is rejected; fill-or-kill too
   where the others' orders within its limit do not suffice; and so is an order that
   would take nothing and rest where the side is full.
5. It takes from the other side: better prices first, earlier orders first, each fill at
   the resting order's price, through as many levels as its limit allows. Self-trade
   prevention applies where it meets an order of its own account.
6. What is left rests behind the orders of its price. Immediate orders (IOC, FOK,
   market), stopped orders, and orders that took something but find no room drop it.
"""

from dataclasses import dataclass, field

from market.twin.admission import has_good_flags
from market.twin.book import Event, expire, find, remove_account
from market.twin.lane import Book, Order, RejectError, Tx
from market.twin.matching import cancel, check_book, match_order, reduce
from market.types.limits import MAX_MESSAGE_VALUE
from market.types.orders import BUY, SELL, Flag, Kind, Status
from market.types.specs import SelfTrade

BOOK_KINDS = (Kind.ORDER, Kind.CANCEL, Kind.CANCEL_ALL, Kind.REPLACE, Kind.REDUCE)


@dataclass
class Stream:
    """One market that receives messages.

    Attributes:
        book: its orders.
        slots: order slots of an account; an order's name is ``account * slots + slot``.
        mode: self-trade prevention.
    """

    book: Book
    slots: int = 1
    mode: SelfTrade = SelfTrade.CANCEL_OLDEST


@dataclass
class Outcome:
    """What one message did; `quote` in lot-ticks."""

    status: int = Status.NONE
    lots: int = 0
    quote: int = 0
    trades: int = 0
    rested: int = 0
    cancelled: int = 0
    fills: list[tuple[int, int, int]] = field(default_factory=list)
    # (name of the resting order, ticks, lots) in time order


def run_block(stream: Stream, txs: list[Tx], block: int) -> tuple[int, list[Outcome]]:
    """Runs a block of messages: lots that expired before it, and the outcomes."""
    expired = expire(stream.book, block)
    return expired, [run_message(stream, tx, block) for tx in txs]


def run_message(stream: Stream, tx: Tx, block: int = 0) -> Outcome:
    """Runs one message."""
    outcome = Outcome()
    try:
        outcome.status = _message(stream, tx, block, outcome)
    except RejectError as reject:
        outcome.status = reject.status
    return outcome


def _message(stream: Stream, tx: Tx, block: int, outcome: Outcome) -> Status:
    book = stream.book
    if tx.kind == Kind.NONE:
        return Status.NONE
    if tx.kind not in BOOK_KINDS:
        raise RejectError(Status.UNKNOWN_KIND)
    if not 0 <= tx.account < MAX_MESSAGE_VALUE // stream.slots:
        raise RejectError(Status.UNKNOWN_ACCOUNT)
    if tx.kind == Kind.CANCEL_ALL:
        outcome.cancelled = remove_account(book, tx.account)
        return Status.ACCEPTED
    if not 0 <= tx.slot < stream.slots:
        raise RejectError(Status.UNKNOWN_SLOT)
    if tx.kind == Kind.REDUCE:
        reduce(book, tx.account, tx.slot, tx.lots)
        outcome.cancelled = tx.lots
        return Status.ACCEPTED
    if tx.kind != Kind.ORDER:
        outcome.cancelled = cancel(book, tx.account, tx.slot)
    if tx.kind == Kind.CANCEL:
        return Status.ACCEPTED if outcome.cancelled else Status.UNKNOWN_ORDER
    return _order(stream, tx, block, outcome)


def _order(stream: Stream, tx: Tx, block: int, outcome: Outcome) -> Status:
    """Runs an order, as `market.twin.matching.place_order` without the margin."""
    book, mode, order = stream.book, stream.mode, _admit(stream, tx, block)
    check_book(book, order, tx.flags, mode)
    match = match_order(book, order, tx.flags, mode)
    for event in match.events:
        _note(stream, event, outcome)
    if match.status == Status.RESTING:
        outcome.rested = order.lots
    return match.status


def _admit(stream: Stream, tx: Tx, block: int) -> Order:
    """Every check of an order before the book."""
    is_market = bool(tx.flags & Flag.MARKET)
    if tx.side not in (BUY, SELL):
        raise RejectError(Status.BAD_SIDE)
    if not 1 <= tx.lots <= MAX_MESSAGE_VALUE:
        raise RejectError(Status.BAD_LOTS)
    if not is_market and not 1 <= tx.ticks <= MAX_MESSAGE_VALUE:
        raise RejectError(Status.BAD_PRICE)
    if not has_good_flags(tx.flags):
        raise RejectError(Status.BAD_FLAGS)
    if 0 < tx.expiry_block < block:
        raise RejectError(Status.EXPIRED)
    if find(stream.book, tx.account, tx.slot):
        raise RejectError(Status.SLOT_BUSY)
    no_limit = MAX_MESSAGE_VALUE if tx.side == BUY else 1
    return Order(
        account=tx.account,
        slot=tx.slot,
        side=tx.side,
        ticks=no_limit if is_market else tx.ticks,
        lots=tx.lots,
        expiry=tx.expiry_block,
        came=block,
    )


def _note(stream: Stream, event: Event, outcome: Outcome) -> None:
    """Counts what the order met; its own lots that prevention took off as cancelled."""
    maker, lots, is_fill = event
    if not is_fill:
        outcome.cancelled += lots
        return
    name = maker.account * stream.slots + maker.slot
    outcome.fills.append((name, maker.ticks, lots))
    outcome.trades += 1
    outcome.lots += lots
    outcome.quote += lots * maker.ticks
