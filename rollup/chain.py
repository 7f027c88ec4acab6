"""One block of the rollup: wait, order, pay, execute, seal, settle.

The chain runs an exchange that it is given: it decides which transactions reach it and
in which order, it charges for priority, it commits to the result and carries batches
to settlement. Faults act here: a halted sequencer makes no block (the venue's height
stands still, prices and orders in it grow old), a censored transaction waits.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
from jax import Array

from market.numbers.units import PPM
from market.types.orders import Kind, Receipt, Status, Tx, no_transactions
from market.types.state import ExchangeInfo, ExchangeState
from rollup import histogram, mempool
from rollup.commitments.roots import accounts_root
from rollup.faults.windows import FaultKind, FaultWindows, is_censored, severity
from rollup.sequencing import POLICIES, SequencerParams
from rollup.settlement import pipeline as batches
from rollup.settlement.pipeline import BatchParams, BatchState


@dataclass(frozen=True)
class ChainSpec:
    """Shapes and code of a rollup.

    Attributes:
        policy: name of the ordering scheme (`rollup.sequencing.POLICIES`).
        queue: Q, capacity of the mempool.
        block_txs: B, transactions of one block.
        batch_blocks: blocks of one batch.
    """

    policy: str = "fcfs"
    queue: int = 512
    block_txs: int = 256
    batch_blocks: int = 60


@jax.tree_util.register_dataclass
@dataclass(frozen=True, kw_only=True)
class ChainParams:
    """Numbers of a rollup."""

    sequencer: SequencerParams
    batches: BatchParams


@jax.tree_util.register_dataclass
@dataclass(frozen=True, kw_only=True)
class ChainState:
    """The rollup between two blocks."""

    queue: Tx  # [Q]
    height: Array  # [] blocks made; stands still while the sequencer is halted
    batches: BatchState
    latency: Array  # [256] histogram of send-to-execution, all transactions
    entered: Array  # [] transactions offered to the mempool
    executed: Array  # [] accepted by the exchange
    rejected: Array  # [] refused by the exchange, with a reason in its counters
    expired: Array  # []
    full: Array  # [] dropped because the mempool was full
    censored: Array  # [] transaction-blocks passed over by a censor
    halted: Array  # [] blocks not made
    queue_peak: Array  # []
    inclusion_us: Array  # [] mean send-to-execution of the last block
    revenue: Array  # [] quanta the sequencer earned


@jax.tree_util.register_dataclass
@dataclass(frozen=True, kw_only=True)
class BlockOutcome:
    """What one block of the chain did."""

    txs: Tx  # [B] in the order they executed; kind NONE beyond the last
    receipts: Receipt  # [B]
    payment: Array  # [B] quanta asked for by the sequencer
    exchange: ExchangeInfo
    oracle: Array  # [M] prices the block was margined at
    is_halted: Array  # [] bool


#: Runs the exchange: (state, txs, height, is_halted) -> (state, receipts, info).
Execute = Callable[
    [ExchangeState, Tx, Array, Array], tuple[ExchangeState, Receipt, ExchangeInfo]
]


def open_chain(spec: ChainSpec, blocks: int, accounts: int) -> ChainState:
    """A rollup before its first block, for a run of so many blocks."""
    zero = jnp.zeros((), jnp.int64)
    return ChainState(
        queue=no_transactions((spec.queue,)),
        height=zero,
        batches=batches.open_batches(blocks // spec.batch_blocks + 1, accounts),
        latency=jnp.zeros((histogram.BUCKETS,), jnp.int64),
        entered=zero,
        executed=zero,
        rejected=zero,
        expired=zero,
        full=zero,
        censored=zero,
        halted=zero,
        queue_peak=zero,
        inclusion_us=zero,
        revenue=zero,
    )


def step(
    state: ChainState,
    exchange: ExchangeState,
    offered: Tx,
    windows: FaultWindows,
    family_of: Array,
    block: Array,
    params: ChainParams,
    *,
    spec: ChainSpec,
    block_us: int,
    execute: Execute,
) -> tuple[ChainState, ExchangeState, BlockOutcome]:
    """Advances the rollup by one block.

    Args:
        state: the rollup.
        exchange: the exchange it runs.
        offered: [N] transactions sent in this block.
        windows: faults of the run.
        family_of: [A] family number of each account.
        block: [] number of the block in time, halted or not.
        params: numbers of the rollup.
        spec: its shapes.
        block_us: length of a block.
        execute: one block of the exchange.
    """
    now_us = block * block_us
    queue, expired = mempool.drop_expired(state.queue, state.height)
    admitted = mempool.admit(queue, offered)
    queue = admitted.queue
    waiting = jnp.sum(queue.kind != Kind.NONE)
    stopped = severity(windows, FaultKind.SEQUENCER_HALT, now_us)
    arrived = (queue.kind != Kind.NONE) & (queue.arrival_us < now_us + block_us)
    passed_over = arrived & _censored(queue, windows, now_us, family_of)
    room = spec.block_txs * (PPM - stopped) // PPM
    room = room * batches.room_ppm(state.batches, params.batches) // PPM
    policy = POLICIES[spec.policy]
    ordering = policy.order(
        queue, arrived & ~passed_over, room, params.sequencer, spec.block_txs
    )
    txs = mempool.gather(queue, ordering.index, ordering.live)
    taken = jnp.zeros((spec.queue,), bool).at[ordering.index].max(ordering.live)
    state = replace(
        state,
        queue=mempool.without(queue, taken),
        entered=state.entered + admitted.entered,
        expired=state.expired + expired,
        full=state.full + admitted.full,
        censored=state.censored + jnp.sum(passed_over),
        queue_peak=jnp.maximum(state.queue_peak, waiting),
    )
    return apply_block(
        state,
        exchange,
        txs,
        ordering.payment,
        windows,
        block,
        params,
        spec=spec,
        block_us=block_us,
        execute=execute,
    )


def apply_block(
    state: ChainState,
    exchange: ExchangeState,
    txs: Tx,
    payment: Array,
    windows: FaultWindows,
    block: Array,
    params: ChainParams,
    *,
    spec: ChainSpec,
    block_us: int,
    execute: Execute,
) -> tuple[ChainState, ExchangeState, BlockOutcome]:
    """Executes an ordered block: the part of a step that a replay repeats.

    Args:
        state: the rollup, its mempool already without ``txs``.
        exchange: the exchange it runs.
        txs: [B] the block, in order.
        payment: [B] quanta asked of each sender.
        windows: faults of the run.
        block: [] number of the block in time.
        params: numbers of the rollup.
        spec: its shapes.
        block_us: length of a block.
        execute: one block of the exchange.
    """
    now_us = block * block_us
    is_halted = severity(windows, FaultKind.SEQUENCER_HALT, now_us) >= PPM
    live = txs.kind != Kind.NONE
    exchange, earned = charge(exchange, txs, payment)
    exchange, receipts, info = execute(exchange, txs, state.height, is_halted)
    delay = jnp.where(live, now_us + block_us - txs.sent_us, 0)
    refused = live & (receipts.status >= Status.REJECTED)
    unpaid = state.batches.pending
    fresh = exchange.withdrawn - unpaid
    pipeline = batches.advance(state.batches, windows, params.batches, now_us, block_us)
    exchange = replace(
        exchange, withdrawn=exchange.withdrawn - (unpaid - pipeline.pending)
    )
    # What this block brought joins its batch after the servers' time of this block.
    pipeline = replace(
        batches.request_payouts(pipeline, fresh, now_us),
        open_txs=pipeline.open_txs + jnp.sum(live),
    )
    pipeline = _seal_on_schedule(
        pipeline, exchange, block, is_halted, spec, now_us + block_us
    )
    state = replace(
        state,
        height=state.height + jnp.where(is_halted, 0, 1),
        batches=pipeline,
        latency=histogram.add(state.latency, delay, live),
        executed=state.executed + jnp.sum(live & ~refused),
        rejected=state.rejected + jnp.sum(refused),
        halted=state.halted + is_halted,
        inclusion_us=jnp.sum(delay) // jnp.maximum(jnp.sum(live), 1),
        revenue=state.revenue + earned,
    )
    outcome = BlockOutcome(
        txs=txs,
        receipts=receipts,
        payment=payment,
        exchange=info,
        oracle=exchange.oracle,
        is_halted=is_halted,
    )
    return state, exchange, outcome


def unaccounted(state: ChainState) -> Array:
    """Transactions that entered and are nowhere: 0 unless the chain lost one."""
    queued = jnp.sum(state.queue.kind != Kind.NONE)
    left = state.executed + state.rejected + state.expired + state.full + queued
    return state.entered - left


def _censored(queue: Tx, windows: FaultWindows, now_us, family_of) -> Array:
    family = family_of[jnp.clip(queue.account, 0, family_of.shape[0] - 1)]
    # A cheap hash that stays with the transaction for as long as it waits.
    luck = ((queue.account * 2_654_435_761 + queue.sent_us * 40_503) >> 8) % PPM
    return is_censored(windows, now_us, family, queue.kind, luck)


def charge(exchange: ExchangeState, txs: Tx, payment: Array):
    """Takes gas and bids from the senders, as far as their money goes.

    An account's money is its collateral with its positions at what they cost: the
    collateral alone is negative for whoever is long with leverage, and says nothing.
    Revenue joins the exchange's fee account, so that money stays in one ledger.

    Returns:
        The exchange, and the quanta earned.
    """
    account = jnp.clip(txs.account, 0, exchange.collateral.shape[0] - 1)
    asked = jnp.zeros_like(exchange.collateral).at[account].add(payment)
    money = exchange.collateral + jnp.sum(exchange.cost, axis=1)
    paid = jnp.clip(money, 0, asked)
    earned = jnp.sum(paid)
    exchange = replace(
        exchange,
        collateral=exchange.collateral - paid,
        fees=exchange.fees + earned,
    )
    return exchange, earned


def _seal_on_schedule(
    pipeline: BatchState,
    exchange: ExchangeState,
    block,
    is_halted,
    spec: ChainSpec,
    now_us,
) -> BatchState:
    """Seals a batch at every `batch_blocks`-th block, unless the sequencer is down.

    The schedule is the same in every lane, so the root is really computed only then.
    """
    is_last = (block + 1) % spec.batch_blocks == 0
    root = jax.lax.cond(
        is_last,
        accounts_root,
        lambda _: jnp.zeros((8,), jnp.uint32),
        exchange,
    )
    sealed = batches.seal(pipeline, root, now_us)
    due = is_last & ~is_halted
    return jax.tree.map(lambda new, old: jnp.where(due, new, old), sealed, pipeline)
