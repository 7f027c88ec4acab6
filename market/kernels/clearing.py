"""Clearing a round: what trades at the uniform price, and what becomes of the rest.

Price and rationing are `market.kernels.auction`'s: the price maximises volume; at the
margin of a side, orders of earlier blocks come first, block after block, and those of
one block share what is left for them in proportion to their size.

Where an account would trade with itself the price is found anew without that
(`market.kernels.prevention`). Orders that rest from earlier blocks and post-only orders
pay the maker's fee, the others of the round the taker's, liquidations none.
"""

from market.kernels.auction import clear as find_price
from market.kernels.book import ASKS, BIDS, Resting, drop_empty, insert, resting_side
from market.kernels.engine import (
    BOOK_FULL,
    DECREMENT,
    FILLED,
    PARTIAL,
    POST_ONLY,
    RESTING,
    SELF_TRADE,
)
from market.kernels.fills import record_fill, reserve, trade
from market.kernels.lane import NO_FEE, NOTHING, PART_SLOT
from market.kernels.liquidation import (
    NOTHING_TO_TAKE,
    apply_insurance,
    bankruptcy_quote,
)
from market.kernels.margin import account_equity, account_risk
from market.kernels.prevention import prevent_self_trades
from market.kernels.staged import note_staged_fill, start_cooldown
from market.native.ffi import kernel
from market.types.orders import IMMEDIATE, Status
from market.types.specs import Liquidation

STAGES, CANCELLED = int(Liquidation.STAGES), int(Status.CANCELLED)


@kernel
def gather_resting(lane, market, side, column):
    """Writes the resting orders of a side, best first; returns the next column."""
    book, auction = lane.book[market], lane.auction
    for index in range(book.count[side] - 1, -1, -1):
        auction.sign[column] = 1 if side == BIDS else -1
        auction.ticks[column] = book.ticks[side, index]
        auction.lots[column] = book.lots[side, index]
        auction.came[column] = book.came[side, index]
        auction.account[column] = book.owner[side, index] // lane.slots
        column += 1
    return column


@kernel
def gather_waiting(lane, market, column):
    """Writes the round of a market in sequence; the other markets' orders are none."""
    auction = lane.auction
    for row in range(lane.waiting_count):
        order = lane.waiting[row]
        is_here = order.market == market
        auction.sign[column] = order.sign if is_here else 0
        auction.ticks[column] = order.limit
        auction.lots[column] = order.lots if is_here else 0
        auction.came[column] = lane.block
        auction.account[column] = order.account
        column += 1


@kernel
def apply_resting(lane, market, side, index, lots, value):
    """Fills an order of the book."""
    book, sign = lane.book[market], 1 if side == BIDS else -1
    account = book.owner[side, index] // lane.slots
    reserve(lane, account, market, side, -lots, book.loss[side, index])
    fee_ppm = lane.params.maker_fee_ppm[market]
    trade(lane, account, market, sign * lots, value, fee_ppm)
    book.lots[side, index] -= lots


@kernel
def apply_waiting(lane, order, lots, value):
    """Fills an order of the round."""
    account, market, delta = order.account, order.market, order.sign * lots
    side = resting_side(order.sign)
    reserve(lane, account, market, side, -lots, order.loss)
    order.filled = lots
    lane.receipts.filled_quote[order.index] = lots * value
    if order.liquidator < 0:
        fee_ppm = lane.params.taker_fee_ppm[market]
        if order.flags & POST_ONLY != 0:
            fee_ppm = lane.params.maker_fee_ppm[market]
        trade(lane, account, market, delta, value, fee_ppm)
        return
    if lane.liquidation == STAGES:
        trade(lane, account, market, delta, value, NO_FEE)
        note_staged_fill(lane, lots * value)
        return
    risk, held = account_risk(lane, account), lane.position[account, market]
    bankruptcy = bankruptcy_quote(lane, market, held, delta, risk)
    trade(lane, account, market, delta, value, NO_FEE)
    quote = -delta * value
    apply_insurance(lane, order.liquidator, account, market, quote, bankruptcy)


