"""Equity, requirements and what an account can afford; see `market.kernels.margin`."""

import jax.numpy as jnp

from market.arrays.lane import Env, Lane, Sizes
from market.numbers.units import ppm_ceil
from market.rules import margin, risk_steps
from market.rules.risk_steps import Required, Standing
from market.types.limits import MAX_NOTIONAL
from market.types.specs import Cover, Margin


def reckon(price, multiplier, params, position, block, seed, sizes: Sizes) -> Env:
    """The constants of a block from the state at its start."""
    unit = price * multiplier
    base = Env(
        price,
        multiplier,
        unit,
        params[0],
        params,
        block,
        seed,
        previous_mark=price,
        now_us=block,
        sizes=sizes,
        fund=jnp.zeros_like(price),
    )
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


def maintenance(env: Env, lots) -> Required:
    """Maintenance requirements by market of ``lots`` [..., M]."""
    return _required(env, lots, slice(None))


def maintenance_of(env: Env, market, lots) -> Required:
    """Maintenance requirement of a position in one market."""
    return _required(env, lots, market)


def _required(env: Env, lots, market) -> Required:
    notional = abs(lots) * env.unit[market]
    if env.sizes.margin == Margin.RISK_STEPS:
        factor = risk_steps.factor_ppm(lots, notional, env.steps(market))
        return risk_steps.required(notional, factor)
    initial = ppm_ceil(notional, env.param("initial_ppm", market))
    share = env.param("maintenance_fraction_ppm", market)
    return Required(ppm_ceil(initial, share), notional * 0)


def equity(lane: Lane, env: Env, account):
    """Net collateral of an account, or of all where ``account`` is a full slice."""
    held = (lane.position[account] * env.unit).sum(axis=-1)
    return lane.collateral[account] + held


def risk(lane: Lane, env: Env, account) -> Standing:
    """Equity and exact maintenance requirement of an account."""
    required = risk_steps.added(*maintenance(env, lane.position[account]))
    return Standing(equity(lane, env, account), *required)


def with_position(env: Env, now: Standing, market, held, lots) -> Required:
    """The requirement were a position ``held`` one of ``lots``."""
    old, new = maintenance_of(env, market, held), maintenance_of(env, market, lots)
    quanta = jnp.stack([now.quanta, -old.quanta, new.quanta], axis=-1)
    excess = jnp.stack([now.excess, -old.excess, new.excess], axis=-1)
    return risk_steps.added(quanta, excess)


def initial_fraction(env: Env, lots, market=slice(None)):
    """Initial fraction of positions; on StarkEx at least their risk factor."""
    fraction = env.fraction[market]
    if env.sizes.margin == Margin.RISK_STEPS:
        notional = lots * env.unit[market]
        factor = risk_steps.factor_ppm(lots, notional, env.steps(market))
        return jnp.maximum(fraction, factor)
    return fraction


def initial(lane: Lane, env: Env, account):
    """Initial requirement of the positions alone."""
    held = lane.position[account]
    return ppm_ceil(abs(held) * env.unit, initial_fraction(env, held)).sum(axis=-1)


def may_move(before: Lane, after: Lane, env: Env, account):
    """The transition rule of an account that holds less in ``after``."""
    now, new = risk(before, env, account), risk(after, env, account)
    if env.sizes.margin == Margin.RISK_STEPS:
        return risk_steps.is_transition_valid(now, new, jnp.bool_(True))
    required = initial(after, env, account)
    return margin.is_update_allowed(
        margin.Risk(now.equity, required * 0, now.quanta),
        margin.Risk(new.equity, required, new.quanta),
    )


def exposures(lane: Lane, account, market, buying, selling):
    """Largest position by market [M] if all orders of one side fill."""
    here = jnp.arange(lane.position.shape[1]) == market
    held, resting = lane.position[account], lane.open_lots[account]
    bought = held + resting[:, 0] + jnp.where(here, buying, 0)
    sold = held - resting[:, 1] - jnp.where(here, selling, 0)
    return jnp.maximum(abs(bought), abs(sold))


def slack(lane: Lane, env: Env, account, exposure):
    """Equity over initial requirement at those exposures, reservations taken off."""
    required = ppm_ceil(exposure * env.unit, initial_fraction(env, exposure)).sum()
    reserved = lane.open_loss[account].sum()
    return equity(lane, env, account) - reserved - required


def fee_bound(env: Env):
    """The larger of the two fees, not below zero."""
    fees = jnp.maximum(env.param("maker_fee_ppm"), env.param("taker_fee_ppm"))
    return jnp.maximum(fees, 0)


def worst_loss(env: Env, market, sign, limit):
    """Quanta that one lot filled at its limit loses on the price, with its fee."""
    multiplier = env.multiplier[market]
    against = jnp.maximum(sign * (limit - env.price[market]), 0) * multiplier
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
    now, gain = risk(lane, env, account), sign * lots * (env.unit[market] - value)
    # A fee is rounded up with each fill, of which there may be one a lot.
    equity = now.equity + gain - lots * ppm_ceil(value, fee_bound(env))
    required = with_position(env, now, market, held, held + sign * lots)
    new = Standing(equity, *required)
    if env.sizes.cover == Cover.EVERY_BLOCK:
        alone = lane.open_lots[account].sum() == 0
        opposite &= alone
    if env.sizes.margin == Margin.RISK_STEPS:
        return opposite & risk_steps.is_transition_valid(now, new, jnp.bool_(True))
    flat = (equity >= 0) | (equity >= now.equity)
    kept = risk_steps.is_ratio_kept(now, new)
    return opposite & jnp.where(new.quanta == 0, flat, kept)
