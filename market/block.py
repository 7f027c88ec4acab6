"""One block of the exchange: oracle, then the transactions, then funding.

`execute` (market.exchange) runs the transactions; this module puts around it what a
block does by itself: it takes the oracle's reports, makes the mark, votes a funding
premium from the book, samples the votes, and pays funding when the interval is over.
"""

from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
from jax import Array

from market.exchange import execute
from market.numbers.units import US_PER_SECOND
from market.rules.funding import (
    BookSide,
    funding_clamp_ppm,
    index_delta,
    premium_ppm,
    premium_vote_ppm,
    rate_ppm,
    sample_ppm,
    settle_funding,
)
from market.types.orders import Receipt, Tx
from market.types.specs import Preset, VenueParams, VenueSpec
from market.types.state import ExchangeInfo, ExchangeState
from market.upkeep import hourly_funding
from market.upkeep.breaker import is_paused, watched
from market.upkeep.mark import with_mark
from market.upkeep.oracle import Feed, OracleRules, updated_feed
from market.upkeep.stops import refusals, stops_of, told, without_refused


def step(
    state: ExchangeState,
    txs: Tx,
    reports: Array,
    block: Array,
    height: Array,
    is_halted: Array,
    seed_word: Array,
    params: VenueParams,
    *,
    spec: VenueSpec,
    block_us: int,
    auction: bool,
) -> tuple[ExchangeState, Receipt, ExchangeInfo]:
    """Advances the exchange by one block of the chain.

    In a halted block nothing happens: no oracle price, no transaction, no funding and
    no deleveraging. What stands still in a block with a stale price, or soon after a
    restart: `market.upkeep.stops`; after a jump of the index: `market.upkeep.breaker`.

    Args:
        state: the exchange.
        txs: [B] in the sequencer's order; all empty in a halted block.
        reports: [M, N] oracle reports in ticks, 0 where a reporter is silent.
        block: [] block number in time; the funding clock runs on it.
        height: [] blocks made; expiry counts in it.
        is_halted: [] bool.
        seed_word: [] random word of the block, for deleveraging.
        params: numbers of the venue.
        spec: its shapes.
        block_us: length of a block.
        auction: matches by uniform-price auction instead of continuously.
    """
    now_us = block * block_us
    state = _take_reports(state, reports, now_us, is_halted, params)
    state = with_mark(state, is_halted, spec=spec, block_us=block_us)
    stops = stops_of(state, now_us, params)
    breaker = _watched(state, now_us, is_halted, params)
    paused = is_paused(breaker, now_us)
    params = replace(params, halted=params.halted | stops.stale | paused)
    refused = refusals(txs, stops)
    held = is_halted | stops.holds_deleveraging() | paused
    waiting = state.adl_pending
    state = replace(state, adl_pending=jnp.where(held, 0, waiting))
    state, receipts, info = execute(
        state,
        without_refused(txs, refused),
        height,
        seed_word,
        params,
        spec=spec,
        auction=auction,
        now_us=now_us,
    )
    state, receipts = told(state, receipts, refused)
    state = replace(
        state,
        adl_pending=jnp.where(held, waiting, state.adl_pending),
        breaker=breaker,
        restarted_us=jnp.where(is_halted, now_us + block_us, state.restarted_us),
    )
    state = _vote(state, params, spec, is_halted)
    state, paid = _keep_funding_clock(state, block, is_halted, params, spec)
    stood_still = jnp.where(is_halted, 0, params.halted)
    return state, receipts, replace(info, funding_paid=paid, halted=stood_still)


def _watched(state: ExchangeState, now_us, is_halted, params: VenueParams):
    """The circuit breakers after they saw the index of a block that is made."""
    seen = watched(state.breaker, state.oracle, now_us, params)
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


def _clamp_of(factor: Array, params: VenueParams) -> Array:
    return funding_clamp_ppm(
        factor, params.initial_ppm, params.maintenance_fraction_ppm
    )


def _vote(state, params: VenueParams, spec: VenueSpec, is_halted):
    """Each market votes its premium over the index once a block."""
    book = state.book
    bids = BookSide(book.ticks[:, 0, ::-1], book.lots[:, 0, ::-1])
    asks = BookSide(book.ticks[:, 1, ::-1], book.lots[:, 1, ::-1])
    votes = jax.vmap(premium_vote_ppm)(
        state.oracle,
        bids,
        asks,
        params.impact_notional,
        jnp.asarray(spec.multipliers, jnp.int64),
        _clamp_of(params.premium_clamp_ppm, params),
    )
    votes = jnp.where(is_halted | (params.halted > 0), 0, votes)
    place = state.vote_count % spec.votes_per_sample
    return replace(
        state,
        votes=state.votes.at[:, place].set(votes),
        vote_count=state.vote_count + jnp.where(is_halted, 0, 1),
    )


def _keep_funding_clock(state, block, is_halted, params, spec: VenueSpec):
    """Samples and pays on a schedule of blocks in time, the same in every lane."""
    sample_due = (block + 1) % spec.votes_per_sample == 0
    interval = spec.votes_per_sample * spec.samples_per_funding
    payment_due = (block + 1 + spec.funding_offset_blocks) % interval == 0
    if spec.preset == Preset.HYPERLIQUID:
        sample = partial(hourly_funding.sampled, is_halted=is_halted)
        pay = partial(hourly_funding.paid, spec=spec, is_halted=is_halted)
    else:
        sample = _sample
        pay = partial(_pay, params=params, spec=spec, is_halted=is_halted)
    state = jax.lax.cond(sample_due, sample, lambda state: state, state)
    nothing = jnp.zeros((), jnp.int64)
    return jax.lax.cond(payment_due, pay, lambda state: (state, nothing), state)


def _sample(state: ExchangeState) -> ExchangeState:
    blocks = jnp.broadcast_to(state.vote_count, state.premium_sum.shape)
    return replace(
        state,
        premium_sum=state.premium_sum + sample_ppm(state.votes, blocks),
        premium_samples=state.premium_samples + 1,
        votes=jnp.zeros_like(state.votes),
        vote_count=jnp.zeros_like(state.vote_count),
    )


def _pay(state: ExchangeState, params: VenueParams, spec: VenueSpec, is_halted):
    """Settles one funding interval with every account at once.

    What the floors leave over goes to the residue account. An interval that ends while
    the sequencer is halted is not charged.
    """
    premium = premium_ppm(
        state.premium_sum, state.premium_samples, spec.samples_per_funding
    )
    rate = rate_ppm(
        premium, params.default_funding_ppm, _clamp_of(params.funding_clamp_ppm, params)
    )
    worth = state.oracle * jnp.asarray(spec.multipliers, jnp.int64)
    moves = index_delta(rate, params.funding_interval_us // US_PER_SECOND, worth)
    moves = jnp.where(is_halted, 0, moves)
    settlement = settle_funding(moves, state.position)
    state = replace(
        state,
        collateral=state.collateral + settlement.payment,
        residue=state.residue + settlement.residue,
        funding_index=state.funding_index + moves,
        premium_sum=jnp.zeros_like(state.premium_sum),
        premium_samples=jnp.zeros_like(state.premium_samples),
    )
    return state, jnp.sum(jnp.abs(settlement.payment))
