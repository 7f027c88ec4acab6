"""Staged liquidation after Hyperliquid; see `market.kernels.staged`."""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from market.arrays.admission import limit_of_market_order
from market.arrays.fills import change_position
from market.arrays.lane import Env, Lane, Outcome, Request, first_reason, note
from market.arrays.liquidation import (
    dry_run,
    liquidated_so_far,
    mark_pending,
    note_fill,
    note_liquidation,
    taker_of,
)
from market.arrays.margin import account_risk
from market.arrays.matching import cancel_all, take
from market.arrays.rounds import (
    Round,
    append,
    cancel_all_in_round,
    drop_reductions,
    waiting_liquidation,
)
from market.rules import staged
from market.types.limits import MAX_NOTIONAL
from market.types.orders import Status


class Stage(NamedTuple):
    """What is to become of a liquidation."""

    status: Array  # 0: an order; `FILLED`: the vault takes over; else the reason
    lots: Array  # of the order, or of the position that the vault takes
    is_part: Array  # whether it is part of a large position


def lots_to_send(lane: Lane, env: Env, target, market, size):
    """``(lots, whether they are a part)`` of a liquidation order; 0 where it waits."""
    rules = staged.StagedRules(
        env.param("liquidation_min_notional", market),
        env.param("liquidation_max_portion_ppm", market),
        env.param("liquidation_cooldown_us", market),
        env.param("cooldown_waits", market),
    )
    notional, until = size * env.unit[market], lane.cooldown_us[target]
    lots = staged.lots_to_send(size, notional, env.now_us, until, rules)
    return lots, lots < size


def next_stage(lane: Lane, env: Env, request: Request) -> Stage:
    """What is to become of a liquidation."""
    target, market, cap = request.target, request.market, request.cap
    equity, required, _ = account_risk(lane, env, target)
    size = abs(lane.position[target, market])
    unsafe = (size != 0) & (request.keeper != target) & (required > equity)
    lots, is_part = lots_to_send(lane, env, target, market, size)
    backs = (3 * equity < 2 * required) & vault_takes(lane, env, target)
    status = first_reason(
        (env.param("halted", market) != 0, Status.HALTED),
        (cap < 0, Status.BAD_LOTS),
        (~unsafe, Status.NOT_LIQUIDATABLE),
        (liquidated_so_far(lane, target, market)[0], Status.ALREADY_LIQUIDATED),
        (equity < 0, Status.BANKRUPT),
        (backs, Status.FILLED),
        (lots == 0, Status.ALREADY_LIQUIDATED),
    )
    sent = jnp.where(cap > 0, jnp.minimum(lots, cap), lots)
    return Stage(status, jnp.where(status == Status.FILLED, size, sent), is_part)


def vault_takes(lane: Lane, env: Env, target) -> Array:
    """Whether there is a vault, and its positions stay within the largest notional."""
    vault = env.sizes.vault
    if vault < 0:
        return jnp.zeros((), bool)
    lots = abs(lane.position[vault] + lane.position[target])
    return (target != vault) & (lots <= MAX_NOTIONAL // env.unit).all()


def mark_bankrupt(lane: Lane, env: Env, on, target) -> Lane:
    """Marks the account's positions for deleveraging, in halted markets none."""
    held = on & (lane.position[target] != 0) & (env.row("halted") == 0)
    return mark_pending(lane, held, target, jnp.arange(env.sizes.markets))


def backstop(lane: Lane, env: Env, on, target) -> Lane:
    """The vault takes all positions at the mark, and the collateral as it is."""
    vault, markets = env.sizes.vault, jnp.arange(env.sizes.markets)
    if vault < 0:
        return lane
    lane = cancel_all(lane, env, on, target)
    held = jnp.where(on, lane.position[target], 0)
    lane = change_position(lane, held != 0, target, markets, -held, env.unit)
    lane = change_position(lane, held != 0, vault, markets, held, env.unit)
    margin = jnp.where(on, lane.collateral[target], 0)
    until = jnp.where(on, 0, lane.cooldown_us[target])
    lane = lane._replace(
        collateral=lane.collateral.at[target].add(-margin).at[vault].add(margin),
        cooldown_us=lane.cooldown_us.at[target].set(until),
    )
    taken = (abs(held) * env.unit).sum()
    return note_fill(note(lane, "taken_over", taken), on, taken)


def start_cooldown(lane: Lane, env: Env, on, target) -> Lane:
    """A large position was liquidated in part."""
    until = env.now_us + env.param("liquidation_cooldown_us")
    until = jnp.where(on, until, lane.cooldown_us[target])
    return lane._replace(cooldown_us=lane.cooldown_us.at[target].set(until))


def edge_of_band(env: Env, market, sign) -> Array:
    """Limit of the market order that a liquidation sends."""
    band_ppm = env.param("price_band_ppm", market)
    return limit_of_market_order(env.price[market], band_ppm, sign)


def liquidate_in_stages(lane: Lane, env: Env, on, request: Request):
    """One liquidation in continuous matching: ``(lane, outcome)``."""
    target, market = request.target, request.market
    stage, taker = next_stage(lane, env, request), taker_of(lane, request)
    limit = edge_of_band(env, market, taker.sign)
    found, _ = dry_run(lane, env, taker, limit, stage.lots)
    reason = first_reason(
        (stage.status != 0, stage.status), (found == 0, Status.NOTHING_TO_TAKE)
    )
    takes = on & (reason == Status.FILLED)
    worth = stage.lots * env.unit[market]
    lane = mark_bankrupt(lane, env, on & (reason == Status.BANKRUPT), target)
    lane = backstop(lane, env, takes, target)
    done = on & (reason == 0)
    lane = cancel_all(lane, env, done, target)
    lane, filled, quote = take(lane, env, done, taker, limit, stage.lots)
    lane = note_liquidation(lane, env, done, request, filled, 0)
    lane = note_fill(lane, done, quote)
    lane = start_cooldown(lane, env, done & stage.is_part, target)
    status = first_reason(
        (reason != 0, reason),
        (filled == stage.lots, Status.FILLED),
        (done, Status.PARTIAL),
    )
    filled = jnp.where(takes, stage.lots, filled)
    return lane, Outcome(status, filled, jnp.where(takes, worth, quote))


# --- in an auction -------------------------------------------------------------------


def admit_staged(lane: Lane, env: Env, waiting: Round, on, row, request: Request):
    """Admits a liquidation: ``(lane, round, outcome)``, status 0 where it waits."""
    target, market = request.target, request.market
    stage, taker = next_stage(lane, env, request), taker_of(lane, request)
    takes, sent = on & (stage.status == Status.FILLED), on & (stage.status == 0)
    worth = stage.lots * env.unit[market]
    bankrupt = on & (stage.status == Status.BANKRUPT)
    lane, waiting = cancel_all_in_round(lane, env, waiting, takes | sent, target)
    lane, waiting = drop_reductions(lane, waiting, takes, env.sizes.vault)
    lane = mark_bankrupt(lane, env, bankrupt, target)
    lane = backstop(lane, env, takes, target)
    lane = note_liquidation(lane, env, sent, request, stage.lots, 0)
    limit = edge_of_band(env, market, taker.sign)
    order = waiting_liquidation(request, taker.sign, limit, stage.lots)
    order = order._replace(is_part=jnp.where(stage.is_part, 1, 0))
    lane, waiting = append(lane, waiting, sent, row, order)
    filled, quote = (jnp.where(takes, x, 0) for x in (stage.lots, worth))
    return lane, waiting, Outcome(stage.status, filled, quote)
