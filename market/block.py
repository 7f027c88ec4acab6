"""One block of the exchange: oracle, then the transactions, then funding.

`execute` (market.exchange) runs the transactions; this module puts around it what a
block does by itself: it takes the oracle's reports, makes the mark, votes a funding
premium from the book, samples the votes, and pays funding when the interval is over.
"""

from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp

from market.exchange import execute
from market.types.environment import Environment
from market.types.orders import Receipt, Tx
from market.types.specs import VenueParams, VenueSpec
from market.types.state import ExchangeInfo, ExchangeState
from market.upkeep.breaker import is_paused, watch_index
from market.upkeep.funding_clock import keep_funding_clock, vote_premium
from market.upkeep.mark import with_mark
from market.upkeep.oracle import Feed, OracleRules, updated_feed
from market.upkeep.outage import note_block
from market.upkeep.stops import note_refusals, refusals, stops_of, without_refused


def step(
    state: ExchangeState,
    txs: Tx,
    given: Environment,
    params: VenueParams,
    *,
    spec: VenueSpec,
    auction: bool,
) -> tuple[ExchangeState, Receipt, ExchangeInfo]:
    """Advances the exchange by one block of the chain.

    In a halted block nothing happens: no oracle price, no transaction, no funding and
    no deleveraging; funding that falls due is paid afterwards. What stands still in a
    block with a stale price, or soon after a restart: `market.upkeep.stops`; after a
    long outage: `market.upkeep.outage`; after a jump of the index:
    `market.upkeep.breaker`.

    Args:
        state: the exchange.
        txs: [B] in the sequencer's order; all empty in a halted block.
        given: what the block is given from outside.
        params: numbers of the venue.
        spec: its shapes.
        auction: matches by uniform-price auction instead of continuously.
    """
    now_us, is_halted = given.now_us, given.is_halted
    state = _take_reports(state, given.reports, now_us, is_halted, params)
    state = with_mark(state, is_halted, spec=spec, block_us=given.block_us)
    stops = stops_of(state, now_us, params)
    breaker = _watched(state, now_us, is_halted, params)
    paused = is_paused(breaker, now_us)
    params = replace(params, halted=params.halted | stops.stale | paused)
    refused = refusals(txs, state, stops)
    state = note_block(state, given, spec=spec)
    gates = state.gate_block
    held = is_halted | stops.holds_deleveraging() | paused
    waiting = state.adl_pending
    state = replace(state, adl_pending=jnp.where(held, 0, waiting))
    state, receipts, info = execute(
        state,
        without_refused(txs, refused),
        given.turn,
        params,
        spec=spec,
        auction=auction,
    )
    state, receipts = note_refusals(state, receipts, refused)
    state = replace(
        state,
        adl_pending=jnp.where(held, waiting, state.adl_pending),
        gate_block=jnp.where(is_halted, gates, state.gate_block),
        breaker=breaker,
        restarted_us=jnp.where(is_halted, given.end_us, state.restarted_us),
    )
    state = vote_premium(state, params, spec, is_halted)
    state, paid = keep_funding_clock(state, given.block, is_halted, params, spec)
    stood_still = jnp.where(is_halted, 0, params.halted)
    return state, receipts, replace(info, funding_paid=paid, halted=stood_still)


def _watched(state: ExchangeState, now_us, is_halted, params: VenueParams):
    """The circuit breakers after they saw the index of a block that is made."""
    seen = watch_index(state.breaker, state.oracle, now_us, params)
    return jax.tree.map(partial(jnp.where, is_halted), state.breaker, seen)


def _take_reports(state, reports, now_us, is_halted, params: VenueParams):
    rules = OracleRules(
        quorum=params.oracle_quorum,
        threshold_ppm=params.oracle_threshold_ppm,
        heartbeat_us=params.oracle_heartbeat_us,
    )
    heard = (reports > 0) & ~is_halted
    feed = updated_feed(
        Feed(state.oracle, state.oracle_us), reports, heard, now_us, rules
    )
    return replace(state, oracle=feed.price, oracle_us=feed.updated_us)
