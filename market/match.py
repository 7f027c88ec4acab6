"""Continuous matching of one market's message block, in one call with two lowerings.

On a CPU the block runs as one native call; elsewhere as a scan of dense array
operations. Both give the same bits, and those of `market.twin.messages`, which states
the rules.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jax import Array

from market.arrays.messages import run_block as run_array
from market.kernels.messages import match_native
from market.native.platform import by_platform
from market.types.limits import MAX_MESSAGE_VALUE, MAX_SIDE_ORDERS
from market.types.orders import Receipt, Tx
from market.types.specs import SelfTrade
from market.types.state import BookState

_FIELDS = ("ticks", "lots", "owner", "loss", "expiry", "came", "count")
_COLUMNS = (
    "kind",
    "account",
    "side",
    "ticks",
    "lots",
    "flags",
    "slot",
    "expiry_block",
)


@jax.tree_util.register_dataclass
@dataclass(frozen=True, kw_only=True)
class Fills:
    """What a block of messages did; int64."""

    receipt: Receipt  # [B]; `filled_quote` in lot-ticks
    trades: Array  # [B] fills of the message as the taker
    rested: Array  # [B] lots it left in the book
    cancelled: Array  # [B] resting lots that it took off without a fill
    expired: Array  # [] lots dropped at the start of the block
    log: Array  # [F, 4] message, maker's order name, ticks, lots; zero from `logged` on
    logged: Array  # [] rows of `log` in use


def empty_side_pair(capacity: int) -> BookState:
    """The book of one market without orders: `BookState` without its market axis."""
    zero = jnp.zeros((2, capacity), jnp.int64)
    return BookState(
        ticks=zero,
        lots=zero,
        owner=zero,
        loss=zero,
        expiry=zero,
        came=zero,
        count=jnp.zeros((2,), jnp.int64),
    )


def match(
    book: BookState,
    txs: Tx,
    block: Array | int = 0,
    *,
    slots: int,
    self_trade: SelfTrade = SelfTrade.CANCEL_OLDEST,
    log: bool = False,
    lowering: str | None = None,
) -> tuple[BookState, Fills]:
    """Executes a block of messages on one market's book, in order.

    Orders, cancels, cancel-alls, replaces and reductions are executed; other kinds are
    rejected. How a stream is replayed: ``docs/book.md``.
    Market orders have no limit, and reduce-only is not enforced: bands and positions
    are the exchange's. Vmappable over lanes.

    Args:
        book: one market, [2, C] and [2]. Owners must be below 2**31.
        txs: [B]; see `market.twin.messages` for what is checked.
        block: [] number of the block, for expiry and for when what rests came.
        slots: order slots of an account; an order's name is account * slots + slot.
        self_trade: prevention mode.
        log: whether to record each fill; the log has room for every possible one.
        lowering: `native` or `array`; by default native on a CPU.

    Returns:
        The book afterwards, and what was done.

    Raises:
        ValueError: slots or the book's capacity out of range, or no such lowering.
    """
    if not 1 <= slots <= MAX_MESSAGE_VALUE:
        raise ValueError(f"slots = {slots}: must be from 1 to {MAX_MESSAGE_VALUE}")
    if book.ticks.shape[-1] > MAX_SIDE_ORDERS:
        raise ValueError(
            f"{book.ticks.shape[-1]} orders a side; most: {MAX_SIDE_ORDERS}"
        )
    fields = [getattr(book, name) for name in _FIELDS]
    columns = [getattr(txs, name) for name in _COLUMNS]
    rows = book.ticks.size + 2 * txs.kind.shape[0] if log else 0

    def native(fields, columns, block):
        return match_native(fields, columns, block, slots, int(self_trade), rows)

    def array(fields, columns, block):
        return run_array(fields, columns, block, slots, self_trade, rows)

    block = jnp.asarray(block, jnp.int64)
    if lowering == "native":
        outputs = native(fields, columns, block)
    elif lowering == "array":
        outputs = array(fields, columns, block)
    elif lowering is None:
        outputs = by_platform(fields, columns, block, cpu=native, default=array)
    else:
        raise ValueError(f"lowering is native, array or None, not {lowering!r}")
    return _unpack(*outputs)


def _unpack(fields, outcomes, log, totals) -> tuple[BookState, Fills]:
    status, lots, quote, trades, rested, cancelled = outcomes
    book = BookState(**dict(zip(_FIELDS, fields, strict=True)))
    return book, Fills(
        receipt=Receipt(status=status, filled_lots=lots, filled_quote=quote),
        trades=trades,
        rested=rested,
        cancelled=cancelled,
        expired=totals[0],
        log=log,
        logged=totals[1],
    )
