"""Funding in the rhythm of blocks: a vote each block, samples, a payment an interval.

The formulas stand in `market.rules.funding`; how Hyperliquid samples and pays, in
`market.upkeep.hourly_funding`. The clock runs on the number of a block in time, which
is the same in every lane, so that a payment is really reckoned only when it is due.
"""

from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
from jax import Array

from market.numbers.units import US_PER_SECOND
from market.rules.funding import (
    BookSide,
    funding_clamp_ppm,
    index_delta,
    pay_funding,
    premium_ppm,
    premium_vote_ppm,
    rate_ppm,
    sample_ppm,
)
from market.types.specs import Funding, VenueParams, VenueSpec
from market.types.state import ExchangeState
from market.upkeep import hourly_funding


def _clamp_of(factor: Array, params: VenueParams) -> Array:
    return funding_clamp_ppm(
        factor, params.initial_margin_ppm, params.maintenance_fraction_ppm
    )


def vote_premium(state: ExchangeState, params: VenueParams, spec: VenueSpec, is_halted):
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


def keep_funding_clock(state, block, is_halted, params, spec: VenueSpec):
    """Samples and pays on a schedule of blocks in time, the same in every lane."""
    sample_due = (block + 1) % spec.votes_per_sample == 0
    interval = spec.votes_per_sample * spec.samples_per_funding
    payment_due = (block + 1 + spec.funding_offset_blocks) % interval == 0
    if spec.funding == Funding.HOURLY:
        sample = partial(hourly_funding.sample_premium, is_halted=is_halted)
        pay = partial(hourly_funding.pay_interval, spec=spec, is_halted=is_halted)
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
    """Pays one funding interval to every account at once.

    What the floors leave over goes to the residue account. An interval that ends while
    the sequencer is halted is not charged.
    """
    premium = premium_ppm(
        state.premium_sum, state.premium_samples, spec.samples_per_funding
    )
    rate = rate_ppm(
        premium,
        params.funding_default_rate_ppm,
        _clamp_of(params.funding_clamp_ppm, params),
    )
    worth = state.oracle * jnp.asarray(spec.multipliers, jnp.int64)
    moves = index_delta(rate, params.funding_interval_us // US_PER_SECOND, worth)
    moves = jnp.where(is_halted, 0, moves)
    payments = pay_funding(moves, state.position)
    state = replace(
        state,
        collateral=state.collateral + payments.payment,
        residue=state.residue + payments.residue,
        funding_index=state.funding_index + moves,
        premium_sum=jnp.zeros_like(state.premium_sum),
        premium_samples=jnp.zeros_like(state.premium_samples),
    )
    return state, jnp.sum(jnp.abs(payments.payment))
