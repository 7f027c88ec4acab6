"""Uniform-price clearing of one market, by sorts; see `market.kernels.auction`.

The rules: `market.twin.auction`.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from market.numbers.wide import mul_div_rest
from market.types.limits import MAX_AUCTION_ORDERS, MAX_TICKS
from market.types.orders import BUY, SELL

_LAST = jnp.iinfo(jnp.int64).max
_INDEX_BITS = (MAX_AUCTION_ORDERS - 1).bit_length()


class Clearing(NamedTuple):
    """The outcome of an auction; int64."""

    ticks: Array  # [] the uniform price; 0 where nobody can trade
    volume: Array  # [] lots traded
    filled: Array  # [N] lots of each order that trade


class _Ranked(NamedTuple):
    """One side, best order first; no orders behind the last."""

    index: Array  # [N]
    ticks: Array
    lots: Array
    came: Array
    through: Array  # lots of this and all better orders


def _rank(side, ticks, lots, came, wanted: int) -> _Ranked:
    numbers = jnp.arange(side.shape[0])
    worse = MAX_TICKS - ticks if wanted == BUY else ticks
    present = (side == wanted) & (lots > 0)
    keys = jnp.where(present, worse << _INDEX_BITS | numbers, _LAST - numbers)
    index = jnp.argsort(keys)
    lots = jnp.where(present, lots, 0)[index]
    return _Ranked(index, ticks[index], lots, came[index], jnp.cumsum(lots))


def _volume(bids: _Ranked, asks: _Ranked) -> Array:
    """Largest ``min(D, S)``; it is reached at a seller's limit."""
    bid_limits = jnp.where(bids.lots > 0, bids.ticks, -1)
    wanting = jnp.searchsorted(-bid_limits, -asks.ticks, side="right")
    through = jnp.concatenate([jnp.zeros(1, jnp.int64), bids.through])
    tradable = jnp.minimum(through[wanting], asks.through)
    return jnp.where(asks.lots > 0, tradable, 0).max(initial=0)


def _fill(ranked: _Ranked, volume: Array) -> Array:
    """Lots that fill, in rank order; those of the margin's block share by size."""
    before = ranked.through - ranked.lots
    whole = jnp.clip(volume - before, 0, ranked.lots)
    marginal = jnp.argmax(ranked.through >= volume)
    shares = (ranked.ticks == ranked.ticks[marginal]) & (ranked.lots > 0)
    shares &= ranked.came == ranked.came[marginal]
    size = jnp.where(shares, ranked.lots, 0)
    group = jnp.maximum(size.sum(), 1)
    left = volume - jnp.where(shares, before, _LAST).min()
    part, rest = mul_div_rest(size, jnp.where(volume > 0, left, 0), group)
    over = left - part.sum()
    rank = jnp.arange(size.shape[0])
    order = jnp.argsort(jnp.where(shares, group - 1 - rest, _LAST), stable=True)
    extra = jnp.zeros_like(part).at[order].set(jnp.where(rank < over, 1, 0))
    filled = jnp.where(shares, part + extra, whole)
    return jnp.where(volume > 0, filled, 0)


def clear(side: Array, ticks: Array, lots: Array, came: Array) -> Clearing:
    """Clears one market at the uniform price that maximises volume.

    Args:
        side: [N] +1 buy, -1 sell, anything else is no order.
        ticks: [N] limits, from 1 to `MAX_TICKS`.
        lots: [N] sizes, all together below `MAX_AUCTION_LOTS`; without lots it is no
            order.
        came: [N] smaller came earlier; must not fall along the index among orders of
            one side and price. Orders of one block share a number.

    Returns:
        Price, volume and fills. Vmappable over markets and lanes.

    Raises:
        ValueError: more orders than an auction takes.
    """
    if side.shape[0] > MAX_AUCTION_ORDERS:
        raise ValueError(
            f"{side.shape[0]} orders; an auction takes {MAX_AUCTION_ORDERS}"
        )
    bids = _rank(side, ticks, lots, came, BUY)
    asks = _rank(side, ticks, lots, came, SELL)
    volume = _volume(bids, asks)
    low = asks.ticks[jnp.argmax(asks.through >= volume)]
    high = bids.ticks[jnp.argmax(bids.through >= volume)]
    filled = jnp.zeros_like(lots)
    for ranked in (bids, asks):
        filled = filled.at[ranked.index].add(_fill(ranked, volume))
    return Clearing(jnp.where(volume > 0, (low + high) // 2, 0), volume, filled)
