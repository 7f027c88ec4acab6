"""Liquidation orders into the book, and their bill with the insurance fund.

The formulas, their sources and their roundings: `market.rules.liquidation`.
"""

from market.kernels.admission import BAD_LOTS, IS_HALTED
from market.kernels.book import crosses, taken_side
from market.kernels.engine import FILLED, OK, PARTIAL, sweep
from market.kernels.fills import apply_events
from market.kernels.lane import (
    ALL_MARKETS,
    NO_FEE,
    NO_SLOT,
    NOTHING,
    Order,
    fund_of,
    incoming,
)
from market.kernels.margin import (
    STEPS,
    account_risk,
    least_equity,
    position_maintenance,
    with_position,
)
from market.kernels.matching import cancel_all
from market.kernels.wide import (
    at_least,
    mul_add_div_floor,
    mul_div_floor,
    mul_div_rest,
    ppm_floor,
)
from market.native.ffi import kernel
from market.types.limits import MAX_TICKS
from market.types.orders import Flag, Status

IOC = int(Flag.IOC)
NOT_LIQUIDATABLE = int(Status.NOT_LIQUIDATABLE)
ALREADY_LIQUIDATED = int(Status.ALREADY_LIQUIDATED)
INSURANCE_EMPTY = int(Status.INSURANCE_EMPTY)
NOTHING_TO_TAKE = int(Status.NOTHING_TO_TAKE)
_PPM = 1_000_000


# --- the limits of a block ------------------------------------------------------------


@kernel
def fund_budget(lane, target, market):
    """The most that the insurance fund may pay for a liquidation of the account now.

    What the market's fund holds and has not set aside, and what the limit of an account
    and block leaves.
    """
    fund = fund_of(lane, market)
    free = lane.insurance[fund] - lane.set_aside[fund]
    left = lane.params.liquidation_max_insurance[market]
    for index in range(lane.noted_count):
        if lane.noted[index].target == target:
            left -= lane.noted[index].paid
    return min(free, left)


@kernel
def liquidated_so_far(lane, target, market):
    """``(whether that position was, notional of the account)`` in this block."""
    again, used = False, 0
    for index in range(lane.noted_count):
        earlier = lane.noted[index]
        if earlier.target == target:
            used += earlier.quote
            again = again or earlier.market == market
    return again, used


@kernel
def note_liquidation(lane, target, market, lots, paid):
    """Remembers a liquidation for the limits of this block; the fund pays ``paid``."""
    note = lane.noted[lane.noted_count]
    note.target, note.market = target, market
    note.quote, note.paid = lots * lane.unit[market], paid
    lane.noted_count += 1


