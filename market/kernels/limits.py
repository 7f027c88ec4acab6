"""How many orders may rest: of one account over all markets, and in one market.

An order that may rest needs a place under both limits when it is admitted, whether or
not it would fill at once; immediate orders do not. In an auction the orders that wait
count as if they rested.

Source: dYdX v4, ``protocol/x/clob/types/equity_tier_limit_config.proto``: open stateful
orders of a subaccount are limited when they are placed. The limit of a market is ours.
"""

from market.kernels.book import count_range
from market.kernels.lane import (
    MARKETS,
    MAX_MARKET_ORDERS,
    MAX_OPEN_ORDERS,
    SLOTS,
    book_of,
    open_lots_of,
    parameters,
)
from market.native.ffi import kernel


@kernel
def resting_orders(t, account):
    """Orders of the account in all books."""
    open_lots, first, found = open_lots_of(t), account * t[SLOTS], 0
    for market in range(t[MARKETS]):
        for side in range(2):
            if open_lots[account, market, side] > 0:
                book = book_of(t, market)
                found += count_range(book, side, first, first + t[SLOTS])
    return found


@kernel
def has_too_many(t, account, market, own, here):
    """Whether one more order would pass a limit.

    Args:
        t: the table.
        account: whose order it is.
        market: where it would rest.
        own: orders of the account that wait for a clearing.
        here: orders of the market that wait for a clearing.
    """
    params = parameters(t)
    most = params[MAX_MARKET_ORDERS, market]
    if most > 0:
        count = book_of(t, market).count
        if count[0] + count[1] + here >= most:
            return True
    most = params[MAX_OPEN_ORDERS, market]
    return most > 0 and resting_orders(t, account) + own >= most
