"""One block of the rollup: wait, order, pay, execute, seal, settle.

The chain runs an exchange that it is given: its ordering scheme decides which
transactions reach it, in which order and what that costs; the chain takes the charges,
commits to the result and carries batches to settlement. Faults act through the
conditions of the block: a halted sequencer makes no block (the venue's height stands
still, prices and orders in it grow old), a censored transaction waits.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from market.numbers.units import PPM
from market.types.orders import Kind, Receipt, Status, Tx
from market.types.state import BookState, ExchangeInfo, ExchangeState
from rollup import histogram, mempool
from rollup.commitments.roots import accounts_root
from rollup.faults import FAULTS, Conditions, Fault
from rollup.sequencing.contract import (
    REASONS,
    Clock,
    Drop,
    Ordering,
    Scheme,
    SequencerParams,
    SequencerSpec,
    Waiting,
)
from rollup.sequencing.fcfs import FCFS
from rollup.sequencing.ranking import arrived
from rollup.settlement import pipeline as batches
from rollup.settlement.pipeline import BatchParams, BatchState


@dataclass(frozen=True)
class ChainSpec:
    """Shapes and code of a rollup.

    Attributes:
        scheme: the ordering scheme.
        queue: Q, capacity of the mempool.
        block_txs: B, transactions of one block.
        batch_blocks: blocks of one batch.
        faults: the kinds of faults that may strike; `FaultParams.kind` counts them.
    """

    scheme: Scheme = FCFS
    queue: int = 512
    block_txs: int = 256
    batch_blocks: int = 60
    faults: tuple[Fault, ...] = tuple(FAULTS.values())

    def sequencer(self, accounts: int) -> SequencerSpec:
        """The shapes in which the scheme works, for so many accounts."""
        return SequencerSpec(accounts, self.queue, self.block_txs)


@jax.tree_util.register_dataclass
@dataclass(frozen=True, kw_only=True)
class ChainParams:
    """Numbers of a rollup."""

    sequencer: SequencerParams  # of the scheme's own class
    batches: BatchParams


@jax.tree_util.register_dataclass
@dataclass(frozen=True, kw_only=True)
class ChainState:
    """The rollup between two blocks."""

    waiting: Waiting  # [Q]
    scheme: Any  # state of the ordering scheme
    height: Array  # [] blocks made; stands still while the sequencer is halted
    batches: BatchState
    latency: Array  # [256] histogram of send-to-execution, all transactions
    entered: Array  # [] transactions offered to the mempool
    executed: Array  # [] accepted by the exchange
    rejected: Array  # [] refused by the exchange, with a reason in its counters
    expired: Array  # []
    full: Array  # [] dropped because the mempool was full
    dropped: Array  # [REASONS] taken out by the scheme, by its reason
    censored: Array  # [] transaction-blocks passed over by a censor
    halted: Array  # [] blocks not made
    queue_peak: Array  # []
    inclusion_us: Array  # [] mean send-to-execution of the last block
    revenue: Array  # [] quanta the sequencer earned, refunds taken off


class Offered(NamedTuple):
    """What was sent in a block.

    Attributes:
        txs: [N] transactions.
        group_of: [A] number of the group of each account.
        seen_us: [N, R] when each clock of the scheme saw them; None if all of them saw
            each as it arrived.
    """

    txs: Tx
    group_of: Array
    seen_us: Array | None = None


class Moment(NamedTuple):
    """When a block is made, and under which conditions.

    Attributes:
        block: [] its number in time, made or not.
        block_us: its length.
        conditions: what works in it.
    """

    block: Array
    block_us: int
    conditions: Conditions

    @property
    def now_us(self) -> Array:
        """Start of the block, in microseconds since the start of the run."""
        return self.block * self.block_us

    @property
    def end_us(self) -> Array:
        """Its end."""
        return self.now_us + self.block_us


#: What a scheme charges once a block has executed: receipts [B] -> (its state, [A]).
After = Callable[[Receipt], tuple[Any, Array]]


class Ordered(NamedTuple):
    """A block as its scheme made it, ready to be executed.

    Attributes:
        txs: [B] in order; kind `NONE` beyond the last.
        mode: [] a `Mode`.
        charge: [A] quanta asked of each account before it executes.
        after: charges afterwards; None if the scheme has none.
    """

    txs: Tx
    mode: Array
    charge: Array
    after: After | None


@jax.tree_util.register_dataclass
@dataclass(frozen=True, kw_only=True)
class BlockOutcome:
    """What one block of the chain did."""

    txs: Tx  # [B] in the order they executed; kind NONE beyond the last
    receipts: Receipt  # [B]
    mode: Array  # [] a `Mode`
    charge: Array  # [A] quanta asked before execution, refunds negative
    charge_after: Array  # [A] the same after it; [0] where the scheme has none
    exchange: ExchangeInfo
    oracle: Array  # [M] prices the block was margined at
    is_halted: Array  # [] bool


#: Runs the exchange: (state, txs, mode, height) -> (state, receipts, info).
Execute = Callable[
    [ExchangeState, Tx, Array, Array],
    tuple[ExchangeState, Receipt, ExchangeInfo],
]


def open_chain(
    params: ChainParams, *, spec: ChainSpec, blocks: int, accounts: int
) -> ChainState:
    """A rollup before its first block, for a run of so many blocks."""
    zero, scheme = jnp.zeros((), jnp.int64), spec.scheme
    return ChainState(
        waiting=mempool.no_one_waits(spec.queue, scheme.replicas, scheme.notes),
        scheme=scheme.init(params.sequencer, spec=spec.sequencer(accounts)),
        height=zero,
        batches=batches.open_batches(blocks // spec.batch_blocks + 1, accounts),
        latency=jnp.zeros((histogram.BUCKETS,), jnp.int64),
        entered=zero,
        executed=zero,
        rejected=zero,
        expired=zero,
        full=zero,
        dropped=jnp.zeros((REASONS,), jnp.int64),
        censored=zero,
        halted=zero,
        queue_peak=zero,
        inclusion_us=zero,
        revenue=zero,
    )


def step(
    key: Array,
    state: ChainState,
    exchange: ExchangeState,
    offered: Offered,
    moment: Moment,
    params: ChainParams,
    *,
    spec: ChainSpec,
    execute: Execute,
) -> tuple[ChainState, ExchangeState, BlockOutcome]:
    """Advances the rollup by one block.

    Args:
        key: the scheme's key for this block.
        state: the rollup.
        exchange: the exchange it runs.
        offered: what was sent in this block.
        moment: the block, and its conditions.
        params: numbers of the rollup.
        spec: its shapes.
        execute: one block of the exchange.
    """
    accounts = exchange.collateral.shape[0]
    clock = Clock(moment.block, state.height, moment.now_us, moment.block_us)
    state = _admit(state, exchange, offered, moment.conditions, clock, spec.scheme)
    room = spec.block_txs * moment.conditions.room_ppm // PPM
    room = room * batches.room_ppm(state.batches, params.batches) // PPM
    remembered, ordering = spec.scheme.order(
        key,
        state.scheme,
        state.waiting,
        clock,
        room,
        params.sequencer,
        spec=spec.sequencer(accounts),
    )
    ordering = _without_intake(ordering, state.waiting, spec.scheme)
    ordered = Ordered(
        txs=mempool.gather(state.waiting.tx, ordering.index, ordering.live),
        mode=jnp.asarray(ordering.mode, jnp.int64),
        charge=ordering.charge,
        after=_after(spec.scheme, remembered, ordering, params.sequencer),
    )
    state = _take_out(replace(state, scheme=remembered), ordering)
    return apply_block(
        state, exchange, ordered, moment, params, spec=spec, execute=execute
    )


def apply_block(
    state: ChainState,
    exchange: ExchangeState,
    ordered: Ordered,
    moment: Moment,
    params: ChainParams,
    *,
    spec: ChainSpec,
    execute: Execute,
) -> tuple[ChainState, ExchangeState, BlockOutcome]:
    """Executes an ordered block: the part of a step that a replay repeats.

    Args:
        state: the rollup, its mempool already without the block's transactions.
        exchange: the exchange it runs.
        ordered: the block.
        moment: the block, and its conditions.
        params: numbers of the rollup.
        spec: its shapes.
        execute: one block of the exchange.
    """
    txs, is_halted = ordered.txs, moment.conditions.halted
    exchange, earned = charge(exchange, ordered.charge)
    exchange, receipts, info = execute(exchange, txs, ordered.mode, state.height)
    afterwards = jnp.zeros((0,), jnp.int64)
    if ordered.after is not None:
        remembered, afterwards = ordered.after(receipts)
        exchange, more = charge(exchange, afterwards)
        state, earned = replace(state, scheme=remembered), earned + more
    state = _count(state, txs, receipts, moment)
    pipeline, exchange = _settle(
        state.batches, exchange, jnp.sum(txs.kind != Kind.NONE), moment, params.batches
    )
    state = replace(
        state,
        height=state.height + jnp.where(is_halted, 0, 1),
        batches=_seal_on_schedule(pipeline, exchange, moment, spec),
        halted=state.halted + is_halted,
        revenue=state.revenue + earned,
    )
    outcome = BlockOutcome(
        txs=txs,
        receipts=receipts,
        mode=ordered.mode,
        charge=ordered.charge,
        charge_after=afterwards,
        exchange=info,
        oracle=exchange.oracle,
        is_halted=is_halted,
    )
    return state, exchange, outcome


def unaccounted(state: ChainState) -> Array:
    """Transactions that entered and are nowhere: 0 unless the chain lost one."""
    queued = jnp.sum(state.waiting.tx.kind != Kind.NONE)
    left = state.executed + state.rejected + state.expired + state.full + queued
    return state.entered - left - jnp.sum(state.dropped)


def charge(exchange: ExchangeState, asked: Array) -> tuple[ExchangeState, Array]:
    """Takes gas and bids from the accounts, as far as their money goes.

    An account's money is its collateral with its positions at what they cost: the
    collateral alone is negative for whoever is long with leverage, and says nothing.
    Revenue joins the exchange's fee account, so that money stays in one ledger; a
    refund comes out of it in full, be it that it falls below zero: the sequencer's
    promise is the venue's debt.

    Args:
        exchange: the exchange.
        asked: [A] quanta; below zero is a refund.

    Returns:
        The exchange, and the quanta earned.
    """
    money = exchange.collateral + jnp.sum(exchange.cost, axis=1)
    paid = jnp.clip(money, 0, asked)
    earned = jnp.sum(paid)
    exchange = replace(
        exchange,
        collateral=exchange.collateral - paid,
        fees=exchange.fees + earned,
    )
    return exchange, earned


def _admit(
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
    admitted = mempool.admit(waiting, new)
    tx = admitted.waiting.tx
    group_of = offered.group_of
    group = group_of[jnp.clip(tx.account, 0, group_of.shape[0] - 1)]
    touch = _touch(exchange.book)
    waiting = replace(
        admitted.waiting,
        group=group,
        censored=conditions.censor.passes_over(group, tx.kind, _luck(tx)),
        touch=touch[jnp.clip(tx.market, 0, touch.shape[0] - 1)],
    )
    passed_over = arrived(waiting, clock) & waiting.censored
    return replace(
        state,
        waiting=waiting,
        entered=state.entered + admitted.entered,
        expired=state.expired + expired,
        full=state.full + admitted.full,
        censored=state.censored + jnp.sum(passed_over),
        queue_peak=jnp.maximum(state.queue_peak, jnp.sum(tx.kind != Kind.NONE)),
    )


def _luck(tx: Tx) -> Array:
    """A cheap hash in [0, 1e6) that a transaction keeps for as long as it waits."""
    return ((tx.account * 2_654_435_761 + tx.sent_us * 40_503) >> 8) % PPM


def _touch(book: BookState) -> Array:
    """Best bid and ask of each market in ticks, 0 on an empty side; [M, 2]."""
    best = jnp.maximum(book.count - 1, 0)[..., None]
    ticks = jnp.take_along_axis(book.ticks, best, axis=2)[..., 0]
    return jnp.where(book.count == 0, 0, ticks)


def _without_intake(ordering: Ordering, waiting: Waiting, scheme: Scheme) -> Ordering:
    """The ordering without kinds of transactions that never reach the exchange."""
    if not scheme.intake:
        return ordering
    kind = waiting.tx.kind[ordering.index]
    consumed = jnp.isin(kind, jnp.asarray([int(each) for each in scheme.intake]))
    return ordering._replace(live=ordering.live & ~consumed)


def _after(scheme: Scheme, state: Any, ordering: Ordering, params) -> After | None:
    """The scheme's charges by outcome, if it is a `ChargesAfterwards`."""
    after = getattr(scheme, "after", None)
    if after is None:
        return None
    return lambda receipts: after(state, ordering, receipts, params)


