"""Admission in auction mode: orders and liquidations wait for the clearing.

They are admitted in sequence, each reserving what its worst fill would cost, as if it
rested. Until the round closes an account may take its orders back, whole or in part; a
liquidation stays. The rules, and their source: `market.twin.rounds`.
"""

from market.kernels.admission import (
    BAD_LOTS,
    IS_ISOLATED,
    REDUCE_ONLY,
    WOULD_INCREASE,
    breaks_isolation,
    can_afford,
    check_order,
    has_too_many,
    worst_loss,
)
from market.kernels.book import resting_side
from market.kernels.engine import CANNOT_FILL, FOK, OK
from market.kernels.fills import reserve
from market.kernels.lane import ALL_MARKETS, NO_SLOT, fund_of, order_of
from market.kernels.liquidation import (
    INSURANCE_EMPTY,
    bankruptcy_quote,
    check_target,
    fund_budget,
    liquidation_order,
    note_liquidation,
)
from market.kernels.margin import account_risk
from market.kernels.matching import (
    ACCEPTED,
    MARGIN,
    SLOT_BUSY,
    TOO_MANY_ORDERS,
    cancel,
    cancel_all,
    place_of,
    reduce,
)
from market.native.ffi import kernel
from market.types.limits import MAX_TICKS
from market.types.orders import IMMEDIATE


@kernel
def find_waiting(lane, account, market, slot):
    """Row of the order of that name that waits in the round, or -1."""
    open_lots = lane.open_lots
    if open_lots[account, market, 0] + open_lots[account, market, 1] == 0:
        return -1
    for row in range(lane.waiting_count):
        order = lane.waiting[row]
        if order.account == account and order.market == market:
            if order.slot == slot and order.lots > 0:
                return row
    return -1


@kernel
def is_crowded(lane, account, market):
    """Whether the account or the market has as many orders as it may have."""
    own, here = 0, 0
    for row in range(lane.waiting_count):
        order = lane.waiting[row]
        if order.lots > 0 and order.liquidator < 0 and order.flags & IMMEDIATE == 0:
            own += order.account == account
            here += order.market == market
    return has_too_many(lane, account, market, own, here)


@kernel
def reducible_by_all(lane, account, market, sign, lots):
    """Lots of a reduce-only order that its other orders of that side leave."""
    held = lane.position[account, market]
    if held == 0 or (held > 0) == (sign > 0):
        return 0
    open_lots = lane.open_lots[account, market, resting_side(sign)]
    return max(min(lots, abs(held) - open_lots), 0)


@kernel
def append(lane, index, order):
    """Adds the order of a transaction to the round and reserves for it."""
    place = lane.waiting[lane.waiting_count]
    place.index, place.market, place.account = index, order.market, order.account
    place.sign, place.limit, place.lots = order.sign, order.limit, order.lots
    place.flags, place.slot, place.expiry = order.flags, order.slot, order.expiry
    place.loss, place.liquidator = order.loss, -1
    place.filled, place.prevented = 0, 0
    lane.waiting_count += 1
    side = resting_side(order.sign)
    reserve(lane, order.account, order.market, side, order.lots, order.loss)
    return place


@kernel
def admit_order(lane, index, tx):
    """Every check of an order; `OK` and a place in the round, or the reason."""
    reason, limit = check_order(lane, tx)
    if reason != OK:
        return reason
    account, market, lots, slot = tx.account, tx.market, tx.lots, tx.slot
    if breaks_isolation(lane, account, market):
        return IS_ISOLATED
    if tx.flags & REDUCE_ONLY != 0:
        lots = reducible_by_all(lane, account, market, tx.sign, lots)
        if lots == 0:
            return WOULD_INCREASE
    is_resting = place_of(lane, account, market, slot)[1] >= 0
    if is_resting or find_waiting(lane, account, market, slot) >= 0:
        return SLOT_BUSY
    if tx.flags & IMMEDIATE == 0 and is_crowded(lane, account, market):
        return TOO_MANY_ORDERS
    if tx.flags & FOK != 0:
        return CANNOT_FILL
    order = order_of(tx, limit, lots, worst_loss(lane, tx.market, tx.sign, limit))
    if not can_afford(lane, order):
        return MARGIN
    append(lane, index, order)
    return OK


