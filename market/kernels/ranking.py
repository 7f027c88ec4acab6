"""Scores of the deleveraging queues; formulas and sources: `market.rules.ranking`."""

from market.kernels.lane import (
    COST,
    DELEVERAGING,
    MARKETS,
    POSITION,
    UNIT,
    per_position,
    vector,
)
from market.kernels.liquidation import bankruptcy_quote
from market.kernels.margin import account_risk
from market.kernels.wide import mul_div_capped
from market.native.ffi import kernel
from market.numbers.units import QUANTA_PER_USD
from market.rules.ranking import ONE, TOP
from market.types.specs import Deleveraging

BINANCE = int(Deleveraging.BINANCE)
HYPERLIQUID = int(Deleveraging.HYPERLIQUID)


@kernel
def scaled(a, b, d):
    """``floor(a * b / d)``, at most `TOP`."""
    return mul_div_capped(a, b, d, TOP)


@kernel
def profit_of(t, account, market):
    """Unrealised profit of a position."""
    value = per_position(t, POSITION)[account, market]
    value *= vector(t, UNIT, t[MARKETS])[market]
    return value - per_position(t, COST)[account, market]


@kernel
def score_of(t, account, market):
    """Rank of a counterparty with a position: the highest gives first."""
    held = per_position(t, POSITION)[account, market]
    cost = per_position(t, COST)[account, market]
    value = held * vector(t, UNIT, t[MARKETS])[market]
    risk = account_risk(t, account)
    if t[DELEVERAGING] == HYPERLIQUID:
        return _hyperliquid_score(abs(value), abs(cost), risk[0], held < 0)
    if t[DELEVERAGING] == BINANCE:
        return _binance_score(t, account, risk[0], risk[1])
    margin = value - bankruptcy_quote(t, market, held, -held, risk)
    return _bitmex_score(value, cost, margin)


@kernel
def _hyperliquid_score(value, entry, equity, is_short):
    if equity <= 0:
        return TOP
    above, below = (entry, value) if is_short else (value, entry)
    return scaled(scaled(above, ONE, below), value, equity)


@kernel
def _binance_score(t, account, equity, required):
    if equity <= 0:
        return 0
    profit = 0
    for market in range(t[MARKETS]):
        profit += profit_of(t, account, market)
    wallet = max(equity - profit, QUANTA_PER_USD)
    return scaled(scaled(max(profit, 0), ONE, wallet), required, equity)


@kernel
def _bitmex_score(value, cost, margin):
    rate = scaled(abs(value - cost), ONE, abs(cost))
    if value > cost:
        return TOP + (scaled(rate, abs(value), margin) if margin > 0 else TOP)
    return TOP - scaled(rate, max(margin, 0), abs(value))
