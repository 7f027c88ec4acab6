"""Equity and requirements of accounts; see `market.kernels.margin`."""

import jax.numpy as jnp
from jax import Array

from market.arrays.lane import Env, Index, Lane
from market.numbers.units import ppm_ceil
from market.rules import margin, risk_steps
from market.rules.risk_steps import Required, Standing
from market.types.limits import MAX_OPEN_INTEREST
from market.types.specs import Margin


def reckon_prices(env: Env, position) -> Env:
    """The block's constants with what follows from prices and positions at its start.

    Args:
        env: with prices, multipliers and parameters.
        position: [A, M] at the start of the block.
    """
    unit = env.price * env.multiplier
    long_lots = jnp.maximum(position, 0).sum(axis=0)
    open_interest = jnp.minimum(long_lots, MAX_OPEN_INTEREST // unit) * unit
    tier = margin.Tier(
        env.row("initial_margin_ppm"),
        env.row("maintenance_fraction_ppm"),
        env.row("oi_lower"),
        env.row("oi_upper"),
    )
    fraction = margin.initial_fraction_ppm(open_interest, tier)
    return env._replace(unit=unit, fraction=fraction)


def risk_factor(env: Env, lots, market: Index = slice(None)):
    """The factor of the step that a position is in (StarkEx)."""
    return risk_steps.factor_ppm(lots, lots * env.unit[market], env.steps(market))


def position_required(env: Env, lots, market: Index = slice(None)) -> Required:
    """Maintenance requirement and excess of ``lots`` in one market, or of [..., M]."""
    notional = abs(lots) * env.unit[market]
    if env.sizes.margin == Margin.RISK_STEPS:
        return risk_steps.requirement(notional, risk_factor(env, lots, market))
    shares = ("initial_margin_ppm", "maintenance_fraction_ppm")
    base, part = (env.row(name)[market] for name in shares)
    return Required(margin.maintenance_requirement(notional, base, part), notional * 0)


def position_maintenance(env: Env, lots, market):
    """Maintenance requirement of a position in quanta."""
    return position_required(env, lots, market).quanta


def account_equity(lane: Lane, env: Env, account: Index = slice(None)):
    """Net collateral of an account, or of all."""
    return margin.equity(lane.collateral[account], lane.position[account] * env.unit)


def account_risk(lane: Lane, env: Env, account: Index = slice(None)) -> Standing:
    """Equity and exact maintenance requirement of an account, or of all."""
    required = risk_steps.add_up(*position_required(env, lane.position[account]))
    return Standing(account_equity(lane, env, account), *required)


def with_position(env: Env, now: Standing, market, held, lots) -> Required:
    """The requirement were a position ``held`` one of ``lots``."""
    old = position_required(env, held, market)
    new = position_required(env, lots, market)
    quanta = jnp.broadcast_arrays(now.quanta, -old.quanta, new.quanta)
    excess = jnp.broadcast_arrays(now.excess, -old.excess, new.excess)
    return risk_steps.add_up(jnp.stack(quanta, axis=-1), jnp.stack(excess, axis=-1))


def initial_fraction(env: Env, lots):
    """Initial fraction of positions [M]; on StarkEx at least their risk factor."""
    if env.sizes.margin == Margin.RISK_STEPS:
        return jnp.maximum(env.fraction, risk_factor(env, lots))
    return env.fraction


def initial_requirement(lane: Lane, env: Env, account):
    """Initial requirement of the positions alone."""
    return _initially_required(env, lane.position[account])


def _initially_required(env: Env, held):
    """Initial requirement of positions [..., M], each rounded up."""
    fraction = initial_fraction(env, held)
    return margin.initial_requirement(abs(held) * env.unit, fraction).sum(axis=-1)


def worst_exposure(
    lane: Lane,
    account,
    market: Index = 0,
    buying: Array | int = 0,
    selling: Array | int = 0,
):
    """Largest position by market [M] if all orders of one side fill."""
    here = jnp.arange(lane.position.shape[1]) == market
    held, resting = lane.position[account], lane.open_lots[account]
    bought = held + resting[:, 0] + jnp.where(here, buying, 0)
    sold = held - resting[:, 1] - jnp.where(here, selling, 0)
    return jnp.maximum(abs(bought), abs(sold))


def worst_case_slack(lane: Lane, env: Env, account, exposure):
    """Equity over initial requirement at those exposures, reservations taken off."""
    required = _initially_required(env, exposure)
    reserved = lane.open_loss[account].sum()
    return account_equity(lane, env, account) - reserved - required


def transfer_slack(lane: Lane, env: Env, account):
    """Equity over the share of all positions' notional that a transfer must leave."""
    notional = abs(lane.position[account]) * env.unit
    kept = ppm_ceil(notional, env.param("transfer_margin_ppm")).sum()
    reserved = lane.open_loss[account].sum()
    return account_equity(lane, env, account) - reserved - kept


def maintenance_slack(lane: Lane, env: Env):
    """Equity over maintenance requirement of all accounts [A], at their worst.

    That is with every order filled on its worse side, reservations taken off.
    """
    held, resting = lane.position, lane.open_lots
    worst = jnp.maximum(abs(held + resting[..., 0]), abs(held - resting[..., 1]))
    required = risk_steps.add_up(*position_required(env, worst)).quanta
    return account_equity(lane, env) - lane.open_loss.sum(axis=-1) - required


def may_move(before: Lane, after: Lane, env: Env, account):
    """The transition rule of an account that holds less in ``after``."""
    now, new = account_risk(before, env, account), account_risk(after, env, account)
    if env.sizes.margin == Margin.RISK_STEPS:
        return risk_steps.is_transition_valid(now, new, jnp.bool_(True))
    required = initial_requirement(after, env, account)
    return margin.is_update_allowed(
        margin.Risk(now.equity, required * 0, now.quanta),
        margin.Risk(new.equity, required, new.quanta),
    )