@kernel
def apply_column(lane, market, column, bids, resting, ticks):
    """Fills the order of one column at the uniform price.

    Args:
        lane: the lane.
        market: that is cleared.
        column: bids of the book come first, then its asks, then the round.
        bids: how many resting bids there are.
        resting: how many resting orders.
        ticks: the price.
    """
    auction, book = lane.auction, lane.book[market]
    lots, value = auction.filled[column], ticks * lane.multiplier[market]
    side = resting_side(auction.sign[column])
    if column < resting:
        first = 0 if side == BIDS else bids
        index = book.count[side] - 1 - (column - first)
        apply_resting(lane, market, side, index, lots, value)
    else:
        apply_waiting(lane, lane.waiting[column - resting], lots, value)
    if side == BIDS:
        record_fill(lane, market, ticks, lots, lots * value)


@kernel
def _price(auction):
    """The price of the columns in ticks, 0 without one; who fills is written there."""
    return find_price(
        auction.sign,
        auction.ticks,
        auction.lots,
        auction.came,
        auction.keys,
        auction.filled,
    )[0]


@kernel
def clear_market(lane, market):
    """Finds the price of one market and fills what trades at it."""
    book, auction = lane.book[market], lane.auction
    lane.columns = book.count[BIDS] + book.count[ASKS] + lane.waiting_count
    bids = gather_resting(lane, market, BIDS, NOTHING)
    resting = gather_resting(lane, market, ASKS, bids)
    gather_waiting(lane, market, resting)
    price = _price(auction)
    while price > 0 and prevent_self_trades(lane, market, bids, resting):
        price = _price(auction)
    for column in range(lane.columns):
        if auction.filled[column] > 0:
            apply_column(lane, market, column, bids, resting, price)
    for side in (BIDS, ASKS):
        drop_empty(book, side)


@kernel
def finish_liquidation(lane, order):
    """Frees what is left of a liquidation; its status."""
    account, market, left = order.account, order.market, order.lots - order.filled
    reserve(lane, account, market, resting_side(order.sign), -left, NOTHING)
    if order.filled == 0:
        if account_equity(lane, account) < 0:
            lane.adl_pending[account, market] = 1
        return NOTHING_TO_TAKE
    if order.slot == PART_SLOT:
        start_cooldown(lane, account)
    return FILLED if left == 0 else PARTIAL


@kernel
def finish_order(lane, order):
    """Rests or drops what is left of a waiting order; its status."""
    account, market, left = order.account, order.market, order.lots - order.filled
    if order.lots == 0 and order.prevented == 0:
        return CANCELLED
    if order.lots == 0 and lane.self_trade != DECREMENT:
        return SELF_TRADE
    if left == 0:
        return FILLED if order.prevented == 0 else PARTIAL
    side, owner = resting_side(order.sign), account * lane.slots + order.slot
    status = PARTIAL
    if order.flags & IMMEDIATE == 0:
        limit, loss, expiry = order.limit, order.loss, order.expiry
        rest = Resting(limit, left, owner, loss, expiry, lane.block)
        if insert(lane.book[market], side, rest):
            return RESTING
        status = BOOK_FULL
        if order.filled > 0:
            lane.counters[BOOK_FULL] += 1
            status = PARTIAL
    reserve(lane, account, market, side, -left, order.loss)
    return status


@kernel
def clear(lane):
    """Clears every market, then deals with what is left, in sequence."""
    for market in range(lane.markets):
        clear_market(lane, market)
    receipts = lane.receipts
    for row in range(lane.waiting_count):
        order = lane.waiting[row]
        if order.liquidator >= 0:
            status = finish_liquidation(lane, order)
        else:
            status = finish_order(lane, order)
        receipts.status[order.index] = status
        receipts.filled_lots[order.index] = order.filled