def _take_out(state: ChainState, ordering: Ordering) -> ChainState:
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


def _count(state: ChainState, txs: Tx, receipts: Receipt, moment: Moment) -> ChainState:
    """What became of the transactions, and how long they took."""
    live = txs.kind != Kind.NONE
    delay = jnp.where(live, moment.end_us - txs.sent_us, 0)
    refused = live & (receipts.status >= Status.REJECTED)
    return replace(
        state,
        latency=histogram.add(state.latency, delay, live),
        executed=state.executed + jnp.sum(live & ~refused),
        rejected=state.rejected + jnp.sum(refused),
        inclusion_us=jnp.sum(delay) // jnp.maximum(jnp.sum(live), 1),
    )


def _settle(
    pipeline: BatchState,
    exchange: ExchangeState,
    txs: Array,
    moment: Moment,
    params: BatchParams,
) -> tuple[BatchState, ExchangeState]:
    """Lets settlement work on, and ties what this block brought to the open batch."""
    unpaid = pipeline.pending
    fresh = exchange.withdrawn - unpaid
    pipeline = batches.advance(
        pipeline, moment.conditions, params, moment.now_us, moment.block_us
    )
    paid = unpaid - pipeline.pending
    # What this block brought joins its batch after the servers' time of this block.
    pipeline = replace(
        batches.request_payouts(pipeline, fresh, moment.now_us),
        open_txs=pipeline.open_txs + txs,
    )
    return pipeline, replace(exchange, withdrawn=exchange.withdrawn - paid)


def _seal_on_schedule(
    pipeline: BatchState, exchange: ExchangeState, moment: Moment, spec: ChainSpec
) -> BatchState:
    """Seals a batch at every `batch_blocks`-th block, unless the sequencer is down.

    The schedule is the same in every lane, so the root is really computed only then.
    """
    is_last = (moment.block + 1) % spec.batch_blocks == 0
    root = jax.lax.cond(
        is_last,
        accounts_root,
        lambda _: jnp.zeros((8,), jnp.uint32),
        exchange,
    )
    sealed = batches.seal(pipeline, root, moment.end_us)
    due = is_last & ~moment.conditions.halted
    return jax.tree.map(lambda new, old: jnp.where(due, new, old), sealed, pipeline)
