"""Into the mempool and out of it: what a block takes in, and what leaves with it."""

from dataclasses import replace

import jax.numpy as jnp
from jax import Array

from market.numbers.units import PPM
from market.types.orders import Kind, Tx
from market.types.state import BookState, ExchangeState
from rollup import mempool
from rollup.faults import Conditions
from rollup.sequencing.contract import (
    REASONS,
    Clock,
    Drop,
    Ordering,
    Scheme,
    Waiting,
)
from rollup.sequencing.ranking import arrived
from rollup.types import ChainState, Offered


def admit(
    state: ChainState,
    exchange: ExchangeState,
    offered: Offered,
    conditions: Conditions,
    clock: Clock,
    scheme: Scheme,
) -> ChainState:
    """Empties what expired, takes in what was sent, notes the facts of the block."""
    waiting, expired = mempool.drop_expired(state.waiting, state.height)
    new = mempool.arriving(offered.txs, offered.seen_us, scheme.replicas, scheme.notes)
    group_of = offered.group_of
    admitted = mempool.admit(waiting, new, state.full, group_of)
    tx = admitted.waiting.tx
    group = group_of[jnp.clip(tx.account, 0, group_of.shape[0] - 1)]
    touch = _touch(exchange.book)
    waiting = replace(
        admitted.waiting,
        group=group,
        censored=conditions.censor.passes_over(group, tx.kind, luck_of(tx)),
        touch=touch[jnp.clip(tx.market, 0, touch.shape[0] - 1)],
    )
    passed_over = arrived(waiting, clock) & waiting.censored
    return replace(
        state,
        waiting=waiting,
        entered=state.entered + admitted.entered,
        expired=state.expired + expired,
        full=admitted.full,
        full_blocks=state.full_blocks + jnp.any(admitted.full != state.full),
        censored=state.censored + jnp.sum(passed_over),
        queue_peak=jnp.maximum(state.queue_peak, jnp.sum(tx.kind != Kind.NONE)),
    )


def take_out(state: ChainState, ordering: Ordering) -> ChainState:
    """Frees the places of what the block carries and of what the scheme drops."""
    waiting = state.waiting
    gone = jnp.zeros(waiting.tx.kind.shape, bool)
    gone = gone.at[ordering.index].max(ordering.live)
    if ordering.notes is not None:
        waiting = replace(waiting, notes=ordering.notes)
    if ordering.drop is None:
        return replace(state, waiting=mempool.without(waiting, gone))
    dropped = (ordering.drop != Drop.KEPT) & (waiting.tx.kind != Kind.NONE) & ~gone
    reason = jnp.clip(ordering.drop, 0, REASONS - 1)
    return replace(
        state,
        waiting=mempool.without(waiting, gone | dropped),
        dropped=state.dropped.at[reason].add(dropped.astype(jnp.int64)),
    )


def is_filled(state: ChainState, ordering: Ordering, room: Array, clock: Clock):
    """Whether the block carries all it may while others that had arrived wait on; [].

    Args:
        state: the rollup, its mempool already without what the block carries.
        ordering: the block.
        room: [] how many transactions it may carry.
        clock: the block's.
    """
    left = arrived(state.waiting, clock) & ~state.waiting.censored
    return (jnp.sum(ordering.live) >= room) & jnp.any(left)


def without_intake(ordering: Ordering, waiting: Waiting, scheme: Scheme) -> Ordering:
    """The ordering without kinds of transactions that never reach the exchange."""
    if not scheme.intake:
        return ordering
    kind = waiting.tx.kind[ordering.index]
    consumed = jnp.isin(kind, jnp.asarray([int(each) for each in scheme.intake]))
    return ordering._replace(live=ordering.live & ~consumed)


def luck_of(tx: Tx) -> Array:
    """A cheap hash in [0, 1e6) that a transaction keeps for as long as it waits."""
    return ((tx.account * 2_654_435_761 + tx.sent_us * 40_503) >> 8) % PPM


def _touch(book: BookState) -> Array:
    """Best bid and ask of each market in ticks, 0 on an empty side; [M, 2]."""
    best = jnp.maximum(book.count - 1, 0)[..., None]
    ticks = jnp.take_along_axis(book.ticks, best, axis=2)[..., 0]
    return jnp.where(book.count == 0, 0, ticks)
