"""Self-trade prevention in a round: nobody buys from itself at the uniform price.

What it does, and its source: `market.twin.prevention`. The orders of the market are the
columns of ``lane.auction``; what is taken off an order leaves its column, its place in
the book or in the round, and what it reserved. Only orders of the round can be the
newer of a pair, because a book is not crossed.
"""

from market.kernels.book import BIDS, resting_side
from market.kernels.engine import CANCEL_NEWEST, CANCEL_OLDEST
from market.kernels.fills import reserve
from market.native.ffi import kernel


@kernel
def prevent_self_trades(lane, market, bids, resting):
    """Takes lots off orders of accounts that would trade with themselves.

    Args:
        lane: the lane; ``lane.auction.filled`` says who would trade.
        market: that is cleared.
        bids: how many resting bids there are.
        resting: how many resting orders.

    Returns:
        Whether there was such an account, so that the price has to be found anew.
    """
    auction, found = lane.auction, False
    for newer in range(resting, lane.columns):
        account, side = auction.account[newer], resting_side(-auction.sign[newer])
        if auction.filled[newer] == 0 or lane.open_lots[account, market, side] == 0:
            continue
        for older in range(newer):
            if meets(auction, newer, older):
                prevent(lane, market, (bids, resting), newer, older)
                found = True
    return found


@kernel
def meets(auction, newer, older):
    """Whether two orders that would trade are of one account, on either side."""
    if auction.account[older] != auction.account[newer] or auction.filled[older] == 0:
        return False
    if auction.sign[older] != -auction.sign[newer]:
        return False
    return auction.lots[older] > 0 and auction.lots[newer] > 0


@kernel
def prevent(lane, market, places, newer, older):
    """Drops one of two orders, or shrinks both; a liquidation stays."""
    first, second = lane.auction.lots[newer], lane.auction.lots[older]
    row = older - places[1]
    is_liquidation = row >= 0 and lane.waiting[row].liquidator >= 0
    if is_liquidation or lane.self_trade == CANCEL_NEWEST:
        second = 0
    elif lane.self_trade == CANCEL_OLDEST:
        first = 0
    else:
        first = second = min(first, second)
    _take_off(lane, market, places, newer, first)
    _take_off(lane, market, places, older, second)


@kernel
def _take_off(lane, market, places, column, lots):
    """Takes lots off the order of a column, with what they reserved."""
    bids, resting = places
    auction = lane.auction
    side = resting_side(auction.sign[column])
    auction.lots[column] -= lots
    if column >= resting:
        order = lane.waiting[column - resting]
        loss = order.loss
        order.lots -= lots
        order.prevented += lots
    else:
        book = lane.book[market]
        first = 0 if side == BIDS else bids
        index = book.count[side] - 1 - (column - first)
        loss = book.loss[side, index]
        book.lots[side, index] -= lots
    reserve(lane, auction.account[column], market, side, -lots, loss)
