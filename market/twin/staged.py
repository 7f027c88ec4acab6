"""Liquidation in stages after Hyperliquid: the book, the vault, deleveraging.

A keeper names an account and a market; by the account's equity this is what happens:

1. Below the maintenance margin: a market order (to the edge of the price band) into the
   book for the whole position, or for a part of a large one. Nobody takes a fee. What
   the fill leaves is the account's.
2. Below two thirds of it, where the venue has a vault: the vault takes all positions
   and all collateral, and the account ends at zero. Open orders of the account are
   cancelled, those of the vault stay.
3. Below zero: all positions are marked for deleveraging, but in halted markets.

The vault is an account like others. What it takes over never lowers its equity, but
may bring it under its own margin. Then it is liquidated into the book by any keeper;
nobody takes it over, and below zero it is deleveraged. Positions that would be worth
more than the venue's largest notional it does not take; they go on to the book.

This file takes how much is sent from `market.rules.staged`, and the stage of an account
from `market.venues.hyperliquid.liquidation`, which no compiled form uses.
"""

from market.rules import staged as rules
from market.twin.admission import limit_of_market_order
from market.twin.fills import change_position
from market.twin.lane import Fill, Lane, Order, RejectError, Tx
from market.twin.liquidation import (
    NO_SLOT,
    dry_run,
    execute_liquidation,
    liquidated_so_far,
    liquidation_order,
    note_liquidation,
)
from market.twin.margin import account_risk
from market.twin.matching import cancel_all
from market.twin.rounds import append, cancel_all_in_round, drop_reductions
from market.types.limits import MAX_NOTIONAL
from market.types.orders import BUY, SELL, Status
from market.venues.hyperliquid.liquidation import LiquidationStage, liquidation_stage

#: Slot of a waiting liquidation that takes part of a large position.
PART_SLOT = -2


def lots_to_send(lane: Lane, target: int, market: int) -> int:
    """Lots of a liquidation order; 0 while it has to wait."""
    params, size = lane.params, abs(lane.position[target][market])
    numbers = rules.StagedRules(
        partial_above=params.liquidation_min_notional,
        portion_ppm=params.liquidation_max_portion_ppm,
        cooldown_us=params.liquidation_cooldown_us,
        waits=params.cooldown_waits,
    )
    notional, until_us = size * lane.unit[market], lane.cooldown_us[target]
    return int(rules.lots_to_send(size, notional, lane.now_us, until_us, numbers))


def next_stage(lane: Lane, tx: Tx) -> LiquidationStage:
    """Book or backstop, or the reason why neither."""
    target, market = tx.slot, tx.market
    if lane.params.halted[market]:
        raise RejectError(Status.HALTED)
    if tx.lots < 0:
        raise RejectError(Status.BAD_LOTS)
    risk, held = account_risk(lane, target), lane.position[target][market]
    stage = liquidation_stage(risk.equity, risk.maintenance)
    if held == 0 or target == tx.account or stage == LiquidationStage.SAFE:
        raise RejectError(Status.NOT_LIQUIDATABLE)
    if liquidated_so_far(lane, target, market)[0]:
        raise RejectError(Status.ALREADY_LIQUIDATED)
    if risk.equity < 0:
        mark_bankrupt(lane, target)
        raise RejectError(Status.BANKRUPT)
    return stage if vault_takes(lane, target) else LiquidationStage.BOOK


def vault_takes(lane: Lane, target: int) -> bool:
    """Whether there is a vault, and its positions stay within the largest notional."""
    vault = lane.spec.vault
    if vault in (-1, target):
        return False
    return all(
        abs(lane.position[vault][m] + lane.position[target][m]) * lane.unit[m]
        <= MAX_NOTIONAL
        for m in lane.markets
    )


def mark_bankrupt(lane: Lane, target: int) -> None:
    """Marks the account's positions for deleveraging, in halted markets none."""
    for market, lots in enumerate(lane.position[target]):
        if lots and not lane.params.halted[market]:
            lane.adl_pending[target][market] = 1


def staged_order(lane: Lane, tx: Tx) -> tuple[Order, bool]:
    """The order to send, and whether it is a part of a large position."""
    target, market = tx.slot, tx.market
    held, lots = lane.position[target][market], lots_to_send(lane, target, market)
    if lots == 0:
        raise RejectError(Status.ALREADY_LIQUIDATED)
    limit = edge_of_band(lane, market, SELL if held > 0 else BUY)
    sent = min(lots, tx.lots) if tx.lots > 0 else lots
    return liquidation_order(lane, target, market, limit, sent), lots < abs(held)


def edge_of_band(lane: Lane, market: int, side: int) -> int:
    """Limit of the market order that a liquidation sends."""
    return limit_of_market_order(lane, market, side)


def backstop(lane: Lane, target: int, market: int) -> Fill:
    """The vault takes all positions at the mark, and the collateral as it is."""
    vault, lots = lane.spec.vault, abs(lane.position[target][market])
    cancel_all(lane, target)
    taken = 0
    for each, held in enumerate(lane.position[target]):
        if held:
            change_position(lane, target, each, -held, lane.unit[each])
            change_position(lane, vault, each, held, lane.unit[each])
            taken += abs(held) * lane.unit[each]
    lane.collateral[vault] += lane.collateral[target]
    lane.collateral[target] = 0
    lane.cooldown_us[target] = 0
    lane.info.taken_over += taken
    note_staged_fill(lane, taken)
    return Fill(Status.FILLED, lots, lots * lane.unit[market])


def note_staged_fill(lane: Lane, quote: int) -> None:
    """Counts a liquidation in what the block reports; nobody pays for it."""
    lane.info.liquidations += 1
    lane.info.liquidated_quote += quote


def start_cooldown(lane: Lane, target: int) -> None:
    """A large position was liquidated in part."""
    lane.cooldown_us[target] = lane.now_us + lane.params.liquidation_cooldown_us


def liquidate_in_stages(lane: Lane, tx: Tx) -> Fill:
    """One liquidation in continuous matching."""
    target, market = tx.slot, tx.market
    if next_stage(lane, tx) == LiquidationStage.BACKSTOP:
        return backstop(lane, target, market)
    order, is_part = staged_order(lane, tx)
    if dry_run(lane, order)[0] == 0:
        raise RejectError(Status.NOTHING_TO_TAKE)
    size, (filled, quote) = order.lots, execute_liquidation(lane, order)
    note_liquidation(lane, target, market, filled, paid=0)
    note_staged_fill(lane, quote)
    if is_part:
        start_cooldown(lane, target)
    status = Status.FILLED if filled == size else Status.PARTIAL
    return Fill(status, filled, quote)


def admit_staged(lane: Lane, index: int, tx: Tx) -> Fill:
    """One liquidation in an auction: its order waits for the price."""
    target, market = tx.slot, tx.market
    if next_stage(lane, tx) == LiquidationStage.BACKSTOP:
        cancel_all_in_round(lane, target)
        drop_reductions(lane, lane.spec.vault)
        return backstop(lane, target, market)
    order, is_part = staged_order(lane, tx)
    order.slot = PART_SLOT if is_part else NO_SLOT
    cancel_all_in_round(lane, target)
    note_liquidation(lane, target, market, order.lots, paid=0)
    return append(lane, index, order, liquidator=tx.account)
