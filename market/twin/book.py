"""The book of one market: where orders rest, and what a taker meets.

A side is a list of orders, better prices first, and at one price earlier orders first.
An order on its way through the book is a *taker*: it takes from the other side and its
``lots`` shrink; what is left of it may rest.
"""

from typing import NamedTuple

from market.twin.lane import Book, Order
from market.types.orders import BUY
from market.types.specs import SelfTrade


class Event(NamedTuple):
    """A taker met a resting order: ``lots`` of that left the book."""

    maker: Order
    lots: int
    is_fill: bool  # else self-trade prevention took them off


class Sweep(NamedTuple):
    """What a taker met, and whether an order of its own stopped it."""

    events: list[Event]
    stopped: bool

    @property
    def filled(self) -> int:
        """Lots that traded."""
        return sum(lots for _, lots, is_fill in self.events if is_fill)


def resting_side(book: Book, side: int) -> list[Order]:
    """The orders among which an order of ``side`` (+1 buys, -1 sells) rests."""
    return book.bids if side == BUY else book.asks


def taken_side(book: Book, side: int) -> list[Order]:
    """The orders from which an order of ``side`` takes."""
    return resting_side(book, -side)


def best(book: Book, side: int) -> Order | None:
    """The order that is first on its side, if there is any."""
    orders = resting_side(book, side)
    return orders[0] if orders else None


def crosses(taker: Order, maker: Order) -> bool:
    """Whether the taker's limit allows a fill at the maker's price."""
    return taker.side * (taker.ticks - maker.ticks) >= 0


def would_take(book: Book, taker: Order) -> bool:
    """Whether a taker meets any order, its own included."""
    first = best(book, -taker.side)
    return first is not None and crosses(taker, first)


def has_room(book: Book, side: int) -> bool:
    """Whether one more order fits on a side."""
    return len(resting_side(book, side)) < book.capacity


def find(book: Book, account: int, slot: int) -> Order | None:
    """The account's order in that slot."""
    for orders in (book.bids, book.asks):
        for order in orders:
            if order.slot == slot and order.account == account:
                return order
    return None


def insert(book: Book, order: Order) -> bool:
    """Rests an order behind all better and equal prices; False without room."""
    if not has_room(book, order.side):
        return False
    orders, place = resting_side(book, order.side), 0
    while place < len(orders):
        if order.side * (orders[place].ticks - order.ticks) < 0:
            break
        place += 1
    orders.insert(place, order)
    return True


def remove(book: Book, order: Order) -> None:
    """Takes an order off; the others keep their priority."""
    resting_side(book, order.side).remove(order)


def remove_account(book: Book, account: int) -> int:
    """Takes all orders of an account off; returns their lots."""
    return _drop(book, [o for o in _resting(book) if o.account == account])


def expire(book: Book, block: int) -> int:
    """Takes orders off whose last block is past; returns their lots."""
    return _drop(book, [o for o in _resting(book) if 0 < o.expiry < block])


def drop_empty(book: Book) -> None:
    """Takes orders without lots off."""
    _drop(book, [order for order in _resting(book) if order.lots == 0])


def count(book: Book, account: int) -> int:
    """Number of resting orders of an account."""
    return sum(order.account == account for order in _resting(book))


def volume(book: Book, taker: Order, mode: SelfTrade) -> int:
    """Others' lots that a taker could get.

    Counting ends at an order of its own, unless prevention would cancel that one.
    """
    total = 0
    for maker in taken_side(book, taker.side):
        if not crosses(taker, maker):
            break
        if maker.account != taker.account:
            total += maker.lots
        elif mode != SelfTrade.CANCEL_OLDEST:
            break
    return total


def sweep(book: Book, taker: Order, mode: SelfTrade) -> Sweep:
    """Takes from the other side, best first, through every price in the limit.

    Each fill is at the resting order's price. Where the taker meets an order of its own
    account, that one is cancelled, or the taker stops, or both shrink (`SelfTrade`).
    """
    events, makers = [], taken_side(book, taker.side)
    while taker.lots > 0 and would_take(book, taker):
        maker = makers[0]
        is_fill = maker.account != taker.account
        if not is_fill and mode == SelfTrade.CANCEL_NEWEST:
            return Sweep(events, stopped=True)
        if not is_fill and mode == SelfTrade.CANCEL_OLDEST:
            lots = maker.lots
        else:
            lots = min(maker.lots, taker.lots)
            taker.lots -= lots
        maker.lots -= lots
        events.append(Event(maker, lots, is_fill))
        if maker.lots == 0:
            makers.pop(0)
    return Sweep(events, stopped=False)


def _resting(book: Book) -> list[Order]:
    return [*book.bids, *book.asks]


def _drop(book: Book, orders: list[Order]) -> int:
    for order in orders:
        remove(book, order)
    return sum(order.lots for order in orders)
