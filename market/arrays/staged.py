"""Staged liquidation after Hyperliquid; see `market.kernels.staged`."""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from market.arrays import book as books
from market.arrays.lane import Env, Lane, Sizes, first_reason, note
from market.arrays.liquidation import dry_run, mark_pending, note_liquidation
from market.arrays.margin import risk
from market.kernels import lane as lay
from market.numbers.units import PPM
from market.rules.staged import StagedRules, lots_to_send
from market.types.limits import MAX_NOTIONAL, MAX_TICKS
from market.types.orders import Status


class Stage(NamedTuple):
    """What is to become of a liquidation.

    Attributes:
        status: 0 for an order of ``lots``; `FILLED` where the vault takes over;
            otherwise the reject's reason.
        lots: of the order, or of the position that the vault takes.
        sign: of the order.
        limit: of the order.
        is_part: whether it is part of a large position.
    """

    status: Array
    lots: Array
    sign: Array
    limit: Array
    is_part: Array


def next_stage(lane: Lane, env: Env, sizes: Sizes, keeper, target, market, cap):
    """The stage of an account, and the order of the first one."""
    equity, required, _ = risk(lane, env, target)
    held = lane.position[target, market]
    size, unit = abs(held), env.unit[market]
    unsafe = (held != 0) & (keeper != target) & (required > equity)
    rules = StagedRules(
        env.param("min_liquidation_notional", market),
        env.param("max_liquidation_portion_ppm", market),
        env.param("liquidation_cooldown_us", market),
        env.param("cooldown_waits", market),
    )
    until = lane.cooldown_us[target]
    lots = lots_to_send(size, size * unit, env.now_us, until, rules)
    backs = (3 * equity < 2 * required) & _vault_takes(lane, env, sizes, target)
    status = first_reason(
        (env.param("halted", market) != 0, Status.HALTED),
        (cap < 0, Status.BAD_LOTS),
        (~unsafe, Status.NOT_LIQUIDATABLE),
        (lane.liquidated[target, market] != 0, Status.ALREADY_LIQUIDATED),
        (equity < 0, Status.BANKRUPT),
        (backs, Status.FILLED),
        (lots == 0, Status.ALREADY_LIQUIDATED),
    )
    sent = jnp.where(cap > 0, jnp.minimum(lots, cap), lots)
    sent = jnp.where(status == Status.FILLED, size, sent)
    sign = jnp.where(held > 0, -1, 1)
    limit = _edge_of_band(env, market, sign)
    return Stage(status, sent, sign, limit, lots < size)


def _vault_takes(lane: Lane, env: Env, sizes: Sizes, target):
    """Whether there is a vault, and its positions stay within the largest notional."""
    if sizes.vault < 0:
        return jnp.zeros((), bool)
    lots = abs(lane.position[sizes.vault] + lane.position[target])
    return (target != sizes.vault) & (lots <= MAX_NOTIONAL // env.unit).all()


def _edge_of_band(env: Env, market, sign):
    """Limit of the market order that a liquidation sends."""
    price, band_ppm = env.price[market], env.param("price_band_ppm", market)
    buy = jnp.minimum(price * (PPM + band_ppm) // PPM, MAX_TICKS)
    sell = jnp.maximum(-(-price * (PPM - band_ppm) // PPM), 1)
    return jnp.where(sign > 0, buy, sell)


def pass_on(lane: Lane, env: Env, sizes: Sizes, on, status, target) -> Lane:
    """What needs no order: the vault takes over, or a bankrupt account is marked."""
    bankrupt = on & (status == Status.BANKRUPT)
    held = bankrupt & (lane.position[target] != 0) & (env.row("halted") == 0)
    markets = jnp.arange(sizes.markets)
    lane = mark_pending(lane, held, target, markets)
    if sizes.vault < 0:
        return lane
    return _backstop(lane, env, sizes, on & (status == Status.FILLED), target)


def _backstop(lane: Lane, env: Env, sizes: Sizes, on, target) -> Lane:
    """The vault takes all positions at the mark, and the collateral as it is."""
    markets = jnp.arange(sizes.markets)
    lane = books.cancel_all(lane, on, target, markets >= 0, sizes.slots)
    held = jnp.where(on, lane.position[target], 0)
    moves, vault = held != 0, sizes.vault
    lane = books.change_position(lane, moves, target, markets, -held, env.unit)
    lane = books.change_position(lane, moves, vault, markets, held, env.unit)
    margin = jnp.where(on, lane.collateral[target], 0)
    until = jnp.where(on, 0, lane.cooldown_us[target])
    lane = lane._replace(
        collateral=lane.collateral.at[target].add(-margin).at[vault].add(margin),
        cooldown_us=lane.cooldown_us.at[target].set(until),
    )
    taken = (abs(held) * env.unit).sum()
    lane = note(lane, lay.INFO_TAKEN_OVER, taken)
    return note_fill(lane, on, taken)


def note_fill(lane: Lane, on, quote) -> Lane:
    """Counts a liquidation in what the block reports; nobody pays for it."""
    lane = note(lane, lay.INFO_LIQUIDATIONS, jnp.where(on, 1, 0))
    return note(lane, lay.INFO_LIQUIDATED, jnp.where(on, quote, 0))


def start_cooldown(lane: Lane, env: Env, on, target) -> Lane:
    """A large position was liquidated in part."""
    until = env.now_us + env.param("liquidation_cooldown_us")
    until = jnp.where(on, until, lane.cooldown_us[target])
    return lane._replace(cooldown_us=lane.cooldown_us.at[target].set(until))


def plan(lane: Lane, tx, env: Env, sizes: Sizes, on, target, market):
    """Continuous matching: ``(lane, status, lots, sign, limit, is part)``.

    The account's orders are cancelled where an order of the liquidation follows.
    """
    keeper = jnp.clip(tx.account, 0, sizes.accounts - 1)
    stage = next_stage(lane, env, sizes, keeper, target, market, tx.lots)
    filled, _ = dry_run(
        lane, sizes, target, market, stage.sign, stage.limit, stage.lots
    )
    status = first_reason(
        (stage.status != 0, stage.status), (filled == 0, Status.NOTHING_TO_TAKE)
    )
    every = jnp.ones(sizes.markets, bool)
    lane = books.cancel_all(lane, on & (status == 0), target, every, sizes.slots)
    lane = pass_on(lane, env, sizes, on, status, target)
    is_part = jnp.where(stage.is_part, 1, 0)
    return lane, status, stage.lots, stage.sign, stage.limit, is_part


def settle(lane, env, on, target, market, quote, is_part, filled) -> Lane:
    """Notes a fill in continuous matching."""
    lane = note_liquidation(lane, env, on, target, market, filled, 0)
    lane = note_fill(lane, on, quote)
    return start_cooldown(lane, env, on & (is_part != 0), target)
