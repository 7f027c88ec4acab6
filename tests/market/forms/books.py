"""Runs message blocks on each book: the reference, and both lowerings of `match`."""

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np

from market.match import Fills, empty_side_pair, match
from market.twin import lane as twin_lane
from market.twin.messages import Outcome, Stream, run_block
from market.types.orders import BUY, SELL, Tx
from market.types.specs import SelfTrade
from market.types.state import BookState

LOWERINGS = ("native", "array")
FIELDS = tuple(twin_lane.Tx.__dataclass_fields__)


@cache
def engine(slots: int, mode: SelfTrade, lowering: str):
    """The compiled `match`; one trace for each shape it meets."""

    @jax.jit
    def run(book, txs, block):
        return match(
            book,
            txs,
            block,
            slots=slots,
            self_trade=mode,
            log=True,
            lowering=lowering,
        )

    return run


def transactions(messages: list[twin_lane.Tx], length: int) -> Tx:
    """Messages as a block of ``length``, padded with empty records."""
    columns = {name: np.zeros(length, np.int64) for name in Tx.__dataclass_fields__}
    for row, message in enumerate(messages):
        for name in FIELDS:
            columns[name][row] = getattr(message, name)
    return Tx(**{name: jnp.asarray(column) for name, column in columns.items()})


def run_blocks(
    blocks, lowering, *, capacity, slots=1, mode=SelfTrade.CANCEL_OLDEST, length=24
) -> tuple[BookState, list[Fills]]:
    """Runs ``blocks`` of messages, numbered from 1, from an empty book."""
    book, results = empty_side_pair(capacity), []
    for number, messages in enumerate(blocks, 1):
        txs = transactions(messages, length)
        book, fills = engine(slots, mode, lowering)(book, txs, number)
        results.append(jax.tree.map(np.asarray, fills))
    return jax.tree.map(np.asarray, book), results


def run_reference(
    blocks, *, capacity, slots=1, mode=SelfTrade.CANCEL_OLDEST
) -> tuple[Stream, list[tuple[int, list[Outcome]]]]:
    """The same on the reference: per block, lots expired and the outcomes."""
    stream = Stream(twin_lane.Book(capacity), slots, mode)
    numbered = enumerate(blocks, 1)
    return stream, [run_block(stream, messages, n) for n, messages in numbered]


def resting(book: BookState) -> dict[int, list[tuple[int, ...]]]:
    """By side, (ticks, lots, owner, expiry, came), best first; the rest is clear."""
    sides = {}
    for row, side in enumerate((BUY, SELL)):
        count = int(book.count[row])
        columns = (book.ticks, book.lots, book.owner, book.expiry, book.came)
        for column in (*columns, book.loss):
            assert not column[row, count:].any()
        live = (column[row, :count][::-1].tolist() for column in columns)
        sides[side] = list(zip(*live, strict=True))
    return sides


def reference_resting(stream: Stream):
    """The same of the reference."""
    return {
        side: [
            (o.ticks, o.lots, o.account * stream.slots + o.slot, o.expiry, o.came)
            for o in orders
        ]
        for side, orders in ((BUY, stream.book.bids), (SELL, stream.book.asks))
    }


def outcomes(fills: Fills, count: int) -> list[Outcome]:
    """The block's outcomes in the form of the reference."""
    log = fills.log[: int(fills.logged)].tolist()
    assert not fills.log[int(fills.logged) :].any()
    columns = (
        fills.receipt.status,
        fills.receipt.filled_lots,
        fills.receipt.filled_quote,
        fills.trades,
        fills.rested,
        fills.cancelled,
    )
    rows = zip(*(column.tolist() for column in columns), strict=True)
    found = [
        Outcome(*row, [tuple(line[1:]) for line in log if line[0] == number])
        for number, row in enumerate(rows)
    ]
    assert all(outcome == Outcome() for outcome in found[count:])
    return found[:count]
