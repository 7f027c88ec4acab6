"""Uniform-price batch auction of one market, in one call with two lowerings.

The rules: `market.twin.auction`. On a CPU the clearing is one native call;
elsewhere it is a sort and a handful of scans. Both give the same bits.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from market.kernels.auction import clear as clear_kernel
from market.native.ffi import (
    answers_metadata_query,
    argument,
    register,
    result,
)
from market.native.platform import by_platform
from market.numbers.wide import mul_div_rest
from market.types.limits import MAX_AUCTION_ORDERS
from market.types.orders import BUY, SELL

_LAST = jnp.iinfo(jnp.int64).max
_INDEX_BITS, _HIGHEST = 12, 2**31 - 1


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
    batch: Array
    through: Array  # lots of this and all better orders


def _rank(side, ticks, lots, batch, wanted: int) -> _Ranked:
    numbers = jnp.arange(side.shape[0])
    worse = _HIGHEST - ticks if wanted == BUY else ticks
    present = (side == wanted) & (lots > 0)
    keys = jnp.where(present, worse << _INDEX_BITS | numbers, _LAST - numbers)
    index = jnp.argsort(keys)
    lots = jnp.where(present, lots, 0)[index]
    return _Ranked(index, ticks[index], lots, batch[index], jnp.cumsum(lots))


def _volume(bids: _Ranked, asks: _Ranked) -> Array:
    """Largest ``min(D, S)``; it is reached at a seller's limit."""
    bid_limits = jnp.where(bids.lots > 0, bids.ticks, -1)
    wanting = jnp.searchsorted(-bid_limits, -asks.ticks, side="right")
    through = jnp.concatenate([jnp.zeros(1, jnp.int64), bids.through])
    tradable = jnp.minimum(through[wanting], asks.through)
    return jnp.where(asks.lots > 0, tradable, 0).max(initial=0)


def _fill(ranked: _Ranked, volume: Array) -> Array:
    """Lots that fill, in rank order; the margin's batch is shared by size."""
    before = ranked.through - ranked.lots
    whole = jnp.clip(volume - before, 0, ranked.lots)
    marginal = jnp.argmax(ranked.through >= volume)
    shares = (ranked.ticks == ranked.ticks[marginal]) & (ranked.lots > 0)
    shares &= ranked.batch == ranked.batch[marginal]
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


def clear_array(side, ticks, lots, batch) -> Clearing:
    """The array lowering of `clear`."""
    bids = _rank(side, ticks, lots, batch, BUY)
    asks = _rank(side, ticks, lots, batch, SELL)
    volume = _volume(bids, asks)
    low = asks.ticks[jnp.argmax(asks.through >= volume)]
    high = bids.ticks[jnp.argmax(bids.through >= volume)]
    filled = jnp.zeros_like(lots)
    for ranked in (bids, asks):
        filled = filled.at[ranked.index].add(_fill(ranked, volume))
    return Clearing(jnp.where(volume > 0, (low + high) // 2, 0), volume, filled)


def _handler(fingerprint: int):
    """The custom call; ``fingerprint`` is part of the compiled code's cache key."""

    def run(frame):
        if answers_metadata_query(frame):
            return 0 * fingerprint
        sides, ticks = argument(frame, 0), argument(frame, 1)
        lots, batches = argument(frame, 2), argument(frame, 3)
        totals, filled, keys = result(frame, 0), result(frame, 1), result(frame, 2)
        for lane in range(sides.shape[0]):
            totals[lane, 0], totals[lane, 1] = clear_kernel(
                sides[lane],
                ticks[lane],
                lots[lane],
                batches[lane],
                keys[lane].reshape((2, keys.shape[1] // 2)),
                filled[lane],
            )
        return 0

    return run


_TARGET = "shakeout_auction_clear"


@functools.cache
def _register() -> None:
    register(_TARGET, _handler, __name__)


def clear_native(side, ticks, lots, batch) -> Clearing:
    """The native lowering of `clear`."""
    _register()
    count = side.shape[0]
    call = jax.ffi.ffi_call(
        _TARGET,
        [
            jax.ShapeDtypeStruct((1, *s), jnp.int64)
            for s in ((2,), (count,), (2, count))
        ],
        vmap_method="broadcast_all",
    )
    totals, filled, _ = call(*(column[None] for column in (side, ticks, lots, batch)))
    return Clearing(totals[0, 0], totals[0, 1], filled[0])


def clear(
    side: Array,
    ticks: Array,
    lots: Array,
    batch: Array,
    *,
    lowering: str | None = None,
) -> Clearing:
    """Clears one market at the uniform price that maximises volume.

    Args:
        side: [N] +1 buy, -1 sell, anything else is no order.
        ticks: [N] limits, from 1 to 2**31 - 1.
        lots: [N] sizes, all together below 2**50; without lots it is no order.
        batch: [N] smaller came earlier; must not fall along the index among orders of
            one side and price. Resting orders whose time priority is strict get
            numbers of their own, orders of one batch share one.
        lowering: `native` or `array`; by default native on a CPU.

    Returns:
        Price, volume and fills. Vmappable over markets and lanes.
    """
    if side.shape[0] > MAX_AUCTION_ORDERS:
        raise ValueError(
            f"{side.shape[0]} orders; an auction takes {MAX_AUCTION_ORDERS}"
        )
    columns = (side, ticks, lots, batch)
    if lowering == "native":
        return clear_native(*columns)
    if lowering == "array":
        return clear_array(*columns)
    if lowering is not None:
        raise ValueError(f"lowering is native, array or None, not {lowering!r}")
    return by_platform(*columns, cpu=clear_native, default=clear_array)
