"""Deleveraging by queues and shares, all accounts at once.

The rules and their prices: `market.twin.deleveraging`.
"""

import jax.numpy as jnp

from market.arrays.book import change_position, is_present, keep, reserve
from market.arrays.lane import Env, Lane, Sizes, note
from market.arrays.liquidation import bankruptcy_quote
from market.arrays.margin import equity, risk
from market.kernels import lane as lay
from market.rules import allocation, ranking
from market.rules.deleveraging import split_quote
from market.types.specs import Deleveraging


def close_allocated(lane: Lane, env: Env, sizes: Sizes, on, target, market) -> Lane:
    """Closes what the venue's rule allocates, at one price."""
    held, unit = lane.position[target, market], env.unit[market]
    side = jnp.sign(held)
    taken = jnp.where(on, _allocation(lane, env, sizes, target, market), 0)
    total = taken.sum()
    delta = -side * total
    quote = jnp.where(total > 0, _quote(lane, env, sizes, target, market, delta), 0)
    parts = split_quote(quote, taken)
    gives = taken > 0
    accounts = jnp.arange(sizes.accounts)
    lane = change_position(lane, total > 0, target, market, delta, unit)
    lane = change_position(lane, gives, accounts, market, side * taken, unit)
    collateral = (lane.collateral - parts).at[target].add(quote)
    lane = _cancel_many(lane._replace(collateral=collateral), gives, market, sizes)
    lane = note(lane, lay.INFO_DELEVERAGED, gives.sum())
    lane = note(lane, lay.INFO_DELEVERAGED_QUOTE, abs(parts).sum())
    lane = note(lane, lay.INFO_DELEVERAGING_LOSS, quote + delta * unit)
    if sizes.deleveraging == Deleveraging.HYPERLIQUID and sizes.vault >= 0:
        lane = _cover_debt(lane, env, sizes, on, target)
    return lane


def _quote(lane: Lane, env: Env, sizes: Sizes, target, market, delta):
    """Quanta that the closed account gets: at the mark before, or at bankruptcy."""
    if sizes.deleveraging == Deleveraging.HYPERLIQUID:
        return -delta * env.previous_mark[market] * env.multiplier[market]
    held = lane.position[target, market]
    return bankruptcy_quote(env, market, held, delta, risk(lane, env, target))


def _allocation(lane: Lane, env: Env, sizes: Sizes, target, market):
    """Lots that each account gives [A]."""
    rule, held = sizes.deleveraging, lane.position[target, market]
    others, lots = lane.position[:, market], abs(held)
    faces = (others != 0) & (held != 0) & ((others > 0) != (held > 0))
    capacity = jnp.where(faces, abs(others), 0)
    if rule == Deleveraging.CONTRACT_PRO_RATA:
        return allocation.allocate_floored(capacity, lots)[0]
    if rule not in (Deleveraging.PRO_RATA, Deleveraging.CAPPED_PRO_RATA):
        scores = jnp.where(faces, _scores(lane, env, sizes, market), 0)
        return allocation.allocate_by_score(scores, capacity, lots)
    profit = others * env.unit[market] - lane.cost[:, market]
    profit = jnp.where(faces, jnp.maximum(profit, 0), 0)
    if rule == Deleveraging.CAPPED_PRO_RATA:
        taken, left = allocation.allocate_capped(profit, capacity, lots)
        return taken + allocation.allocate_pro_rata(capacity - taken, left)
    weights = jnp.where(profit.sum() > 0, profit, capacity)
    return jnp.minimum(allocation.allocate_pro_rata(weights, lots), capacity)


def _scores(lane: Lane, env: Env, sizes: Sizes, market):
    """Ranks of all accounts in a queue [A]."""
    held, cost = lane.position[:, market], lane.cost[:, market]
    value = held * env.unit[market]
    now = risk(lane, env, slice(None))
    nc, required, _ = now
    if sizes.deleveraging == Deleveraging.HYPERLIQUID:
        sized = abs(value)
        return ranking.hyperliquid_score(sized, abs(cost), sized, nc, held < 0)
    if sizes.deleveraging == Deleveraging.BINANCE:
        profit = (lane.position * env.unit - lane.cost).sum(axis=-1)
        return ranking.binance_score(nc - profit, profit, required)
    margin = value - bankruptcy_quote(env, market, held, -held, now)
    return ranking.bitmex_score(value, cost, margin)


def _cancel_many(lane: Lane, who, market, sizes: Sizes) -> Lane:
    """Takes all orders of the accounts ``who`` [A] off one market's book."""
    here = jnp.arange(sizes.markets) == market
    owner = lane.owner // sizes.slots
    drop = is_present(lane) & here[:, None, None] & who[owner]
    lots = jnp.where(drop, lane.lots, 0)
    each = jnp.arange(sizes.markets)[:, None, None]
    side = jnp.arange(2)[None, :, None]
    lane = reserve(lane, owner, each, side, -lots, lane.loss)
    return keep(lane, is_present(lane) & ~drop)


def _cover_debt(lane: Lane, env: Env, sizes: Sizes, on, target) -> Lane:
    """The vault pays the debt of an account that has nothing left, as far as it can."""
    is_flat = (lane.position[target] == 0).all()
    due = on & is_flat & (target != sizes.vault)
    able = jnp.maximum(equity(lane, env, sizes.vault), 0)
    paid = jnp.clip(-lane.collateral[target], 0, able)
    paid = jnp.where(due, paid, 0)
    collateral = lane.collateral.at[target].add(paid).at[sizes.vault].add(-paid)
    return note(lane._replace(collateral=collateral), lay.INFO_BACKSTOP_PAID, paid)
