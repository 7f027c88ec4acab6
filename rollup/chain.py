"""One block of the rollup: wait, order, pay, execute, seal, settle.

The chain runs an exchange that it is given: its ordering scheme decides which
transactions reach it, in which order and what that costs; the chain takes the charges,
commits to the result and carries batches to settlement. Faults act through the
conditions of the block: a halted sequencer makes no block (the venue's height stands
still, prices and orders in it grow old), a censored transaction waits.
"""

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from market.numbers.units import PPM
from market.types.orders import Kind, Receipt, Status, Tx
from market.types.state import ExchangeState
from rollup import histogram, mempool
from rollup.admission import admit, is_filled, take_out, without_intake
from rollup.commitments.roots import accounts_root
from rollup.sequencing.contract import REASONS, Clock, Ordering, Scheme
from rollup.settlement import pipeline as batches
from rollup.settlement.pipeline import BatchParams, BatchState
from rollup.types import (
    After,
    BlockOutcome,
    ChainParams,
    ChainSpec,
    ChainState,
    Executor,
    Moment,
    Offered,
    Ordered,
)


def open_chain(
    params: ChainParams, *, spec: ChainSpec, blocks: int, accounts: int, groups: int = 1
) -> ChainState:
    """A rollup before its first block.

    Args:
        params: its numbers.
        spec: its shapes.
        blocks: length of the run.
        accounts: A.
        groups: G, groups of senders whose drops by the full mempool are counted apart;
            the last row also counts those of groups beyond it.
    """
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
        full=jnp.zeros((groups, mempool.KINDS), jnp.int64),
        full_blocks=zero,
        filled_blocks=zero,
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
    executor: Executor,
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
        executor: the exchange: its block, and what its accounts are worth.
    """
    accounts = exchange.collateral.shape[0]
    clock = Clock(moment.block, state.height, moment.now_us, moment.block_us)
    state = admit(state, exchange, offered, moment.conditions, clock, spec.scheme)
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
    ordering = without_intake(ordering, state.waiting, spec.scheme)
    ordered = Ordered(
        txs=mempool.gather(state.waiting.tx, ordering.index, ordering.live),
        mode=jnp.asarray(ordering.mode, jnp.int64),
        charge=ordering.charge,
        after=_after(spec.scheme, remembered, ordering, params.sequencer),
    )
    state = take_out(replace(state, scheme=remembered), ordering)
    filled = is_filled(state, ordering, room, clock) & ~moment.conditions.halted
    state = replace(state, filled_blocks=state.filled_blocks + filled)
    return apply_block(
        state, exchange, ordered, moment, params, spec=spec, executor=executor
    )


def apply_block(
    state: ChainState,
    exchange: ExchangeState,
    ordered: Ordered,
    moment: Moment,
    params: ChainParams,
    *,
    spec: ChainSpec,
    executor: Executor,
) -> tuple[ChainState, ExchangeState, BlockOutcome]:
    """Executes an ordered block: the part of a step that a replay repeats.

    Args:
        state: the rollup, its mempool already without the block's transactions.
        exchange: the exchange it runs.
        ordered: the block.
        moment: the block, and its conditions.
        params: numbers of the rollup.
        spec: its shapes.
        executor: the exchange: its block, and what its accounts are worth.
    """
    txs, is_halted = ordered.txs, moment.conditions.halted
    exchange, earned = charge(exchange, ordered.charge, executor.equity(exchange))
    exchange, receipts, info = executor.execute(
        exchange, txs, ordered.mode, state.height
    )
    afterwards = jnp.zeros((0,), jnp.int64)
    if ordered.after is not None:
        remembered, afterwards = ordered.after(receipts)
        exchange, more = charge(exchange, afterwards, executor.equity(exchange))
        state, earned = replace(state, scheme=remembered), earned + more
    state = _count(state, txs, receipts, moment)
    pipeline, exchange = _settle(
        state.batches, exchange, txs, receipts, moment, params.batches
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
    left = state.executed + state.rejected + state.expired + queued
    return state.entered - left - jnp.sum(state.full) - jnp.sum(state.dropped)


def charge(
    exchange: ExchangeState, asked: Array, equity: Array
) -> tuple[ExchangeState, Array]:
    """Takes gas and bids from the accounts, as far as their money goes.

    An account's money is its equity: the collateral alone is negative for whoever is
    long with leverage or took a profit home, and says nothing. Revenue joins the
    exchange's fee account, so that money stays in one ledger; a refund comes out of it
    in full, be it that it falls below zero: the sequencer's promise is the venue's
    debt.

    Args:
        exchange: the exchange.
        asked: [A] quanta; below zero is a refund.
        equity: [A] quanta that each account is worth.

    Returns:
        The exchange, and the quanta earned.
    """
    paid = jnp.clip(equity, 0, asked)
    earned = jnp.sum(paid)
    exchange = replace(
        exchange,
        collateral=exchange.collateral - paid,
        fees=exchange.fees + earned,
    )
    return exchange, earned


def _after(scheme: Scheme, state: Any, ordering: Ordering, params) -> After | None:
    """The scheme's charges by outcome, if it is a `ChargesAfterwards`."""
    after = getattr(scheme, "after", None)
    if after is None:
        return None
    return lambda receipts: after(state, ordering, receipts, params)


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
    txs: Tx,
    receipts: Receipt,
    moment: Moment,
    params: BatchParams,
) -> tuple[BatchState, ExchangeState]:
    """Ties what this block brought to the open batch, and lets settlement work on."""
    asks = (txs.kind == Kind.WITHDRAW) | (txs.kind == Kind.FORCED_WITHDRAW)
    asks &= receipts.status == Status.ACCEPTED
    fresh = exchange.withdrawn - pipeline.payouts.unpaid
    pipeline = batches.request_payouts(pipeline, fresh, jnp.sum(asks), moment.now_us)
    pipeline = replace(
        pipeline, open_txs=pipeline.open_txs + jnp.sum(txs.kind != Kind.NONE)
    )
    pipeline = batches.advance(
        pipeline, moment.conditions, params, moment.now_us, moment.block_us
    )
    return pipeline, replace(exchange, withdrawn=pipeline.payouts.unpaid)


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
    due = is_last & ~moment.conditions.halted
    return batches.seal(pipeline, root, moment.end_us, due)
