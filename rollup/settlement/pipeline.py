"""Batches on their way to finality: sealed, data posted, proven, settled.

The sequencer seals a batch every so many blocks with a Merkle root over the accounts.
Its data is posted, its proof is made, and the settlement contract accepts it: three
servers in a row, each taking the batches in order, one at a time. A data-availability
outage slows or stops the first server, a prover fault the second. A withdrawal pays
when its batch has settled, not before.

Source: stages and latencies of validity rollups, reference page on proofs, section 2.
"""

from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
from jax import Array

from market.numbers.units import PPM
from rollup.faults.windows import FaultKind, FaultWindows, severity

#: Stages after sealing, in order.
POSTED, PROVEN, SETTLED = 0, 1, 2
STAGES = ("posted", "proven", "settled")
#: A batch, or a stage of it, that did not happen yet.
NOT_YET = -1


@jax.tree_util.register_dataclass
@dataclass(frozen=True, kw_only=True)
class BatchParams:
    """Numbers of the settlement path, int64 scalars in microseconds of work."""

    post_us: Array  # to post the data of one batch
    prove_us: Array  # to prove one batch, whatever it holds
    prove_tx_us: Array  # more for each transaction in it
    settle_us: Array  # for the settlement layer to accept a proven batch
    throttle_backlog: Array  # unposted batches from which blocks are throttled; 0 never
    throttle_ppm: Array  # share of the block's room that is left then


@jax.tree_util.register_dataclass
@dataclass(frozen=True, kw_only=True)
class BatchState:
    """The pipeline of one run. K: batches that a run can seal."""

    sealed: Array  # [] batches sealed so far
    done: Array  # [3] batches that passed each stage
    work_us: Array  # [3] work already put into the next batch of each stage
    txs: Array  # [K] transactions in each batch
    sealed_us: Array  # [K] when it was sealed
    stage_us: Array  # [3, K] when it passed each stage; NOT_YET before
    root: Array  # uint32 [K, 8] Merkle root over the accounts
    open_txs: Array  # [] transactions in the batch being filled
    pending: Array  # [A] quanta withdrawn and not yet paid
    pending_batch: Array  # [A] the batch that carries them
    pending_us: Array  # [A] when they were asked for
    paid: Array  # [] quanta paid out in all
    payouts: Array  # [] payments made
    payout_delay_us: Array  # [] sum of their delays


def open_batches(batches: int, accounts: int) -> BatchState:
    """The pipeline before the first block, with room for ``batches``."""
    zero = jnp.zeros((), jnp.int64)
    per_account = jnp.zeros((accounts,), jnp.int64)
    return BatchState(
        sealed=zero,
        done=jnp.zeros((3,), jnp.int64),
        work_us=jnp.zeros((3,), jnp.int64),
        txs=jnp.zeros((batches,), jnp.int64),
        sealed_us=jnp.full((batches,), NOT_YET, jnp.int64),
        stage_us=jnp.full((3, batches), NOT_YET, jnp.int64),
        root=jnp.zeros((batches, 8), jnp.uint32),
        open_txs=zero,
        pending=per_account,
        pending_batch=per_account,
        pending_us=per_account,
        paid=zero,
        payouts=zero,
        payout_delay_us=zero,
    )


def seal(state: BatchState, root: Array, now_us: Array) -> BatchState:
    """Closes the open batch under ``root``, uint32 [8]."""
    batch = state.sealed
    return replace(
        state,
        sealed=batch + 1,
        txs=state.txs.at[batch].set(state.open_txs, mode="drop"),
        sealed_us=state.sealed_us.at[batch].set(now_us, mode="drop"),
        root=state.root.at[batch].set(root, mode="drop"),
        open_txs=jnp.zeros_like(state.open_txs),
    )


def request_payouts(state: BatchState, withdrawn: Array, now_us: Array) -> BatchState:
    """Ties new withdrawals, [A] quanta, to the batch being filled.

    An account has one payment on its way: a second withdrawal joins it, and both wait
    for the later batch.
    """
    fresh = withdrawn > 0
    joined = fresh & (state.pending == 0)
    return replace(
        state,
        pending=state.pending + withdrawn,
        pending_batch=jnp.where(fresh, state.sealed, state.pending_batch),
        pending_us=jnp.where(joined, now_us, state.pending_us),
    )


def advance(
    state: BatchState,
    windows: FaultWindows,
    params: BatchParams,
    now_us: Array,
    elapsed_us: Array | int,
) -> BatchState:
    """Lets the three servers work for ``elapsed_us`` and pays what has settled.

    Each stage finishes at most one batch in a call, and the next stage takes it up in
    the next call. Work that is left over is kept only while the next batch waits
    already, so idle time is never saved up. A stage of no work still takes one call.
    """
    for stage in (SETTLED, PROVEN, POSTED):
        state = _work(state, stage, windows, params, now_us, elapsed_us)
    return _pay(state, now_us)


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


def _work(state, stage, windows, params, now_us, elapsed_us) -> BatchState:
    batch = state.done[stage]
    before = state.sealed if stage == POSTED else state.done[stage - 1]
    waiting = batch < before
    kind = {POSTED: FaultKind.DA_OUTAGE, PROVEN: FaultKind.PROVER_DELAY}.get(stage)
    failed = severity(windows, kind, now_us) if kind is not None else 0
    progress = state.work_us[stage] + elapsed_us * (PPM - failed) // PPM
    needed = _needed_us(state, stage, batch, params)
    finished = waiting & (progress >= needed)
    another = batch + 1 < before
    left = jnp.where(finished, jnp.where(another, progress - needed, 0), progress)
    return replace(
        state,
        done=state.done.at[stage].add(finished.astype(jnp.int64)),
        work_us=state.work_us.at[stage].set(jnp.where(waiting, left, 0)),
        stage_us=state.stage_us.at[stage, batch].set(
            jnp.where(finished, now_us + elapsed_us, state.stage_us[stage, batch]),
            mode="drop",
        ),
    )


def _needed_us(state, stage, batch, params: BatchParams) -> Array:
    if stage == POSTED:
        return params.post_us
    if stage == SETTLED:
        return params.settle_us
    return params.prove_us + params.prove_tx_us * state.txs[batch]


def _pay(state: BatchState, now_us) -> BatchState:
    due = (state.pending > 0) & (state.pending_batch < state.done[SETTLED])
    return replace(
        state,
        pending=jnp.where(due, 0, state.pending),
        paid=state.paid + jnp.sum(jnp.where(due, state.pending, 0)),
        payouts=state.payouts + jnp.sum(due),
        payout_delay_us=state.payout_delay_us
        + jnp.sum(jnp.where(due, now_us - state.pending_us, 0)),
    )
