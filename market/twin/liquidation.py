"""Liquidation orders into the book, and their bill with the insurance fund.

An account below its maintenance margin is closed at no worse than the *fillable price*,
as far as the limits of a block allow. The fund pays what the fill leaves it below the
*bankruptcy price*, or takes a fee of what is above it. Where neither the book nor the
fund can bear the loss, the position is marked for deleveraging.

The formulas are written out here; their source, and proofs of the roundings, stand in
`market.rules.liquidation`.
"""

from fractions import Fraction
from math import ceil, floor

from market.numbers.units import PPM, ppm_floor
from market.twin.book import crosses, sweep, taken_side
from market.twin.fills import apply_events
from market.twin.lane import Fill, Lane, Liquidated, Order, RejectError, Tx
from market.twin.margin import (
    account_risk,
    least_equity,
    position_maintenance,
    with_position,
)
from market.twin.matching import cancel_all
from market.types.limits import MAX_TICKS
from market.types.orders import BUY, SELL, Status
from market.types.specs import Margin

#: Slot of an order that a liquidation sends; no order of an account's own has it.
NO_SLOT = -1


# --- the limits of a block -----------------------------------------------------------


def fund_budget(lane: Lane, target: int, market: int) -> int:
    """The most that the insurance fund may pay for a liquidation of the account now.

    What the market's fund holds and has not set aside, and what the limit of an account
    and block leaves.
    """
    fund = lane.spec.funds[market]
    paid = sum(done.paid for done in lane.liquidated if done.account == target)
    left = lane.params.liquidation_max_insurance - paid
    return min(lane.insurance[fund] - lane.set_aside[fund], left)


def liquidated_so_far(lane: Lane, target: int, market: int) -> tuple[bool, int]:
    """``(whether that position was, notional of the account)`` in this block."""
    done = [each for each in lane.liquidated if each.account == target]
    again = any(each.market == market for each in done)
    return again, sum(each.notional for each in done)


def note_liquidation(lane: Lane, target: int, market: int, lots: int, paid: int):
    """Remembers a liquidation for the limits of this block; the fund pays ``paid``."""
    notional = lots * lane.unit[market]
    lane.liquidated.append(Liquidated(target, market, notional, paid))


