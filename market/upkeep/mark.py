"""The mark price of a block: the oracle's, or Hyperliquid's median.

dYdX v4 and StarkEx reckon margin at the oracle price, which then is the mark.
Hyperliquid marks at a median of

1. the oracle price plus a mean, over 150 s, of what the book's middle was above it;
2. the median of best bid, best ask and last trade;
3. perpetual prices of other venues. The lab has none, and for a market with two
   components the rule adds the 30 s mean of the second.

The book is the one that the block before left, the oracle price that of this block. A
book without a bid or without an ask has no second component and gives no sample: the
mark then is the first. The clocks of the means stand while the chain is halted.

Source: Hyperliquid's documentation, "Robust price indices".
"""

from dataclasses import replace

import jax.numpy as jnp
from jax import Array

from market.types.limits import MAX_TICKS
from market.types.specs import Mark, VenueSpec
from market.types.state import BookState, ExchangeState
from market.venues.hyperliquid.oracle import (
    BOOK_EMA_US,
    MARK_EMA_US,
    Ema,
    decay_factor,
    ema_value,
    updated_ema,
)


def marks_itself(spec: VenueSpec) -> bool:
    """Whether margin is reckoned at a mark of the venue's own."""
    return spec.mark == Mark.MEDIAN


def margin_prices(state: ExchangeState, spec: VenueSpec) -> Array:
    """[M] ticks: what margin, liquidations and the price band are reckoned at."""
    return state.mark if marks_itself(spec) else state.oracle


def account_equity(state: ExchangeState, spec: VenueSpec) -> Array:
    """What each account is worth, [A] quanta: balance, and positions at that price."""
    worth = margin_prices(state, spec) * jnp.asarray(spec.multipliers, jnp.int64)
    return state.collateral + jnp.sum(state.position * worth, axis=-1)


def with_mark(
    state: ExchangeState, is_halted: Array, *, spec: VenueSpec, block_us: int
) -> ExchangeState:
    """The state with this block's mark, and the one before beside it.

    Args:
        state: the exchange after the block's oracle reports.
        is_halted: [] bool; then nothing changes.
        spec: shapes and rules of the venue.
        block_us: length of a block.
    """
    new = replace(state, previous_mark=state.mark, mark=state.oracle)
    if marks_itself(spec):
        new = _median_mark(new, block_us)
    names = ("mark", "previous_mark", "basis_ema", "book_ema")
    kept = {n: jnp.where(is_halted, getattr(state, n), getattr(new, n)) for n in names}
    return replace(state, **kept)


def best_prices(book: BookState) -> tuple[Array, Array, Array]:
    """Best bid and best ask [M] in ticks, and whether both are there."""
    best = jnp.maximum(book.count - 1, 0)[..., None]
    bid, ask = jnp.take_along_axis(book.ticks, best, axis=-1)[..., 0].T
    return bid, ask, (book.count > 0).all(axis=-1)


def middle(a: Array, b: Array, c: Array) -> Array:
    """The median of three."""
    return jnp.maximum(jnp.minimum(a, b), jnp.minimum(jnp.maximum(a, b), c))


def _median_mark(state: ExchangeState, block_us: int) -> ExchangeState:
    bid, ask, is_whole = best_prices(state.book)
    traded = middle(bid, ask, state.last)
    above = (bid + ask) // 2 - state.oracle
    basis = _sampled(state.basis_ema, above, is_whole, block_us, MARK_EMA_US)
    book = _sampled(state.book_ema, traded, is_whole, block_us, BOOK_EMA_US)
    first = state.oracle + _value(basis)
    mark = jnp.where(is_whole, middle(first, traded, _value(book)), first)
    mark = jnp.clip(mark, 1, MAX_TICKS)
    return replace(state, mark=mark, basis_ema=basis, book_ema=book)


def _sampled(ema: Array, sample: Array, on: Array, elapsed_us: int, tau_us: int):
    """The means [M, 2] (numerator, denominator) after one block."""
    decay = decay_factor(elapsed_us, tau_us)
    new = updated_ema(Ema(ema[:, 0], ema[:, 1]), sample, elapsed_us, decay)
    return jnp.where(on[:, None], jnp.stack(new, axis=-1), ema)


def _value(ema: Array) -> Array:
    return ema_value(Ema(ema[:, 0], ema[:, 1]))
