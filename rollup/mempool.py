"""The mempool: transactions on their way into a block, first come first kept.

Capacity is fixed. Where more wait than it has places for, those that arrive last are
dropped, be they new or still on their way from an earlier block: what has arrived has
its place before what has not. Of those that arrive in the same microsecond a lot
decides, drawn from the transaction itself (`rollup.sequencing.ranking.lot_of`), so that
nobody's place in an array is a priority. Whatever is dropped is counted.
"""

from dataclasses import dataclass, fields, replace

import jax
import jax.numpy as jnp
from jax import Array, lax

from market.types.orders import Kind, Tx, no_transactions
from rollup.sequencing.contract import Waiting
from rollup.sequencing.ranking import time_key

#: Kinds of transactions are counted apart, by their number.
KINDS = max(Kind) + 1
#: Where a transaction stood that was not there in the block before.
NEW = -1


@jax.tree_util.register_dataclass
@dataclass(frozen=True, kw_only=True)
class Admitted:
    """What `admit` did."""

    waiting: Waiting  # [Q]
    entered: Array  # [] live transactions offered
    full: Array  # [G, `KINDS`] dropped so far for want of room, by group and kind


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


def admit(waiting: Waiting, new: Waiting, full: Array, group_of: Array) -> Admitted:
    """Puts the live ones of ``new`` behind those that wait, and closes the gaps.

    Args:
        waiting: [Q] the mempool, with gaps where some were taken.
        new: [N] new ones; kind `NONE` is not a transaction.
        full: [G, `KINDS`] how many were dropped before; the last group's row also
            counts those of groups beyond it.
        group_of: [A] number of the group of each account.
    """
    capacity = waiting.tx.kind.shape[0]
    everyone = joined(waiting, new)
    fits, full = _that_fit(waiting.tx, new.tx, full, group_of)
    rank = jnp.cumsum(fits.astype(jnp.int32))
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
        full=full,
    )


def _that_fit(old: Tx, new: Tx, full: Array, group_of: Array) -> tuple[Array, Array]:
    """Which transactions [Q + N] keep or find a place, and the counts of the others.

    The loop has one turn or none, and none where no lane of a shard overflows: ranking
    everyone costs nothing while there is room.
    """
    capacity = old.kind.shape[0]
    live = jnp.concatenate([old.kind, new.kind]) != Kind.NONE

    def overflows(carry) -> Array:
        fits, _ = carry
        return jnp.sum(fits) > capacity

    def drop_the_last(carry) -> tuple[Array, Array]:
        # XLA would take what hangs on no turn out of the loop and do it in every block.
        (live, full), *parts = lax.optimization_barrier((carry, old, new))
        tx = concatenate(*parts)
        key = time_key(tx.arrival_us, tx, live)
        last = jnp.sort(key)[capacity - 1]
        earlier = key < last
        # The rarest case of all, the same time and the same lot: by place.
        tied = live & (key == last)
        left = capacity - jnp.sum(earlier)
        fits = earlier | (tied & (jnp.cumsum(tied) <= left))
        account = jnp.clip(tx.account, 0, group_of.shape[0] - 1)
        group = jnp.clip(group_of[account], 0, full.shape[0] - 1)
        kind = jnp.clip(tx.kind, 0, KINDS - 1)
        missed = (live & ~fits).astype(full.dtype)
        return fits, full.at[group, kind].add(missed)

    return lax.while_loop(overflows, drop_the_last, (live, full))


def drop_expired(waiting: Waiting, height: Array) -> tuple[Waiting, Array]:
    """Empties the places whose last block is past; returns their number."""
    tx = waiting.tx
    late = (tx.kind != Kind.NONE) & (tx.expiry_block > 0) & (tx.expiry_block < height)
    return without(waiting, late), jnp.sum(late)


def without(waiting: Waiting, gone: Array) -> Waiting:
    """Marks the places in the mask ``gone`` [Q] as free."""
    kind = jnp.where(gone, Kind.NONE, waiting.tx.kind)
    return replace(waiting, tx=replace(waiting.tx, kind=kind))
