"""Liquidation orders and their bill; see `market.kernels.liquidation`."""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from market.arrays.lane import Env, Lane, Sizes, first_reason, note
from market.arrays.margin import maintenance_of, risk, with_position
from market.kernels import lane as lay
from market.numbers.units import ppm_floor
from market.numbers.wide import mul_div_floor
from market.rules import liquidation
from market.rules.risk_steps import Standing, close_quote
from market.types.limits import MAX_TICKS
from market.types.orders import Status
from market.types.specs import Margin


class Plan(NamedTuple):
    """A liquidation that passed its checks, or the reason why not."""

    reason: Array
    lots: Array
    sign: Array
    limit: Array
    risk: Standing  # of the target


def rules_of(env: Env, market) -> liquidation.LiquidationRules:
    """The parameters in the form of the rule functions."""
    return liquidation.LiquidationRules(
        max_fee_ppm=env.param("liquidation_fee_ppm", market),
        bankruptcy_adjustment_ppm=env.param("bankruptcy_adjustment_ppm", market),
        spread_to_maintenance_ppm=env.param("spread_to_maintenance_ppm", market),
        min_position_notional=env.param("min_liquidation_notional", market),
        max_position_portion_ppm=env.param("max_liquidation_portion_ppm", market),
        max_account_notional=env.param("max_liquidation_notional", market),
    )


def bankruptcy_quote(env: Env, market, held, delta, now: Standing):
    """Quanta that the account gets for ``delta`` lots at the bankruptcy price."""
    notional = delta * env.unit[market]
    if env.sizes.margin == Margin.RISK_STEPS:
        after = with_position(env, now, market, held, held + delta)
        return close_quote(now, after, notional)
    released = maintenance_of(env, market, held).quanta
    released -= maintenance_of(env, market, held + delta).quanta
    share = mul_div_floor(now.equity, released, jnp.maximum(now.quanta, 1))
    return -notional - jnp.where(now.quanta > 0, share, 0)


def plan(lane: Lane, env: Env, liquidator, target, market, cap) -> Plan:
    """Whether, how much and at which limit the target may be liquidated."""
    now = risk(lane, env, target)
    held, used = lane.position[target, market], lane.used[target]
    rules, unit = rules_of(env, market), env.unit[market]
    in_danger = (held != 0) & (liquidator != target) & (now.quanta > 0)
    again = lane.liquidated[target, market] != 0
    reason = first_reason(
        (env.param("halted", market) != 0, Status.HALTED),
        (cap < 0, Status.BAD_LOTS),
        (~in_danger | (now.quanta <= now.equity), Status.NOT_LIQUIDATABLE),
        (again | (used >= rules.max_account_notional), Status.ALREADY_LIQUIDATED),
    )
    lots = abs(liquidation.liquidation_delta(held, unit, used, rules))
    lots = jnp.where(cap > 0, jnp.minimum(lots, cap), lots)
    limit = liquidation.fillable_ticks(
        held,
        held * unit,
        maintenance_of(env, market, held).quanta,
        now.equity,
        now.quanta,
        env.multiplier[market],
        rules,
    )
    sign = jnp.where(held > 0, -1, 1)
    limit = jnp.minimum(limit, MAX_TICKS)
    return Plan(reason, lots, sign, limit, now)


def dry_run(lane: Lane, sizes: Sizes, target, market, sign, limit, lots):
    """What a taker would get that skips its own orders: ``(filled, lot-ticks)``."""
    side = jnp.where(sign > 0, 1, 0)
    ticks, there = lane.ticks[market, side], lane.lots[market, side]
    own = lane.owner[market, side] // sizes.slots == target
    present = jnp.arange(sizes.capacity) < lane.count[market, side]
    open_to = present & ~own & (sign * (limit - ticks) >= 0)
    there = jnp.where(open_to, there, 0)
    better = jnp.cumsum(there[::-1])[::-1] - there
    taken = jnp.clip(lots - better, 0, there)
    return taken.sum(), (taken * ticks).sum()


def settle_insurance(lane: Lane, env: Env, on, liquidator, target, market, quote, bank):
    """Bills a fill that brought ``quote``, ``bank`` being its bankruptcy price."""
    fee_ppm = env.param("liquidation_fee_ppm", market)
    fund = env.fund[market]
    delta = jnp.maximum(quote - bank, -lane.insurance[fund])
    fee = jnp.minimum(delta, ppm_floor(abs(quote), fee_ppm))
    change = jnp.where(on, jnp.where(delta <= 0, delta, fee), 0)
    fee, paid = jnp.maximum(change, 0), jnp.maximum(-change, 0)
    reward = ppm_floor(fee, env.param("liquidator_reward_ppm", market))
    collateral = lane.collateral.at[target].add(-change).at[liquidator].add(reward)
    lane = lane._replace(
        collateral=collateral,
        insurance=lane.insurance.at[fund].add(change - reward),
    )
    lane = note(lane, lay.INFO_LIQUIDATION_FEES, fee)
    lane = note(lane, lay.INFO_INSURANCE_PAID, paid)
    lane = note(lane, lay.INFO_LIQUIDATIONS, jnp.where(on, 1, 0))
    return note(lane, lay.INFO_LIQUIDATED, jnp.where(on, abs(quote), 0))


def fund_budget(lane: Lane, env: Env, target, market):
    """The most that the insurance fund may pay for a liquidation of the account now."""
    fund = env.fund[market]
    left = env.param("max_liquidation_insurance", market) - lane.paid[target]
    return jnp.minimum(lane.insurance[fund] - lane.set_aside[fund], left)


def note_liquidation(lane: Lane, env: Env, on, target, market, lots, paid) -> Lane:
    """Remembers a liquidation for the limits of this block; the fund pays ``paid``."""
    notional = jnp.where(on, lots * env.unit[market], 0)
    mark = jnp.where(on, 1, lane.liquidated[target, market])
    return lane._replace(
        used=lane.used.at[target].add(notional),
        paid=lane.paid.at[target].add(jnp.where(on, paid, 0)),
        liquidated=lane.liquidated.at[target, market].set(mark),
    )


def mark_pending(lane: Lane, on, target, market) -> Lane:
    """Marks a position for deleveraging."""
    mark = jnp.where(on, 1, lane.adl_pending[target, market])
    return lane._replace(adl_pending=lane.adl_pending.at[target, market].set(mark))
