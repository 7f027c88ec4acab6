"""Funding in the rhythm of blocks: a vote each block, samples, a payment an interval.

The formulas stand in `market.rules.funding`; how Hyperliquid samples and pays, in
`market.upkeep.hourly_funding`. The clock runs on the number of a block in time, which
is the same in every lane, so that a payment is really reckoned only when it is due.

What comes due while the chain is halted is not lost. The first block after the halt
pays, at its prices and positions, from the premiums that were sampled before it; where
more than one payment was missed, each of the next blocks makes one more, from what has
been sampled since: on dYdX v4 an epoch that is over ends in the first block that finds
it so, one a block. The lab pays Hyperliquid's and StarkEx's funding after a halt the
same way: their documents do not say. A missed sample is taken afterwards too, but on
Hyperliquid, whose mean is of the premiums that there were.

Source: dYdX v4, ``x/epochs/keeper/epoch_info.go`` (``MaybeStartNextEpoch``).
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
from market.upkeep.lanes import in_any_lane


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
    """Samples and pays on a schedule of blocks in time, as soon as a block is made.

    Returns:
        The state, and the quanta that changed hands.
    """
    sample_due = (block + 1) % spec.votes_per_sample == 0
    interval = spec.votes_per_sample * spec.samples_per_funding
    payment_due = (block + 1 + spec.funding_offset_blocks) % interval == 0
    if spec.funding == Funding.HOURLY:
        sample_due &= ~is_halted
        sample, pay = hourly_funding.sample_premium, hourly_funding.pay_interval
    else:
        sample, pay = _sample, partial(_pay, params=params)
    samples, samples_due = _begun(state.samples_due + sample_due, is_halted)
    pays, payments_due = _begun(state.payments_due + payment_due, is_halted)
    state = replace(state, samples_due=samples_due, payments_due=payments_due)
    state = jax.lax.cond(
        in_any_lane(samples), partial(sample, on=samples), lambda state: state, state
    )
    return jax.lax.cond(
        in_any_lane(pays),
        partial(pay, spec=spec, on=pays),
        lambda state: (state, jnp.zeros((), jnp.int64)),
        state,
    )


def _begun(due: Array, is_halted: Array) -> tuple[Array, Array]:
    """Whether this block does one of what is due, and what then is left."""
    on = (due > 0) & ~is_halted
    return on, due - on


def _sample(state: ExchangeState, on: Array) -> ExchangeState:
    """Takes the votes since the last sample as one, where ``on``, bool []."""
    blocks = jnp.broadcast_to(state.vote_count, state.premium_sum.shape)
    sample = jnp.where(on, sample_ppm(state.votes, blocks), 0)
    return replace(
        state,
        premium_sum=state.premium_sum + sample,
        premium_samples=state.premium_samples + on,
        votes=jnp.where(on, 0, state.votes),
        vote_count=jnp.where(on, 0, state.vote_count),
    )


def _pay(state: ExchangeState, params: VenueParams, spec: VenueSpec, on: Array):
    """Pays one funding interval with every account at once, where ``on``, bool [].

    What the floors leave over goes to the residue account.
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
    moves = jnp.where(on, moves, 0)
    payments = pay_funding(moves, state.position)
    state = replace(
        state,
        collateral=state.collateral + payments.payment,
        residue=state.residue + payments.residue,
        funding_index=state.funding_index + moves,
        premium_sum=jnp.where(on, 0, state.premium_sum),
        premium_samples=jnp.where(on, 0, state.premium_samples),
    )
    return state, jnp.sum(jnp.abs(payments.payment))
