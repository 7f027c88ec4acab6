"""Replaying a run from its record: no agents, no ordering scheme, the same root.

A record holds what the chain executed, block by block, and what its blocks were given:
oracle reports and one random word. Everything else follows.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax

from market.native.jit import jit_step
from market.types.orders import Receipt, Tx
from market.types.specs import VenueParams, VenueSpec
from market.types.state import ExchangeState, open_exchange
from rollup import chain
from rollup.commitments.merkle import account_leaf, merkle_root
from rollup.commitments.roots import state_root
from rollup.execution import executor
from rollup.faults.windows import FaultWindows, conditions_of
from rollup.settlement.payouts import unsettled
from rollup.settlement.pipeline import SETTLED, BatchState
from rollup.types import ChainParams, ChainSpec, ChainState, Moment, Ordered


@jax.tree_util.register_dataclass
@dataclass(frozen=True, kw_only=True)
class Record:
    """What one run executed."""

    start: Array  # [A] first collateral
    insurance: Array  # [] first insurance fund
    ticks: Array  # [M] first oracle prices
    windows: FaultWindows
    txs: Tx  # [T, B] in the order they executed
    mode: Array  # [T] a `rollup.sequencing.contract.Mode`
    charge: Array  # [T, A] quanta asked of each account before execution
    charge_after: Array  # [T, A] the same after it; [T, 0] where the scheme has none
    scheme: Array  # [W] the scheme's state at the end, which the root binds
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
    markets, reporters = record.reports.shape[1:]
    exchange = open_exchange(venue, record.start, record.insurance, record.ticks)
    state = chain.open_chain(
        chain_params, spec=rollup, blocks=blocks, accounts=venue.accounts
    )

    def again(carry, given: _Given):
        state, exchange, differing = carry
        conditions = conditions_of(
            record.windows,
            given.block * block_us,
            faults=rollup.faults,
            markets=markets,
            reporters=reporters,
        )
        moment = Moment(given.block, block_us, conditions)
        state, exchange, outcome = chain.apply_block(
            state,
            exchange,
            _ordered(given, state),
            moment,
            chain_params,
            spec=rollup,
            executor=executor(
                given.reports,
                given.seed_word,
                moment,
                venue_params,
                venue=venue,
                modes=rollup.scheme.modes,
            ),
        )
        differing = differing + _differing(outcome.receipts, given.receipts)
        return (state, exchange, differing), None

    given = _Given(
        block=jnp.arange(blocks),
        **{name: getattr(record, name) for name in _Given._fields if name != "block"},
    )
    carry = (state, exchange, jnp.zeros((), jnp.int64))
    (state, exchange, differing), _ = lax.scan(again, carry, given)
    return run_root(exchange, state, record.scheme), differing


class _Given(NamedTuple):
    """The columns of a record over its blocks, and their numbers."""

    block: Array
    txs: Tx
    mode: Array
    charge: Array
    charge_after: Array
    receipts: Receipt
    reports: Array
    seed_word: Array


def _ordered(given: _Given, state: ChainState) -> Ordered:
    """A block as its scheme made it; its charges are read, not reckoned."""
    after = None
    if given.charge_after.shape[0]:
        after = lambda receipts: (state.scheme, given.charge_after)  # noqa: E731
    return Ordered(given.txs, given.mode, given.charge, after)


def run_root(exchange: ExchangeState, state: ChainState, scheme: Array) -> Array:
    """The state root of a run: exchange, chain, and its scheme's state.

    Args:
        exchange: the exchange at the end.
        state: the chain.
        scheme: [W] `scheme_words` of the scheme's state; none for one without.

    Returns:
        uint32 [8].
    """
    pipeline = state.batches
    counts = jnp.stack(
        [
            state.height,
            state.executed,
            state.rejected,
            state.revenue,
            pipeline.sealed,
            pipeline.payouts.paid,
            pipeline.payouts.payments,
        ]
    )
    payouts = payout_words(pipeline)
    words = jnp.concatenate([counts, pipeline.done, payouts, scheme])
    return state_root(exchange, words)


def payout_words(pipeline: BatchState) -> Array:
    """What the root binds of the withdrawals on their way, as int64 words.

    For each row of the ring the number of its requests and the sum of their times, and
    a Merkle root over what every account asked for in each batch.
    """
    payouts = pipeline.payouts
    asked = unsettled(payouts, pipeline.sealed, pipeline.done[SETTLED])
    root = merkle_root(account_leaf(asked.T)).astype(jnp.int64)
    return jnp.concatenate([payouts.requests, payouts.asked_us, root])


def scheme_words(state: Any) -> Array:
    """A scheme's state as one row of int64, leaf after leaf; [W]."""
    leaves = [leaf.reshape(-1).astype(jnp.int64) for leaf in jax.tree.leaves(state)]
    return jnp.concatenate([jnp.zeros((0,), jnp.int64), *leaves])


def _differing(now: Receipt, then: Receipt) -> Array:
    differs = jax.tree.map(lambda a, b: a != b, now, then)
    return jnp.sum(jax.tree.reduce(jnp.logical_or, differs))
