"""Who gives how much by queues and shares; see `market.kernels.allocation`.

The rules work on all accounts at once: `market.rules.allocation` shares and
`market.rules.ranking` ranks.
"""

import jax.numpy as jnp
from jax import Array

from market.arrays.lane import Env, Lane
from market.arrays.liquidation import bankruptcy_quote
from market.arrays.margin import account_risk
from market.rules import allocation, ranking
from market.types.specs import Deleveraging


def profit_of(lane: Lane, env: Env, market) -> Array:
    """Unrealised profit of every position in a market [A]."""
    return lane.position[:, market] * env.unit[market] - lane.cost[:, market]


def score_of(lane: Lane, env: Env, market) -> Array:
    """Rank of all accounts in a queue [A]: the highest gives first."""
    held, cost = lane.position[:, market], lane.cost[:, market]
    value = held * env.unit[market]
    now = account_risk(lane, env)
    if env.sizes.deleveraging == Deleveraging.HYPERLIQUID:
        sized = abs(value)
        return ranking.hyperliquid_score(sized, abs(cost), sized, now.equity, held < 0)
    if env.sizes.deleveraging == Deleveraging.BINANCE:
        profit = (lane.position * env.unit - lane.cost).sum(axis=-1)
        return ranking.binance_score(now.equity - profit, profit, now.quanta)
    margin = value - bankruptcy_quote(env, market, held, -held, now)
    return ranking.bitmex_score(value, cost, margin)


def allocate(lane: Lane, env: Env, target, market, faces) -> Array:
    """Lots that each account gives [A]; ``faces`` [A] holds the other side."""
    rule, lots = env.sizes.deleveraging, abs(lane.position[target, market])
    capacity = jnp.where(faces, abs(lane.position[:, market]), 0)
    if rule == Deleveraging.CONTRACT_PRO_RATA:
        return allocation.allocate_contracts(capacity, lots)
    if rule not in (Deleveraging.PRO_RATA, Deleveraging.CAPPED_PRO_RATA):
        scores = jnp.where(faces, score_of(lane, env, market), 0)
        return allocation.allocate_by_score(scores, capacity, lots)
    profit = profit_of(lane, env, market)
    profit = jnp.where(faces, jnp.maximum(profit, 0), 0)
    if rule == Deleveraging.CAPPED_PRO_RATA:
        taken, left = allocation.allocate_capped(profit, capacity, lots)
        return taken + allocation.allocate_pro_rata(capacity - taken, left)
    weights = jnp.where(profit.sum() > 0, profit, capacity)
    return jnp.minimum(allocation.allocate_pro_rata(weights, lots), capacity)
