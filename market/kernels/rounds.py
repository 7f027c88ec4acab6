"""Admission in auction mode: orders and liquidations wait for the clearing.

The cancels of a block come first and all take effect on the orders that rest from
earlier blocks. Then the rest is admitted in sequence, each reserving what its worst
fill would cost, as if it rested. A fill-or-kill order is rejected, because a sealed
round can promise nobody a whole fill; post-only asks for nothing, because nobody takes.
"""

from market.kernels.admission import (
    FOK,
    IMMEDIATE,
    IS_ISOLATED,
    OK,
    REDUCE_ONLY,
    WOULD_INCREASE,
    breaks_isolation,
    can_afford,
    check_order,
    has_too_many,
    worst_loss,
)
from market.kernels.book import resting_side
from market.kernels.fills import reserve
from market.kernels.lane import (
    ADL_PENDING,
    ALL_MARKETS,
    MARKETS,
    MESSAGES,
    MULTIPLIER,
    NO_SLOT,
    NOTHING,
    POSITION,
    ROUND,
    SET_ASIDE,
    WAITING,
    fund_index,
    funds_of,
    matrix,
    open_lots_of,
    per_position,
    vector,
)
from market.kernels.liquidation import (
    INSURANCE_EMPTY,
    bankruptcy_quote,
    check_target,
    fund_budget,
    note_liquidation,
)
from market.kernels.margin import account_risk
from market.kernels.matching import (
    CANNOT_FILL,
    MARGIN,
    SLOT_BUSY,
    TOO_MANY_ORDERS,
    cancel_all,
    place_of,
)
from market.native.ffi import kernel
from market.types.limits import MAX_TICKS

# Columns of a waiting order.
INDEX, MARKET, ACCOUNT, SIGN, LIMIT, SIZE, FLAGS, SLOT, EXPIRY, LOSS = range(10)
LIQUIDATOR = 10  # who sent the liquidation, -1 for an order of the account's own
GOT = 11  # lots filled
WIDTH = 12


@kernel
def round_of(t):
    """The orders that wait for the clearing, in sequence."""
    return matrix(t, ROUND, t[MESSAGES], WIDTH)


@kernel
def waits(t, account, market, slot):
    """Whether an order of that name waits in the round."""
    waiting = round_of(t)
    for row in range(t[WAITING]):
        if waiting[row, ACCOUNT] == account and waiting[row, MARKET] == market:
            if waiting[row, SLOT] == slot and waiting[row, SIZE] > 0:
                return True
    return False


@kernel
def is_crowded(t, account, market):
    """Whether the account or the market has as many orders as it may have."""
    waiting, own, here = round_of(t), 0, 0
    for row in range(t[WAITING]):
        order = waiting[row]
        if order[SIZE] > 0 and order[LIQUIDATOR] < 0 and order[FLAGS] & IMMEDIATE == 0:
            own += order[ACCOUNT] == account
            here += order[MARKET] == market
    return has_too_many(t, account, market, own, here)


@kernel
def reducible_by_all(t, account, market, sign, lots):
    """Lots of a reduce-only order that its other orders of that side leave."""
    held = per_position(t, POSITION)[account, market]
    if held == 0 or (held > 0) == (sign > 0):
        return 0
    open_lots = open_lots_of(t)[account, market, resting_side(sign)]
    return max(min(lots, abs(held) - open_lots), 0)


@kernel
def append(t, index, market, account, sign, limit, lots, flags, slot, expiry, loss):
    """Adds an order to the round and reserves for it; returns its row."""
    row = t[WAITING]
    order = round_of(t)[row]
    order[INDEX], order[MARKET], order[ACCOUNT] = index, market, account
    order[SIGN], order[LIMIT], order[SIZE] = sign, limit, lots
    order[FLAGS], order[SLOT], order[EXPIRY] = flags, slot, expiry
    order[LOSS], order[LIQUIDATOR], order[GOT] = loss, -1, 0
    t[WAITING] = row + 1
    reserve(t, account, market, resting_side(sign), lots, loss)
    return row


