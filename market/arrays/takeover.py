"""Keepers take positions over (StarkEx); see `market.kernels.takeover`."""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array, lax

from market.arrays import book as books
from market.arrays.admission import breaks_isolation
from market.arrays.lane import Env, Lane, Sizes, any_lane, first_reason, note
from market.arrays.liquidation import bankruptcy_quote, mark_pending
from market.arrays.margin import exposures, risk, slack
from market.kernels import lane as lay
from market.numbers.units import ppm_floor
from market.types.limits import MAX_NOTIONAL, MAX_TICKS
from market.types.orders import Status


class Terms(NamedTuple):
    """What a takeover would come to, or the reason why there is none."""

    reason: Array
    delta: Array  # signed lots of the target
    quote: Array  # signed quanta that the keeper pays the target
    missing: Array  # quanta that the fund pays it besides
    gain: Array  # the keeper's on the oracle price
    share: Array  # what the fund gets of that


def check(
    lane: Lane, env: Env, sizes: Sizes, keeper, target, market, cap, ticks
) -> Terms:
    """The terms, but for the keeper's margin."""
    now, held = risk(lane, env, target), lane.position[target, market]
    size, multiplier = abs(held), env.multiplier[market]
    price = jnp.clip(ticks, 0, MAX_TICKS)
    lots = jnp.where(cap > 0, jnp.minimum(size, cap), size)
    delta = jnp.where(held > 0, -lots, lots)
    too_much = (price > 0) & (lots > MAX_NOTIONAL // jnp.maximum(price * multiplier, 1))
    close = bankruptcy_quote(env, market, held, delta, now)
    worth = -delta * env.unit[market]
    least = jnp.where(now.equity >= 0, close, worth)
    fee = ppm_floor(abs(worth), env.param("liquidation_fee_ppm", market))
    default = jnp.maximum(worth - fee, least)
    quote = jnp.where(price > 0, -delta * price * multiplier, default)
    missing = jnp.maximum(close - quote, 0)
    isolated = breaks_isolation(lane, sizes, keeper, market)
    is_safe = (held == 0) | (keeper == target) | (now.equity >= now.quanta)
    reason = first_reason(
        (env.param("halted", market) != 0, Status.HALTED),
        (cap < 0, Status.BAD_LOTS),
        (price != ticks, Status.BAD_PRICE),
        (is_safe, Status.NOT_LIQUIDATABLE),
        (too_much, Status.BAD_LOTS),
        (isolated, Status.ISOLATED),
        (quote < least, Status.UNFAIR_PRICE),
        (missing > lane.insurance[env.fund[market]], Status.INSURANCE_EMPTY),
    )
    gain = jnp.maximum(worth - quote, 0)
    share = gain - ppm_floor(gain, env.param("liquidator_reward_ppm", market))
    return Terms(reason, delta, quote, missing, gain, share)


def take_over(lane: Lane, env: Env, sizes: Sizes, on, keeper, target, market, tx):
    """Runs one liquidation: ``(lane, status, lots, absolute quanta paid)``."""
    terms = check(lane, env, sizes, keeper, target, market, tx.lots, tx.ticks)
    pays = terms.quote + terms.share
    taken = lane._replace(
        position=lane.position.at[keeper, market].add(-terms.delta),
        collateral=lane.collateral.at[keeper].add(-pays),
    )
    exposure = exposures(taken, keeper, market, 0, 0)
    covered = slack(taken, env, keeper, exposure) >= 0
    covered = covered & (exposure[market] <= MAX_NOTIONAL // env.unit[market])
    reason = first_reason((terms.reason != 0, terms.reason), (~covered, Status.MARGIN))
    broke = on & (reason == Status.INSURANCE_EMPTY)
    lane = mark_pending(lane, broke, target, market)
    done = on & (reason == 0)
    every = jnp.ones(sizes.markets, bool)
    lane = books.cancel_all(lane, done, target, every, sizes.slots)
    lane = _settle(lane, env, done, keeper, target, market, terms)
    lots, quote = abs(terms.delta), abs(terms.quote)
    status = jnp.where(reason == 0, int(Status.FILLED), reason)
    return lane, status, jnp.where(done, lots, 0), jnp.where(done, quote, 0)


def run(lane: Lane, env: Env, sizes: Sizes, on, keeper, market, tx):
    """`take_over` of the account in the transaction's slot, where any lane has one."""
    target = jnp.clip(tx.slot, 0, sizes.accounts - 1)

    def take(lane):
        return take_over(lane, env, sizes, on, keeper, target, market, tx)

    def leave(lane):
        return lane, *([tx.lots * 0] * 3)

    return lax.cond(any_lane(on), take, leave, lane)


def _settle(lane: Lane, env: Env, on, keeper, target, market, terms: Terms) -> Lane:
    """Position and money change hands."""
    delta, quote = terms.delta, terms.quote
    missing, share = (jnp.where(on, x, 0) for x in (terms.missing, terms.share))
    value = abs(quote) // jnp.maximum(abs(delta), 1)
    lane = books.change_position(lane, on, target, market, delta, value)
    lane = books.change_position(lane, on, keeper, market, -delta, value)
    paid, fund = jnp.where(on, quote, 0), env.fund[market]
    collateral = lane.collateral.at[target].add(paid + missing)
    lane = lane._replace(
        collateral=collateral.at[keeper].add(-paid - share),
        insurance=lane.insurance.at[fund].add(share - missing),
    )
    lane = note(lane, lay.INFO_LIQUIDATION_FEES, jnp.where(on, terms.gain, 0))
    lane = note(lane, lay.INFO_INSURANCE_PAID, missing)
    lane = note(lane, lay.INFO_LIQUIDATIONS, jnp.where(on, 1, 0))
    return note(lane, lay.INFO_LIQUIDATED, abs(paid))
