"""Batches on their way to finality: sealed, then through the stages of settlement.

The sequencer seals a batch every so many blocks with a Merkle root over the accounts.
Its data is posted, its proof is made, and the settlement contract accepts it: servers
in a row (`rollup.settlement.stages`), each taking the batches in order, one at a time,
as fast as what it relies on works. A withdrawal pays when its batch has passed the last
stage, not before (`rollup.settlement.payouts`).
"""

from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
from jax import Array

from market.numbers.units import PPM
from rollup.faults.contract import Conditions
from rollup.settlement import payouts
from rollup.settlement.payouts import Payouts
from rollup.settlement.stages import (
    POSTED,
    PROVEN,
    SETTLED,
    STAGES,
    Batch,
    BatchParams,
)

__all__ = ["POSTED", "PROVEN", "SETTLED", "BatchParams", "BatchState"]

#: A batch, or a stage of it, that did not happen yet.
NOT_YET = -1


@jax.tree_util.register_dataclass
@dataclass(frozen=True, kw_only=True)
class BatchState:
    """The pipeline of one run. S: stages; K: batches that a run can seal."""

    sealed: Array  # [] batches sealed so far
    done: Array  # [S] batches that passed each stage
    work_us: Array  # [S] work already put into the next batch of each stage
    txs: Array  # [K] transactions in each batch
    sealed_us: Array  # [K] when it was sealed
    stage_us: Array  # [S, K] when it passed each stage; NOT_YET before
    root: Array  # uint32 [K, 8] Merkle root over the accounts
    open_txs: Array  # [] transactions in the batch being filled
    postponed: Array  # [] batches not sealed when due, for want of room
    payouts: Payouts


def open_batches(batches: int, accounts: int) -> BatchState:
    """The pipeline before the first block, with room for ``batches``."""
    zero = jnp.zeros((), jnp.int64)
    return BatchState(
        sealed=zero,
        done=jnp.zeros((len(STAGES),), jnp.int64),
        work_us=jnp.zeros((len(STAGES),), jnp.int64),
        txs=jnp.zeros((batches,), jnp.int64),
        sealed_us=jnp.full((batches,), NOT_YET, jnp.int64),
        stage_us=jnp.full((len(STAGES), batches), NOT_YET, jnp.int64),
        root=jnp.zeros((batches, 8), jnp.uint32),
        open_txs=zero,
        postponed=zero,
        payouts=payouts.no_payouts(batches, accounts),
    )


def has_room(state: BatchState) -> Array:
    """Whether the open batch may be sealed; if not, it waits for a batch to settle."""
    may_wait = payouts.has_room(state.payouts, state.sealed, state.done[SETTLED])
    return may_wait & (state.sealed < state.txs.shape[0])


def seal(state: BatchState, root: Array, now_us: Array, due: Array) -> BatchState:
    """Closes the open batch under ``root``, uint32 [8], where it is due and has room.

    A batch without room stays open until the next is due, and is counted.
    """
    seals = due & has_room(state)
    # Only a batch that is sealed is written, so the place may be clamped.
    place = jnp.minimum(state.sealed, state.txs.shape[0] - 1)

    def written(column: Array, value: Array) -> Array:
        return column.at[place].set(jnp.where(seals, value, column[place]))

    return replace(
        state,
        sealed=state.sealed + seals,
        txs=written(state.txs, state.open_txs),
        sealed_us=written(state.sealed_us, now_us),
        root=written(state.root, root),
        open_txs=jnp.where(seals, 0, state.open_txs),
        postponed=state.postponed + (due & ~seals),
        payouts=payouts.closed(state.payouts, seals),
    )


def request_payouts(
    state: BatchState, withdrawn: Array, requests: Array, now_us: Array
) -> BatchState:
    """Ties new withdrawals, [A] quanta in so many requests, to the open batch."""
    return replace(
        state,
        payouts=payouts.request(
            state.payouts, withdrawn, requests, state.sealed, now_us
        ),
    )


def advance(
    state: BatchState,
    conditions: Conditions,
    params: BatchParams,
    now_us: Array,
    elapsed_us: Array | int,
) -> BatchState:
    """Lets every stage work for ``elapsed_us`` and pays what has settled.

    Each stage finishes at most one batch in a call, and the next stage takes it up in
    the next call. Work that is left over is kept only while the next batch waits
    already, so idle time is never saved up. A stage of no work still takes one call.
    """
    settled = state.done[SETTLED]
    for stage in reversed(range(len(STAGES))):
        speed_ppm = conditions.work_ppm[STAGES[stage].relies_on]
        progress_us = elapsed_us * speed_ppm // PPM
        state = _work(state, stage, progress_us, params, now_us + elapsed_us)
    settles = state.done[SETTLED] > settled
    return replace(state, payouts=payouts.pay(state.payouts, settled, settles, now_us))


def backlog(state: BatchState) -> Array:
    """Sealed batches whose data is not posted yet."""
    return state.sealed - state.done[POSTED]


def room_ppm(state: BatchState, params: BatchParams) -> Array:
    """Share of a block's room that the data backlog leaves to the sequencer.

    Source: data-availability throttling of OP-style batchers, simplified to one step.
    """
    throttled = (params.throttle_backlog > 0) & (
        backlog(state) >= params.throttle_backlog
    )
    return jnp.where(throttled, params.throttle_ppm, PPM)


def _work(
    state: BatchState, stage: int, progress_us, params: BatchParams, end_us
) -> BatchState:
    """One stage after so much more work."""
    # Once all are through there is no next batch, and what is read of it is not used.
    batch = jnp.minimum(state.done[stage], state.txs.shape[0] - 1)
    before = state.sealed if stage == 0 else state.done[stage - 1]
    waiting = state.done[stage] < before
    progress = state.work_us[stage] + progress_us
    needed = STAGES[stage].work(params, Batch(txs=state.txs[batch]))
    finished = waiting & (progress >= needed)
    another = state.done[stage] + 1 < before
    left = jnp.where(finished, jnp.where(another, progress - needed, 0), progress)
    return replace(
        state,
        done=state.done.at[stage].add(finished.astype(jnp.int64)),
        work_us=state.work_us.at[stage].set(jnp.where(waiting, left, 0)),
        stage_us=state.stage_us.at[stage, batch].set(
            jnp.where(finished, end_us, state.stage_us[stage, batch])
        ),
    )
