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

from typing import NamedTuple

from market.kernels.admission import (
    BAD_LOTS,
    BAD_PRICE,
    IS_HALTED,
    IS_ISOLATED,
    breaks_isolation,
)
from market.kernels.engine import FILLED, OK
from market.kernels.fills import change_position
from market.kernels.lane import ALL_MARKETS, NOTHING, fund_of
from market.kernels.liquidation import (
    INSURANCE_EMPTY,
    NOT_LIQUIDATABLE,
    bankruptcy_quote,
)
from market.kernels.margin import account_risk, worst_case_slack, worst_exposure
from market.kernels.matching import MARGIN, cancel_all
from market.kernels.wide import ppm_floor
from market.native.ffi import kernel
from market.types.limits import MAX_NOTIONAL, MAX_TICKS
from market.types.orders import Status

UNFAIR_PRICE = int(Status.UNFAIR_PRICE)


class Deal(NamedTuple):
    """A position that changes hands; quanta."""

    keeper: int
    target: int
    market: int
    delta: int  # lots that the target gets, toward zero
    quote: int  # what the keeper pays the target, signed
    missing: int  # what the fund pays besides
    share: int  # what the keeper pays the fund


@kernel
def check_takeover(lane, keeper, target, market, cap, ticks):
    """Whether a position may be taken over, and how much of it: ``(reason, lots)``."""
    if lane.params.halted[market] != 0:
        return IS_HALTED, 0
    if cap < 0:
        return BAD_LOTS, 0
    if ticks < 0 or ticks > MAX_TICKS:
        return BAD_PRICE, 0
    risk, held = account_risk(lane, target), lane.position[target, market]
    if held == 0 or keeper == target or risk.equity >= risk.required:
        return NOT_LIQUIDATABLE, 0
    lots = abs(held) if cap == 0 else min(abs(held), cap)
    if ticks > 0 and lots > MAX_NOTIONAL // (ticks * lane.multiplier[market]):
        return BAD_LOTS, 0
    if breaks_isolation(lane, keeper, market):
        return IS_ISOLATED, 0
    return OK, lots


@kernel
def keeper_quote(lane, market, delta, ticks, close, equity):
    """``(signed quanta that the keeper pays, the least it may pay)`` for ``delta``.

    Its own price where it names one; else the oracle price less the fee, but no less
    than it may pay. Where the account's equity is gone it may pay the oracle price.
    """
    worth = -delta * lane.unit[market]
    least = close if equity >= 0 else worth
    if ticks > 0:
        return -delta * ticks * lane.multiplier[market], least
    fee = ppm_floor(abs(worth), lane.params.liquidation_max_fee_ppm[market])
    return max(worth - fee, least), least


@kernel
def take_over(lane, keeper, target, market, cap, ticks):
    """Runs one liquidation: ``(status, lots, absolute quanta the keeper paid)``."""
    reason, lots = check_takeover(lane, keeper, target, market, cap, ticks)
    if reason != OK:
        return reason, 0, 0
    risk, held = account_risk(lane, target), lane.position[target, market]
    delta = -lots if held > 0 else lots
    close = bankruptcy_quote(lane, market, held, delta, risk)
    quote, least = keeper_quote(lane, market, delta, ticks, close, risk.equity)
    if quote < least:
        return UNFAIR_PRICE, 0, 0
    missing = max(close - quote, 0)
    if missing > lane.insurance[fund_of(lane, market)]:
        lane.adl_pending[target, market] = 1
        return INSURANCE_EMPTY, 0, 0
    gain = max(-delta * lane.unit[market] - quote, 0)
    share = gain - ppm_floor(gain, lane.params.liquidator_reward_ppm[market])
    deal = Deal(keeper, target, market, delta, quote, missing, share)
    if not _is_margined_after(lane, deal):
        return MARGIN, 0, 0
    _apply(lane, deal)
    lane.info.liquidation_fees += gain
    lane.info.insurance_paid += missing
    lane.info.liquidations += 1
    lane.info.liquidated_quote += abs(quote)
    return FILLED, lots, abs(quote)


@kernel
def _is_margined_after(lane, deal):
    """Whether the keeper would cover its position and all its orders at their worst."""
    keeper, market = deal.keeper, deal.market
    paid = deal.quote + deal.share
    lane.position[keeper, market] -= deal.delta
    lane.collateral[keeper] -= paid
    exposure = worst_exposure(lane, keeper, market, NOTHING, NOTHING)
    slack = worst_case_slack(lane, keeper, market, NOTHING, NOTHING)
    lane.position[keeper, market] += deal.delta
    lane.collateral[keeper] += paid
    return exposure <= MAX_NOTIONAL // lane.unit[market] and slack >= 0


@kernel
def _apply(lane, deal):
    """Position and money change hands; the target's orders go."""
    keeper, target, market = deal.keeper, deal.target, deal.market
    cancel_all(lane, target, ALL_MARKETS)
    # What the keeper paid for a lot, rounded down, is the entry value of its lots.
    value = abs(deal.quote) // abs(deal.delta)
    change_position(lane, target, market, deal.delta, value)
    change_position(lane, keeper, market, -deal.delta, value)
    lane.collateral[target] += deal.quote + deal.missing
    lane.collateral[keeper] -= deal.quote + deal.share
    lane.insurance[fund_of(lane, market)] += deal.share - deal.missing
