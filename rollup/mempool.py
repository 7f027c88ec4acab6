"""The mempool: transactions on their way into a block, first come first kept.

Capacity is fixed. A transaction that finds no room is dropped aloud: it is counted
as `full`, never lost silently.
"""

from dataclasses import dataclass, fields, replace

import jax
import jax.numpy as jnp
from jax import Array

from market.types.orders import Kind, Tx, no_transactions
from rollup.sequencing.contract import Waiting

#: Where a transaction stood that was not there in the block before.
NEW = -1


@jax.tree_util.register_dataclass
@dataclass(frozen=True, kw_only=True)
class Admitted:
    """What `admit` did."""

    waiting: Waiting  # [Q]
    entered: Array  # [] live transactions offered
    full: Array  # [] of those, dropped for want of room


def no_one_waits(places: int, replicas: int, notes: int) -> Waiting:
    """An empty mempool of so many places."""
    return arriving(no_transactions((places,)), None, replicas, notes)


def arriving(txs: Tx, seen_us: Array | None, replicas: int, notes: int) -> Waiting:
    """Transactions [N] as they reach a mempool: nothing is noted of them yet.

    Args:
        txs: the transactions.
        seen_us: [N, R] when each clock saw them; None if all saw them as they arrived.
        replicas: R.
        notes: K.
    """
    count = txs.kind.shape[0]
    if seen_us is None:
        seen_us = jnp.broadcast_to(txs.arrival_us[:, None], (count, replicas))
    return Waiting(
        tx=txs,
        seen_us=seen_us,
        notes=jnp.zeros((count, notes), jnp.int64),
        censored=jnp.zeros((count,), bool),
        came_from=jnp.full((count,), NEW, jnp.int64),
        group=jnp.zeros((count,), jnp.int64),
        touch=jnp.zeros((count, 2), jnp.int64),
    )


def joined(waiting: Waiting, new: Waiting) -> Waiting:
    """Those that wait, with new ones behind them; gaps stay."""
    return jax.tree.map(lambda old, added: jnp.concatenate([old, added]), waiting, new)


def gather(records: Tx | Waiting, index: Array, live: Array):
    """The records at ``index``; empty ones, all zero, where not ``live``."""

    def taken(column: Array) -> Array:
        there = live.reshape(live.shape + (1,) * (column.ndim - 1))
        return jnp.where(there, column[index], jnp.zeros((), column.dtype))

    return jax.tree.map(taken, records)


def concatenate(*parts: Tx) -> Tx:
    """Joins transactions of any shapes into one row."""
    return Tx(
        **{
            field.name: jnp.concatenate(
                [getattr(part, field.name).reshape(-1) for part in parts]
            )
            for field in fields(Tx)
        }
    )


def admit(waiting: Waiting, new: Waiting) -> Admitted:
    """Appends the live ones of ``new`` to those that wait, and closes the gaps.

    Args:
        waiting: [Q] the mempool, with gaps where some were taken.
        new: [N] new ones; kind `NONE` is not a transaction.
    """
    capacity = waiting.tx.kind.shape[0]
    everyone = joined(waiting, new)
    rank = jnp.cumsum((everyone.tx.kind != Kind.NONE).astype(jnp.int32))
    places = jnp.arange(1, capacity + 1, dtype=jnp.int32)
    source = jnp.searchsorted(rank, places)
    kept = places <= rank[-1]
    moved = gather(everyone, jnp.where(kept, source, 0), kept)
    if moved.seen_us.shape[1] == 1:
        moved = replace(moved, seen_us=moved.tx.arrival_us[:, None])
    came_from = jnp.where(kept & (source < capacity), source, NEW)
    return Admitted(
        waiting=replace(moved, came_from=came_from.astype(jnp.int64)),
        entered=jnp.sum(new.tx.kind != Kind.NONE),
        full=jnp.maximum(rank[-1].astype(jnp.int64) - capacity, 0),
    )


def drop_expired(waiting: Waiting, height: Array) -> tuple[Waiting, Array]:
    """Empties the places whose last block is past; returns their number."""
    tx = waiting.tx
    late = (tx.kind != Kind.NONE) & (tx.expiry_block > 0) & (tx.expiry_block < height)
    return without(waiting, late), jnp.sum(late)


def without(waiting: Waiting, gone: Array) -> Waiting:
    """Marks the places in the mask ``gone`` [Q] as free."""
    kind = jnp.where(gone, Kind.NONE, waiting.tx.kind)
    return replace(waiting, tx=replace(waiting.tx, kind=kind))
