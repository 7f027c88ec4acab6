"""Staged liquidation after Hyperliquid: the book, the backstop vault, deleveraging.

The stages and their order: `market.twin.staged`; how much is sent:
`market.rules.staged`.
"""

from market.kernels.admission import BAD_LOTS, IS_HALTED, limit_of_market_order
from market.kernels.engine import FILLED, OK, PARTIAL
from market.kernels.fills import change_position
from market.kernels.lane import ALL_MARKETS, NO_SLOT, NOTHING, PART_SLOT
from market.kernels.liquidation import (
    ALREADY_LIQUIDATED,
    NOT_LIQUIDATABLE,
    NOTHING_TO_TAKE,
    dry_run,
    execute_liquidation,
    liquidated_so_far,
    liquidation_order,
    note_liquidation,
)
from market.kernels.margin import account_risk
from market.kernels.matching import cancel_all
from market.kernels.rounds import append, cancel_all_in_round, drop_reductions
from market.kernels.wide import ppm_ceil
from market.native.ffi import kernel
from market.types.limits import MAX_NOTIONAL
from market.types.orders import Status

BANKRUPT = int(Status.BANKRUPT)


@kernel
def lots_to_send(lane, target, market, size):
    """``(lots, whether they are a part)`` of a liquidation order; 0 where it waits."""
    params, until, now_us = lane.params, lane.cooldown_us[target], lane.now_us
    part = size
    if size * lane.unit[market] > params.liquidation_min_notional[market]:
        part = ppm_ceil(size, params.liquidation_max_portion_ppm[market])
    waits = params.cooldown_waits[market] != 0
    begun = until > 0 and until < now_us + params.liquidation_cooldown_us[market]
    if begun and now_us < until:
        return (0 if waits else size), False
    if begun and waits:
        return size, False
    return part, part < size


@kernel
def next_stage(lane, liquidator, target, market, cap):
    """What is to become of a liquidation: ``(status, lots, is part)``.

    `OK` asks for an order of that many lots; `FILLED` says that the vault is to take
    the account over; otherwise it is the reject's reason.
    """
    if lane.params.halted[market] != 0:
        return IS_HALTED, 0, False
    if cap < 0:
        return BAD_LOTS, 0, False
    risk, size = account_risk(lane, target), abs(lane.position[target, market])
    if size == 0 or liquidator == target or risk.required <= risk.equity:
        return NOT_LIQUIDATABLE, 0, False
    if liquidated_so_far(lane, target, market)[0]:
        return ALREADY_LIQUIDATED, 0, False
    if risk.equity < 0:
        return BANKRUPT, 0, False
    if 3 * risk.equity < 2 * risk.required and vault_takes(lane, target):
        return FILLED, size, False
    lots, is_part = lots_to_send(lane, target, market, size)
    if lots == 0:
        return ALREADY_LIQUIDATED, 0, False
    return OK, min(lots, cap) if cap > 0 else lots, is_part


@kernel
def vault_takes(lane, target):
    """Whether there is a vault, and its positions stay within the largest notional."""
    vault, position = lane.vault, lane.position
    if vault < 0 or vault == target:
        return False
    for market in range(lane.markets):
        lots = abs(position[vault, market] + position[target, market])
        if lots > MAX_NOTIONAL // lane.unit[market]:
            return False
    return True


@kernel
def mark_bankrupt(lane, target):
    """Marks the account's positions for deleveraging, in halted markets none."""
    for market in range(lane.markets):
        is_open = lane.params.halted[market] == 0
        if is_open and lane.position[target, market] != 0:
            lane.adl_pending[target, market] = 1


@kernel
def backstop(lane, target):
    """The vault takes all positions at the mark, and the collateral as it is."""
    cancel_all(lane, target, ALL_MARKETS)
    vault, taken = lane.vault, 0
    for market in range(lane.markets):
        held, unit = lane.position[target, market], lane.unit[market]
        if held != 0:
            change_position(lane, target, market, -held, unit)
            change_position(lane, vault, market, held, unit)
            taken += abs(held) * unit
    lane.collateral[vault] += lane.collateral[target]
    lane.collateral[target] = 0
    lane.cooldown_us[target] = 0
    lane.info.taken_over += taken
    note_staged_fill(lane, taken)


@kernel
def note_staged_fill(lane, quote):
    """Counts a liquidation in what the block reports; nobody pays for it."""
    lane.info.liquidations += 1
    lane.info.liquidated_quote += quote


@kernel
def start_cooldown(lane, target):
    """A large position was liquidated in part."""
    cooldown = lane.params.liquidation_cooldown_us[0]
    lane.cooldown_us[target] = lane.now_us + cooldown


@kernel
def edge_of_band(lane, market, sign):
    """Limit of the market order that a liquidation sends."""
    band_ppm = lane.params.price_band_ppm[market]
    return limit_of_market_order(lane.price[market], band_ppm, sign)


@kernel
def staged_order(lane, target, market, lots, slot):
    """The order that a liquidation sends."""
    sign = -1 if lane.position[target, market] > 0 else 1
    limit = edge_of_band(lane, market, sign)
    return liquidation_order(lane, target, market, limit, lots, slot)


@kernel
def liquidate_in_stages(lane, liquidator, target, market, cap):
    """One liquidation in continuous matching: ``(status, filled lots, quote)``."""
    status, lots, is_part = next_stage(lane, liquidator, target, market, cap)
    if status == FILLED:
        backstop(lane, target)
        return FILLED, lots, lots * lane.unit[market]
    if status == BANKRUPT:
        mark_bankrupt(lane, target)
    if status != OK:
        return status, 0, 0
    order = staged_order(lane, target, market, lots, NO_SLOT)
    if dry_run(lane, order)[0] == 0:
        return NOTHING_TO_TAKE, 0, 0
    filled, quote = execute_liquidation(lane, order)
    note_liquidation(lane, target, market, filled, NOTHING)
    note_staged_fill(lane, quote)
    if is_part:
        start_cooldown(lane, target)
    return FILLED if filled == lots else PARTIAL, filled, quote


@kernel
def admit_staged(lane, index, liquidator, target, market, cap):
    """Admits one to an auction's round: `OK` and its order, or what became of it."""
    status, lots, is_part = next_stage(lane, liquidator, target, market, cap)
    if status == FILLED:
        cancel_all_in_round(lane, target, ALL_MARKETS)
        drop_reductions(lane, lane.vault, ALL_MARKETS)
        backstop(lane, target)
        lane.receipts.filled_lots[index] = lots
        lane.receipts.filled_quote[index] = lots * lane.unit[market]
    if status == BANKRUPT:
        mark_bankrupt(lane, target)
    if status != OK:
        return status
    slot = PART_SLOT if is_part else NO_SLOT
    order = staged_order(lane, target, market, lots, slot)
    cancel_all_in_round(lane, target, ALL_MARKETS)
    note_liquidation(lane, target, market, lots, NOTHING)
    append(lane, index, order).liquidator = liquidator
    return OK
