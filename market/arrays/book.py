"""The books' columns: resting, taking off, closing gaps; see `market.kernels.book`.

Each side is kept sorted from worst to best, as in `market.types.state.BookState`, so
that resting or taking off an order is one shift of the tail, without a loop.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array, lax

from market.arrays.lane import Lane

_COLUMNS = ("ticks", "lots", "owner", "loss", "expiry", "came")


class Resting(NamedTuple):
    """An order as it rests, one value for each column of the book."""

    ticks: Array
    lots: Array
    owner: Array
    loss: Array
    expiry: Array
    came: Array


def resting_side(sign: Array) -> Array:
    """The side on which an order rests: 0 bids, 1 asks."""
    return jnp.where(sign > 0, 0, 1)


def taken_side(sign: Array) -> Array:
    """The side that an order takes from."""
    return jnp.where(sign > 0, 1, 0)


def is_present(lane: Lane):
    """Where orders rest: [M, 2, C]."""
    return jnp.arange(lane.ticks.shape[-1]) < lane.count[..., None]


def pop(lane: Lane, market, side, gone) -> Lane:
    """Takes lots [C] off a side's best orders; those without lots go."""
    lane = lane._replace(lots=lane.lots.at[market, side].add(-gone))
    stays = lane.lots[market, side] > 0
    columns = {}
    for name in _COLUMNS:
        column = getattr(lane, name)
        kept = jnp.where(stays, column[market, side], 0)
        columns[name] = column.at[market, side].set(kept)
    count = lane.count.at[market, side].set(stays.sum())
    return lane._replace(**columns, count=count)


def insert(lane: Lane, on, market, sign, order: Resting) -> tuple[Lane, Array]:
    """Rests an order behind its price's, where there is room; whether there was."""
    side, capacity = resting_side(sign), lane.ticks.shape[-1]
    count = lane.count[market, side]
    on = on & (count < capacity)
    worse = sign * (order.ticks - lane.ticks[market, side]) > 0
    here = (worse & (jnp.arange(capacity) < count)).sum()
    lane = _shift(lane, market, side, jnp.where(on, here, capacity), order)
    return lane, on


def remove(lane: Lane, on, market, side, index) -> Lane:
    """Takes one order off; freeing what it reserved is the caller's business."""
    capacity = lane.ticks.shape[-1]
    return _shift(lane, market, side, jnp.where(on, index, capacity), None)


def _shift(lane: Lane, market, side, place, order: Resting | None) -> Lane:
    """An order comes in, or without one the order goes, at ``place``; C for neither."""
    comes = order is not None
    place, inserts = place[None], jnp.full(1, comes)
    columns = {}
    for index, name in enumerate(_COLUMNS):
        column = getattr(lane, name)
        value = order[index] if comes else 0
        moved = shift(column[market, side], place, inserts, value)
        columns[name] = column.at[market, side].set(moved)
    change = jnp.where(place[0] < lane.ticks.shape[-1], 1 if comes else -1, 0)
    return lane._replace(**columns, count=lane.count.at[market, side].add(change))


def keep_orders(lane: Lane, kept) -> Lane:
    """Closes the gaps of every side where orders [M, 2, C] are not kept."""
    capacity = kept.shape[-1]
    flat = [getattr(lane, name).reshape(-1, capacity) for name in _COLUMNS]
    closed = close_gaps(kept.reshape(-1, capacity), *flat)
    columns = dict(zip(_COLUMNS, (c.reshape(kept.shape) for c in closed), strict=True))
    return lane._replace(**columns, count=kept.sum(axis=-1))


def drop_empty(lane: Lane) -> Lane:
    """Takes orders without lots off; the others keep their priority."""
    return keep_orders(lane, is_present(lane) & (lane.lots > 0))


# --- on any columns -----------------------------------------------------------------


def shift(column: Array, place: Array, inserts: Array, value) -> Array:
    """A column [..., C] after one order came or went at ``place``.

    Args:
        column: [..., C].
        place: [..., 1] the entry; C where nothing happens.
        inserts: [..., 1] ``value`` comes in there and the tail moves up; else the entry
            leaves, the tail moves down, and the last becomes zero.
        value: what comes in.
    """
    entry = lax.broadcasted_iota(place.dtype, column.shape, column.ndim - 1)
    moved = jnp.where(inserts, pad(column, 1), pad(column, -1))
    moved = jnp.where((entry == place) & inserts, value, moved)
    return jnp.where(entry < place, column, moved)


def pad(column: Array, by: int) -> Array:
    """Entry j becomes j + by, zeros come in. A pad, because it fuses."""
    zero = jnp.zeros((), column.dtype)
    edges = [(0, 0, 0)] * (column.ndim - 1) + [(by, -by, 0)]
    return lax.pad(column, zero, edges)


def close_gaps(keep: Array, *columns: Array) -> list[Array]:
    """Columns [R, C] of the entries to keep, in their order, zeros behind them."""
    rows, capacity = keep.shape
    target = jnp.where(keep, jnp.cumsum(keep, axis=1) - 1, capacity)
    row = jnp.arange(rows)[:, None]
    return [
        jnp.zeros_like(column).at[row, target].set(column, mode="drop")
        for column in columns
    ]