@kernel
def liquidation_lots(lane, market, size, used, cap):
    """Lots to liquidate of a position of ``size``; 0 where the block's limit is used.

    The whole position if the limits allow, else what they buy, at least one lot.
    """
    params, unit = lane.params, lane.unit[market]
    notional = size * unit
    least = min(params.liquidation_min_notional[market], notional)
    portion = ppm_floor(notional, params.liquidation_max_portion_ppm[market])
    allowed = params.liquidation_max_notional[market] - used
    if allowed <= 0:
        return 0
    limit = min(max(least, portion), allowed)
    lots = size if notional <= limit else min(max(limit // unit, 1), size)
    return min(lots, cap) if cap > 0 else lots


# --- prices ---------------------------------------------------------------------------


@kernel
def fillable_spread(lane, market, required_here, equity, required):
    """``floor(ABR * SMMR * PMMR)``: quanta that a fill may be off the price."""
    adjustment = lane.params.bankruptcy_adjustment_ppm[market]
    width = lane.params.spread_to_maintenance_ppm[market]
    shortfall = min(max(required - max(equity, 0), 0), required)
    if at_least(adjustment, shortfall, _PPM, required):
        return ppm_floor(required_here, width)
    gain = adjustment * width
    quotient, rest = mul_div_rest(shortfall, required_here, required)
    inner = mul_div_floor(gain, rest, required)
    return mul_add_div_floor(gain, quotient, inner, _PPM * _PPM)


@kernel
def fillable_ticks(lane, market, held, equity, required):
    """Limit of the liquidation order: a sale rounds up, a purchase down."""
    price, multiplier = lane.price[market], lane.multiplier[market]
    required_here = position_maintenance(lane, market, held)
    spread = fillable_spread(lane, market, required_here, equity, required)
    # Notional is ticks of the price exactly, so rounding the spread down rounds both.
    offset = spread // (abs(held) * multiplier)
    return max(price - offset, 1) if held > 0 else min(price + offset, MAX_TICKS)


@kernel
def bankruptcy_quote(lane, market, held, delta, risk):
    """Quanta that the account gets for ``delta`` lots at the bankruptcy price.

    On StarkEx the least that keeps equity / requirement; elsewhere the position's part
    of the equity is shared by requirement.

    Args:
        lane: the lane.
        market: where.
        held: lots of the position, signed.
        delta: its change, toward zero.
        risk: the account's `Risk`.
    """
    notional = delta * lane.unit[market]
    if lane.margin == STEPS:
        required, excess = with_position(lane, risk, market, held, held + delta)
        return least_equity(risk, required, excess) - risk.equity - notional
    released = position_maintenance(lane, market, held)
    released -= position_maintenance(lane, market, held + delta)
    if risk.required <= 0:
        return -notional
    return -notional - mul_div_floor(risk.equity, released, risk.required)


# --- one liquidation ------------------------------------------------------------------


@kernel
def dry_run(lane, order):
    """What an order that skips its own would get: ``(lots, lots times ticks)``."""
    book, side = lane.book[order.market], taken_side(order.sign)
    first = order.account * lane.slots
    left, quote, index = order.lots, 0, book.count[side] - 1
    while index >= 0 and left > 0:
        ticks, owner = book.ticks[side, index], book.owner[side, index]
        if not crosses(side, ticks, order.limit):
            break
        if owner < first or owner >= first + lane.slots:
            taken = min(left, book.lots[side, index])
            quote += taken * ticks
            left -= taken
        index -= 1
    return order.lots - left, quote


@kernel
def check_target(lane, liquidator, target, market, cap):
    """Whether and how much may be liquidated: ``(reason, lots, limit)``."""
    if lane.params.halted[market] != 0:
        return IS_HALTED, 0, 0
    if cap < 0:
        return BAD_LOTS, 0, 0
    risk, held = account_risk(lane, target), lane.position[target, market]
    if held == 0 or liquidator == target or risk.required <= max(risk.equity, 0):
        return NOT_LIQUIDATABLE, 0, 0
    again, used = liquidated_so_far(lane, target, market)
    lots = 0 if again else liquidation_lots(lane, market, abs(held), used, cap)
    if lots == 0:
        return ALREADY_LIQUIDATED, 0, 0
    return OK, lots, fillable_ticks(lane, market, held, risk.equity, risk.required)


@kernel
def liquidation_order(lane, target, market, limit, lots, slot):
    """The order that takes lots off the target's position."""
    sign = -1 if lane.position[target, market] > 0 else 1
    return Order(target, market, sign, limit, lots, IOC, slot, NOTHING, NOTHING)


@kernel
def execute_liquidation(lane, order):
    """Runs a liquidation order, without fee: ``(lots, quote)`` filled.

    The account's own orders go first, so that it has none to meet.
    """
    account, market = order.account, order.market
    cancel_all(lane, account, ALL_MARKETS)
    book, taker = lane.book[market], incoming(lane, order)
    _, _, count, _ = sweep(book, taker, lane.event)
    return apply_events(lane, market, account, order.sign, count, NO_FEE)


@kernel
def apply_insurance(lane, liquidator, target, market, quote, bankruptcy):
    """Bills a fill that brought ``quote``: the fund pays the loss or takes the fee.

    The fund never pays more than it has; the caller saw to it that it need not, but for
    the rounding of a partial fill in a round, which the account then bears.
    """
    params, info, collateral = lane.params, lane.info, lane.collateral
    insurance, fund = lane.insurance, fund_of(lane, market)
    info.liquidations += 1
    info.liquidated_quote += abs(quote)
    delta = max(quote - bankruptcy, -insurance[fund])
    if delta <= 0:
        collateral[target] -= delta
        insurance[fund] += delta
        info.insurance_paid -= delta
        return
    fee = min(delta, ppm_floor(abs(quote), params.liquidation_max_fee_ppm[market]))
    reward = ppm_floor(fee, params.liquidator_reward_ppm[market])
    collateral[target] -= fee
    collateral[liquidator] += reward
    insurance[fund] += fee - reward
    info.liquidation_fees += fee


@kernel
def liquidate(lane, liquidator, target, market, cap):
    """Sends the target's position, or a part, into the book at the fillable price.

    Nothing changes on a reject, but that a loss which neither the book nor the fund can
    bear marks the position for deleveraging.

    Returns:
        ``(status, filled lots, filled quote)``.
    """
    reason, lots, limit = check_target(lane, liquidator, target, market, cap)
    if reason != OK:
        return reason, 0, 0
    risk, held = account_risk(lane, target), lane.position[target, market]
    order = liquidation_order(lane, target, market, limit, lots, NO_SLOT)
    filled, lot_ticks = dry_run(lane, order)
    if filled == 0:
        if risk.equity < 0:
            lane.adl_pending[target, market] = 1
        return NOTHING_TO_TAKE, 0, 0
    quote = -order.sign * lot_ticks * lane.multiplier[market]
    bankruptcy = bankruptcy_quote(lane, market, held, order.sign * filled, risk)
    paid = max(bankruptcy - quote, 0)
    if paid > 0 and paid > fund_budget(lane, target, market):
        lane.adl_pending[target, market] = 1
        return INSURANCE_EMPTY, 0, 0
    execute_liquidation(lane, order)
    apply_insurance(lane, liquidator, target, market, quote, bankruptcy)
    note_liquidation(lane, target, market, filled, paid)
    return FILLED if filled == lots else PARTIAL, filled, abs(quote)
