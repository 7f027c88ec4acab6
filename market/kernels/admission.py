"""Which transactions are well formed, and which orders an account can afford."""

from market.kernels.book import count_range
from market.kernels.lane import (
    ACCOUNTS,
    BAND,
    BLOCK,
    COVER_RULE,
    HALTED,
    ISOLATED,
    MAKER_FEE,
    MARGIN_RULE,
    MARKETS,
    MAX_LOTS,
    MAX_MARKET_ORDERS,
    MAX_OPEN_ORDERS,
    MULTIPLIER,
    POSITION,
    PRICE,
    SLOTS,
    TAKER_FEE,
    UNIT,
    VAULT,
    book_of,
    open_lots_of,
    parameters,
    per_position,
    vector,
)
from market.kernels.margin import (
    EVERY_BLOCK,
    STEPS,
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
from market.types.orders import Flag, Kind, Status

_PPM = 1_000_000

POST_ONLY, IOC, FOK = int(Flag.POST_ONLY), int(Flag.IOC), int(Flag.FOK)
REDUCE_ONLY, MARKET = int(Flag.REDUCE_ONLY), int(Flag.MARKET)
IMMEDIATE = IOC | FOK | MARKET
_KNOWN_FLAGS = IMMEDIATE | POST_ONLY | REDUCE_ONLY

OK = 0
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
def check_names(t, kind, account, market, slot, expiry):
    """Whether kind, account, market, slot and expiry are good; `OK` or a reason."""
    if kind < ORDER or kind > LAST_KIND:
        return UNKNOWN_KIND
    if account < 0 or account >= t[ACCOUNTS]:
        return UNKNOWN_ACCOUNT
    if kind <= LIQUIDATE or kind == REDUCE:
        lowest = -1 if kind == CANCEL_ALL else 0
        if market < lowest or market >= t[MARKETS]:
            return UNKNOWN_MARKET
        if kind == LIQUIDATE:
            if slot < 0 or slot >= t[ACCOUNTS]:
                return UNKNOWN_ACCOUNT
        elif kind != CANCEL_ALL and (slot < 0 or slot >= t[SLOTS]):
            return UNKNOWN_SLOT
    if expiry != 0 and expiry < t[BLOCK]:
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
def check_order(t, market, sign, ticks, lots, flags):
    """Whether an order is well formed: ``(OK or a reason, limit in ticks)``."""
    params = parameters(t)
    if params[HALTED, market] != 0:
        return IS_HALTED, 0
    if sign != 1 and sign != -1:
        return BAD_SIDE, 0
    if not has_good_flags(flags):
        return BAD_FLAGS, 0
    if lots < 1 or lots > min(params[MAX_LOTS, market], MAX_ORDER_LOTS):
        return BAD_LOTS, 0
    price = vector(t, PRICE, t[MARKETS])[market]
    band_ppm = params[BAND, market]
    if flags & MARKET != 0:
        limit = limit_of_market_order(price, band_ppm, sign)
    else:
        if ticks < 1 or ticks > MAX_TICKS:
            return BAD_PRICE, 0
        limit = ticks
        if abs(limit - price) * _PPM > band_ppm * price:
            return PRICE_BAND, 0
    multiplier = vector(t, MULTIPLIER, t[MARKETS])[market]
    if lots > MAX_NOTIONAL // (limit * multiplier):
        return BAD_LOTS, 0
    return OK, limit


@kernel
def reducible_lots(t, account, market, sign, lots):
    """Lots of a reduce-only order: at most the position, 0 on its own side."""
    held = per_position(t, POSITION)[account, market]
    if held == 0 or (held > 0) == (sign > 0):
        return 0
    return min(lots, abs(held))


@kernel
def worst_loss(t, market, sign, limit):
    """Quanta that one lot filled at its limit loses on the price, with its fee."""
    multiplier = vector(t, MULTIPLIER, t[MARKETS])[market]
    price = vector(t, PRICE, t[MARKETS])[market]
    params = parameters(t)
    fee_ppm = max(params[MAKER_FEE, market], params[TAKER_FEE, market], 0)
    fee = ppm_ceil(limit * multiplier, fee_ppm)
    return max(sign * (limit - price), 0) * multiplier + fee


@kernel
def can_afford(t, account, market, sign, lots, limit, loss):
    """Whether the account may place the order: initial margin at the worst case.

    Every order of the account is taken to fill on its worse side. Where that fails, a
    pure reduction of the position passes if it does not make the account riskier.
    """
    buying, selling = (lots, 0) if sign > 0 else (0, lots)
    exposure = worst_exposure(t, account, market, buying, selling)
    if exposure > MAX_NOTIONAL // vector(t, UNIT, t[MARKETS])[market]:
        return False
    if worst_case_slack(t, account, market, buying, selling) >= lots * loss:
        return True
    return _reduces_risk(t, account, market, sign, lots, limit)


@kernel
def _reduces_risk(t, account, market, sign, lots, limit):
    """The transition rule for a pure reduction filled whole at its limit.

    On StarkEx it may be the only order of the account, since what the account could
    come to with all of them is not covered.
    """
    held = per_position(t, POSITION)[account, market]
    if held == 0 or (held > 0) == (sign > 0):
        return False
    resting = open_lots_of(t)[account, market, 0 if sign > 0 else 1]
    if resting + lots > abs(held):
        return False
    params = parameters(t)
    if t[COVER_RULE] == EVERY_BLOCK and has_orders(t, account):
        return False
    value = limit * vector(t, MULTIPLIER, t[MARKETS])[market]
    fee_ppm = max(params[MAKER_FEE, market], params[TAKER_FEE, market], 0)
    gain = sign * lots * (vector(t, UNIT, t[MARKETS])[market] - value)
    now = account_risk(t, account)
    # A fee is rounded up with each fill, of which there may be one a lot.
    equity = now[0] + gain - lots * ppm_ceil(value, fee_ppm)
    required, excess = with_position(t, now, market, held, held + sign * lots)
    if t[MARGIN_RULE] == STEPS:
        return is_proven(now, (equity, required, excess))
    if required == 0:
        return equity >= 0 or equity >= now[0]
    return is_no_riskier(now, (equity, required, excess))


@kernel
def has_orders_in(t, account, market):
    """Whether an order of the account rests or waits in that market."""
    open_lots = open_lots_of(t)
    return open_lots[account, market, 0] + open_lots[account, market, 1] > 0


@kernel
def has_orders(t, account):
    """Whether an order of the account rests or waits in any market."""
    for market in range(t[MARKETS]):
        if has_orders_in(t, account, market):
            return True
    return False


@kernel
def breaks_isolation(t, account, market):
    """Whether the account holds or wants what may not be beside that market.

    An account with a position or an order in an isolated market has nothing else; but
    for the vault, which takes over what there is.
    """
    if account == t[VAULT]:
        return False
    isolated, position = vector(t, ISOLATED, t[MARKETS]), per_position(t, POSITION)
    for other in range(t[MARKETS]):
        if other == market or isolated[other] + isolated[market] == 0:
            continue
        if position[account, other] != 0 or has_orders_in(t, account, other):
            return True
    return False


# --- how many orders may rest --------------------------------------------------------


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
