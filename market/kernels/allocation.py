"""Queues and shares over the accounts.

The rules and their source: `market.rules.allocation`.

Cost is linear in the accounts: thresholds are found by bisection, not by sorting. Every
function takes vectors [A] and writes what each gives into ``taken``.
"""

from market.kernels.liquidation import bankruptcy_quote
from market.kernels.margin import account_risk
from market.kernels.wide import at_least, mul_div_capped, mul_div_rest
from market.native.ffi import kernel
from market.numbers.units import QUANTA_PER_USD
from market.rules.ranking import ONE, TOP
from market.types.specs import Deleveraging

_BITS = 62


@kernel
def take_by_score(score, capacity, amount, taken):
    """All of each, highest score first, equal scores in account order."""
    at = 0
    for step in range(_BITS + 1):
        candidate = at | (1 << (_BITS - step))
        if _capacity_from(score, capacity, candidate) >= amount:
            at = candidate
    left = amount - _capacity_from(score, capacity, at + 1)
    for account in range(len(score)):
        if score[account] > at:
            taken[account] = capacity[account]
        elif score[account] == at:
            taken[account] = min(max(left, 0), capacity[account])
            left -= taken[account]
        else:
            taken[account] = 0


@kernel
def _capacity_from(score, capacity, least):
    """What those can give whose score is ``least`` or more."""
    total = 0
    for account in range(len(score)):
        if score[account] >= least:
            total += capacity[account]
    return total


@kernel
def add_floored(weights, amount, taken, rests):
    """Adds ``floor(amount * weight / all weights)``; returns what the floors leave."""
    whole, left = max(weights.sum(), 1), amount
    for account in range(len(weights)):
        share, rests[account] = mul_div_rest(weights[account], amount, whole)
        taken[account] += share
        left -= share
    return left


@kernel
def add_pro_rata(weights, amount, taken, rests):
    """Adds shares in proportion to the weights, by largest remainder."""
    missing = add_floored(weights, amount, taken, rests)
    if missing == 0:
        return
    at = 0
    for step in range(_BITS + 1):
        candidate = at | (1 << (_BITS - step))
        if _count_from(rests, candidate) >= missing:
            at = candidate
    equal = missing - _count_from(rests, at + 1)
    for account in range(len(weights)):
        rest = rests[account]
        if rest == at and equal > 0:
            equal -= 1
            taken[account] += 1 if rest > 0 else 0
        elif rest > at:
            taken[account] += 1


@kernel
def add_contracts(sizes, lots, taken, rests):
    """Adds shares of the sizes, floored; of fewer lots than holders, none is left."""
    if lots < _count_from(sizes, 1):
        add_pro_rata(sizes, lots, taken, rests)
    else:
        add_floored(sizes, lots, taken, rests)


@kernel
def _count_from(values, least):
    """How many values are ``least`` or more."""
    count = 0
    for account in range(len(values)):
        count += values[account] >= least
    return count


@kernel
def take_capped(weights, caps, amount, taken, rests):
    """Pro rata within the caps, to one level; returns what the caps leave.

    Rounds in which those that reach their cap drop out: their weight becomes zero.
    """
    taken[:] = 0
    goes_on = True
    while goes_on:
        whole, left, goes_on = weights.sum(), amount - taken.sum(), False
        for account in range(len(weights)):
            weight, cap = weights[account], caps[account]
            if weight > 0 and at_least(left, weight, cap, whole):
                taken[account], weights[account], goes_on = cap, 0, True
    add_pro_rata(weights, max(amount - taken.sum(), 0), taken, rests)
    return amount - taken.sum()


# --- scores of the queues ------------------------------------------------------------

BINANCE = int(Deleveraging.BINANCE)
HYPERLIQUID = int(Deleveraging.HYPERLIQUID)


@kernel
def scaled(a, b, d):
    """``floor(a * b / d)``, at most `TOP`."""
    return mul_div_capped(a, b, d, TOP)


@kernel
def profit_of(lane, account, market):
    """Unrealised profit of a position."""
    value = lane.position[account, market] * lane.unit[market]
    return value - lane.cost[account, market]


@kernel
def score_of(lane, account, market):
    """Rank of a counterparty with a position: the highest gives first."""
    held, cost = lane.position[account, market], lane.cost[account, market]
    value, risk = held * lane.unit[market], account_risk(lane, account)
    if lane.deleveraging == HYPERLIQUID:
        return _hyperliquid_score(abs(value), abs(cost), risk.equity, held < 0)
    if lane.deleveraging == BINANCE:
        return _binance_score(lane, account, risk)
    margin = value - bankruptcy_quote(lane, market, held, -held, risk)
    return _bitmex_score(value, cost, margin)


@kernel
def _hyperliquid_score(value, entry, equity, is_short):
    if equity <= 0:
        return TOP
    above, below = (entry, value) if is_short else (value, entry)
    return scaled(scaled(above, ONE, below), value, equity)


@kernel
def _binance_score(lane, account, risk):
    if risk.equity <= 0:
        return 0
    profit = 0
    for market in range(lane.markets):
        profit += profit_of(lane, account, market)
    wallet = max(risk.equity - profit, QUANTA_PER_USD)
    return scaled(scaled(max(profit, 0), ONE, wallet), risk.required, risk.equity)


@kernel
def _bitmex_score(value, cost, margin):
    rate = scaled(abs(value - cost), ONE, abs(cost))
    if value > cost:
        return TOP + (scaled(rate, abs(value), margin) if margin > 0 else TOP)
    return TOP - scaled(rate, max(margin, 0), abs(value))
