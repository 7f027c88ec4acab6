"""Liquidation orders into the book, and their bill with the insurance fund.

The formulas, their sources and their roundings: `market.rules.liquidation`.
"""

from market.kernels.admission import BAD_LOTS, HALTED, IS_HALTED
from market.kernels.book import crosses, sweep, taken_side
from market.kernels.fills import apply_events
from market.kernels.lane import (
    ACCOUNTS,
    ADJUSTMENT,
    ADL_PENDING,
    ALL_MARKETS,
    COLLATERAL,
    INFO_INSURANCE_PAID,
    INFO_LIQUIDATED,
    INFO_LIQUIDATION_FEES,
    INFO_LIQUIDATIONS,
    INSURANCE,
    LIQUIDATED,
    LIQUIDATED_KEY,
    LIQUIDATED_PAID,
    LIQUIDATED_QUOTE,
    LIQUIDATION_FEE,
    MARGIN_RULE,
    MARKETS,
    MAX_INSURANCE,
    MAX_LIQUIDATION,
    MESSAGES,
    MIN_LIQUIDATION,
    MULTIPLIER,
    NO_FEE,
    PORTION,
    POSITION,
    PRICE,
    REWARD,
    SELF_TRADE,
    SET_ASIDE,
    SLOTS,
    SPREAD,
    UNIT,
    book_of,
    events_of,
    fund_index,
    funds_of,
    information,
    parameters,
    per_position,
    vector,
)
from market.kernels.margin import (
    STEPS,
    account_risk,
    least_equity,
    position_maintenance,
    with_position,
)
from market.kernels.matching import FILLED, PARTIAL, cancel_all
from market.kernels.wide import (
    at_least,
    mul_add_div_floor,
    mul_div_floor,
    mul_div_rest,
    ppm_floor,
)
from market.native.ffi import kernel
from market.types.limits import MAX_TICKS
from market.types.orders import Status

NOT_LIQUIDATABLE = int(Status.NOT_LIQUIDATABLE)
ALREADY_LIQUIDATED = int(Status.ALREADY_LIQUIDATED)
INSURANCE_EMPTY = int(Status.INSURANCE_EMPTY)
NOTHING_TO_TAKE = int(Status.NOTHING_TO_TAKE)
_PPM = 1_000_000


@kernel
def fund_budget(t, target, market):
    """The most that the insurance fund may pay for a liquidation of the account now.

    What the market's fund holds and has not set aside, and what the limit of an account
    and block leaves.
    """
    fund = fund_index(t, market)
    free = funds_of(t, INSURANCE)[fund] - funds_of(t, SET_ASIDE)[fund]
    keys = vector(t, LIQUIDATED_KEY, t[MESSAGES])
    paid = vector(t, LIQUIDATED_PAID, t[MESSAGES])
    left = parameters(t)[MAX_INSURANCE, market]
    for index in range(t[LIQUIDATED]):
        if keys[index] // t[MARKETS] == target:
            left -= paid[index]
    return min(free, left)


@kernel
def liquidated_so_far(t, target, market):
    """``(whether that position was, notional of the account)`` in this block."""
    keys = vector(t, LIQUIDATED_KEY, t[MESSAGES])
    quotes = vector(t, LIQUIDATED_QUOTE, t[MESSAGES])
    again, used = False, 0
    for index in range(t[LIQUIDATED]):
        if keys[index] // t[MARKETS] == target:
            used += quotes[index]
            again = again or keys[index] % t[MARKETS] == market
    return again, used


@kernel
def note_liquidation(t, target, market, lots, paid):
    """Remembers a liquidation for the limits of this block; the fund pays ``paid``."""
    index = t[LIQUIDATED]
    unit = vector(t, UNIT, t[MARKETS])[market]
    vector(t, LIQUIDATED_KEY, t[MESSAGES])[index] = target * t[MARKETS] + market
    vector(t, LIQUIDATED_QUOTE, t[MESSAGES])[index] = lots * unit
    vector(t, LIQUIDATED_PAID, t[MESSAGES])[index] = paid
    t[LIQUIDATED] = index + 1