@kernel
def admit_order(t, index, account, market, sign, ticks, lots, flags, slot, expiry):
    """Every check of an order; `OK` and a row in the round, or the reason."""
    reason, limit = check_order(t, market, sign, ticks, lots, flags)
    if reason != OK:
        return reason
    if breaks_isolation(t, account, market):
        return IS_ISOLATED
    if flags & REDUCE_ONLY != 0:
        lots = reducible_by_all(t, account, market, sign, lots)
        if lots == 0:
            return WOULD_INCREASE
    if place_of(t, account, market, slot)[1] >= 0 or waits(t, account, market, slot):
        return SLOT_BUSY
    if flags & IMMEDIATE == 0 and is_crowded(t, account, market):
        return TOO_MANY_ORDERS
    if flags & FOK != 0:
        return CANNOT_FILL
    loss = worst_loss(t, market, sign, limit)
    if not can_afford(t, account, market, sign, lots, limit, loss):
        return MARGIN
    append(t, index, market, account, sign, limit, lots, flags, slot, expiry, loss)
    return OK


@kernel
def affordable_limit(t, target, market, sign, lots, limit):
    """The limit at which the fund can still bear the whole size: ``(limit, quanta)``.

    The quanta are what the fund may have to pay at that limit; they are set aside. A
    limit of 0 says that no price is good enough.
    """
    held, risk = per_position(t, POSITION)[target, market], account_risk(t, target)
    bankruptcy = bankruptcy_quote(t, market, held, sign * lots, risk)
    fund = fund_budget(t, target, market)
    value = lots * vector(t, MULTIPLIER, t[MARKETS])[market]
    if sign < 0:
        limit = max(limit, -((fund - bankruptcy) // value))
    else:
        limit = min(limit, (fund - bankruptcy) // value)
    if limit < 1 or limit > MAX_TICKS:
        return 0, 0
    return limit, max(bankruptcy + sign * limit * value, 0)


@kernel
def drop_waiting(t, account):
    """Drops the waiting orders of an account that is liquidated."""
    waiting = round_of(t)
    for row in range(t[WAITING]):
        if waiting[row, ACCOUNT] == account and waiting[row, LIQUIDATOR] < 0:
            side, lots = resting_side(waiting[row, SIGN]), waiting[row, SIZE]
            reserve(t, account, waiting[row, MARKET], side, -lots, waiting[row, LOSS])
            waiting[row, SIZE] = 0


@kernel
def drop_reductions(t, account, market):
    """Drops the waiting reduce-only orders of a keeper whose position has changed."""
    waiting = round_of(t)
    for row in range(t[WAITING]):
        order = waiting[row]
        if order[ACCOUNT] == account and order[MARKET] == market:
            if order[FLAGS] & REDUCE_ONLY != 0:
                side = resting_side(order[SIGN])
                reserve(t, account, market, side, -order[SIZE], order[LOSS])
                order[SIZE] = 0


@kernel
def admit_liquidation(t, index, liquidator, target, market, cap):
    """Every check of a liquidation; `OK` and a row in the round, or the reason."""
    reason, lots, limit = check_target(t, liquidator, target, market, cap)
    if reason != OK:
        return reason
    sign = -1 if per_position(t, POSITION)[target, market] > 0 else 1
    limit, fund = affordable_limit(t, target, market, sign, lots, limit)
    if limit == 0:
        per_position(t, ADL_PENDING)[target, market] = 1
        return INSURANCE_EMPTY
    funds_of(t, SET_ASIDE)[fund_index(t, market)] += fund
    cancel_all(t, target, ALL_MARKETS)
    drop_waiting(t, target)
    note_liquidation(t, target, market, lots, fund)
    row = append(
        t, index, market, target, sign, limit, lots, NOTHING, NO_SLOT, NOTHING, NOTHING
    )
    round_of(t)[row, LIQUIDATOR] = liquidator
    return OK
