"""Liquidations into the book, and their bill; see `market.kernels.liquidation`."""

import jax.numpy as jnp
from jax import Array

from market.arrays.fills import Taker
from market.arrays.lane import Env, Lane, Outcome, Request, first_reason, note
from market.arrays.margin import account_risk, position_maintenance, with_position
from market.arrays.matching import cancel_all, in_reach, take
from market.arrays.sides import taken_from
from market.numbers.units import ppm_floor
from market.rules import liquidation
from market.rules.risk_steps import Standing, close_quote
from market.types.limits import MAX_TICKS
from market.types.orders import Status
from market.types.specs import Margin


def _rules_of(env: Env, market) -> liquidation.LiquidationRules:
    """The parameters in the form of the rule functions."""
    return liquidation.LiquidationRules(
        max_fee_ppm=env.param("liquidation_max_fee_ppm", market),
        bankruptcy_adjustment_ppm=env.param("bankruptcy_adjustment_ppm", market),
        spread_to_maintenance_ppm=env.param("spread_to_maintenance_ppm", market),
        min_position_notional=env.param("liquidation_min_notional", market),
        max_position_portion_ppm=env.param("liquidation_max_portion_ppm", market),
        max_account_notional=env.param("liquidation_max_notional", market),
    )


def fund_budget(lane: Lane, env: Env, target, market) -> Array:
    """The most that the insurance fund may pay for a liquidation of the account now."""
    fund = env.fund[market]
    left = env.param("liquidation_max_insurance", market) - lane.paid[target]
    return jnp.minimum(lane.insurance[fund] - lane.set_aside[fund], left)


def liquidated_so_far(lane: Lane, target, market):
    """``(whether that position was, notional of the account)`` in this block."""
    return lane.liquidated[target, market] != 0, lane.used[target]


def note_liquidation(lane: Lane, env: Env, on, request: Request, lots, paid) -> Lane:
    """Remembers a liquidation for the limits of this block; the fund pays ``paid``."""
    target, market = request.target, request.market
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


def liquidation_lots(env: Env, market, held, used, cap) -> Array:
    """Lots to liquidate of a position: as the block's limits and the request allow."""
    unit = env.unit[market]
    lots = liquidation.liquidation_delta(held, unit, used, _rules_of(env, market))
    return jnp.where(cap > 0, jnp.minimum(abs(lots), cap), abs(lots))


def fillable_ticks(env: Env, market, held, now: Standing) -> Array:
    """Limit of the liquidation order: a sale rounds up, a purchase down."""
    limit = liquidation.fillable_ticks(
        held,
        held * env.unit[market],
        position_maintenance(env, held, market),
        now.equity,
        now.quanta,
        env.multiplier[market],
        _rules_of(env, market),
    )
    return jnp.minimum(limit, MAX_TICKS)


def bankruptcy_quote(env: Env, market, held, delta, now: Standing) -> Array:
    """Quanta that the account gets for ``delta`` lots at the bankruptcy price."""
    notional = delta * env.unit[market]
    if env.sizes.margin == Margin.RISK_STEPS:
        after = with_position(env, now, market, held, held + delta)
        return close_quote(now, after, notional)
    released = position_maintenance(env, held, market)
    released -= position_maintenance(env, held + delta, market)
    return liquidation.bankruptcy_quote(notional, released, now.equity, now.quanta)


def dry_run(lane: Lane, env: Env, taker: Taker, limit, lots):
    """What a taker would get that skips its own orders: ``(filled, lot-ticks)``."""
    market, side = taker.market, jnp.where(taker.sign > 0, 1, 0)
    own = lane.owner[market, side] // env.sizes.slots == taker.account
    there = jnp.where(own, 0, in_reach(lane, taker, limit))
    taken = taken_from(there, jnp.minimum(lots, there.sum()))
    return taken.sum(), (taken * lane.ticks[market, side]).sum()


def taker_of(lane: Lane, request: Request) -> Taker:
    """The target's side of its liquidation; it pays no fee for the fill."""
    target, market = request.target, request.market
    sign = jnp.where(lane.position[target, market] > 0, -1, 1)
    return Taker(target, market, sign, jnp.zeros((), jnp.int64))