# --- what is taken back ---------------------------------------------------------------


@kernel
def cancel_in_round(lane, account, market, slot):
    """Takes an order back, whether it rests or waits."""
    row = find_waiting(lane, account, market, slot)
    if row < 0:
        return cancel(lane, account, market, slot)
    drop(lane, lane.waiting[row])
    return ACCEPTED


@kernel
def reduce_in_round(lane, account, market, slot, lots):
    """Takes lots off an order that rests or waits; the last lot takes it away."""
    row = find_waiting(lane, account, market, slot)
    if row < 0:
        return reduce(lane, account, market, slot, lots)
    order = lane.waiting[row]
    if lots < 1 or lots > order.lots:
        return BAD_LOTS
    reserve(lane, account, market, resting_side(order.sign), -lots, order.loss)
    order.lots -= lots
    return ACCEPTED


@kernel
def cancel_all_in_round(lane, account, market):
    """Takes back all orders of the account in one market, or in all if it is -1."""
    cancel_all(lane, account, market)
    for row in range(lane.waiting_count):
        order = lane.waiting[row]
        if order.account == account and order.liquidator < 0:
            if market == -1 or order.market == market:
                drop(lane, order)
    return ACCEPTED


@kernel
def drop(lane, order):
    """Leaves nothing of a waiting order and frees what it reserved."""
    side, lots = resting_side(order.sign), order.lots
    reserve(lane, order.account, order.market, side, -lots, order.loss)
    order.lots = 0


# --- liquidations ---------------------------------------------------------------------


@kernel
def affordable_limit(lane, target, market, lots, limit):
    """The limit at which the fund can still bear the whole size: ``(limit, quanta)``.

    The quanta are what the fund may have to pay at that limit; they are set aside. A
    limit of 0 says that no price is good enough.
    """
    held, risk = lane.position[target, market], account_risk(lane, target)
    sign = -1 if held > 0 else 1
    bankruptcy = bankruptcy_quote(lane, market, held, sign * lots, risk)
    fund, value = fund_budget(lane, target, market), lots * lane.multiplier[market]
    if sign < 0:
        limit = max(limit, -((fund - bankruptcy) // value))
    else:
        limit = min(limit, (fund - bankruptcy) // value)
    if limit < 1 or limit > MAX_TICKS:
        return 0, 0
    return limit, max(bankruptcy + sign * limit * value, 0)


@kernel
def drop_reductions(lane, account, market):
    """Drops the waiting reduce-only orders of who was handed a position.

    That is a keeper, in one market, or the vault, in all of them (-1).
    """
    for row in range(lane.waiting_count):
        order = lane.waiting[row]
        if order.account == account and order.flags & REDUCE_ONLY != 0:
            if market == -1 or order.market == market:
                drop(lane, order)


@kernel
def admit_liquidation(lane, index, liquidator, target, market, cap):
    """Every check of a liquidation; `OK` and a place in the round, or the reason."""
    reason, lots, limit = check_target(lane, liquidator, target, market, cap)
    if reason != OK:
        return reason
    limit, fund = affordable_limit(lane, target, market, lots, limit)
    if limit == 0:
        lane.adl_pending[target, market] = 1
        return INSURANCE_EMPTY
    lane.set_aside[fund_of(lane, market)] += fund
    order = liquidation_order(lane, target, market, limit, lots, NO_SLOT)
    cancel_all_in_round(lane, target, ALL_MARKETS)
    note_liquidation(lane, target, market, lots, fund)
    append(lane, index, order).liquidator = liquidator
    return OK
