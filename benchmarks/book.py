"""Order books on the common tape: messages a second, each one checked for exactness.

    python -m benchmarks.book [--messages 200000] [--repeats 5]

Prints one JSON line an engine. `exact` means that trades, lots, resting orders, touch
and the hash over all fills are those of the tape. Figures are messages per second of
CPU time of the whole process, so that other work on the machine does not count; for
figures to quote pin the process with ``taskset -c 0``. `bourse` is measured where it is
installed, by its fastest interface that keeps the order of messages. The array lowering
is measured over 16 lanes, each with a tape of its own, on a shorter tape; its figure is
the sum over the lanes. The last line compares the native lowering with `bourse`.
"""

import argparse
import hashlib
import json
import statistics
import time
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.tape import (
    CANCEL,
    CAPACITY,
    FIELDS,
    MARKET,
    Tape,
    make,
    order_of,
    transactions,
)
from market.match import empty_side_pair, match
from market.twin import lane as twin
from market.twin.book import best
from market.twin.messages import Stream, run_message
from market.types.orders import BUY, SELL, Flag, Kind, Tx

LANES = 16
_TX_FIELDS = tuple(Tx.__dataclass_fields__)
FACTS = ("trades", "vol", "resting", "best_bid", "best_ask", "hash")


def timed(run, repeats: int) -> tuple[list[float], object]:
    """CPU seconds of each repetition, and the last outcome."""
    seconds = []
    for _ in range(repeats):
        start = time.process_time()
        outcome = run()
        seconds.append(time.process_time() - start)
    return seconds, outcome


def report(engine: str, messages: int, seconds: list[float], exact: bool, **more):
    """Prints one line and returns the figure: the median; the best shows the noise."""
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
    return line["messages_per_s"]


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


def measure_match(tapes: list[Tape], lowering: str, repeats: int) -> int:
    """One call over all lanes; fills are checked in a second, logging compilation."""
    txs = stacked(tapes)
    one = empty_side_pair(CAPACITY)
    books = jax.tree.map(lambda column: jnp.stack([column] * len(tapes)), one)

    def compiled(log: bool):
        def run(book, txs):
            return match(book, txs, slots=1, log=log, lowering=lowering)

        start = time.process_time()
        program = jax.jit(jax.vmap(run)).lower(books, txs).compile()
        return program, time.process_time() - start

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
    return report(f"shakeout, {lowering}", txs.kind.size, seconds, exact, **more)


def measure_calls(tape: Tape, size: int, repeats: int) -> None:
    """The tape in many calls from Python, as a live stream would be replayed."""
    rows = tape.rows[: len(tape.rows) // size * size].reshape(-1, size, len(FIELDS))
    zero = jnp.zeros(size, jnp.int64)
    blocks = [
        Tx(**{name: jnp.asarray(columns.get(name, zero)) for name in _TX_FIELDS})
        for columns in map(transactions, rows)
    ]
    start = empty_side_pair(CAPACITY)
    program = jax.jit(partial(match, slots=1, lowering="native"))
    program = program.lower(start, blocks[0]).compile()

    def run():
        book, outcomes = start, []
        for txs in blocks:
            book, fills = program(book, txs)
            outcomes.append(fills)
        return jax.block_until_ready((book, outcomes))

    run()
    seconds, (_, outcomes) = timed(run, repeats)
    whole, used = Stream(twin.Book(CAPACITY)), rows.size // len(FIELDS)
    expected = [run_message(whole, tx) for tx in _messages(tape)[:used]]
    lots = np.concatenate([fills.receipt.filled_lots for fills in outcomes])
    exact = lots.tolist() == [outcome.lots for outcome in expected]
    report(f"shakeout, native, {size} a call", lots.size, seconds, exact)


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


def _messages(tape: Tape) -> list[twin.Tx]:
    messages = []
    for kind, side, ticks, lots, name in tape.rows.tolist():
        if kind == CANCEL:
            messages.append(twin.Tx(Kind.CANCEL, name))
        else:
            flags = int(Flag.MARKET) if kind == MARKET else 0
            messages.append(order_of(name, side, ticks, lots, flags))
    return messages


def measure_reference(tape: Tape, repeats: int) -> None:
    """The plain-Python book of this package."""
    messages = _messages(tape)

    def run():
        book = twin.Book(CAPACITY)
        stream = Stream(book)
        return book, [run_message(stream, message) for message in messages]

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
        len(book.bids) + len(book.asks),
        best(book, BUY).ticks,
        best(book, SELL).ticks,
        hash_of(fills),
    )
    report("plain Python", len(messages), seconds, exact)


def measure_bourse(tape: Tape, repeats: int) -> int | None:
    """`bourse`, a Rust book, message by message through its Python interface.

    Its NumPy interface takes arrays, but shuffles them, so it cannot replay a tape.
    """
    try:
        from bourse.core import OrderBook
    except ImportError:
        print(json.dumps({"benchmark": "book", "engine": "bourse", "skipped": True}))
        return None
    rows = [
        (kind, side == 1, ticks if kind != MARKET else None, lots, name - 1)
        for kind, side, ticks, lots, name in tape.rows.tolist()
    ]

    def run():
        book = OrderBook(0, 1)
        place, cancel, set_time = book.place_order, book.cancel_order, book.set_time
        for now, (kind, is_bid, ticks, lots, name) in enumerate(rows):
            set_time(now)  # bourse ranks by the clock, and confuses equal times
            if kind == CANCEL:
                cancel(name)
            else:
                place(is_bid, lots, 0, ticks)
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
    return report("bourse from Python", len(rows), seconds, exact)


def main() -> None:
    """Measures every engine in turn."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--messages", type=int, default=200_000)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    tape = make(options.messages, 1)
    short = max(options.messages // 40, 500)
    lanes = [make(short, seed) for seed in range(1, LANES + 1)]
    native = measure_match([tape], "native", options.repeats)
    bourse = measure_bourse(tape, options.repeats)
    measure_match(lanes, "native", options.repeats)
    measure_calls(tape, 1_000, options.repeats)
    measure_match(lanes, "array", options.repeats)
    measure_reference(tape, max(options.repeats // 2, 1))
    if bourse:
        ratio = round(native / bourse, 2)
        print(json.dumps({"benchmark": "book", "native_over_bourse": ratio}))


if __name__ == "__main__":
    main()
