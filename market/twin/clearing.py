"""Clearing a round: what trades at the uniform price, and what becomes of the rest.

Price and rationing are `market.twin.auction`'s. Where an account would trade with
itself the price is found anew without that (`market.twin.prevention`). Orders that rest
from earlier blocks and post-only orders pay the maker's fee, the others of the round
the taker's, liquidations none.
"""

from market.twin import auction
from market.twin.book import drop_empty, insert
from market.twin.fills import record_fill, trade
from market.twin.lane import Fill, Lane, Order, Waiting
from market.twin.liquidation import apply_insurance, bankruptcy_quote
from market.twin.margin import account_equity
from market.twin.prevention import prevent_self_trades
from market.twin.staged import PART_SLOT, note_staged_fill, start_cooldown
from market.types.orders import BUY, Flag, Status
from market.types.specs import Liquidation, SelfTrade


def clear(lane: Lane, fills: list[Fill]) -> None:
    """Clears every market, then deals with what is left, in sequence.

    Args:
        lane: the exchange.
        fills: by transaction of the block; those of orders that waited are set.
    """
    for market in lane.markets:
        clear_market(lane, market)
    waiting, lane.waiting = lane.waiting, []
    for each in waiting:
        if each.liquidator is None:
            status = finish_order(lane, each)
        else:
            status = finish_liquidation(lane, each)
        fills[each.index] = Fill(status, each.filled, each.quote)


def clear_market(lane: Lane, market: int) -> None:
    """Finds the price of one market and applies the fills at it.

    The fills come in the order bids, asks, round, each by its priority.
    """
    book = lane.books[market]
    resting = [*book.bids, *book.asks]
    waiting = [each for each in lane.waiting if each.order.market == market]
    orders = [*resting, *(each.order for each in waiting)]
    ticks, _, filled = auction.clear(orders)
    while prevent_self_trades(orders, filled, lane.spec.self_trade):
        ticks, _, filled = auction.clear(orders)
    for order, lots in zip(resting, filled[: len(resting)], strict=True):
        apply_resting(lane, order, lots, ticks)
    for each, lots in zip(waiting, filled[len(resting) :], strict=True):
        apply_waiting(lane, each, lots, ticks)
    drop_empty(book)


def apply_resting(lane: Lane, order: Order, lots: int, ticks: int) -> None:
    """Fills lots of an order of the book."""
    _apply(lane, order, lots, ticks, lane.params.maker_fee_ppm)


def apply_waiting(lane: Lane, waiting: Waiting, lots: int, ticks: int) -> None:
    """Fills lots of an order of the round."""
    order, liquidator, params = waiting.order, waiting.liquidator, lane.params
    waiting.filled = lots
    waiting.quote = lots * ticks * lane.multiplier[order.market]
    if liquidator is None:
        takes = not waiting.flags & Flag.POST_ONLY
        fee_ppm = params.taker_fee_ppm if takes else params.maker_fee_ppm
        _apply(lane, order, lots, ticks, fee_ppm)
    elif lots > 0 and lane.spec.liquidation == Liquidation.STAGES:
        _apply(lane, order, lots, ticks, fee_ppm=0)
        note_staged_fill(lane, waiting.quote)
    elif lots > 0:
        bankruptcy = bankruptcy_quote(
            lane, order.account, order.market, order.side * lots
        )
        _apply(lane, order, lots, ticks, fee_ppm=0)
        gain = -order.side * waiting.quote
        apply_insurance(lane, liquidator, order, gain, bankruptcy)


def _apply(lane: Lane, order: Order, lots: int, ticks: int, fee_ppm: int) -> None:
    """One side of a fill; the buyers' are those that are counted."""
    if lots == 0:
        return
    order.lots -= lots
    value = ticks * lane.multiplier[order.market]
    trade(lane, order.account, order.market, order.side * lots, value, fee_ppm)
    if order.side == BUY:
        record_fill(lane, order.market, ticks, lots)


def finish_liquidation(lane: Lane, waiting: Waiting) -> Status:
    """What became of a liquidation; nothing of it rests."""
    order = waiting.order
    if waiting.filled == 0:
        if account_equity(lane, order.account) < 0:
            lane.adl_pending[order.account][order.market] = 1
        return Status.NOTHING_TO_TAKE
    if order.slot == PART_SLOT:
        start_cooldown(lane, order.account)
    return Status.FILLED if order.lots == 0 else Status.PARTIAL


def finish_order(lane: Lane, waiting: Waiting) -> Status:
    """Rests or drops what is left of an order."""
    order = waiting.order
    if waiting.size == 0:
        return Status.CANCELLED
    if waiting.filled == waiting.size:
        return Status.FILLED
    if (
        order.lots == waiting.filled == 0
        and lane.spec.self_trade != SelfTrade.DECREMENT
    ):
        return Status.SELF_TRADE
    if order.lots == 0 or not waiting.may_rest:
        return Status.PARTIAL
    if insert(lane.books[order.market], order):
        return Status.RESTING
    if waiting.filled == 0:
        return Status.BOOK_FULL
    lane.counters[Status.BOOK_FULL] += 1
    return Status.PARTIAL
