"""A round of the auction: orders that wait for the price of their block.

Every order is admitted in sequence as in continuous matching, without meeting a book:
it reserves as if it rested. Until the round closes its account may take it back, whole
or in part, as if it rested: what was sent last counts, and what was taken back reserves
nothing and is no part of the price. A fill-or-kill order is rejected, because a sealed
round can promise nobody a whole fill; post-only asks for nothing, because nobody takes.
A reduce-only order may take what the account's other orders of its side leave of the
position. A liquidation drops all the target's orders, cannot be taken back, and waits
at a limit at which the insurance fund can bear its whole size.

Source: Budish, Cramton and Shim, "The High-Frequency Trading Arms Race", Quarterly
Journal of Economics 130 (2015), section VII: orders may be changed and withdrawn at any
time of the interval.
"""

from market.twin.admission import (
    breaks_isolation,
    can_afford,
    check_order,
    has_too_many,
    reducible_lots,
    worst_loss,
)
from market.twin.book import find
from market.twin.lane import (
    IMMEDIATE,
    Fill,
    Lane,
    Order,
    RejectError,
    Tx,
    Waiting,
    open_lots,
)
from market.twin.liquidation import (
    bankruptcy_quote,
    check_target,
    fund_budget,
    note_liquidation,
)
from market.twin.matching import cancel, cancel_all, reduce
from market.types.limits import MAX_TICKS
from market.types.orders import SELL, Flag, Status


def find_waiting(lane: Lane, account: int, market: int, slot: int) -> Waiting | None:
    """The order of that name that waits."""
    name = account, market, slot
    for each in lane.waiting:
        order = each.order
        if order.lots > 0 and (order.account, order.market, order.slot) == name:
            return each
    return None


def is_crowded(lane: Lane, account: int, market: int) -> bool:
    """Whether the account or the market has as many orders as it may have."""
    waiting = [each for each in lane.waiting if each.may_rest]
    orders = [each.order for each in waiting if each.order.lots > 0]
    own = sum(order.account == account for order in orders)
    here = sum(order.market == market for order in orders)
    return has_too_many(lane, account, market, own, here)


def reducible_by_all(lane: Lane, tx: Tx) -> int:
    """Lots of a reduce-only order that its other orders of that side leave."""
    held = abs(lane.position[tx.account][tx.market])
    left = held - open_lots(lane, tx.account, tx.market, tx.side)
    return max(min(reducible_lots(lane, tx), left), 0)


def append(
    lane: Lane, index: int, order: Order, flags: int = 0, liquidator: int | None = None
) -> Fill:
    """Lets the order of transaction ``index`` wait; the clearing makes its fill."""
    waiting = Waiting(
        order=order, index=index, size=order.lots, flags=flags, liquidator=liquidator
    )
    lane.waiting.append(waiting)
    return Fill(Status.NONE)


def admit_order(lane: Lane, index: int, tx: Tx) -> Fill:
    """Every check of an order; then it waits."""
    limit = check_order(lane, tx)
    if breaks_isolation(lane, tx.account, tx.market):
        raise RejectError(Status.ISOLATED)
    lots = reducible_by_all(lane, tx) if tx.flags & Flag.REDUCE_ONLY else tx.lots
    if lots == 0:
        raise RejectError(Status.WOULD_INCREASE)
    is_resting = find(lane.books[tx.market], tx.account, tx.slot)
    if is_resting or find_waiting(lane, tx.account, tx.market, tx.slot):
        raise RejectError(Status.SLOT_BUSY)
    if not tx.flags & IMMEDIATE and is_crowded(lane, tx.account, tx.market):
        raise RejectError(Status.TOO_MANY_ORDERS)
    if tx.flags & Flag.FOK:
        raise RejectError(Status.CANNOT_FILL)
    order = Order(
        account=tx.account,
        market=tx.market,
        slot=tx.slot,
        side=tx.side,
        ticks=limit,
        lots=lots,
        loss=worst_loss(lane, tx.market, tx.side, limit),
        expiry=tx.expiry_block,
        came=lane.block,
    )
    if not can_afford(lane, order):
        raise RejectError(Status.MARGIN)
    return append(lane, index, order, flags=tx.flags)


# --- what is taken back --------------------------------------------------------------


def cancel_in_round(lane: Lane, account: int, market: int, slot: int) -> bool:
    """Takes an order back, whether it rests or waits; False where there is none."""
    waiting = find_waiting(lane, account, market, slot)
    if waiting is None:
        return cancel(lane.books[market], account, slot) > 0
    drop(waiting)
    return True


def reduce_in_round(lane: Lane, account: int, market: int, slot: int, lots: int):
    """Takes lots off an order that rests or waits; the last lot takes it away."""
    waiting = find_waiting(lane, account, market, slot)
    if waiting is None:
        reduce(lane.books[market], account, slot, lots)
    elif not 1 <= lots <= waiting.order.lots:
        raise RejectError(Status.BAD_LOTS)
    else:
        waiting.order.lots -= lots
        waiting.size -= lots


def cancel_all_in_round(lane: Lane, account: int, market: int = -1) -> None:
    """Takes back all orders of the account in one market, or in all if it is -1."""
    cancel_all(lane, account, market)
    for each in lane.waiting:
        if each.order.account == account and each.liquidator is None:
            if market in (-1, each.order.market):
                drop(each)


def drop(waiting: Waiting) -> None:
    """Leaves nothing of a waiting order."""
    waiting.order.lots = waiting.size = 0


# --- liquidations --------------------------------------------------------------------


def affordable_limit(lane: Lane, order: Order) -> tuple[int, int]:
    """The limit at which the fund can still bear the whole size: ``(limit, quanta)``.

    The quanta are what the fund may have to pay at that limit. A limit of 0 says that
    no price is good enough.
    """
    target, market, delta = order.account, order.market, order.side * order.lots
    bankruptcy = bankruptcy_quote(lane, target, market, delta)
    fund, value = (
        fund_budget(lane, target, market),
        order.lots * lane.multiplier[market],
    )
    if order.side == SELL:
        limit = max(order.ticks, -(-(bankruptcy - fund) // value))
    else:
        limit = min(order.ticks, (fund - bankruptcy) // value)
    if not 1 <= limit <= MAX_TICKS:
        return 0, 0
    return limit, max(bankruptcy + order.side * limit * value, 0)


def admit_liquidation(lane: Lane, index: int, tx: Tx) -> Fill:
    """Every check of a liquidation; then its order waits."""
    target, market, order = tx.slot, tx.market, check_target(lane, tx)
    order.ticks, paid = affordable_limit(lane, order)
    if order.ticks == 0:
        lane.adl_pending[target][market] = 1
        raise RejectError(Status.INSURANCE_EMPTY)
    lane.set_aside[lane.spec.funds[market]] += paid
    cancel_all_in_round(lane, target)
    note_liquidation(lane, target, market, order.lots, paid)
    return append(lane, index, order, liquidator=tx.account)


def drop_reductions(lane: Lane, account: int, market: int = -1) -> None:
    """Drops the waiting reduce-only orders of who was handed a position.

    That is a keeper, in one market, or the vault, in all of them (-1).
    """
    for each in lane.waiting:
        if each.order.account == account and each.flags & Flag.REDUCE_ONLY:
            if market in (-1, each.order.market):
                drop(each)
