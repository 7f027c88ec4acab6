"""Equity and requirements of one account, as the block needs them.

The formulas, their sources and their roundings: `market.rules.margin`, and for StarkEx
`market.rules.risk_steps`.
"""

from typing import NamedTuple

from market.kernels.wide import at_least_sum, mul_div_floor, ppm_ceil
from market.native.ffi import kernel
from market.types.limits import MAX_OPEN_INTEREST
from market.types.specs import RISK_STEPS, Cover, Margin

_PPM = 1_000_000
STEPS, EVERY_BLOCK = int(Margin.RISK_STEPS), int(Cover.EVERY_BLOCK)


class Risk(NamedTuple):
    """Equity and maintenance requirement of an account, in quanta.

    The exact requirement is the one given less ``excess / 1e6``.
    """

    equity: int
    required: int
    excess: int


@kernel
def reckon_prices(lane):
    """Quanta per lot and initial fractions of this block, into the scratch."""
    params, position = lane.params, lane.position
    for market in range(lane.markets):
        unit = lane.price[market] * lane.multiplier[market]
        lane.unit[market] = unit
        lane.fraction_ppm[market] = params.initial_margin_ppm[market]
        if params.oi_upper[market] > 0:
            lots = 0
            for account in range(lane.accounts):
                lots += max(position[account, market], 0)
            quanta = min(lots, MAX_OPEN_INTEREST // unit) * unit
            lane.fraction_ppm[market] = _scaled_fraction(params, market, quanta)


@kernel
def _scaled_fraction(params, market, open_interest):
    """The initial fraction at that open interest, rounded down."""
    base, lower = params.initial_margin_ppm[market], params.oi_lower[market]
    upper = params.oi_upper[market]
    if open_interest <= lower:
        return base
    if open_interest >= upper:
        return _PPM
    return base + mul_div_floor(_PPM - base, open_interest - lower, upper - lower)


@kernel
def risk_factor(lane, market, lots):
    """The factor of the step that a position of that many lots is in (StarkEx)."""
    params, size = lane.params, abs(lots)
    if params.risk_by_balance[market] == 0:
        size *= lane.unit[market]
    for step in range(RISK_STEPS - 1):
        if size <= params.risk_upper[step, market]:
            return params.risk_factor_ppm[step, market]
    return params.risk_factor_ppm[RISK_STEPS - 1, market]


@kernel
def position_required(lane, market, lots):
    """Maintenance of a position, rounded up, and the excess of that in ppm.

    Two ceilings that are part of the rule, so no excess; on StarkEx the exact share.
    """
    params = lane.params
    notional = abs(lots) * lane.unit[market]
    if lane.margin == STEPS:
        factor = risk_factor(lane, market, lots)
        return ppm_ceil(notional, factor), -(notional % _PPM) * factor % _PPM
    initial = ppm_ceil(notional, params.initial_margin_ppm[market])
    return ppm_ceil(initial, params.maintenance_fraction_ppm[market]), 0


@kernel
def position_maintenance(lane, market, lots):
    """Maintenance requirement of a position of that many lots."""
    return position_required(lane, market, lots)[0]


@kernel
def account_equity(lane, account):
    """Net collateral: balance and positions at the margin price."""
    position, unit = lane.position, lane.unit
    total = lane.collateral[account]
    for market in range(lane.markets):
        total += position[account, market] * unit[market]
    return total


@kernel
def account_risk(lane, account):
    """The account's `Risk`, without its orders."""
    position, required, excess = lane.position, 0, 0
    for market in range(lane.markets):
        held = position[account, market]
        if held != 0:
            quanta, spare = position_required(lane, market, held)
            required += quanta
            excess += spare
    required -= excess // _PPM
    return Risk(account_equity(lane, account), required, excess % _PPM)


@kernel
def with_position(lane, risk, market, held, lots):
    """``(requirement, excess)`` were the position ``held`` one of ``lots``."""
    quanta, spare = position_required(lane, market, held)
    quanta_new, spare_new = position_required(lane, market, lots)
    excess = risk.excess - spare + spare_new
    return risk.required - quanta + quanta_new - excess // _PPM, excess % _PPM


@kernel
def initial_fraction(lane, market, lots):
    """Initial fraction of a position; on StarkEx at least its risk factor.

    The proof knows no initial margin. The operator never admits what could come to be
    less than well leveraged.
    """
    fraction = lane.fraction_ppm[market]
    if lane.margin == STEPS:
        return max(fraction, risk_factor(lane, market, lots))
    return fraction


@kernel
def initial_requirement(lane, account):
    """Initial requirement of the positions alone, without open orders."""
    position, unit, required = lane.position, lane.unit, 0
    for market in range(lane.markets):
        held = position[account, market]
        fraction = initial_fraction(lane, market, held)
        required += ppm_ceil(abs(held) * unit[market], fraction)
    return required


@kernel
def worst_case_slack(lane, account, market, buying, selling):
    """Equity over initial requirement when every order fills on its worse side.

    Args:
        lane: the lane.
        account: whose.
        market: where the new lots are.
        buying: lots bought besides those resting.
        selling: lots sold besides those resting.

    Returns:
        Quanta; the caller subtracts the loss of the new lots against the price.
    """
    position, open_lots, open_loss = lane.position, lane.open_lots, lane.open_loss
    unit, slack = lane.unit, lane.collateral[account]
    for each in range(lane.markets):
        held = position[account, each]
        bought = open_lots[account, each, 0]
        sold = open_lots[account, each, 1]
        if each == market:
            bought += buying
            sold += selling
        exposure = max(abs(held + bought), abs(held - sold))
        slack += held * unit[each] - open_loss[account, each]
        slack -= ppm_ceil(exposure * unit[each], initial_fraction(lane, each, exposure))
    return slack


@kernel
def transfer_slack(lane, account):
    """Equity over the share of all positions' notional that a transfer must leave."""
    position, unit, open_loss = lane.position, lane.unit, lane.open_loss
    share, slack = lane.params.transfer_margin_ppm[0], account_equity(lane, account)
    for market in range(lane.markets):
        slack -= ppm_ceil(abs(position[account, market]) * unit[market], share)
        slack -= open_loss[account, market]
    return slack


@kernel
def maintenance_slack(lane, account):
    """Equity over maintenance requirement when every order fills on its worse side."""
    position, open_lots, open_loss = lane.position, lane.open_lots, lane.open_loss
    slack, excess = account_equity(lane, account), 0
    for market in range(lane.markets):
        held = position[account, market]
        bought, sold = open_lots[account, market, 0], open_lots[account, market, 1]
        exposure = max(abs(held + bought), abs(held - sold))
        quanta, spare = position_required(lane, market, exposure)
        slack -= quanta + open_loss[account, market]
        excess += spare
    return slack + excess // _PPM


@kernel
def worst_exposure(lane, account, market, buying, selling):
    """Largest position in lots that the account may come to in that market."""
    held, open_lots = lane.position[account, market], lane.open_lots
    bought = open_lots[account, market, 0] + buying
    sold = open_lots[account, market, 1] + selling
    return max(abs(held + bought), abs(held - sold))


@kernel
def is_no_riskier(before, after):
    """Whether equity / requirement has not fallen, exactly; requirements positive.

    The formula and its proof: `market.rules.risk_steps.is_ratio_kept`.
    """
    whole = before.equity // _PPM * after.excess - after.equity // _PPM * before.excess
    rest = before.equity % _PPM * after.excess - after.equity % _PPM * before.excess
    rests = whole + rest // _PPM
    return at_least_sum(
        after.equity, before.required, rests, before.equity, after.required
    )


@kernel
def may_move(lane, account, before):
    """The transition rule that gates both sides of a deleveraging.

    Initially collateralised afterwards, or: the requirement does not grow, and the
    ratio does not fall (both requirements zero: the equity rises; one zero: no).

    Args:
        lane: the lane, with the account as it would become.
        account: whose.
        before: its `Risk` before; the account holds less now.
    """
    after = account_risk(lane, account)
    if lane.margin == STEPS:
        return is_proven(before, after)
    if after.equity >= initial_requirement(lane, account):
        return True
    if after.required > before.required:
        return False
    if after.required == 0 or before.required == 0:
        return after.required == before.required and after.equity > before.equity
    return is_no_riskier(before, after)


@kernel
def is_proven(before, after):
    """StarkEx: well leveraged, or the ratio kept by an account that holds less."""
    if after.equity >= after.required:
        return True
    if before.required == 0 and after.equity < before.equity:
        return False
    return is_no_riskier(before, after)


@kernel
def least_equity(before, required, excess):
    """The least equity that keeps equity / requirement at a smaller requirement.

    As `market.rules.risk_steps.least_equity`, by bisection.
    """
    equity = before.equity
    if before.required == 0:
        return equity
    low, high = min(equity, 0), max(equity, 0)
    while low < high:
        middle = (low + high) >> 1
        if is_no_riskier(before, Risk(middle, required, excess)):
            high = middle
        else:
            low = middle + 1
    return high
