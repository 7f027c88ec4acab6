"""Takeovers after StarkEx: a keeper takes a position over, margin and all.

A keeper names an account below its maintenance margin, a market, and perhaps a price.
The position changes hands without the book. The keeper pays its price, or the oracle
price less a fee, but no less than keeps the account's ratio of equity to requirement
(`bankruptcy_quote`): the chain would not prove less. What it gains on the oracle price
it shares with the fund. Where the account's equity is gone the keeper may pay the
oracle price, and the fund pays what is missing; if it cannot, the position is marked
for deleveraging.

The ratio is StarkEx's: `market.venues.starkex.liquidation`.
"""

from market.numbers.units import ppm_floor
from market.twin.admission import breaks_isolation
from market.twin.fills import change_position
from market.twin.lane import Fill, Lane, RejectError, Tx
from market.twin.liquidation import bankruptcy_quote
from market.twin.margin import (
    account_risk,
    worst_case_slack,
    worst_exposure,
)
from market.twin.matching import cancel_all
from market.types.limits import MAX_NOTIONAL, MAX_TICKS
from market.types.orders import Status


def check_takeover(lane: Lane, tx: Tx) -> int:
    """Whether a position may be taken over; signed lots by which it changes."""
    keeper, target, market = tx.account, tx.slot, tx.market
    if lane.params.halted[market]:
        raise RejectError(Status.HALTED)
    if tx.lots < 0:
        raise RejectError(Status.BAD_LOTS)
    if not 0 <= tx.ticks <= MAX_TICKS:
        raise RejectError(Status.BAD_PRICE)
    risk, held = account_risk(lane, target), lane.position[target][market]
    if held == 0 or keeper == target or risk.maintenance <= risk.equity:
        raise RejectError(Status.NOT_LIQUIDATABLE)
    lots = min(abs(held), tx.lots or abs(held))
    if lots * tx.ticks * lane.multiplier[market] > MAX_NOTIONAL:
        raise RejectError(Status.BAD_LOTS)
    if breaks_isolation(lane, keeper, market):
        raise RejectError(Status.ISOLATED)
    return -lots if held > 0 else lots


def keeper_quote(lane: Lane, tx: Tx, delta: int, close: int) -> int:
    """Signed quanta that the keeper pays for ``delta`` lots of the target.

    Its own price where it names one; else the oracle price less the fee, but no less
    than it may pay. Where the account's equity is gone it may pay the oracle price.
    """
    worth = -delta * lane.unit[tx.market]
    least = close if account_risk(lane, tx.slot).equity >= 0 else worth
    if tx.ticks == 0:
        fee = ppm_floor(abs(worth), lane.params.liquidation_max_fee_ppm)
        return max(worth - fee, least)
    quote = -delta * tx.ticks * lane.multiplier[tx.market]
    if quote < least:
        raise RejectError(Status.UNFAIR_PRICE)
    return quote


def take_over(lane: Lane, tx: Tx) -> Fill:
    """Runs one takeover; it fills whole or is rejected."""
    keeper, target, market = tx.account, tx.slot, tx.market
    fund, delta = lane.spec.funds[market], check_takeover(lane, tx)
    close = bankruptcy_quote(lane, target, market, delta)
    quote = keeper_quote(lane, tx, delta, close)
    missing = max(close - quote, 0)
    if missing > lane.insurance[fund]:
        lane.adl_pending[target][market] = 1
        raise RejectError(Status.INSURANCE_EMPTY)
    gain = max(-delta * lane.unit[market] - quote, 0)
    share = gain - ppm_floor(gain, lane.params.liquidator_reward_ppm)
    if not _would_be_margined(lane, keeper, market, -delta, -quote - share):
        raise RejectError(Status.MARGIN)
    cancel_all(lane, target)
    # What the keeper paid for a lot, rounded down, is the entry value of its lots.
    value = abs(quote) // abs(delta)
    change_position(lane, target, market, delta, value)
    change_position(lane, keeper, market, -delta, value)
    lane.collateral[target] += quote + missing
    lane.collateral[keeper] -= quote + share
    lane.insurance[fund] += share - missing
    lane.info.liquidation_fees += gain
    lane.info.insurance_paid += missing
    lane.info.liquidations += 1
    lane.info.liquidated_quote += abs(quote)
    return Fill(Status.FILLED, abs(delta), abs(quote))


def _would_be_margined(
    lane: Lane, keeper: int, market: int, delta: int, quanta: int
) -> bool:
    """Whether the keeper covers what it takes and all its orders at their worst."""
    lane.position[keeper][market] += delta
    lane.collateral[keeper] += quanta
    most = worst_exposure(lane, keeper, market) * lane.unit[market]
    is_margined = worst_case_slack(lane, keeper) >= 0 and most <= MAX_NOTIONAL
    lane.position[keeper][market] -= delta
    lane.collateral[keeper] -= quanta
    return is_margined
