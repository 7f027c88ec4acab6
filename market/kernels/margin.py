"""Equity and requirements of one account, as the block needs them.

The formulas, their sources and their roundings: `market.rules.margin`, and for StarkEx
`market.rules.risk_steps`.
"""

from market.kernels.lane import (
    ACCOUNTS,
    BY_BALANCE,
    COLLATERAL,
    FRACTION,
    INITIAL,
    MAINTENANCE,
    MARGIN_RULE,
    MARKETS,
    MULTIPLIER,
    OI_LOWER,
    OI_UPPER,
    OPEN_LOSS,
    POSITION,
    PRICE,
    RISK_PPM,
    RISK_UPPER,
    UNIT,
    open_lots_of,
    parameters,
    per_position,
    vector,
)
from market.kernels.wide import at_least_sum, mul_div_floor, ppm_ceil
from market.native.ffi import kernel
from market.types.limits import MAX_OPEN_INTEREST
from market.types.specs import RISK_STEPS, Cover, Margin

_PPM = 1_000_000
STEPS, EVERY_BLOCK = int(Margin.RISK_STEPS), int(Cover.EVERY_BLOCK)


@kernel
def reckon_prices(t):
    """Quanta per lot and initial fractions of this block, into the scratch."""
    markets = t[MARKETS]
    unit, fraction = vector(t, UNIT, markets), vector(t, FRACTION, markets)
    price, multiplier = vector(t, PRICE, markets), vector(t, MULTIPLIER, markets)
    params, position = parameters(t), per_position(t, POSITION)
    for market in range(markets):
        unit[market] = price[market] * multiplier[market]
        fraction[market] = params[INITIAL, market]
        if params[OI_UPPER, market] > 0:
            lots = 0
            for account in range(t[ACCOUNTS]):
                lots += max(position[account, market], 0)
            quanta = min(lots, MAX_OPEN_INTEREST // unit[market]) * unit[market]
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
def risk_factor(t, market, lots):
    """The factor of the step that a position of that many lots is in (StarkEx)."""
    params = parameters(t)
    size = abs(lots)
    if params[BY_BALANCE, market] == 0:
        size *= vector(t, UNIT, t[MARKETS])[market]
    for step in range(RISK_STEPS - 1):
        if size <= params[RISK_UPPER + step, market]:
            return params[RISK_PPM + step, market]
    return params[RISK_PPM + RISK_STEPS - 1, market]


@kernel
def position_required(t, market, lots):
    """Maintenance of a position, rounded up, and the excess of that in ppm.

    Two ceilings that are part of the rule, so no excess; on StarkEx the exact share.
    """
    params = parameters(t)
    notional = abs(lots) * vector(t, UNIT, t[MARKETS])[market]
    if t[MARGIN_RULE] == STEPS:
        factor = risk_factor(t, market, lots)
        return ppm_ceil(notional, factor), -(notional % _PPM) * factor % _PPM
    initial = ppm_ceil(notional, params[INITIAL, market])
    return ppm_ceil(initial, params[MAINTENANCE, market]), 0


@kernel
def position_maintenance(t, market, lots):
    """Maintenance requirement of a position of that many lots."""
    return position_required(t, market, lots)[0]


@kernel
def account_equity(t, account):
    """Net collateral: balance and positions at the margin price."""
    position, unit = per_position(t, POSITION), vector(t, UNIT, t[MARKETS])
    total = vector(t, COLLATERAL, t[ACCOUNTS])[account]
    for market in range(t[MARKETS]):
        total += position[account, market] * unit[market]
    return total


@kernel
def account_risk(t, account):
    """``(equity, maintenance requirement, excess)``.

    The exact requirement is the one given less ``excess / 1e6``.
    """
    position = per_position(t, POSITION)
    required, excess = 0, 0
    for market in range(t[MARKETS]):
        held = position[account, market]
        if held != 0:
            quanta, spare = position_required(t, market, held)
            required += quanta
            excess += spare
    required -= excess // _PPM
    return account_equity(t, account), required, excess % _PPM


@kernel
def with_position(t, risk, market, held, lots):
    """``(requirement, excess)`` were the position ``held`` one of ``lots``."""
    quanta, spare = position_required(t, market, held)
    quanta_new, spare_new = position_required(t, market, lots)
    excess = risk[2] - spare + spare_new
    return risk[1] - quanta + quanta_new - excess // _PPM, excess % _PPM


@kernel
def initial_fraction(t, market, lots):
    """Initial fraction of a position; on StarkEx at least its risk factor.

    The proof knows no initial margin. The operator never admits what could come to be
    less than well leveraged.
    """
    fraction = vector(t, FRACTION, t[MARKETS])[market]
    if t[MARGIN_RULE] == STEPS:
        return max(fraction, risk_factor(t, market, lots))
    return fraction


@kernel
def initial_requirement(t, account):
    """Initial requirement of the positions alone, without open orders."""
    position, unit = per_position(t, POSITION), vector(t, UNIT, t[MARKETS])
    required = 0
    for market in range(t[MARKETS]):
        held = position[account, market]
        fraction = initial_fraction(t, market, held)
        required += ppm_ceil(abs(held) * unit[market], fraction)
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
        Quanta; the caller subtracts the loss of the new lots against the price.
    """
    position, open_lots = per_position(t, POSITION), open_lots_of(t)
    unit = vector(t, UNIT, t[MARKETS])
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
        slack -= ppm_ceil(exposure * unit[each], initial_fraction(t, each, exposure))
    return slack


@kernel
def maintenance_slack(t, account):
    """Equity over maintenance requirement when every order fills on its worse side."""
    position, open_lots = per_position(t, POSITION), open_lots_of(t)
    open_loss = per_position(t, OPEN_LOSS)
    slack, excess = account_equity(t, account), 0
    for market in range(t[MARKETS]):
        held, resting = position[account, market], open_lots[account, market]
        exposure = max(abs(held + resting[0]), abs(held - resting[1]))
        quanta, spare = position_required(t, market, exposure)
        slack -= quanta + open_loss[account, market]
        excess += spare
    return slack + excess // _PPM


@kernel
def worst_exposure(t, account, market, buying, selling):
    """Largest position in lots that the account may come to in that market."""
    held = per_position(t, POSITION)[account, market]
    resting = open_lots_of(t)[account, market]
    return max(abs(held + resting[0] + buying), abs(held - resting[1] - selling))


@kernel
def is_no_riskier(before, after):
    """Whether equity / requirement has not fallen, exactly; requirements positive.

    The formula and its proof: `market.rules.risk_steps.is_ratio_kept`.
    """
    equity, required, excess = before
    equity_new, required_new, excess_new = after
    whole = equity // _PPM * excess_new - equity_new // _PPM * excess
    rest = equity % _PPM * excess_new - equity_new % _PPM * excess
    rests = whole + rest // _PPM
    return at_least_sum(equity_new, required, rests, equity, required_new)


@kernel
def may_move(t, account, before):
    """The transition rule that gates both sides of a deleveraging.

    Initially collateralised afterwards, or: the requirement does not grow, and the
    ratio does not fall (both requirements zero: the equity rises; one zero: no).

    Args:
        t: the table, with the account as it would become.
        account: whose.
        before: what `account_risk` said before; the account holds less now.
    """
    after = account_risk(t, account)
    if t[MARGIN_RULE] == STEPS:
        return is_proven(before, after)
    if after[0] >= initial_requirement(t, account):
        return True
    if after[1] > before[1]:
        return False
    if after[1] == 0 or before[1] == 0:
        return after[1] == before[1] and after[0] > before[0]
    return is_no_riskier(before, after)


@kernel
def is_proven(before, after):
    """StarkEx: well leveraged, or the ratio kept by an account that holds less."""
    if after[0] >= after[1]:
        return True
    if before[1] == 0 and after[0] < before[0]:
        return False
    return is_no_riskier(before, after)


@kernel
def least_equity(before, required, excess):
    """The least equity that keeps equity / requirement at a smaller requirement.

    As `market.rules.risk_steps.least_equity`, by bisection.
    """
    equity = before[0]
    if before[1] == 0:
        return equity
    low, high = min(equity, 0), max(equity, 0)
    while low < high:
        middle = (low + high) >> 1
        if is_no_riskier(before, (middle, required, excess)):
            high = middle
        else:
            low = middle + 1
    return high
