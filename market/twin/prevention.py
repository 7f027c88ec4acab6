"""Self-trade prevention in a round: nobody buys from itself at the uniform price.

The price is found for all orders. Where an account would both buy and sell at it, each
of its orders that would trade meets those before it on the other side, and `SelfTrade`
says what becomes of the two:

- `CANCEL_OLDEST` drops the one before it;
- `CANCEL_NEWEST` drops the newer one;
- `DECREMENT` takes the smaller of the two sizes off both, without a fill.

Then the price is found anew, until nobody would trade with itself. Orders that rest
from earlier blocks are before those of the round, which stand in sequence. A
liquidation is not its account's to drop: an order that meets it goes, in every mode.

Prevention asks who would trade and not whose limits cross, as in continuous matching,
where an order meets only what it reaches: a sale far above the market stays when its
account buys below it. Finding the price anew is what keeps a pair of one account from
moving the price of the others.

Source: the modes are those of the Toronto Stock Exchange ("Self Trade Prevention":
cancel newest, cancel oldest, decrement largest and cancel smallest). Stock exchanges
have them in continuous trading alone; what they mean in an auction is ours.
"""

from collections.abc import Sequence

from market.twin.lane import Order
from market.types.specs import SelfTrade


def prevent_self_trades(
    orders: Sequence[Order], filled: Sequence[int], mode: SelfTrade
) -> bool:
    """Takes lots off orders of accounts that would trade with themselves.

    Args:
        orders: of one market, resting ones first, then the round in sequence.
        filled: lots of each that would trade.
        mode: of the venue.

    Returns:
        Whether there was such an account, so that the price has to be found anew.
    """
    trading = [order for order, lots in zip(orders, filled, strict=True) if lots > 0]
    found = False
    for place, newer in enumerate(trading):
        for older in trading[:place]:
            if meets(newer, older):
                prevent(newer, older, mode)
                found = True
    return found


def meets(newer: Order, older: Order) -> bool:
    """Whether two orders that would trade are of one account, on either side."""
    are_left = newer.lots > 0 and older.lots > 0
    return are_left and newer.account == older.account and newer.side != older.side


def prevent(newer: Order, older: Order, mode: SelfTrade) -> None:
    """Drops one of two orders, or shrinks both."""
    is_liquidation = older.slot < 0
    if is_liquidation or mode == SelfTrade.CANCEL_NEWEST:
        newer.lots = 0
    elif mode == SelfTrade.CANCEL_OLDEST:
        older.lots = 0
    else:
        lots = min(newer.lots, older.lots)
        newer.lots -= lots
        older.lots -= lots
