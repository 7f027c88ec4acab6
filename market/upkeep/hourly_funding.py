"""Hyperliquid's funding in the block: premiums, their mean, a payment every hour.

A sample is the premium of the block that takes it, every five seconds; the rate of an
interval comes from the mean of the samples of its running blocks, and an eighth of it
is paid at the oracle price. The rule itself: :mod:`market.venues.hyperliquid.funding`.
"""

from dataclasses import replace

import jax.numpy as jnp
from jax import Array

from market.numbers.wide import divide_toward_zero, mul_div_toward_zero
from market.types.specs import VenueSpec
from market.types.state import ExchangeState
from market.venues.hyperliquid.funding import (
    PAYMENTS_PER_RATE,
    funding_payment,
    hourly_rate,
)


def sample_premium(state: ExchangeState, on: Array) -> ExchangeState:
    """Takes the newest premium, where ``on``, bool []; a halted block has none."""
    place = (state.vote_count - 1) % state.votes.shape[-1]
    newest = jnp.take(state.votes, place, axis=-1)
    return replace(
        state,
        premium_sum=state.premium_sum + jnp.where(on, newest, 0),
        premium_samples=state.premium_samples + on,
        votes=jnp.where(on, 0, state.votes),
        vote_count=jnp.where(on, 0, state.vote_count),
    )


def pay_interval(
    state: ExchangeState, spec: VenueSpec, on: Array
) -> tuple[ExchangeState, Array]:
    """Pays an interval with every account at once, where ``on``; what was paid in all.

    Each position's payment is floored; what the floors take goes to the residue.
    """
    samples = jnp.maximum(state.premium_samples, 1)
    rate = hourly_rate(divide_toward_zero(state.premium_sum, samples))
    rate = jnp.where(on, rate, 0)
    worth = state.oracle * jnp.asarray(spec.multipliers, jnp.int64)
    payment = funding_payment(state.position, worth, rate).sum(axis=-1)
    moves = mul_div_toward_zero(rate, worth, PAYMENTS_PER_RATE)
    state = replace(
        state,
        collateral=state.collateral + payment,
        residue=state.residue - payment.sum(),
        funding_index=state.funding_index + moves,
        premium_sum=jnp.where(on, 0, state.premium_sum),
        premium_samples=jnp.where(on, 0, state.premium_samples),
    )
    return state, jnp.sum(jnp.abs(payment))
