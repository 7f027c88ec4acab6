"""StarkEx's operator drops the orders of accounts that can no longer carry them.

A fill that enlarges a position of an account that is not well leveraged afterwards has
no proof, so the operator may not let it happen. At the start of a block each resting
order's reservation is reckoned anew at the oracle price of the block; an account that
would not be well leveraged with all its orders filled at their worst loses them all.
After that no fill of the block can leave an account without a proof.

Source: dYdX v3's cancel reason UNDERCOLLATERALIZED.
"""

from market.kernels.admission import has_orders, worst_loss
from market.kernels.book import ASKS, BIDS
from market.kernels.lane import ALL_MARKETS
from market.kernels.margin import EVERY_BLOCK, maintenance_slack
from market.kernels.matching import cancel_all
from market.native.ffi import kernel


@kernel
def drop_undercollateralised(lane):
    """Reckons reservations anew and cancels what is not covered, by `Cover`."""
    if lane.cover != EVERY_BLOCK:
        return
    for market in range(lane.markets):
        reserve_anew(lane, market)
    for account in range(lane.accounts):
        if has_orders(lane, account) and maintenance_slack(lane, account) < 0:
            cancel_all(lane, account, ALL_MARKETS)


@kernel
def reserve_anew(lane, market):
    """Gives each order of a book the reservation that it would have if new."""
    book = lane.book[market]
    for side in (BIDS, ASKS):
        sign = 1 if side == BIDS else -1
        for index in range(book.count[side]):
            account = book.owner[side, index] // lane.slots
            loss = worst_loss(lane, market, sign, book.ticks[side, index])
            change = loss - book.loss[side, index]
            lane.open_loss[account, market] += book.lots[side, index] * change
            book.loss[side, index] = loss
