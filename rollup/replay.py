"""Replaying a run from its record: no agents, no ordering policy, the same root.

A record holds what the chain executed, block by block, and what its blocks were given:
oracle reports and one random word. Everything else follows.
"""

from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
from jax import Array, lax

from market.native.jit import jit_step
from market.types.orders import Receipt, Tx
from market.types.specs import VenueParams, VenueSpec
from market.types.state import ExchangeState, open_exchange
from rollup import chain
from rollup.chain import ChainParams, ChainSpec, ChainState
from rollup.commitments.roots import state_root
from rollup.execution import executor
from rollup.faults.windows import FaultWindows


@jax.tree_util.register_dataclass
@dataclass(frozen=True, kw_only=True)
class Record:
    """What one run executed."""

    start: Array  # [A] first collateral
    insurance: Array  # [] first insurance fund
    ticks: Array  # [M] first oracle prices
    windows: FaultWindows
    txs: Tx  # [T, B] in the order they executed
    payment: Array  # [T, B] quanta asked by the sequencer
    receipts: Receipt  # [T, B]
    reports: Array  # [T, M, N] oracle reports
    seed_word: Array  # [T]


@partial(jit_step, static_argnames=("venue", "rollup", "block_us"))
def replay(
    record: Record,
    venue_params: VenueParams,
    chain_params: ChainParams,
    *,
    venue: VenueSpec,
    rollup: ChainSpec,
    block_us: int,
) -> tuple[Array, Array]:
    """Executes a record again.

    Returns:
        The state root, uint32 [8], and how many receipts differ from the record's.
    """
    blocks = record.seed_word.shape[0]
    exchange = open_exchange(venue, record.start, record.insurance, record.ticks)
    state = chain.open_chain(rollup, blocks, venue.accounts)

    def again(carry, given):
        state, exchange, differing = carry
        block, txs, payment, receipts, reports, seed_word = given
        state, exchange, outcome = chain.apply_block(
            state,
            exchange,
            txs,
            payment,
            record.windows,
            block,
            chain_params,
            spec=rollup,
            block_us=block_us,
            execute=executor(
                reports, block, seed_word, venue_params, venue, rollup, block_us
            ),
        )
        return (
            state,
            exchange,
            differing + _differing(outcome.receipts, receipts),
        ), None

    given = (
        jnp.arange(blocks),
        record.txs,
        record.payment,
        record.receipts,
        record.reports,
        record.seed_word,
    )
    carry = (state, exchange, jnp.zeros((), jnp.int64))
    (state, exchange, differing), _ = lax.scan(again, carry, given)
    return run_root(exchange, state), differing


def run_root(exchange: ExchangeState, state: ChainState) -> Array:
    """The state root of a run: exchange, and what the chain counted; uint32 [8]."""
    pipeline = state.batches
    counts = jnp.stack(
        [
            state.height,
            state.executed,
            state.rejected,
            state.revenue,
            pipeline.sealed,
            pipeline.paid,
            pipeline.payouts,
        ]
    )
    return state_root(exchange, jnp.concatenate([counts, pipeline.done]))


def _differing(now: Receipt, then: Receipt) -> Array:
    differs = jax.tree.map(lambda a, b: a != b, now, then)
    return jnp.sum(jax.tree.reduce(jnp.logical_or, differs))
