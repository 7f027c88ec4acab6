"""Equity and requirements of one account, as the block needs them.

The formulas, their sources and their roundings: `market.margin`.
"""

from market.kernels.layout import (
    ACCOUNTS,
    COLLATERAL,
    FRACTION,
    INITIAL,
    MAINTENANCE,
    MARKETS,
    MULTIPLIER,
    OI_LOWER,
    OI_UPPER,
    OPEN_LOSS,
    ORACLE,
    POSITION,
    UNIT,
    open_lots_of,
    parameters,
    per_position,
    vector,
)
from market.kernels.wide import at_least, mul_div_floor, ppm_ceil
from market.native import kernel

#: No position, order or exposure may be worth more, in quanta (1.1 bn USD).
MAX_NOTIONAL = 1 << 50
_MAX_OPEN_INTEREST = 1 << 61
_PPM = 1_000_000


@kernel
def reckon_prices(t):
    """Quanta per lot and initial fractions of this block, into the scratch."""
    markets = t[MARKETS]
    unit, fraction = vector(t, UNIT, markets), vector(t, FRACTION, markets)
    oracle, multiplier = vector(t, ORACLE, markets), vector(t, MULTIPLIER, markets)
    params, position = parameters(t), per_position(t, POSITION)
    for market in range(markets):
        unit[market] = oracle[market] * multiplier[market]
        fraction[market] = params[INITIAL, market]
        if params[OI_UPPER, market] > 0:
            lots = 0
            for account in range(t[ACCOUNTS]):
                lots += max(position[account, market], 0)
            quanta = min(lots, _MAX_OPEN_INTEREST // unit[market]) * unit[market]
            fraction[market] = _scaled_fraction(params, market, quanta)


@kernel
def _scaled_fraction(params, market, open_interest):
    """The initial fraction at that open interest, rounded down."""
    base, lower = params[INITIAL, market], params[OI_LOWER, market]
    upper = params[OI_UPPER, market]
    if open_interest <= lower:
        return base
    if open_interest >= upper:
        return _PPM
    return base + mul_div_floor(_PPM - base, open_interest - lower, upper - lower)


@kernel
def position_maintenance(t, market, lots):
    """Maintenance requirement of a position of that many lots, two ceilings."""
    params = parameters(t)
    notional = abs(lots) * vector(t, UNIT, t[MARKETS])[market]
    initial = ppm_ceil(notional, params[INITIAL, market])
    return ppm_ceil(initial, params[MAINTENANCE, market])


@kernel
def account_equity(t, account):
    """Net collateral: balance and positions at the oracle price."""
    position, unit = per_position(t, POSITION), vector(t, UNIT, t[MARKETS])
    total = vector(t, COLLATERAL, t[ACCOUNTS])[account]
    for market in range(t[MARKETS]):
        total += position[account, market] * unit[market]
    return total


@kernel
def account_risk(t, account):
    """``(equity, maintenance requirement)``."""
    position = per_position(t, POSITION)
    required = 0
    for market in range(t[MARKETS]):
        held = position[account, market]
        if held != 0:
            required += position_maintenance(t, market, held)
    return account_equity(t, account), required


@kernel
def initial_requirement(t, account):
    """Initial requirement of the positions alone, without open orders."""
    position, unit = per_position(t, POSITION), vector(t, UNIT, t[MARKETS])
    fraction = vector(t, FRACTION, t[MARKETS])
    required = 0
    for market in range(t[MARKETS]):
        notional = abs(position[account, market]) * unit[market]
        required += ppm_ceil(notional, fraction[market])
    return required


@kernel
def worst_case_slack(t, account, market, buying, selling):
    """Equity over initial requirement when every order fills on its worse side.

    Args:
        t: the table.
        account: whose.
        market: where the new lots are.
        buying: lots bought besides those resting.
        selling: lots sold besides those resting.

    Returns:
        Quanta; the loss of the new lots against the oracle is the caller's to subtract.
    """
    position, open_lots = per_position(t, POSITION), open_lots_of(t)
    unit, fraction = vector(t, UNIT, t[MARKETS]), vector(t, FRACTION, t[MARKETS])
    open_loss = per_position(t, OPEN_LOSS)
    slack = vector(t, COLLATERAL, t[ACCOUNTS])[account]
    for each in range(t[MARKETS]):
        held = position[account, each]
        bought = open_lots[account, each, 0]
        sold = open_lots[account, each, 1]
        if each == market:
            bought += buying
            sold += selling
        exposure = max(abs(held + bought), abs(held - sold))
        slack += held * unit[each] - open_loss[account, each]
        slack -= ppm_ceil(exposure * unit[each], fraction[each])
    return slack


@kernel
def worst_exposure(t, account, market, buying, selling):
    """Largest position in lots that the account may come to in that market."""
    held = per_position(t, POSITION)[account, market]
    resting = open_lots_of(t)[account, market]
    return max(abs(held + resting[0] + buying), abs(held - resting[1] - selling))


@kernel
def is_no_riskier(equity, required, equity_now, required_now):
    """Whether equity / requirement has not fallen; both requirements positive."""
    return at_least(equity, required_now, equity_now, required)


@kernel
def may_move(equity, required, initial, equity_now, required_now):
    """The transition rule that gates both sides of a deleveraging.

    Initially collateralised afterwards, or: the requirement does not grow, and the
    ratio does not fall (both requirements zero: the equity rises; one zero: no).
    """
    if equity >= initial:
        return True
    if required > required_now:
        return False
    if required == 0 or required_now == 0:
        return required == required_now and equity > equity_now
    return is_no_riskier(equity, required, equity_now, required_now)
