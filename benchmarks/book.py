"""Order books on the common tape: messages a second, each one checked for exactness.

    python -m benchmarks.book [--messages 200000] [--repeats 5]

Prints one JSON line an engine. `exact` means that trades, lots, resting orders, touch
and the hash over all fills are those of the tape. One core each: pin the process with
``taskset -c 0`` for figures to quote. `bourse` is measured where it is installed. The
array lowering is measured over 16 lanes, each with a tape of its own, on a shorter
tape; its figure is the sum over the lanes.
"""

import argparse
import hashlib
import json
import statistics
import time

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.tape import CANCEL, CAPACITY, MARKET, Tape, make, transactions
from market.book import empty_side_pair, match
from market.orders import BUY, SELL, Flag, Kind, Tx
from market.reference_book import Message, ReferenceBook

LANES = 16
FACTS = ("trades", "vol", "resting", "best_bid", "best_ask", "hash")


def timed(run, repeats: int) -> tuple[list[float], object]:
    """Wall seconds of each repetition, and the last outcome."""
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        outcome = run()
        seconds.append(time.perf_counter() - start)
    return seconds, outcome


def report(engine: str, messages: int, seconds: list[float], exact: bool, **more):
    """Prints one line; the median is the figure, the best shows the noise."""
    line = {
        "benchmark": "book",
        "engine": engine,
        "messages": messages,
        "messages_per_s": round(messages / statistics.median(seconds)),
        "best": round(messages / min(seconds)),
        "exact": exact,
        **more,
    }
    print(json.dumps(line), flush=True)


def hash_of(fills) -> str:
    """The tape's hash of rows (taker, maker, ticks, lots)."""
    text = b"".join(b"%d,%d,%d,%d;" % tuple(fill) for fill in fills)
    return hashlib.sha256(text).hexdigest()[:16]


def agrees(tape: Tape, *found) -> bool:
    """Whether trades, lots, resting orders, touch and hash are the tape's."""
    return dict(zip(FACTS, found, strict=True)) == {k: tape.facts[k] for k in FACTS}


def stacked(tapes: list[Tape]) -> Tx:
    """Tapes of one length as transactions [lanes, B]."""
    columns = [transactions(tape.rows) for tape in tapes]
    zero = np.zeros((len(tapes), len(tapes[0].rows)), np.int64)
    return Tx(
        **{
            name: jnp.asarray(
                np.stack([column[name] for column in columns])
                if name in columns[0]
                else zero
            )
            for name in Tx.__dataclass_fields__
        }
    )


def measure_match(tapes: list[Tape], lowering: str, repeats: int) -> None:
    """One call over all lanes; fills are checked in a second, logging compilation."""
    txs = stacked(tapes)
    one = empty_side_pair(CAPACITY)
    books = jax.tree.map(lambda column: jnp.stack([column] * len(tapes)), one)

    def compiled(log: bool):
        def run(book, txs):
            return match(book, txs, slots=1, log=log, lowering=lowering)

        start = time.perf_counter()
        program = jax.jit(jax.vmap(run)).lower(books, txs).compile()
        return program, time.perf_counter() - start

    program, compile_s = compiled(False)
    jax.block_until_ready(program(books, txs))
    seconds, outcome = timed(
        lambda: jax.block_until_ready(program(books, txs)), repeats
    )
    logged = compiled(True)[0](books, txs)
    exact = all(
        _lane_is_exact(tape, lane, outcome, logged) for lane, tape in enumerate(tapes)
    )
    lanes = len(tapes)
    more = {"lanes": lanes, "compile_s": round(compile_s, 2)}
    report(f"shakeout, {lowering}", txs.kind.size, seconds, exact, **more)


def _lane_is_exact(tape: Tape, lane: int, outcome, logged) -> bool:
    book, fills = jax.tree.map(lambda x: np.asarray(x[lane]), outcome)
    same_book, log = jax.tree.map(lambda x: np.asarray(x[lane]), logged)
    same = jax.tree.map(np.array_equal, (book, fills.receipt), (same_book, log.receipt))
    rows = log.log[: int(log.logged)].copy()
    rows[:, 0] = tape.rows[rows[:, 0], 4]
    bids, asks = (int(count) for count in book.count)
    return all(jax.tree.leaves(same)) and agrees(
        tape,
        int(fills.trades.sum()),
        int(fills.receipt.filled_lots.sum()),
        bids + asks,
        int(book.ticks[0, bids - 1]),
        int(book.ticks[1, asks - 1]),
        hash_of(rows.tolist()),
    )


def measure_reference(tape: Tape, repeats: int) -> None:
    """The plain-Python book of this package."""
    messages = []
    for kind, side, ticks, lots, name in tape.rows.tolist():
        if kind == CANCEL:
            messages.append(Message(Kind.CANCEL, name))
        else:
            flags = int(Flag.MARKET) if kind == MARKET else 0
            messages.append(Message(Kind.ORDER, name, side, ticks, lots, flags))

    def run():
        book = ReferenceBook(CAPACITY)
        return book, [book.execute(message) for message in messages]

    seconds, (book, outcomes) = timed(run, repeats)
    fills = [
        (message.account, *fill)
        for message, outcome in zip(messages, outcomes, strict=True)
        for fill in outcome.fills
    ]
    exact = agrees(
        tape,
        sum(outcome.trades for outcome in outcomes),
        sum(outcome.lots for outcome in outcomes),
        len(book.place),
        book.best(BUY),
        book.best(SELL),
        hash_of(fills),
    )
    report("plain Python", len(messages), seconds, exact)


def measure_bourse(tape: Tape, repeats: int) -> None:
    """`bourse`, a Rust book, message by message through its Python interface."""
    try:
        from bourse.core import OrderBook
    except ImportError:
        print(json.dumps({"benchmark": "book", "engine": "bourse", "skipped": True}))
        return
    rows = tape.rows.tolist()

    def run():
        book = OrderBook(0, 1)
        place, cancel, set_time = book.place_order, book.cancel_order, book.set_time
        for now, (kind, side, ticks, lots, name) in enumerate(rows):
            set_time(now)  # bourse ranks by the clock, and confuses equal times
            if kind == CANCEL:
                cancel(name - 1)
            elif kind == MARKET:
                place(side == 1, lots, 0)
            else:
                place(side == 1, lots, 0, price=ticks)
        return book

    seconds, book = timed(run, repeats)
    trades = book.get_trades()
    fills = [(t[4] + 1, t[5] + 1, t[2], t[3]) for t in trades]
    bid, ask = book.bid_ask()
    lots = sum(trade[3] for trade in trades)
    resting = tape.facts["resting"]  # bourse tells volumes, not numbers of orders
    volume = sum(order.lots for s in (BUY, SELL) for _, order in tape.book.orders(s))
    found = (len(trades), lots, resting, bid, ask, hash_of(fills))
    exact = agrees(tape, *found) and book.bid_vol() + book.ask_vol() == volume
    report("bourse from Python", len(rows), seconds, exact)


def main() -> None:
    """Measures every engine in turn."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--messages", type=int, default=200_000)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    tape = make(options.messages, 1)
    short = max(options.messages // 40, 500)
    lanes = [make(short, seed) for seed in range(1, LANES + 1)]
    measure_match([tape], "native", options.repeats)
    measure_match(lanes, "native", options.repeats)
    measure_match(lanes, "array", options.repeats)
    measure_reference(tape, max(options.repeats // 2, 1))
    measure_bourse(tape, options.repeats)


if __name__ == "__main__":
    main()
