"""Which transactions are well formed, and which orders an account can afford.

Source of the limits on open orders: dYdX v4,
``protocol/x/clob/types/equity_tier_limit_config.proto``: open stateful orders of a
subaccount are limited when they are placed. The limit of a market is ours.
"""

from market.numbers.units import PPM, ppm_ceil
from market.twin.book import count
from market.twin.lane import (
    IMMEDIATE,
    Lane,
    Order,
    RejectError,
    Tx,
    open_lots,
    orders_of,
)
from market.twin.margin import (
    account_risk,
    is_no_riskier,
    is_proven,
    with_position,
    worst_case_slack,
    worst_exposure,
)
from market.types.limits import MAX_NOTIONAL, MAX_ORDER_LOTS, MAX_TICKS
from market.types.orders import BUY, SELL, Flag, Kind, Status
from market.types.specs import Cover, Margin

KNOWN_FLAGS = IMMEDIATE | int(Flag.POST_ONLY | Flag.REDUCE_ONLY)
TAKES_OFF = (Kind.CANCEL, Kind.CANCEL_ALL, Kind.REDUCE)
NAMES_A_MARKET = (*TAKES_OFF, Kind.ORDER, Kind.REPLACE, Kind.LIQUIDATE)


def takes_off(kind: int) -> bool:
    """Whether a transaction only takes resting lots off a book."""
    return kind in TAKES_OFF


def check_names(lane: Lane, tx: Tx) -> None:
    """Whether kind, account, market, slot and expiry are good."""
    if tx.kind not in list(Kind):
        raise RejectError(Status.UNKNOWN_KIND)
    if tx.account not in lane.accounts:
        raise RejectError(Status.UNKNOWN_ACCOUNT)
    if tx.kind in NAMES_A_MARKET:
        names_all = tx.kind == Kind.CANCEL_ALL and tx.market == -1
        if not names_all and tx.market not in lane.markets:
            raise RejectError(Status.UNKNOWN_MARKET)
        if tx.kind == Kind.LIQUIDATE:
            if tx.slot not in lane.accounts:
                raise RejectError(Status.UNKNOWN_ACCOUNT)
        elif tx.kind != Kind.CANCEL_ALL and not 0 <= tx.slot < lane.spec.slots:
            raise RejectError(Status.UNKNOWN_SLOT)
    if tx.expiry_block != 0 and tx.expiry_block < lane.block:
        raise RejectError(Status.EXPIRED)


def has_good_flags(flags: int) -> bool:
    """Whether the flags are known and do not exclude each other."""
    if flags & ~KNOWN_FLAGS:
        return False
    if flags & Flag.POST_ONLY and flags & IMMEDIATE:
        return False
    return not flags & Flag.REDUCE_ONLY or bool(flags & IMMEDIATE)


