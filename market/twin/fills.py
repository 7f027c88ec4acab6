"""What a fill does to accounts: position, entry value, money, fees, the report."""

from market.numbers.units import ppm_ceil
from market.twin.book import Event, expire, remove_account
from market.twin.lane import Lane, Order


def change_position(lane: Lane, account: int, market: int, delta: int, value: int):
    """Adds ``delta`` lots at ``value`` quanta each to position and entry value.

    A part that closes takes its share of the entry value along, floored; a position
    that turns starts anew at the fill's price. Collateral is the caller's business.
    """
    held, cost = lane.position[account][market], lane.cost[account][market]
    if held * delta >= 0:
        cost += delta * value
    elif abs(delta) < abs(held):
        cost -= cost * abs(delta) // abs(held)
    else:
        cost = (held + delta) * value
    lane.position[account][market] = held + delta
    lane.cost[account][market] = cost


def trade(lane: Lane, account: int, market: int, delta: int, value: int, fee_ppm: int):
    """One side of a fill: ``delta`` lots at ``value`` quanta each, and its fee."""
    fee = ppm_ceil(abs(delta) * value, fee_ppm)
    change_position(lane, account, market, delta, value)
    lane.collateral[account] -= delta * value + fee
    lane.fees += fee


def record_fill(lane: Lane, market: int, ticks: int, lots: int) -> None:
    """Counts one fill in what the block reports."""
    info, low = lane.info, lane.info.low[market]
    info.traded_lots[market] += lots
    info.traded_quote[market] += lots * ticks * lane.multiplier[market]
    info.trades[market] += 1
    info.high[market] = max(info.high[market], ticks)
    info.low[market] = ticks if low == 0 else min(low, ticks)
    lane.last[market] = ticks


def apply_events(
    lane: Lane, taker: Order, events: list[Event], taker_fee_ppm: int
) -> tuple[int, int]:
    """Applies the fills among what a taker met, at the makers' prices.

    Returns:
        ``(lots, quote)`` filled.
    """
    market, filled, quote = taker.market, 0, 0
    for maker, lots, is_fill in events:
        if not is_fill:
            continue
        value, delta = maker.ticks * lane.multiplier[market], taker.side * lots
        trade(lane, taker.account, market, delta, value, taker_fee_ppm)
        trade(lane, maker.account, market, -delta, value, lane.params.maker_fee_ppm)
        record_fill(lane, market, maker.ticks, lots)
        filled += lots
        quote += lots * value
    return filled, quote


def drop_expired(lane: Lane) -> None:
    """Takes orders whose last block is past off every book."""
    for book in lane.books:
        expire(book, lane.block)


def cancel_orders(lane: Lane, account: int, market: int) -> None:
    """Takes all orders of the account off one market's book."""
    remove_account(lane.books[market], account)
