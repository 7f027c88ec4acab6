"""Staged liquidation after Hyperliquid: the book, the backstop vault, deleveraging.

The stages and their order: `market.twin.staged`; how much is sent:
`market.rules.staged`.
"""

from market.kernels.admission import (
    BAD_LOTS,
    BAND,
    HALTED,
    IS_HALTED,
    limit_of_market_order,
)
from market.kernels.book import sweep, taken_side
from market.kernels.fills import apply_events, change_position
from market.kernels.lane import (
    ACCOUNTS,
    ADL_PENDING,
    ALL_MARKETS,
    COLLATERAL,
    COOLDOWN,
    COOLDOWN_US,
    COOLDOWN_WAITS,
    FILLED_LOTS,
    FILLED_QUOTE,
    INFO_LIQUIDATED,
    INFO_LIQUIDATIONS,
    INFO_TAKEN_OVER,
    MARKETS,
    MESSAGES,
    MIN_LIQUIDATION,
    NO_FEE,
    NO_SLOT,
    NOTHING,
    NOW,
    PART_SLOT,
    PORTION,
    POSITION,
    PRICE,
    SELF_TRADE,
    SLOTS,
    UNIT,
    VAULT,
    book_of,
    events_of,
    information,
    parameters,
    per_position,
    vector,
)
from market.kernels.liquidation import (
    ALREADY_LIQUIDATED,
    NOT_LIQUIDATABLE,
    NOTHING_TO_TAKE,
    dry_run,
    liquidated_so_far,
    note_liquidation,
)
from market.kernels.margin import account_risk
from market.kernels.matching import FILLED, PARTIAL, cancel_all
from market.kernels.rounds import LIQUIDATOR, append, drop_waiting, round_of
from market.kernels.wide import ppm_ceil
from market.native.ffi import kernel
from market.types.limits import MAX_NOTIONAL
from market.types.orders import Status

BANKRUPT = int(Status.BANKRUPT)


@kernel
def lots_to_send(t, target, market, size):
    """``(lots, whether they are a part)`` of a liquidation order; 0 where it waits."""
    params, until = parameters(t), vector(t, COOLDOWN, t[ACCOUNTS])[target]
    notional = size * vector(t, UNIT, t[MARKETS])[market]
    part = size
    if notional > params[MIN_LIQUIDATION, market]:
        part = ppm_ceil(size, params[PORTION, market])
    begun = until > 0 and until < t[NOW] + params[COOLDOWN_US, market]
    if begun and t[NOW] < until:
        return (size if params[COOLDOWN_WAITS, market] == 0 else 0), False
    if begun and params[COOLDOWN_WAITS, market] != 0:
        return size, False
    return part, part < size


@kernel
def next_stage(t, liquidator, target, market, cap):
    """What is to become of a liquidation: ``(status, lots, is part)``.

    Status 0 asks for an order of that many lots; `FILLED` says that the vault is to
    take the account over; otherwise it is the reject's reason.
    """
    if parameters(t)[HALTED, market] != 0:
        return IS_HALTED, 0, False
    if cap < 0:
        return BAD_LOTS, 0, False
    equity, required, _ = account_risk(t, target)
    size = abs(per_position(t, POSITION)[target, market])
    if size == 0 or liquidator == target or required <= equity:
        return NOT_LIQUIDATABLE, 0, False
    if liquidated_so_far(t, target, market)[0]:
        return ALREADY_LIQUIDATED, 0, False
    if equity < 0:
        return BANKRUPT, 0, False
    if 3 * equity < 2 * required and vault_takes(t, target):
        return FILLED, size, False
    lots, is_part = lots_to_send(t, target, market, size)
    if lots == 0:
        return ALREADY_LIQUIDATED, 0, False
    return 0, min(lots, cap) if cap > 0 else lots, is_part


@kernel
def vault_takes(t, target):
    """Whether there is a vault, and its positions stay within the largest notional."""
    vault, position = t[VAULT], per_position(t, POSITION)
    if vault < 0 or vault == target:
        return False
    for market in range(t[MARKETS]):
        lots = abs(position[vault, market] + position[target, market])
        if lots > MAX_NOTIONAL // vector(t, UNIT, t[MARKETS])[market]:
            return False
    return True


