"""Keepers take positions over (StarkEx); see `market.kernels.takeover`."""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from market.arrays.admission import breaks_isolation
from market.arrays.fills import change_position
from market.arrays.lane import Env, Lane, Outcome, Request, first_reason, note
from market.arrays.liquidation import bankruptcy_quote, mark_pending, note_fill
from market.arrays.margin import account_risk, worst_case_slack, worst_exposure
from market.arrays.matching import cancel_all
from market.numbers.units import ppm_floor
from market.types.limits import MAX_NOTIONAL, MAX_TICKS
from market.types.orders import Status


class Terms(NamedTuple):
    """What a takeover comes to."""

    delta: Array  # signed lots of the target
    quote: Array  # signed quanta that the keeper pays the target
    missing: Array  # quanta that the fund pays it besides
    gain: Array  # the keeper's on the oracle price
    share: Array  # what the fund gets of that


def check_takeover(lane: Lane, env: Env, request: Request):
    """Whether a position may be taken over, and how much of it: ``(reason, lots)``."""
    keeper, target, market, cap, ticks = request
    now, held = account_risk(lane, env, target), lane.position[target, market]
    size, price = abs(held), jnp.clip(ticks, 0, MAX_TICKS)
    lots = jnp.where(cap > 0, jnp.minimum(size, cap), size)
    most = MAX_NOTIONAL // jnp.maximum(price * env.multiplier[market], 1)
    is_safe = (held == 0) | (keeper == target) | (now.equity >= now.quanta)
    reason = first_reason(
        (env.param("halted", market) != 0, Status.HALTED),
        (cap < 0, Status.BAD_LOTS),
        (price != ticks, Status.BAD_PRICE),
        (is_safe, Status.NOT_LIQUIDATABLE),
        ((price > 0) & (lots > most), Status.BAD_LOTS),
        (breaks_isolation(lane, env, keeper, market), Status.ISOLATED),
    )
    return reason, lots


def keeper_quote(env: Env, request: Request, delta, close, equity):
    """``(signed quanta that the keeper pays, the least it may pay)`` for ``delta``."""
    market, price = request.market, jnp.clip(request.ticks, 0, MAX_TICKS)
    worth = -delta * env.unit[market]
    least = jnp.where(equity >= 0, close, worth)
    fee = ppm_floor(abs(worth), env.param("liquidation_max_fee_ppm", market))
    default = jnp.maximum(worth - fee, least)
    own = -delta * price * env.multiplier[market]
    return jnp.where(price > 0, own, default), least


def take_over(lane: Lane, env: Env, on, request: Request) -> tuple[Lane, Outcome]:
    """Runs one liquidation; the outcome's quote is what the keeper paid."""
    target, market = request.target, request.market
    reason, lots = check_takeover(lane, env, request)
    now, held = account_risk(lane, env, target), lane.position[target, market]
    delta = jnp.where(held > 0, -lots, lots)
    close = bankruptcy_quote(env, market, held, delta, now)
    quote, least = keeper_quote(env, request, delta, close, now.equity)
    missing = jnp.maximum(close - quote, 0)
    gain = jnp.maximum(-delta * env.unit[market] - quote, 0)
    share = gain - ppm_floor(gain, env.param("liquidator_reward_ppm", market))
    terms = Terms(delta, quote, missing, gain, share)
    reason = first_reason(
        (reason != 0, reason),
        (quote < least, Status.UNFAIR_PRICE),
        (missing > lane.insurance[env.fund[market]], Status.INSURANCE_EMPTY),
        (~_is_margined(lane, env, request, terms), Status.MARGIN),
    )
    lane = mark_pending(lane, on & (reason == Status.INSURANCE_EMPTY), target, market)
    done = on & (reason == 0)
    lane = cancel_all(lane, env, done, target)
    lane = _apply(lane, env, done, request, terms)
    lots, paid = (jnp.where(done, x, 0) for x in (lots, abs(quote)))
    return lane, Outcome(jnp.where(reason == 0, int(Status.FILLED), reason), lots, paid)


def _is_margined(lane: Lane, env: Env, request: Request, terms: Terms):
    """Whether the keeper covers what it comes to and all its orders at their worst."""
    keeper, market = request.keeper, request.market
    taken = lane._replace(
        position=lane.position.at[keeper, market].add(-terms.delta),
        collateral=lane.collateral.at[keeper].add(-terms.quote - terms.share),
    )
    exposure = worst_exposure(taken, keeper)
    bounded = exposure[market] <= MAX_NOTIONAL // env.unit[market]
    return bounded & (worst_case_slack(taken, env, keeper, exposure) >= 0)


def _apply(lane: Lane, env: Env, on, request: Request, terms: Terms) -> Lane:
    """Position and money change hands."""
    keeper, target, market = request.keeper, request.target, request.market
    quote, missing, gain, share = (jnp.where(on, x, 0) for x in terms[1:])
    # What the keeper paid for a lot, rounded down, is the entry value of its lots.
    value = abs(terms.quote) // jnp.maximum(abs(terms.delta), 1)
    lane = change_position(lane, on, target, market, terms.delta, value)
    lane = change_position(lane, on, keeper, market, -terms.delta, value)
    collateral = lane.collateral.at[target].add(quote + missing)
    insurance = lane.insurance.at[env.fund[market]].add(share - missing)
    lane = lane._replace(
        collateral=collateral.at[keeper].add(-quote - share), insurance=insurance
    )
    lane = note(lane, "liquidation_fees", gain)
    lane = note(lane, "insurance_paid", missing)
    return note_fill(lane, on, abs(quote))