def limit_of_market_order(lane: Lane, market: int, side: int) -> int:
    """The furthest price inside the band: floor for a buy, ceil for a sale, >= 1."""
    price, band_ppm = lane.price[market], lane.params.price_band_ppm[market]
    if side == BUY:
        return min(price * (PPM + band_ppm) // PPM, MAX_TICKS)
    return max(-(-price * (PPM - band_ppm) // PPM), 1)


def check_order(lane: Lane, tx: Tx) -> int:
    """Whether an order is well formed; returns its limit in ticks."""
    market = tx.market
    if lane.params.halted[market]:
        raise RejectError(Status.HALTED)
    if tx.side not in (BUY, SELL):
        raise RejectError(Status.BAD_SIDE)
    if not has_good_flags(tx.flags):
        raise RejectError(Status.BAD_FLAGS)
    if not 1 <= tx.lots <= min(lane.params.max_order_lots[market], MAX_ORDER_LOTS):
        raise RejectError(Status.BAD_LOTS)
    limit = _limit(lane, tx)
    if tx.lots * limit * lane.multiplier[market] > MAX_NOTIONAL:
        raise RejectError(Status.BAD_LOTS)
    return limit


def _limit(lane: Lane, tx: Tx) -> int:
    """The order's own limit inside the band; of a market order, the band's edge."""
    if tx.flags & Flag.MARKET:
        return limit_of_market_order(lane, tx.market, tx.side)
    if not 1 <= tx.ticks <= MAX_TICKS:
        raise RejectError(Status.BAD_PRICE)
    price, band_ppm = lane.price[tx.market], lane.params.price_band_ppm[tx.market]
    if abs(tx.ticks - price) * PPM > band_ppm * price:
        raise RejectError(Status.PRICE_BAND)
    return tx.ticks


def reducible_lots(lane: Lane, tx: Tx) -> int:
    """Lots of a reduce-only order: at most the position, 0 on its own side."""
    held = lane.position[tx.account][tx.market]
    return min(tx.lots, abs(held)) if held * tx.side < 0 else 0


# --- what an account can afford ------------------------------------------------------


def worst_loss(lane: Lane, market: int, side: int, limit: int) -> int:
    """Quanta that one lot filled at its limit loses on the price, with its fee."""
    value = limit * lane.multiplier[market]
    loss = max(side * (value - lane.unit[market]), 0)
    return loss + ppm_ceil(value, lane.params.fee_bound_ppm)


def can_afford(lane: Lane, order: Order) -> bool:
    """Whether the account may place the order: initial margin at the worst case.

    Every order of the account is taken to fill on its worse side. Where that fails, a
    pure reduction of the position passes if it does not make the account riskier.
    """
    buying, selling = (order.lots, 0) if order.side == BUY else (0, order.lots)
    place = order.account, order.market, buying, selling
    if worst_exposure(lane, *place) * lane.unit[order.market] > MAX_NOTIONAL:
        return False
    if worst_case_slack(lane, *place) >= order.lots * order.loss:
        return True
    return _reduces_risk(lane, order)


def _reduces_risk(lane: Lane, order: Order) -> bool:
    """The transition rule for a pure reduction filled whole at its limit.

    Where orders must be covered in every block it may be the only order of the account,
    since what the account could come to with all of them is not covered.
    """
    account, market, side, lots = order.account, order.market, order.side, order.lots
    held = lane.position[account][market]
    if held * side >= 0 or open_lots(lane, account, market, side) + lots > abs(held):
        return False
    if lane.spec.cover == Cover.EVERY_BLOCK and has_orders(lane, account):
        return False
    value = order.ticks * lane.multiplier[market]
    # A fee is rounded up with each fill, of which there may be one a lot.
    paid = lots * (side * value + ppm_ceil(value, lane.params.fee_bound_ppm))
    before = account_risk(lane, account)
    after = with_position(lane, account, market, side * lots, -paid)
    if lane.spec.margin == Margin.RISK_STEPS:
        return is_proven(before, after)
    if after.required == 0:
        return after.equity >= 0 or after.equity >= before.equity
    return is_no_riskier(before, after)


# --- what an account may have --------------------------------------------------------


def has_orders_in(lane: Lane, account: int, market: int) -> bool:
    """Whether an order of the account rests or waits in that market."""
    return any(orders_of(lane, account, market, side) for side in (BUY, SELL))


def has_orders(lane: Lane, account: int) -> bool:
    """Whether an order of the account rests or waits in any market."""
    return any(has_orders_in(lane, account, market) for market in lane.markets)


def breaks_isolation(lane: Lane, account: int, market: int) -> bool:
    """Whether the account holds or wants what may not be beside that market.

    An account with a position or an order in an isolated market has nothing else; but
    for the vault, which takes over what there is.
    """
    if account == lane.spec.vault:
        return False
    isolated = lane.spec.isolated
    return any(
        (isolated[market] or isolated[other])
        and (lane.position[account][other] or has_orders_in(lane, account, other))
        for other in lane.markets
        if other != market
    )


def resting_orders(lane: Lane, account: int) -> int:
    """Orders of the account in all books."""
    return sum(count(book, account) for book in lane.books)


def has_too_many(
    lane: Lane, account: int, market: int, own: int = 0, here: int = 0
) -> bool:
    """Whether one more order would pass a limit of the account or of the market.

    Args:
        lane: the exchange.
        account: whose order it is.
        market: where it would rest.
        own: orders of the account that wait for a clearing and may rest.
        here: such orders of the market.
    """
    own += resting_orders(lane, account)
    here += len(lane.books[market].bids) + len(lane.books[market].asks)
    most_own, most_here = lane.params.max_open_orders, lane.params.max_market_orders
    return 0 < most_own <= own or 0 < most_here[market] <= here
