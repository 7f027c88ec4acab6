"""The common order tape: one market, messages that a correct book must reproduce.

300 limit orders warm the book up; then 60 % limit orders 1 to 20 ticks from the other
side's touch, 30 % cancels of a random live order, 10 % market orders that lean on the
heavier side, so that some 290 orders rest. The generator plays the messages on the
plain-Python book: every cancel names a live order, and the numbers of trades, lots,
the touch and a hash over all fills are known. The draws are those of the tape that
other engines' published figures were measured on, so the figures compare.

    python -m benchmarks.tape 200000 1
"""

import hashlib
import json
import random
import sys
from dataclasses import dataclass, field

import numpy as np

from market.twin.book import best, find
from market.twin.lane import Book, Tx
from market.twin.messages import Stream, run_message
from market.types.orders import BUY, SELL, Flag, Kind

LIMIT, CANCEL, MARKET = 0, 1, 2
WARM_UP, CAPACITY = 300, 256
FIELDS = ("kind", "side", "ticks", "lots", "order")
_HIGHEST, _UNBOUNDED = 1_000_000, 1 << 40


@dataclass
class Tape:
    """Rows of `FIELDS`, and what a correct book makes of them."""

    rows: np.ndarray
    facts: dict
    book: Book


@dataclass
class _Live:
    """Names of orders that may still rest, with O(1) removal of any."""

    names: list = field(default_factory=list)
    index: dict = field(default_factory=dict)

    def add(self, name: int) -> None:
        self.index[name] = len(self.names)
        self.names.append(name)

    def remove(self, name: int) -> None:
        hole, last = self.index.pop(name), self.names.pop()
        if last != name:
            self.names[hole] = last
            self.index[last] = hole


class _Generator:
    def __init__(self, seed: int):
        self.draw = random.Random(seed)
        self.book = Book(_UNBOUNDED)
        self.stream = Stream(self.book)
        self.live, self.rows = _Live(), []
        self.next_order, self.trades, self.lots = 1, 0, 0
        self.deepest = [0, 0]
        self.digest = hashlib.sha256()

    def play(self, name: int, message: Tx) -> None:
        outcome = run_message(self.stream, message)
        self.trades += outcome.trades
        self.lots += outcome.lots
        for owner, ticks, lots in outcome.fills:
            self.digest.update(b"%d,%d,%d,%d;" % (name, owner, ticks, lots))

    def limit(self) -> None:
        side = self.draw.choice((BUY, SELL))
        first = best(self.book, -side)
        touch = first.ticks if first else 10_001 if side == BUY else 9_999
        ticks = touch - side * self.draw.randint(1, 20)
        lots, name = self.draw.randint(1, 10), self.next_order
        self.next_order += 1
        self.rows.append((LIMIT, side, ticks, lots, name))
        self.play(name, order_of(name, side, ticks, lots))
        if find(self.book, name, 0):
            self.live.add(name)

    def cancel(self) -> None:
        while True:
            name = self.live.names[self.draw.randrange(len(self.live.names))]
            order = find(self.book, name, 0)
            if order:
                break
            self.live.remove(name)
        self.rows.append((CANCEL, order.side, order.ticks, order.lots, name))
        self.play(name, Tx(Kind.CANCEL, name))
        self.live.remove(name)

    def market(self) -> None:
        side = self.draw.choice((BUY, SELL))
        bids, asks = len(self.book.bids), len(self.book.asks)
        if abs(bids - asks) > 40:
            side = SELL if bids > asks else BUY
        resting = bids + asks
        largest = 64 if resting > 360 else 16 if resting < 240 else 32
        lots, name = self.draw.randint(1, largest), self.next_order
        self.next_order += 1
        self.rows.append((MARKET, side, 0 if side == SELL else _HIGHEST, lots, name))
        self.play(name, order_of(name, side, 0, lots, Flag.MARKET))
        self.deepest = [max(self.deepest[0], bids), max(self.deepest[1], asks)]


def order_of(name: int, side: int, ticks: int, lots: int, flags: int = 0) -> Tx:
    """An order of the tape; each is of an account of its own."""
    numbers = {"side": side, "ticks": ticks, "lots": lots, "flags": flags}
    return Tx(Kind.ORDER, name, **numbers)


def make(count: int, seed: int) -> Tape:
    """A tape of ``WARM_UP + count`` messages; the same seed gives the same tape."""
    generator = _Generator(seed)
    for _ in range(WARM_UP):
        generator.limit()
    counts = [0, 0, 0]
    for _ in range(count):
        share = generator.draw.random()
        kind = LIMIT if share < 0.6 else CANCEL if share < 0.9 else MARKET
        counts[kind] += 1
        (generator.limit, generator.cancel, generator.market)[kind]()
    book = generator.book
    facts = {
        "seed": seed,
        "warm": WARM_UP,
        "n": count,
        "counts": counts,
        "trades": generator.trades,
        "vol": generator.lots,
        "resting": len(book.bids) + len(book.asks),
        "max_side": generator.deepest,
        "best_bid": best(book, BUY).ticks,
        "best_ask": best(book, SELL).ticks,
        "hash": generator.digest.hexdigest()[:16],
    }
    return Tape(np.array(generator.rows, dtype=np.int64), facts, book)


def transactions(rows: np.ndarray) -> dict[str, np.ndarray]:
    """The tape as columns of transactions; each order is an account of its own."""
    kind, side, ticks, lots, name = rows.T
    zero = np.zeros_like(kind)
    cancels = kind == CANCEL
    return {
        "kind": np.where(cancels, int(Kind.CANCEL), int(Kind.ORDER)),
        "account": name,
        "side": side,
        "ticks": ticks,
        "lots": lots,
        "flags": np.where(kind == MARKET, int(Flag.MARKET), 0),
        "slot": zero,
        "expiry_block": zero,
    }


if __name__ == "__main__":
    print(json.dumps(make(int(sys.argv[1]), int(sys.argv[2])).facts))
