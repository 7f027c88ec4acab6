"""Money and contracts change hands: fills, reservations, deposits and withdrawals."""

from market.kernels.book import (
    ASKS,
    BIDS,
    EVENT_KIND,
    EVENT_LOSS,
    EVENT_LOTS,
    EVENT_OWNER,
    EVENT_TICKS,
    FILL,
    expire,
    remove_range,
)
from market.kernels.lane import (
    ACCOUNTS,
    BLOCK,
    COLLATERAL,
    COST,
    FEES,
    HIGH,
    LAST,
    LOW,
    MAKER_FEE,
    MARKETS,
    MULTIPLIER,
    OPEN_LOSS,
    POSITION,
    SLOTS,
    TRADED_LOTS,
    TRADED_QUOTE,
    TRADES,
    amount,
    book_of,
    events_of,
    information,
    open_lots_of,
    parameters,
    per_position,
    vector,
)
from market.kernels.wide import mul_div_floor, ppm_ceil
from market.native.ffi import kernel


@kernel
def change_position(t, account, market, delta, value):
    """Adds ``delta`` lots at ``value`` quanta each to position and entry value.

    A part that closes takes its share of the entry value along, floored; a position
    that turns starts anew at the fill's price. Collateral is the caller's business.
    """
    position, cost = per_position(t, POSITION), per_position(t, COST)
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
def trade(t, account, market, delta, value, fee_ppm):
    """One side of a fill: ``delta`` lots at ``value`` quanta each, and its fee."""
    quote = delta * value
    fee = ppm_ceil(abs(quote), fee_ppm)
    change_position(t, account, market, delta, value)
    vector(t, COLLATERAL, t[ACCOUNTS])[account] -= quote + fee
    amount(t, FEES)[0] += fee


@kernel
def reserve(t, account, market, side, lots, loss):
    """Books a resting order's lots and worst loss; negative lots release them."""
    open_lots_of(t)[account, market, side] += lots
    per_position(t, OPEN_LOSS)[account, market] += lots * loss


@kernel
def record_fill(t, market, ticks, lots, quote):
    """Counts one fill in what the block reports."""
    info = information(t)
    info[TRADED_LOTS, market] += lots
    info[TRADED_QUOTE, market] += quote
    info[TRADES, market] += 1
    info[HIGH, market] = max(info[HIGH, market], ticks)
    low = info[LOW, market]
    info[LOW, market] = ticks if low == 0 else min(low, ticks)
    vector(t, LAST, t[MARKETS])[market] = ticks


@kernel
def apply_events(t, market, side, rows, taker, sign, taker_fee_ppm):
    """Settles what happened to the orders of ``side``, best first.

    Args:
        t: the table; the rows stand in its event buffer.
        market: the book.
        side: the side that was taken from.
        rows: number of event rows.
        taker: the account on the other side of the fills.
        sign: +1 where the taker buys.
        taker_fee_ppm: what the taker pays of the notional.

    Returns:
        ``(lots, quote)`` filled.
    """
    events, multiplier = events_of(t), vector(t, MULTIPLIER, t[MARKETS])[market]
    maker_fee_ppm = parameters(t)[MAKER_FEE, market]
    filled, quote = 0, 0
    for row in range(rows):
        maker = events[row, EVENT_OWNER] // t[SLOTS]
        lots, ticks = events[row, EVENT_LOTS], events[row, EVENT_TICKS]
        reserve(t, maker, market, side, -lots, events[row, EVENT_LOSS])
        if events[row, EVENT_KIND] == FILL:
            value = ticks * multiplier
            trade(t, taker, market, sign * lots, value, taker_fee_ppm)
            trade(t, maker, market, -sign * lots, value, maker_fee_ppm)
            record_fill(t, market, ticks, lots, lots * value)
            filled += lots
            quote += lots * value
    return filled, quote


@kernel
def release(t, market, side, rows):
    """Frees what orders reserved that left the book, by the rows of the buffer."""
    events = events_of(t)
    for row in range(rows):
        account = events[row, EVENT_OWNER] // t[SLOTS]
        reserve(
            t, account, market, side, -events[row, EVENT_LOTS], events[row, EVENT_LOSS]
        )


@kernel
def cancel_orders(t, account, market):
    """Takes all orders of the account off one market's book."""
    book, events, slots = book_of(t, market), events_of(t), t[SLOTS]
    open_lots = open_lots_of(t)
    for side in range(2):
        if open_lots[account, market, side] > 0:
            first = account * slots
            rows = remove_range(book, side, first, first + slots, events, 0)
            release(t, market, side, rows)


@kernel
def drop_expired(t):
    """Takes orders whose last block is past off every book."""
    events = events_of(t)
    for market in range(t[MARKETS]):
        book = book_of(t, market)
        for side in (BIDS, ASKS):
            rows = expire(book, side, t[BLOCK], events, 0)
            release(t, market, side, rows)
