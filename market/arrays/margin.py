"""Equity, requirements and what an account can afford; see `market.kernels.margin`."""

import jax.numpy as jnp

from market import margin, wide
from market.arrays.lane import Env, Lane
from market.kernels.margin import MAX_NOTIONAL
from market.units import ppm_ceil


def reckon(oracle, multiplier, params, position, block, seed) -> Env:
    """The constants of a block from the state at its start."""
    unit = oracle * multiplier
    base = Env(oracle, multiplier, unit, params[0], params, block, seed, oracle, block)
    long_lots = jnp.maximum(position, 0).sum(axis=0)
    open_interest = jnp.minimum(long_lots, (1 << 61) // unit) * unit
    tier = margin.Tier(
        base.row("initial_ppm"),
        base.row("maintenance_fraction_ppm"),
        base.row("oi_lower"),
        base.row("oi_upper"),
    )
    fraction = margin.initial_fraction_ppm(open_interest, tier)
    return base._replace(fraction=fraction)


def maintenance(env: Env, lots) -> jnp.ndarray:
    """Maintenance requirement by market of ``lots`` [..., M]."""
    initial = ppm_ceil(abs(lots) * env.unit, env.row("initial_ppm"))
    return ppm_ceil(initial, env.row("maintenance_fraction_ppm"))


def maintenance_of(env: Env, market, lots):
    """Maintenance requirement of a position in one market."""
    initial = ppm_ceil(abs(lots) * env.unit[market], env.param("initial_ppm", market))
    return ppm_ceil(initial, env.param("maintenance_fraction_ppm", market))


def equity(lane: Lane, env: Env, account):
    """Net collateral of an account, or of all where ``account`` is a full slice."""
    held = (lane.position[account] * env.unit).sum(axis=-1)
    return lane.collateral[account] + held


def risk(lane: Lane, env: Env, account):
    """``(equity, maintenance requirement)`` of an account."""
    required = maintenance(env, lane.position[account]).sum(axis=-1)
    return equity(lane, env, account), required


def initial(lane: Lane, env: Env, account):
    """Initial requirement of the positions alone."""
    notional = abs(lane.position[account]) * env.unit
    return ppm_ceil(notional, env.fraction).sum(axis=-1)


def exposures(lane: Lane, account, market, buying, selling):
    """Largest position by market [M] if all orders of one side fill."""
    here = jnp.arange(lane.position.shape[1]) == market
    held, resting = lane.position[account], lane.open_lots[account]
    bought = held + resting[:, 0] + jnp.where(here, buying, 0)
    sold = held - resting[:, 1] - jnp.where(here, selling, 0)
    return jnp.maximum(abs(bought), abs(sold))


def slack(lane: Lane, env: Env, account, exposure):
    """Equity over initial requirement at those exposures, reservations taken off."""
    required = ppm_ceil(exposure * env.unit, env.fraction).sum()
    reserved = lane.open_loss[account].sum()
    return equity(lane, env, account) - reserved - required


def fee_bound(env: Env):
    """The larger of the two fees, not below zero."""
    fees = jnp.maximum(env.param("maker_fee_ppm"), env.param("taker_fee_ppm"))
    return jnp.maximum(fees, 0)


def worst_loss(env: Env, market, sign, limit):
    """Quanta that one lot filled at its limit loses on the oracle, with its fee."""
    multiplier = env.multiplier[market]
    against = jnp.maximum(sign * (limit - env.oracle[market]), 0) * multiplier
    return against + ppm_ceil(limit * multiplier, fee_bound(env))


def can_afford(lane: Lane, env: Env, account, market, sign, lots, limit, loss):
    """Initial margin at the worst case, or a reduction that is no riskier."""
    buying, selling = jnp.where(sign > 0, lots, 0), jnp.where(sign > 0, 0, lots)
    exposure = exposures(lane, account, market, buying, selling)
    bounded = exposure[market] <= MAX_NOTIONAL // env.unit[market]
    covered = slack(lane, env, account, exposure) >= lots * loss
    reduces = _reduces_risk(lane, env, account, market, sign, lots, limit)
    return bounded & (covered | reduces)


def _reduces_risk(lane: Lane, env: Env, account, market, sign, lots, limit):
    held = lane.position[account, market]
    resting = lane.open_lots[account, market, jnp.where(sign > 0, 0, 1)]
    opposite = (held != 0) & ((held > 0) != (sign > 0)) & (resting + lots <= abs(held))
    value = limit * env.multiplier[market]
    equity_now, required_now = risk(lane, env, account)
    gain = sign * lots * (env.unit[market] - value)
    new = equity_now + gain - ppm_ceil(lots * value, fee_bound(env))
    required = required_now - maintenance_of(env, market, held)
    required += maintenance_of(env, market, held + sign * lots)
    flat = (new >= 0) | (new >= equity_now)
    order = wide.compare_products(new, required_now, equity_now, required)
    return opposite & jnp.where(required == 0, flat, order >= 0)
