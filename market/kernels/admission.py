"""Which transactions are well formed, and which orders an account may place."""

from market.kernels.book import count_range, resting_side
from market.kernels.engine import OK, POST_ONLY
from market.kernels.margin import (
    EVERY_BLOCK,
    STEPS,
    Risk,
    account_risk,
    is_no_riskier,
    is_proven,
    with_position,
    worst_case_slack,
    worst_exposure,
)
from market.kernels.wide import ppm_ceil
from market.native.ffi import kernel
from market.types.limits import MAX_NOTIONAL, MAX_ORDER_LOTS, MAX_TICKS
from market.types.orders import IMMEDIATE, Flag, Kind, Status

_PPM = 1_000_000

REDUCE_ONLY, MARKET = int(Flag.REDUCE_ONLY), int(Flag.MARKET)
_KNOWN_FLAGS = IMMEDIATE | POST_ONLY | REDUCE_ONLY

ORDER, CANCEL, CANCEL_ALL = int(Kind.ORDER), int(Kind.CANCEL), int(Kind.CANCEL_ALL)
REPLACE, LIQUIDATE = int(Kind.REPLACE), int(Kind.LIQUIDATE)
DEPOSIT, REDUCE, LAST_KIND = int(Kind.DEPOSIT), int(Kind.REDUCE), int(max(Kind))
UNKNOWN_KIND, UNKNOWN_ACCOUNT = int(Status.UNKNOWN_KIND), int(Status.UNKNOWN_ACCOUNT)
UNKNOWN_MARKET, UNKNOWN_SLOT = int(Status.UNKNOWN_MARKET), int(Status.UNKNOWN_SLOT)
EXPIRED, IS_HALTED = int(Status.EXPIRED), int(Status.HALTED)
BAD_SIDE, BAD_FLAGS = int(Status.BAD_SIDE), int(Status.BAD_FLAGS)
BAD_LOTS, BAD_PRICE = int(Status.BAD_LOTS), int(Status.BAD_PRICE)
IS_ISOLATED = int(Status.ISOLATED)
PRICE_BAND, WOULD_INCREASE = int(Status.PRICE_BAND), int(Status.WOULD_INCREASE)


@kernel
def takes_off(kind):
    """Whether a transaction only takes resting lots off a book."""
    return kind == CANCEL or kind == CANCEL_ALL or kind == REDUCE


@kernel
def check_names(lane, tx):
    """Whether kind, account, market, slot and expiry are good; `OK` or a reason."""
    kind, market, slot = tx.kind, tx.market, tx.slot
    if kind < ORDER or kind > LAST_KIND:
        return UNKNOWN_KIND
    if tx.account < 0 or tx.account >= lane.accounts:
        return UNKNOWN_ACCOUNT
    if kind <= LIQUIDATE or kind == REDUCE:
        lowest = -1 if kind == CANCEL_ALL else 0
        if market < lowest or market >= lane.markets:
            return UNKNOWN_MARKET
        if kind == LIQUIDATE:
            if slot < 0 or slot >= lane.accounts:
                return UNKNOWN_ACCOUNT
        elif kind != CANCEL_ALL and (slot < 0 or slot >= lane.slots):
            return UNKNOWN_SLOT
    if tx.expiry != 0 and tx.expiry < lane.block:
        return EXPIRED
    return OK


@kernel
def has_good_flags(flags):
    """Whether the flags are known and do not exclude each other."""
    if flags & ~_KNOWN_FLAGS != 0:
        return False
    immediate = flags & IMMEDIATE != 0
    if flags & POST_ONLY != 0 and immediate:
        return False
    return flags & REDUCE_ONLY == 0 or immediate