def liquidation_lots(lane: Lane, market: int, size: int, used: int, cap: int) -> int:
    """Lots to liquidate of a position of ``size``; 0 where the block's limit is used.

    The whole position if the limits allow, else what they buy, at least one lot.
    """
    params, unit = lane.params, lane.unit[market]
    allowed = params.liquidation_max_notional - used
    if allowed <= 0:
        return 0
    least = min(params.liquidation_min_notional, size * unit)
    portion = ppm_floor(size * unit, params.liquidation_max_portion_ppm)
    limit = min(max(least, portion), allowed)
    lots = size if size * unit <= limit else min(max(limit // unit, 1), size)
    return min(lots, cap) if cap > 0 else lots


# --- prices --------------------------------------------------------------------------


def fillable_ticks(lane: Lane, target: int, market: int) -> int:
    """Limit of the liquidation order: a sale rounds up, a purchase down.

    ``(PNNV - ABR * SMMR * PMMR) / PS`` with ``ABR = clamp(BA * (1 - TNC/TMMR), 0, 1)``.
    """
    risk, held = account_risk(lane, target), lane.position[target][market]
    adjustment = Fraction(lane.params.bankruptcy_adjustment_ppm, PPM)
    rating = adjustment * (1 - Fraction(risk.equity, risk.maintenance))
    rating = max(min(rating, Fraction(1)), Fraction(0))
    width = Fraction(lane.params.spread_to_maintenance_ppm, PPM)
    spread = rating * width * position_maintenance(lane, market, held)
    ticks = (held * lane.unit[market] - spread) / (held * lane.multiplier[market])
    return min(max(ceil(ticks) if held > 0 else floor(ticks), 1), MAX_TICKS)


def bankruptcy_quote(lane: Lane, account: int, market: int, delta: int) -> int:
    """Quanta that the account gets for ``delta`` lots at the bankruptcy price.

    By risk steps the least that keeps equity / requirement; by fractions the equity is
    shared among the positions by their requirements, the share floored.
    """
    risk, held = account_risk(lane, account), lane.position[account][market]
    notional = delta * lane.unit[market]
    if lane.spec.margin == Margin.RISK_STEPS:
        required = with_position(lane, account, market, delta, 0).required
        return least_equity(risk, required) - risk.equity - notional
    released = position_maintenance(lane, market, held)
    released -= position_maintenance(lane, market, held + delta)
    share = risk.equity * released // risk.maintenance if risk.maintenance else 0
    return -notional - share


# --- one liquidation -----------------------------------------------------------------


def dry_run(lane: Lane, order: Order) -> tuple[int, int]:
    """What an order would get that skips its own: ``(lots, quote)``."""
    filled, quote = 0, 0
    for maker in taken_side(lane.books[order.market], order.side):
        if crosses(order, maker) and maker.account != order.account:
            taken = min(order.lots - filled, maker.lots)
            filled += taken
            quote += taken * maker.ticks * lane.multiplier[order.market]
    return filled, quote


def check_target(lane: Lane, tx: Tx) -> Order:
    """Whether and how much may be liquidated: the order to send."""
    target, market = tx.slot, tx.market
    if lane.params.halted[market]:
        raise RejectError(Status.HALTED)
    if tx.lots < 0:
        raise RejectError(Status.BAD_LOTS)
    risk, held = account_risk(lane, target), lane.position[target][market]
    is_safe = risk.maintenance <= max(risk.equity, 0)
    if held == 0 or target == tx.account or is_safe:
        raise RejectError(Status.NOT_LIQUIDATABLE)
    again, used = liquidated_so_far(lane, target, market)
    lots = liquidation_lots(lane, market, abs(held), used, tx.lots)
    if again or lots == 0:
        raise RejectError(Status.ALREADY_LIQUIDATED)
    limit = fillable_ticks(lane, target, market)
    return liquidation_order(lane, target, market, limit, lots)


def liquidation_order(
    lane: Lane, target: int, market: int, limit: int, lots: int
) -> Order:
    """The order that closes lots of a position."""
    return Order(
        account=target,
        market=market,
        slot=NO_SLOT,
        side=SELL if lane.position[target][market] > 0 else BUY,
        ticks=limit,
        lots=lots,
        came=lane.block,
    )


def execute_liquidation(lane: Lane, order: Order) -> tuple[int, int]:
    """Sends the order, before which all the account's others go: ``(lots, quote)``.

    Makers pay their fee as usual, the liquidated account none.
    """
    cancel_all(lane, order.account)
    taken = sweep(lane.books[order.market], order, lane.spec.self_trade)
    return apply_events(lane, order, taken.events, taker_fee_ppm=0)


def apply_insurance(
    lane: Lane, liquidator: int, order: Order, gain: int, bankruptcy: int
) -> None:
    """Bills a fill that brought ``gain``: the fund pays the loss or takes the fee.

    The fund never pays more than it has; the caller saw to it that it need not, but for
    the rounding of a partial fill in an auction, which the account then bears.
    """
    fund, info = lane.spec.funds[order.market], lane.info
    delta = max(gain - bankruptcy, -lane.insurance[fund])
    delta = min(delta, ppm_floor(abs(gain), lane.params.liquidation_max_fee_ppm))
    reward = ppm_floor(max(delta, 0), lane.params.liquidator_reward_ppm)
    lane.collateral[order.account] -= delta
    lane.collateral[liquidator] += reward
    lane.insurance[fund] += delta - reward
    info.liquidation_fees += max(delta, 0)
    info.insurance_paid += max(-delta, 0)
    info.liquidations += 1
    info.liquidated_quote += abs(gain)


def liquidate(lane: Lane, tx: Tx) -> Fill:
    """Sends the target's position, or a part, into the book at the fillable price.

    Nothing changes on a reject, but that a loss which neither the book nor the fund can
    bear marks the position for deleveraging.
    """
    target, market, order = tx.slot, tx.market, check_target(lane, tx)
    size, (filled, quote) = order.lots, dry_run(lane, order)
    if filled == 0:
        if account_risk(lane, target).equity < 0:
            lane.adl_pending[target][market] = 1
        raise RejectError(Status.NOTHING_TO_TAKE)
    gain = -order.side * quote
    bankruptcy = bankruptcy_quote(lane, target, market, order.side * filled)
    paid = max(bankruptcy - gain, 0)
    if paid > 0 and paid > fund_budget(lane, target, market):
        lane.adl_pending[target][market] = 1
        raise RejectError(Status.INSURANCE_EMPTY)
    execute_liquidation(lane, order)
    apply_insurance(lane, tx.account, order, gain, bankruptcy)
    note_liquidation(lane, target, market, filled, paid)
    status = Status.FILLED if filled == size else Status.PARTIAL
    return Fill(status, filled, quote)
