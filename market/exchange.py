"""One block of the exchange: admit, match, apply fills, liquidate, deleverage.

`execute` runs the transactions of a block in their order. It has two lowerings that
are equal to the bit: a sequential kernel on the CPU, and dense array operations on
every other device. The plain-Python specification is `market.twin.block`.

What a block does, in this order:

1. Prices of the block: quanta per lot at the margin price (the oracle's, or the mark
   where the venue has one), initial margin fractions by the open interest at the start
   of the block.
2. Resting orders whose last block is past leave the books.
3. Transactions in sequence. In auction mode orders wait meanwhile, and may be taken
   back by later transactions; then there is one uniform price a market.
4. Deleveraging of the positions that a liquidation marked, while their account's equity
   is negative; withdrawals are gated where an account ends with negative equity.

Rejects change nothing but their counter, with four exceptions: `REPLACE` has cancelled
the old order before the new one is judged; a liquidation that finds no price or no
insurance money marks the position in ``adl_pending``; where self-trade prevention or a
full side drops the rest of an order that filled in part, the status is `PARTIAL` and
the reason is counted besides; and an auction's order that finds no room as its round
closes was part of the price until then.

Bounds that keep 63 bits: prices under 2**31 ticks, sizes up to 2**40 lots, orders and
exposures worth at most 2**50 quanta (`BAD_LOTS`, `MARGIN`), balances up to 2**55 by
deposits (`BAD_LOTS`). A position may grow to 2**60 quanta by price moves alone.
"""

from functools import partial

import jax.numpy as jnp
import numpy as np
from jax import Array

from market.arrays import entry as exchange_array
from market.kernels import entry as exchange_kernel
from market.native.platform import by_platform
from market.types import layout
from market.types.environment import Turn
from market.types.orders import Receipt, Tx
from market.types.specs import VenueParams, VenueSpec
from market.types.state import BookState, ExchangeInfo, ExchangeState
from market.upkeep.mark import margin_prices


def execute(
    state: ExchangeState,
    txs: Tx,
    turn: Turn,
    params: VenueParams,
    *,
    spec: VenueSpec,
    auction: bool,
    lowering: str | None = None,
) -> tuple[ExchangeState, Receipt, ExchangeInfo]:
    """Runs one block. Pure; may be vmapped over lanes.

    Args:
        state: the exchange; `market.upkeep.mark.margin_prices` are the prices of this
            block.
        txs: [B] transactions in their order; kind `NONE` is skipped and not counted.
        turn: which block it is, and when.
        params: numbers of the venue.
        spec: shapes and code of the venue.
        auction: match at one uniform price a market instead of continuously.
        lowering: `native` (CPU only) or `array`; None chooses by platform.

    Returns:
        The new state, a receipt for each transaction, and what the block did.
    """
    static = _static_words(spec, txs.kind.shape[-1], auction)
    changing = _changing_fields(state)
    columns = tuple(getattr(txs, name) for name in layout.TX_FIELDS)
    prices = margin_prices(state, spec), state.previous_mark
    operands = (changing, columns, prices, _param_rows(params, spec), turn.block)
    word = turn.seed_word & np.int64((1 << 62) - 1)
    operands = (*operands, word, jnp.asarray(turn.now_us, jnp.int64))
    changed, receipts, info = _run(static, operands, lowering)
    receipt = Receipt(**dict(zip(_RECEIPT_FIELDS, receipts, strict=True)))
    return _with_fields(state, changed), receipt, _info_of(info)


def _run(static: np.ndarray, operands: tuple, lowering: str | None):
    """Dispatches to a lowering."""
    native = partial(exchange_kernel.run, static)
    array = partial(exchange_array.run, static)
    if lowering is None:
        return by_platform(*operands, cpu=native, default=array)
    if lowering not in ("native", "array"):
        raise ValueError(f"lowering: 'native' or 'array', not {lowering!r}")
    return (native if lowering == "native" else array)(*operands)


def _static_words(spec: VenueSpec, messages: int, auction: bool) -> np.ndarray:
    """Sizes, multipliers and isolation flags in the order of `layout`."""
    sizes = [spec.accounts, len(spec.markets), spec.slots, spec.book_capacity]
    bounds = [messages, int(spec.self_trade), int(auction), spec.deleverages_per_block]
    rules = [int(spec.margin), int(spec.liquidation), int(spec.cover), int(spec.gate)]
    rules += [int(spec.deleveraging), spec.vault]
    per_market = [*spec.multipliers, *spec.isolated]
    return np.array([*sizes, *bounds, *rules, *per_market], np.int64)


_BOOK_FIELDS = tuple(BookState.__dataclass_fields__)
_RECEIPT_FIELDS = tuple(Receipt.__dataclass_fields__)


def _changing_fields(state: ExchangeState) -> tuple[Array, ...]:
    """What a block may change, in the order of `layout.STATE_FIELDS`."""
    return tuple(
        getattr(state.book if name in _BOOK_FIELDS else state, name)
        for name in layout.STATE_FIELDS
    )


def _with_fields(state: ExchangeState, changed) -> ExchangeState:
    """The state with the arrays of `_changing_fields` replaced."""
    values: dict[str, Array] = dict(zip(layout.STATE_FIELDS, changed, strict=True))
    book = BookState(**{name: values[name] for name in _BOOK_FIELDS})
    values = {name: v for name, v in values.items() if name not in _BOOK_FIELDS}
    kept = {name: getattr(state, name) for name in state.__dataclass_fields__}
    return ExchangeState(**{**kept, **values, "book": book})


def _param_rows(params: VenueParams, spec: VenueSpec) -> Array:
    """[P, M] parameters in the order of `layout.PARAM_FIELDS`, then `STEP_FIELDS`."""
    markets = len(spec.markets)
    rows = [getattr(params, name) for name in layout.PARAM_FIELDS]
    rows = jnp.stack([jnp.broadcast_to(row, (markets,)) for row in rows])
    steps = [getattr(params, name) for name in layout.STEP_FIELDS]
    return jnp.concatenate([rows, *steps])


def _info_of(rows: Array) -> ExchangeInfo:
    """What the block did, from the kernel's rows [INFO_ROWS, M]."""
    per_market = {name: rows[i] for i, name in enumerate(layout.INFO_PER_MARKET)}
    first = len(layout.INFO_PER_MARKET)
    scalars = {name: rows[first + i, 0] for i, name in enumerate(layout.INFO_SCALARS)}
    unknown = {"funding_paid": jnp.zeros((), jnp.int64), "halted": 0 * rows[0]}
    return ExchangeInfo(**per_market, **scalars, **unknown)
