"""Orders without cover leave the books (StarkEx); see `market.kernels.cover`."""

import jax.numpy as jnp

from market.arrays import book as books
from market.arrays.lane import Env, Lane, Sizes
from market.arrays.margin import equity, maintenance, worst_loss
from market.rules.risk_steps import added
from market.types.specs import Cover


def drop_undercollateralised(lane: Lane, env: Env, sizes: Sizes) -> Lane:
    """Reckons reservations anew and cancels what is not covered, by `Cover`."""
    if sizes.cover != Cover.EVERY_BLOCK:
        return lane
    market = jnp.arange(sizes.markets)[:, None, None]
    sign = jnp.array([1, -1])[:, None]
    present, owner = books.is_present(lane), lane.owner // sizes.slots
    loss = worst_loss(env, market, sign, lane.ticks)
    loss = jnp.where(present, loss, lane.loss)
    change = jnp.where(present, lane.lots * (loss - lane.loss), 0)
    lane = lane._replace(
        loss=loss, open_loss=lane.open_loss.at[owner, market].add(change)
    )
    resting = lane.open_lots
    bought, sold = lane.position + resting[..., 0], lane.position - resting[..., 1]
    worst = jnp.maximum(abs(bought), abs(sold))
    required = added(*maintenance(env, worst)).quanta
    have = equity(lane, env, slice(None)) - lane.open_loss.sum(axis=-1)
    return books.drop(lane, present & (have < required)[owner], sizes.slots)
