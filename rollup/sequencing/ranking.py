"""What ordering schemes share: who is ready, ranking them, filling a block, charging.

A ranking is the places of the mempool in order, [Q]; stable sorts of one word each are
laid over one another, the most significant last.
"""

from dataclasses import replace

import jax.numpy as jnp
from jax import Array

from market.types.orders import Kind, Tx
from rollup.sequencing.contract import Clock, SequencerParams, SequencerSpec, Waiting

#: Sorts behind every real key, which is at most 50 bits: arrivals stay below 2^49 us.
LAST = (1 << 50) - 1
#: Positions of a sort key are packed below the key in one word.
INDEX_BITS = 12
#: Bids above this (2,147 USD) rank and pay as this.
MAX_BID = (1 << 31) - 1


def arrived(waiting: Waiting, clock: Clock) -> Array:
    """Those that reach the sequencer before the block ends; bool [Q]."""
    tx = waiting.tx
    return (tx.kind != Kind.NONE) & (tx.arrival_us < clock.now_us + clock.block_us)


def ready(waiting: Waiting, clock: Clock) -> Array:
    """Those that arrived and that no censor passes over; bool [Q]."""
    return arrived(waiting, clock) & ~waiting.censored


def hidden_but(tx: Tx, visible: Array) -> Tx:
    """The transactions with those that are not visible [Q] made empty."""
    return replace(tx, kind=jnp.where(visible, tx.kind, Kind.NONE))


def sorted_positions(key: Array) -> Array:
    """Positions in ascending order of a key of at most 50 bits; ties by position.

    One sort of one word: the position is packed under the key, which is several times
    cheaper than a sort with a payload.
    """
    size = key.shape[0]
    assert size <= 1 << INDEX_BITS
    packed = (key << INDEX_BITS) | jnp.arange(size, dtype=jnp.int64)
    return jnp.sort(packed) & ((1 << INDEX_BITS) - 1)


def by_key(key: Array, among: Array, ranked: Array | None = None) -> Array:
    """Ranks by a key [Q], those not ``among`` [Q] last; ties as they were ranked."""
    key = jnp.where(among, key, LAST)
    if ranked is None:
        return sorted_positions(key)
    return ranked[sorted_positions(key[ranked])]


def bid_of(tx: Tx, params: SequencerParams) -> Array:
    """What each transaction bids for priority, within the bounds; quanta [Q]."""
    return jnp.clip(tx.fee_bid, params.min_fee_bid, MAX_BID)


def first_of(
    ranked: Array, among: Array, room: Array, spec: SequencerSpec
) -> tuple[Array, Array]:
    """The block of the first ``room`` of a ranking that are ``among`` [Q].

    Returns:
        `Ordering.index` and `Ordering.live`.
    """
    index = ranked[: spec.block_txs]
    places = jnp.arange(spec.block_txs)
    return index, among[index] & (places < room)


def charge_senders(
    waiting: Waiting, index: Array, live: Array, price: Array, spec: SequencerSpec
) -> Array:
    """`Ordering.charge` where each sender pays for its transactions in the block.

    Args:
        waiting: the mempool.
        index: [B] places of the block.
        live: [B] where it holds a transaction.
        price: quanta of each place of the mempool, [Q] or [].
        spec: the shapes.
    """
    account = jnp.clip(waiting.tx.account[index], 0, spec.accounts - 1)
    account = jnp.where(live, account, 0)
    price = jnp.broadcast_to(price, waiting.tx.kind.shape)[index]
    return (
        jnp.zeros((spec.accounts,), jnp.int64)
        .at[account]
        .add(jnp.where(live, price, 0))
    )