@kernel
def liquidation_lots(t, market, size, used, cap):
    """Lots to liquidate of a position of ``size``; 0 where the block's limit is used.

    The whole position if the limits allow, else what they buy, at least one lot.
    """
    params, unit = parameters(t), vector(t, UNIT, t[MARKETS])[market]
    notional = size * unit
    least = min(params[MIN_LIQUIDATION, market], notional)
    most = max(least, ppm_floor(notional, params[PORTION, market]))
    allowed = params[MAX_LIQUIDATION, market] - used
    if allowed <= 0:
        return 0
    limit = min(most, allowed)
    lots = size if notional <= limit else min(max(limit // unit, 1), size)
    return min(lots, cap) if cap > 0 else lots


@kernel
def fillable_spread(t, market, required_here, equity, required):
    """``floor(ABR * SMMR * PMMR)``: quanta that a fill may be off the price."""
    params = parameters(t)
    adjustment, width = params[ADJUSTMENT, market], params[SPREAD, market]
    shortfall = min(max(required - max(equity, 0), 0), required)
    if at_least(adjustment, shortfall, _PPM, required):
        return ppm_floor(required_here, width)
    gain = adjustment * width
    quotient, rest = mul_div_rest(shortfall, required_here, required)
    inner = mul_div_floor(gain, rest, required)
    return mul_add_div_floor(gain, quotient, inner, _PPM * _PPM)


@kernel
def fillable_ticks(t, market, held, equity, required):
    """Limit of the liquidation order: a sale rounds up, a purchase down."""
    multiplier = vector(t, MULTIPLIER, t[MARKETS])[market]
    price = vector(t, PRICE, t[MARKETS])[market]
    required_here = position_maintenance(t, market, held)
    spread = fillable_spread(t, market, required_here, equity, required)
    # Notional is ticks of the price exactly, so rounding the spread down rounds both.
    offset = spread // (abs(held) * multiplier)
    return max(price - offset, 1) if held > 0 else min(price + offset, MAX_TICKS)


@kernel
def bankruptcy_quote(t, market, held, delta, risk):
    """Quanta that the account gets for ``delta`` lots at the bankruptcy price.

    On StarkEx the least that keeps equity / requirement; elsewhere the position's part
    of the equity is shared by requirement.

    Args:
        t: the table.
        market: where.
        held: lots of the position, signed.
        delta: its change, toward zero.
        risk: what `account_risk` says of the account.
    """
    notional = delta * vector(t, UNIT, t[MARKETS])[market]
    if t[MARGIN_RULE] == STEPS:
        required, excess = with_position(t, risk, market, held, held + delta)
        return least_equity(risk, required, excess) - risk[0] - notional
    released = position_maintenance(t, market, held)
    released -= position_maintenance(t, market, held + delta)
    share = mul_div_floor(risk[0], released, risk[1]) if risk[1] > 0 else 0
    return -notional - share


@kernel
def dry_run(t, market, side, limit, lots, first, end):
    """What a taker would get that skips its own orders: ``(filled, lot-ticks)``."""
    book = book_of(t, market)
    left, quote, index = lots, 0, book.count[side] - 1
    while index >= 0 and left > 0:
        ticks = book.ticks[side, index]
        if not crosses(side, ticks, limit):
            break
        owner = book.owner[side, index]
        if owner < first or owner >= end:
            taken = min(left, book.lots[side, index])
            quote += taken * ticks
            left -= taken
        index -= 1
    return lots - left, quote


@kernel
def check_target(t, liquidator, target, market, cap):
    """Whether and how much may be liquidated: ``(reason, lots, limit)``."""
    if parameters(t)[HALTED, market] != 0:
        return IS_HALTED, 0, 0
    if cap < 0:
        return BAD_LOTS, 0, 0
    equity, required, _ = account_risk(t, target)
    held = per_position(t, POSITION)[target, market]
    if held == 0 or liquidator == target or required <= max(equity, 0):
        return NOT_LIQUIDATABLE, 0, 0
    again, used = liquidated_so_far(t, target, market)
    lots = 0 if again else liquidation_lots(t, market, abs(held), used, cap)
    if lots == 0:
        return ALREADY_LIQUIDATED, 0, 0
    return 0, lots, fillable_ticks(t, market, held, equity, required)


@kernel
def apply_insurance(t, liquidator, target, market, quote, bankruptcy):
    """Bills a fill that brought ``quote``: the fund pays the loss or takes the fee.

    The fund never pays more than it has; the caller saw to it that it need not, but for
    the rounding of a partial fill in a round, which the account then bears.
    """
    params, info = parameters(t), information(t)
    collateral = vector(t, COLLATERAL, t[ACCOUNTS])
    insurance, fund = funds_of(t, INSURANCE), fund_index(t, market)
    delta = max(quote - bankruptcy, -insurance[fund])
    if delta <= 0:
        collateral[target] -= delta
        insurance[fund] += delta
        info[INFO_INSURANCE_PAID, 0] -= delta
        return
    fee = min(delta, ppm_floor(abs(quote), params[LIQUIDATION_FEE, market]))
    reward = ppm_floor(fee, params[REWARD, market])
    collateral[target] -= fee
    collateral[liquidator] += reward
    insurance[fund] += fee - reward
    info[INFO_LIQUIDATION_FEES, 0] += fee


@kernel
def liquidate(t, liquidator, target, market, cap):
    """Sends the target's position, or a part, into the book at the fillable price.

    Nothing changes on a reject, but that a loss which neither the book nor the fund can
    bear marks the position for deleveraging.

    Returns:
        ``(status, filled lots, filled quote)``.
    """
    reason, lots, limit = check_target(t, liquidator, target, market, cap)
    if reason != 0:
        return reason, 0, 0
    risk = account_risk(t, target)
    held = per_position(t, POSITION)[target, market]
    sign, first = -1 if held > 0 else 1, target * t[SLOTS]
    side, end = taken_side(sign), first + t[SLOTS]
    filled, lot_ticks = dry_run(t, market, side, limit, lots, first, end)
    pending = per_position(t, ADL_PENDING)
    if filled == 0:
        if risk[0] < 0:
            pending[target, market] = 1
        return NOTHING_TO_TAKE, 0, 0
    quote = -sign * lot_ticks * vector(t, MULTIPLIER, t[MARKETS])[market]
    bankruptcy = bankruptcy_quote(t, market, held, sign * filled, risk)
    paid = max(bankruptcy - quote, 0)
    if paid > 0 and paid > fund_budget(t, target, market):
        pending[target, market] = 1
        return INSURANCE_EMPTY, 0, 0
    _execute(t, target, market, sign, limit, lots)
    apply_insurance(t, liquidator, target, market, quote, bankruptcy)
    note_liquidation(t, target, market, filled, paid)
    information(t)[INFO_LIQUIDATIONS, 0] += 1
    information(t)[INFO_LIQUIDATED, 0] += abs(quote)
    return FILLED if filled == lots else PARTIAL, filled, abs(quote)


@kernel
def _execute(t, target, market, sign, limit, lots):
    """The liquidation order itself; the target has no orders left to meet."""
    cancel_all(t, target, ALL_MARKETS)
    book, side, first = book_of(t, market), taken_side(sign), target * t[SLOTS]
    end, mode = first + t[SLOTS], t[SELF_TRADE]
    _, rows, _ = sweep(book, side, limit, lots, first, end, mode, events_of(t))
    apply_events(t, market, side, rows, target, sign, NO_FEE)
