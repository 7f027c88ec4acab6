"""Orders that their account's margin must cover in every block (`Cover`).

Where a fill that enlarges a position of an account below its maintenance margin has no
proof (StarkEx), the operator may not let it happen. At the start of a block each
resting order is reserved for anew at the price of the block, and an account that would
be below its maintenance with all its orders filled at their worst loses them all. After
that no fill of the block can leave an account without a proof.

Source: dYdX v3's cancel reason UNDERCOLLATERALIZED.
"""

from market.twin.admission import has_orders, worst_loss
from market.twin.lane import Lane
from market.twin.margin import maintenance_slack
from market.twin.matching import cancel_all
from market.types.specs import Cover


def drop_undercollateralised(lane: Lane) -> None:
    """Reckons reservations anew and cancels what is not covered, by `Cover`."""
    if lane.spec.cover != Cover.EVERY_BLOCK:
        return
    for market in lane.markets:
        reserve_anew(lane, market)
    for account in lane.accounts:
        if has_orders(lane, account) and maintenance_slack(lane, account) < 0:
            cancel_all(lane, account)


def reserve_anew(lane: Lane, market: int) -> None:
    """Gives each order of a book the reservation that it would have if new."""
    book = lane.books[market]
    for order in (*book.bids, *book.asks):
        order.loss = worst_loss(lane, market, order.side, order.ticks)