@kernel
def limit_of_market_order(price, band_ppm, sign):
    """The furthest price inside the band: floor for a buy, ceil for a sale, >= 1."""
    if sign > 0:
        return min(price * (_PPM + band_ppm) // _PPM, MAX_TICKS)
    return max(-(-price * (_PPM - band_ppm) // _PPM), 1)


@kernel
def check_order(lane, tx):
    """Whether an order is well formed: ``(OK or a reason, limit in ticks)``."""
    params, market, sign, lots = lane.params, tx.market, tx.sign, tx.lots
    if params.halted[market] != 0:
        return IS_HALTED, 0
    if sign != 1 and sign != -1:
        return BAD_SIDE, 0
    if not has_good_flags(tx.flags):
        return BAD_FLAGS, 0
    if lots < 1 or lots > min(params.max_order_lots[market], MAX_ORDER_LOTS):
        return BAD_LOTS, 0
    price, band_ppm = lane.price[market], params.price_band_ppm[market]
    if tx.flags & MARKET != 0:
        limit = limit_of_market_order(price, band_ppm, sign)
    else:
        limit = tx.ticks
        if limit < 1 or limit > MAX_TICKS:
            return BAD_PRICE, 0
        if abs(limit - price) * _PPM > band_ppm * price:
            return PRICE_BAND, 0
    if lots > MAX_NOTIONAL // (limit * lane.multiplier[market]):
        return BAD_LOTS, 0
    return OK, limit


@kernel
def reducible_lots(lane, account, market, sign, lots):
    """Lots of a reduce-only order: at most the position, 0 on its own side."""
    held = lane.position[account, market]
    if held == 0 or (held > 0) == (sign > 0):
        return 0
    return min(lots, abs(held))


@kernel
def worst_loss(lane, market, sign, limit):
    """Quanta that one lot filled at its limit loses on the price, with its fee."""
    params, multiplier = lane.params, lane.multiplier[market]
    fee_ppm = max(params.maker_fee_ppm[market], params.taker_fee_ppm[market], 0)
    fee = ppm_ceil(limit * multiplier, fee_ppm)
    return max(sign * (limit - lane.price[market]), 0) * multiplier + fee


@kernel
def can_afford(lane, order):
    """Whether the account may place the order: initial margin at the worst case.

    Every order of the account is taken to fill on its worse side. Where that fails, a
    pure reduction of the position passes if it does not make the account riskier.
    """
    account, market, lots = order.account, order.market, order.lots
    buying, selling = (lots, 0) if order.sign > 0 else (0, lots)
    exposure = worst_exposure(lane, account, market, buying, selling)
    if exposure > MAX_NOTIONAL // lane.unit[market]:
        return False
    slack = worst_case_slack(lane, account, market, buying, selling)
    return slack >= lots * order.loss or _reduces_risk(lane, order)


@kernel
def _reduces_risk(lane, order):
    """The transition rule for a pure reduction filled whole at its limit.

    On StarkEx it may be the only order of the account, since what the account could
    come to with all of them is not covered.
    """
    account, market, lots, sign = order.account, order.market, order.lots, order.sign
    held = lane.position[account, market]
    if held == 0 or (held > 0) == (sign > 0):
        return False
    if lane.open_lots[account, market, resting_side(sign)] + lots > abs(held):
        return False
    if lane.cover == EVERY_BLOCK and has_orders(lane, account):
        return False
    params, value = lane.params, order.limit * lane.multiplier[market]
    fee_ppm = max(params.maker_fee_ppm[market], params.taker_fee_ppm[market], 0)
    gain = sign * lots * (lane.unit[market] - value)
    now = account_risk(lane, account)
    # A fee is rounded up with each fill, of which there may be one a lot.
    equity = now.equity + gain - lots * ppm_ceil(value, fee_ppm)
    required, excess = with_position(lane, now, market, held, held + sign * lots)
    then = Risk(equity, required, excess)
    if lane.margin == STEPS:
        return is_proven(now, then)
    if required == 0:
        return equity >= 0 or equity >= now.equity
    return is_no_riskier(now, then)


@kernel
def has_orders_in(lane, account, market):
    """Whether an order of the account rests or waits in that market."""
    open_lots = lane.open_lots
    return open_lots[account, market, 0] + open_lots[account, market, 1] > 0


@kernel
def has_orders(lane, account):
    """Whether an order of the account rests or waits in any market."""
    for market in range(lane.markets):
        if has_orders_in(lane, account, market):
            return True
    return False


@kernel
def breaks_isolation(lane, account, market):
    """Whether the account holds or wants what may not be beside that market.

    An account with a position or an order in an isolated market has nothing else; but
    for the vault, which takes over what there is.
    """
    if account == lane.vault:
        return False
    isolated, position = lane.isolated, lane.position
    for other in range(lane.markets):
        if other == market or isolated[other] + isolated[market] == 0:
            continue
        if position[account, other] != 0 or has_orders_in(lane, account, other):
            return True
    return False


@kernel
def resting_orders(lane, account):
    """Orders of the account in all books."""
    first, found = account * lane.slots, 0
    for market in range(lane.markets):
        for side in range(2):
            if lane.open_lots[account, market, side] > 0:
                book = lane.book[market]
                found += count_range(book, side, first, first + lane.slots)
    return found


@kernel
def has_too_many(lane, account, market, own, here):
    """Whether one more order that may rest would pass a limit.

    It needs a place under both limits when it is admitted, whether or not it would fill
    at once; immediate orders do not. In an auction the orders that wait count as if
    they rested.

    Args:
        lane: the lane.
        account: whose order it is.
        market: where it would rest.
        own: orders of the account that wait for a clearing.
        here: orders of the market that wait for a clearing.

    Source: dYdX v4, ``protocol/x/clob/types/equity_tier_limit_config.proto``: open
    stateful orders of a subaccount are limited when they are placed. The limit of a
    market is ours.
    """
    params = lane.params
    most = params.max_market_orders[market]
    if most > 0:
        count = lane.book[market].count
        if count[0] + count[1] + here >= most:
            return True
    most = params.max_open_orders[market]
    return most > 0 and resting_orders(lane, account) + own >= most
