"""Liquidation on StarkEx: a keeper takes a position over; no book is asked.

The keeper buys the long, or sells to the short, of an account that is not well
leveraged, at a price of its own or at the lab's default: the oracle price less the
liquidation fee. While the account has equity it gets at least its close price, what
keeps its TV/TR (`market.rules.risk_steps.close_quote`). Below zero equity it gets at
least the oracle price from the keeper, and the insurance fund pays the rest of the
close price, or nothing happens and the position waits for deleveraging. The keeper pays
the fund its share of what it gains on the oracle price, and has to be initially
margined afterwards, with all its orders.

Source: starkware-libs/stark-perpetual, ``transactions/liquidate.cairo``; fund, default
price and the keeper's share are the lab's.
"""

from market.kernels.admission import (
    BAD_LOTS,
    BAD_PRICE,
    HALTED,
    IS_HALTED,
    IS_ISOLATED,
    breaks_isolation,
)
from market.kernels.fills import change_position
from market.kernels.lane import (
    ACCOUNTS,
    ADL_PENDING,
    ALL_MARKETS,
    COLLATERAL,
    INFO_INSURANCE_PAID,
    INFO_LIQUIDATED,
    INFO_LIQUIDATION_FEES,
    INFO_LIQUIDATIONS,
    INSURANCE,
    LIQUIDATION_FEE,
    MARKETS,
    MULTIPLIER,
    NOTHING,
    POSITION,
    REWARD,
    UNIT,
    fund_index,
    funds_of,
    information,
    parameters,
    per_position,
    vector,
)
from market.kernels.liquidation import (
    INSURANCE_EMPTY,
    NOT_LIQUIDATABLE,
    bankruptcy_quote,
)
from market.kernels.margin import account_risk, worst_case_slack, worst_exposure
from market.kernels.matching import FILLED, MARGIN, cancel_all
from market.kernels.wide import ppm_floor
from market.native.ffi import kernel
from market.types.limits import MAX_NOTIONAL, MAX_TICKS
from market.types.orders import Status

UNFAIR_PRICE = int(Status.UNFAIR_PRICE)


@kernel
def check_takeover(t, keeper, target, market, cap, ticks):
    """Whether a position may be taken over, and how much of it: ``(reason, lots)``."""
    if parameters(t)[HALTED, market] != 0:
        return IS_HALTED, 0
    if cap < 0:
        return BAD_LOTS, 0
    if ticks < 0 or ticks > MAX_TICKS:
        return BAD_PRICE, 0
    equity, required, _ = account_risk(t, target)
    held = per_position(t, POSITION)[target, market]
    if held == 0 or keeper == target or equity >= required:
        return NOT_LIQUIDATABLE, 0
    lots = abs(held) if cap == 0 else min(abs(held), cap)
    if ticks > 0:
        value = ticks * vector(t, MULTIPLIER, t[MARKETS])[market]
        if lots > MAX_NOTIONAL // value:
            return BAD_LOTS, 0
    if breaks_isolation(t, keeper, market):
        return IS_ISOLATED, 0
    return 0, lots


@kernel
def keeper_quote(t, market, delta, ticks, close, equity):
    """``(signed quanta that the keeper pays, the least it may pay)`` for ``delta``.

    Its own price where it names one; else the oracle price less the fee, but no less
    than it may pay. Where the account's equity is gone it may pay the oracle price.
    """
    worth = -delta * vector(t, UNIT, t[MARKETS])[market]
    least = close if equity >= 0 else worth
    if ticks > 0:
        return -delta * ticks * vector(t, MULTIPLIER, t[MARKETS])[market], least
    fee = ppm_floor(abs(worth), parameters(t)[LIQUIDATION_FEE, market])
    return max(worth - fee, least), least


@kernel
def take_over(t, keeper, target, market, cap, ticks):
    """Runs one liquidation: ``(status, lots, absolute quanta the keeper paid)``."""
    reason, lots = check_takeover(t, keeper, target, market, cap, ticks)
    if reason != 0:
        return reason, 0, 0
    risk, held = account_risk(t, target), per_position(t, POSITION)[target, market]
    delta = -lots if held > 0 else lots
    close = bankruptcy_quote(t, market, held, delta, risk)
    quote, least = keeper_quote(t, market, delta, ticks, close, risk[0])
    if quote < least:
        return UNFAIR_PRICE, 0, 0
    missing = max(close - quote, 0)
    if missing > funds_of(t, INSURANCE)[fund_index(t, market)]:
        per_position(t, ADL_PENDING)[target, market] = 1
        return INSURANCE_EMPTY, 0, 0
    gain = max(-delta * vector(t, UNIT, t[MARKETS])[market] - quote, 0)
    share = gain - ppm_floor(gain, parameters(t)[REWARD, market])
    _move(t, keeper, market, -delta, -quote - share)
    if not _is_margined(t, keeper, market):
        _move(t, keeper, market, delta, quote + share)
        return MARGIN, 0, 0
    _move(t, keeper, market, delta, quote + share)
    _apply(t, keeper, target, market, delta, quote, missing, share)
    _report(t, gain, missing, abs(quote))
    return FILLED, lots, abs(quote)


@kernel
def _move(t, account, market, delta, quanta):
    per_position(t, POSITION)[account, market] += delta
    vector(t, COLLATERAL, t[ACCOUNTS])[account] += quanta


@kernel
def _is_margined(t, account, market):
    """Whether the account covers its position and all its orders at their worst."""
    exposure = worst_exposure(t, account, market, NOTHING, NOTHING)
    if exposure > MAX_NOTIONAL // vector(t, UNIT, t[MARKETS])[market]:
        return False
    return worst_case_slack(t, account, market, NOTHING, NOTHING) >= 0


@kernel
def _apply(t, keeper, target, market, delta, quote, missing, share):
    """Position and money change hands; the target's orders go."""
    collateral = vector(t, COLLATERAL, t[ACCOUNTS])
    cancel_all(t, target, ALL_MARKETS)
    # What the keeper paid for a lot, rounded down, is the entry value of its lots.
    value = abs(quote) // abs(delta)
    change_position(t, target, market, delta, value)
    change_position(t, keeper, market, -delta, value)
    collateral[target] += quote + missing
    collateral[keeper] -= quote + share
    funds_of(t, INSURANCE)[fund_index(t, market)] += share - missing


@kernel
def _report(t, gain, missing, quote):
    info = information(t)
    info[INFO_LIQUIDATION_FEES, 0] += gain
    info[INFO_INSURANCE_PAID, 0] += missing
    info[INFO_LIQUIDATIONS, 0] += 1
    info[INFO_LIQUIDATED, 0] += quote