@kernel
def mark_bankrupt(t, target):
    """Marks the account's positions for deleveraging, in halted markets none."""
    position, pending = per_position(t, POSITION), per_position(t, ADL_PENDING)
    params = parameters(t)
    for market in range(t[MARKETS]):
        if position[target, market] != 0 and params[HALTED, market] == 0:
            pending[target, market] = 1


@kernel
def backstop(t, target):
    """The vault takes all positions at the mark, and the collateral as it is."""
    cancel_all(t, target, ALL_MARKETS)
    vault, position = t[VAULT], per_position(t, POSITION)
    collateral, info = vector(t, COLLATERAL, t[ACCOUNTS]), information(t)
    taken = 0
    for market in range(t[MARKETS]):
        held = position[target, market]
        if held != 0:
            unit = vector(t, UNIT, t[MARKETS])[market]
            change_position(t, target, market, -held, unit)
            change_position(t, vault, market, held, unit)
            taken += abs(held) * unit
    collateral[vault] += collateral[target]
    collateral[target] = 0
    vector(t, COOLDOWN, t[ACCOUNTS])[target] = 0
    info[INFO_TAKEN_OVER, 0] += taken
    note_staged_fill(t, taken)


@kernel
def note_staged_fill(t, quote):
    """Counts a liquidation in what the block reports; nobody pays for it."""
    information(t)[INFO_LIQUIDATIONS, 0] += 1
    information(t)[INFO_LIQUIDATED, 0] += quote


@kernel
def start_cooldown(t, target):
    """A large position was liquidated in part."""
    cooldown = parameters(t)[COOLDOWN_US, 0]
    vector(t, COOLDOWN, t[ACCOUNTS])[target] = t[NOW] + cooldown


@kernel
def edge_of_band(t, market, sign):
    """Limit of the market order that a liquidation sends."""
    price = vector(t, PRICE, t[MARKETS])[market]
    return limit_of_market_order(price, parameters(t)[BAND, market], sign)


@kernel
def liquidate_in_stages(t, liquidator, target, market, cap):
    """One liquidation in continuous matching: ``(status, filled lots, quote)``."""
    status, lots, is_part = next_stage(t, liquidator, target, market, cap)
    if status == FILLED:
        backstop(t, target)
        return FILLED, lots, lots * vector(t, UNIT, t[MARKETS])[market]
    if status == BANKRUPT:
        mark_bankrupt(t, target)
    if status != 0:
        return status, 0, 0
    sign = -1 if per_position(t, POSITION)[target, market] > 0 else 1
    limit, first = edge_of_band(t, market, sign), target * t[SLOTS]
    side, end = taken_side(sign), first + t[SLOTS]
    if dry_run(t, market, side, limit, lots, first, end)[0] == 0:
        return NOTHING_TO_TAKE, 0, 0
    cancel_all(t, target, ALL_MARKETS)
    book = book_of(t, market)
    _, rows, _ = sweep(book, side, limit, lots, first, end, t[SELF_TRADE], events_of(t))
    filled, quote = apply_events(t, market, side, rows, target, sign, NO_FEE)
    note_liquidation(t, target, market, filled, NOTHING)
    note_staged_fill(t, quote)
    if is_part:
        start_cooldown(t, target)
    return FILLED if filled == lots else PARTIAL, filled, quote


# --- in an auction -------------------------------------------------------------------


@kernel
def admit_staged(t, index, liquidator, target, market, cap):
    """Admits a liquidation: `OK` and a row in the round, or what became of it."""
    status, lots, is_part = next_stage(t, liquidator, target, market, cap)
    if status == FILLED:
        drop_waiting(t, target)
        backstop(t, target)
        unit = vector(t, UNIT, t[MARKETS])[market]
        vector(t, FILLED_LOTS, t[MESSAGES])[index] = lots
        vector(t, FILLED_QUOTE, t[MESSAGES])[index] = lots * unit
    if status == BANKRUPT:
        mark_bankrupt(t, target)
    if status != 0:
        return status
    sign = -1 if per_position(t, POSITION)[target, market] > 0 else 1
    limit = edge_of_band(t, market, sign)
    cancel_all(t, target, ALL_MARKETS)
    drop_waiting(t, target)
    note_liquidation(t, target, market, lots, NOTHING)
    slot = PART_SLOT if is_part else NO_SLOT
    row = append(
        t, index, market, target, sign, limit, lots, NOTHING, slot, NOTHING, NOTHING
    )
    round_of(t)[row, LIQUIDATOR] = liquidator
    return status
