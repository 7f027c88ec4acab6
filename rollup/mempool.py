"""The mempool: transactions on their way into a block, first come first kept.

Capacity is fixed. A transaction that finds no room is dropped aloud: it is counted
as `full`, never lost silently.
"""

from dataclasses import dataclass, fields, replace

import jax
import jax.numpy as jnp
from jax import Array

from market.types.orders import Kind, Tx

#: Positions of a sort key are packed below the key in one word.
INDEX_BITS = 12


@jax.tree_util.register_dataclass
@dataclass(frozen=True, kw_only=True)
class Admitted:
    """What `admit` did."""

    queue: Tx  # [Q]
    entered: Array  # [] live transactions offered
    full: Array  # [] of those, dropped for want of room


def gather(txs: Tx, index: Array, live: Array) -> Tx:
    """The transactions at ``index``; empty records where not ``live``."""
    columns = {}
    for field in fields(Tx):
        column = getattr(txs, field.name)[index]
        columns[field.name] = jnp.where(live, column, 0)
    return Tx(**columns)


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


def admit(queue: Tx, offered: Tx) -> Admitted:
    """Appends the live ones of ``offered`` to the queue and closes its gaps.

    Args:
        queue: [Q] waiting transactions, with gaps where some were taken.
        offered: [N] new ones; kind `NONE` is not a transaction.
    """
    capacity = queue.kind.shape[0]
    joined = concatenate(queue, offered)
    live = joined.kind != Kind.NONE
    rank = jnp.cumsum(live.astype(jnp.int32))
    places = jnp.arange(1, capacity + 1, dtype=jnp.int32)
    source = jnp.searchsorted(rank, places)
    kept = places <= rank[-1]
    entered = jnp.sum(offered.kind != Kind.NONE)
    return Admitted(
        queue=gather(joined, jnp.where(kept, source, 0), kept),
        entered=entered,
        full=jnp.maximum(rank[-1].astype(jnp.int64) - capacity, 0),
    )


def drop_expired(queue: Tx, block: Array) -> tuple[Tx, Array]:
    """Empties the records whose last block is past; returns their number."""
    late = (queue.kind != Kind.NONE) & (queue.expiry_block > 0)
    late &= queue.expiry_block < block
    return without(queue, late), jnp.sum(late)


def without(queue: Tx, gone: Array) -> Tx:
    """Marks the records in the mask ``gone`` [Q] as empty."""
    return replace(queue, kind=jnp.where(gone, Kind.NONE, queue.kind))


def sorted_positions(key: Array) -> Array:
    """Positions in ascending order of a key of at most 50 bits; ties by position.

    One sort of one word: the position is packed under the key, which is several times
    cheaper than a sort with a payload.
    """
    size = key.shape[0]
    assert size <= 1 << INDEX_BITS
    packed = (key << INDEX_BITS) | jnp.arange(size, dtype=jnp.int64)
    return jnp.sort(packed) & ((1 << INDEX_BITS) - 1)
