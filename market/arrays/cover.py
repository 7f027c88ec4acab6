"""Orders without cover leave the books (StarkEx); see `market.kernels.cover`."""

import jax.numpy as jnp

from market.arrays.admission import worst_loss
from market.arrays.book import is_present
from market.arrays.fills import drop
from market.arrays.lane import Env, Lane
from market.arrays.margin import maintenance_slack
from market.types.specs import Cover


def drop_undercollateralised(lane: Lane, env: Env) -> Lane:
    """Reckons reservations anew and cancels what is not covered, by `Cover`."""
    if env.sizes.cover != Cover.EVERY_BLOCK:
        return lane
    lane = reserve_anew(lane, env)
    owner = lane.owner // env.sizes.slots
    lacks = maintenance_slack(lane, env) < 0
    return drop(lane, env, is_present(lane) & lacks[owner])


def reserve_anew(lane: Lane, env: Env) -> Lane:
    """Gives each order of the books the reservation that it would have if new."""
    market = jnp.arange(env.sizes.markets)[:, None, None]
    sign = jnp.array([1, -1])[:, None]
    owner = lane.owner // env.sizes.slots
    loss = worst_loss(env, market, sign, lane.ticks)
    loss = jnp.where(is_present(lane), loss, lane.loss)
    change = jnp.where(is_present(lane), lane.lots * (loss - lane.loss), 0)
    open_loss = lane.open_loss.at[owner, market].add(change)
    return lane._replace(loss=loss, open_loss=open_loss)