def check_target(lane: Lane, env: Env, request: Request):
    """Whether and how much may be liquidated: ``(reason, lots, limit)``."""
    target, market, cap = request.target, request.market, request.cap
    now, held = account_risk(lane, env, target), lane.position[target, market]
    again, used = liquidated_so_far(lane, target, market)
    spent = used >= env.param("liquidation_max_notional", market)
    is_safe = (now.quanta <= 0) | (now.quanta <= now.equity)
    reason = first_reason(
        (env.param("halted", market) != 0, Status.HALTED),
        (cap < 0, Status.BAD_LOTS),
        ((held == 0) | (request.keeper == target) | is_safe, Status.NOT_LIQUIDATABLE),
        (again | spent, Status.ALREADY_LIQUIDATED),
    )
    lots = liquidation_lots(env, market, held, used, cap)
    return reason, lots, fillable_ticks(env, market, held, now)


def apply_insurance(lane: Lane, env: Env, on, request: Request, quote, bankruptcy):
    """Bills a fill that brought ``quote``: the fund pays the loss or takes the fee."""
    target, market = request.target, request.market
    fund = env.fund[market]
    most = env.param("liquidation_max_fee_ppm", market)
    change = liquidation.insurance_delta(quote, bankruptcy, most)
    change = jnp.where(on, jnp.maximum(change, -lane.insurance[fund]), 0)
    fee, paid = jnp.maximum(change, 0), jnp.maximum(-change, 0)
    reward = ppm_floor(fee, env.param("liquidator_reward_ppm", market))
    collateral = lane.collateral.at[target].add(-change)
    lane = lane._replace(
        collateral=collateral.at[request.keeper].add(reward),
        insurance=lane.insurance.at[fund].add(change - reward),
    )
    lane = note(lane, "liquidation_fees", fee)
    return note(lane, "insurance_paid", paid)


def note_fill(lane: Lane, on, quote) -> Lane:
    """Counts a liquidation in what the block reports."""
    lane = note(lane, "liquidations", jnp.where(on, 1, 0))
    return note(lane, "liquidated_quote", jnp.where(on, quote, 0))


def liquidate(lane: Lane, env: Env, on, request: Request) -> tuple[Lane, Outcome]:
    """Sends the target's position, or a part, into the book at the fillable price.

    Nothing changes on a reject, but that a loss which neither the book nor the fund can
    bear marks the position for deleveraging.
    """
    target, market = request.target, request.market
    reason, lots, limit = check_target(lane, env, request)
    now, held = account_risk(lane, env, target), lane.position[target, market]
    taker = taker_of(lane, request)
    filled, lot_ticks = dry_run(lane, env, taker, limit, lots)
    quote = -taker.sign * lot_ticks * env.multiplier[market]
    bankruptcy = bankruptcy_quote(env, market, held, taker.sign * filled, now)
    paid = jnp.maximum(bankruptcy - quote, 0)
    broke = (paid > 0) & (paid > fund_budget(lane, env, target, market))
    reason = first_reason(
        (reason != 0, reason),
        (filled == 0, Status.NOTHING_TO_TAKE),
        (broke, Status.INSURANCE_EMPTY),
    )
    lost = (reason == Status.NOTHING_TO_TAKE) & (now.equity < 0)
    lost |= reason == Status.INSURANCE_EMPTY
    lane, done = mark_pending(lane, on & lost, target, market), on & (reason == 0)
    lane = cancel_all(lane, env, done, target)
    lane, filled, _ = take(lane, env, done, taker, limit, lots)
    lane = apply_insurance(lane, env, done, request, quote, bankruptcy)
    lane = note_liquidation(lane, env, done, request, filled, paid)
    lane = note_fill(lane, done, abs(quote))
    status = first_reason(
        (reason != 0, reason),
        (filled == lots, Status.FILLED),
        (done, Status.PARTIAL),
    )
    return lane, Outcome(status, filled, jnp.where(done, abs(quote), 0))
