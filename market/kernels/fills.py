"""What fills and orders that leave do to accounts: money, contracts, reservations."""

from market.kernels.book import ASKS, BIDS, FILL, expire, remove_range, taken_side
from market.kernels.wide import mul_div_floor, ppm_ceil
from market.native.ffi import kernel


@kernel
def change_position(lane, account, market, delta, value):
    """Adds ``delta`` lots at ``value`` quanta each to position and entry value.

    A part that closes takes its share of the entry value along, floored; a position
    that turns starts anew at the fill's price. Collateral is the caller's business.
    """
    position, cost = lane.position, lane.cost
    held = position[account, market]
    if held == 0 or (held > 0) == (delta > 0):
        cost[account, market] += delta * value
    elif abs(delta) >= abs(held):
        cost[account, market] = (held + delta) * value
    else:
        entry = cost[account, market]
        cost[account, market] -= mul_div_floor(entry, abs(delta), abs(held))
    position[account, market] = held + delta


@kernel
def trade(lane, account, market, delta, value, fee_ppm):
    """One side of a fill: ``delta`` lots at ``value`` quanta each, and its fee."""
    quote = delta * value
    fee = ppm_ceil(abs(quote), fee_ppm)
    change_position(lane, account, market, delta, value)
    lane.collateral[account] -= quote + fee
    lane.fees += fee


@kernel
def reserve(lane, account, market, side, lots, loss):
    """Books a resting order's lots and worst loss; negative lots release them."""
    lane.open_lots[account, market, side] += lots
    lane.open_loss[account, market] += lots * loss


@kernel
def record_fill(lane, market, ticks, lots, quote):
    """Counts one fill in what the block reports."""
    info = lane.info
    info.traded_lots[market] += lots
    info.traded_quote[market] += quote
    info.trades[market] += 1
    info.high[market] = max(info.high[market], ticks)
    low = info.low[market]
    info.low[market] = ticks if low == 0 else min(low, ticks)
    lane.last[market] = ticks


@kernel
def apply_events(lane, market, taker, sign, count, taker_fee_ppm):
    """Does to the accounts what an order did to the book, best fill first.

    Args:
        lane: the lane; ``lane.event`` holds what happened.
        market: the book.
        taker: whose order it was.
        sign: +1 where the taker buys.
        count: number of events.
        taker_fee_ppm: what the taker pays of the notional.

    Returns:
        ``(lots, quote)`` filled.
    """
    side, multiplier = taken_side(sign), lane.multiplier[market]
    maker_fee_ppm = lane.params.maker_fee_ppm[market]
    filled, quote = 0, 0
    for index in range(count):
        event = lane.event[index]
        maker, lots, ticks = event.owner // lane.slots, event.lots, event.ticks
        reserve(lane, maker, market, side, -lots, event.loss)
        if event.kind == FILL:
            value = ticks * multiplier
            trade(lane, taker, market, sign * lots, value, taker_fee_ppm)
            trade(lane, maker, market, -sign * lots, value, maker_fee_ppm)
            record_fill(lane, market, ticks, lots, lots * value)
            filled += lots
            quote += lots * value
    return filled, quote


@kernel
def release(lane, market, side, count):
    """Frees what orders reserved that left the book, by the events."""
    for index in range(count):
        event = lane.event[index]
        account = event.owner // lane.slots
        reserve(lane, account, market, side, -event.lots, event.loss)


@kernel
def cancel_orders(lane, account, market):
    """Takes all orders of the account off one market's book."""
    first, book = account * lane.slots, lane.book[market]
    for side in range(2):
        if lane.open_lots[account, market, side] > 0:
            count = remove_range(book, side, first, first + lane.slots, lane.event)
            release(lane, market, side, count)


@kernel
def drop_expired(lane):
    """Takes orders whose last block is past off every book."""
    for market in range(lane.markets):
        for side in (BIDS, ASKS):
            count = expire(lane.book[market], side, lane.block, lane.event)
            release(lane, market, side, count)
