"""One block of one lane: every transaction in its order, then deleveraging."""

from market.kernels.admission import (
    CANCEL,
    DEPOSIT,
    LIQUIDATE,
    REDUCE,
    REPLACE,
    check_names,
    takes_off,
)
from market.kernels.clearing import clear
from market.kernels.cover import drop_undercollateralised
from market.kernels.deleveraging import deleverage_pending
from market.kernels.engine import FILLED, OK
from market.kernels.fills import drop_expired
from market.kernels.funds import deposit, withdraw
from market.kernels.gate import close_gate
from market.kernels.lane import ALL_MARKETS, tx_of
from market.kernels.liquidation import liquidate
from market.kernels.margin import reckon_prices
from market.kernels.matching import cancel, cancel_all, place_order, reduce
from market.kernels.rounds import (
    admit_liquidation,
    admit_order,
    cancel_all_in_round,
    cancel_in_round,
    drop_reductions,
    reduce_in_round,
)
from market.kernels.staged import admit_staged, liquidate_in_stages
from market.kernels.takeover import take_over
from market.native.ffi import kernel
from market.types.orders import Kind
from market.types.specs import Liquidation

TAKEOVER, STAGES = int(Liquidation.TAKEOVER), int(Liquidation.STAGES)
NONE = int(Kind.NONE)


@kernel
def execute_one(lane, tx):
    """Runs a transaction continuously: ``(status, filled lots, quote)``."""
    reason = check_names(lane, tx)
    if reason != OK:
        return reason, 0, 0
    if takes_off(tx.kind):
        return run_cancel(lane, tx), 0, 0
    if tx.kind == LIQUIDATE:
        return run_liquidation(lane, tx)
    if tx.kind >= DEPOSIT:
        return run_transfer(lane, tx), 0, 0
    if tx.kind == REPLACE:
        cancel(lane, tx.account, tx.market, tx.slot)
    return place_order(lane, tx)


@kernel
def run_cancel(lane, tx):
    """A cancel of one order or of all, or of a part of one."""
    if tx.kind == REDUCE:
        return reduce(lane, tx.account, tx.market, tx.slot, tx.lots)
    if tx.kind == CANCEL:
        return cancel(lane, tx.account, tx.market, tx.slot)
    return cancel_all(lane, tx.account, tx.market)


@kernel
def run_liquidation(lane, tx):
    """A liquidation by the rules of the venue."""
    liquidator, target, market, cap = tx.account, tx.slot, tx.market, tx.lots
    if lane.liquidation == TAKEOVER:
        return take_over(lane, liquidator, target, market, cap, tx.ticks)
    if lane.liquidation == STAGES:
        return liquidate_in_stages(lane, liquidator, target, market, cap)
    return liquidate(lane, liquidator, target, market, cap)


@kernel
def run_transfer(lane, tx):
    """A deposit or a withdrawal."""
    if tx.kind == DEPOSIT:
        return deposit(lane, tx.account, tx.lots)
    return withdraw(lane, tx.account, tx.lots)


@kernel
def admit_one(lane, index, tx):
    """Takes one into an auction's round: a status, or `OK` if it waits."""
    reason = check_names(lane, tx)
    if reason != OK:
        return reason
    if takes_off(tx.kind):
        return run_cancel_in_round(lane, tx)
    if tx.kind == LIQUIDATE:
        return admit_any_liquidation(lane, index, tx)
    if tx.kind >= DEPOSIT:
        return run_transfer(lane, tx)
    if tx.kind == REPLACE:
        cancel_in_round(lane, tx.account, tx.market, tx.slot)
    return admit_order(lane, index, tx)


@kernel
def run_cancel_in_round(lane, tx):
    """A cancel of one order or of all, or of a part of one; it may wait or rest."""
    if tx.kind == REDUCE:
        return reduce_in_round(lane, tx.account, tx.market, tx.slot, tx.lots)
    if tx.kind == CANCEL:
        return cancel_in_round(lane, tx.account, tx.market, tx.slot)
    return cancel_all_in_round(lane, tx.account, tx.market)


@kernel
def admit_any_liquidation(lane, index, tx):
    """A liquidation by the rules of the venue, in an auction's block."""
    liquidator, target, market, cap = tx.account, tx.slot, tx.market, tx.lots
    if lane.liquidation == TAKEOVER:
        return take_over_first(lane, index, tx)
    if lane.liquidation == STAGES:
        return admit_staged(lane, index, liquidator, target, market, cap)
    return admit_liquidation(lane, index, liquidator, target, market, cap)


@kernel
def take_over_first(lane, index, tx):
    """A takeover in an auction's block: at once, before the clearing."""
    keeper, target, market = tx.account, tx.slot, tx.market
    status, lots, quote = take_over(lane, keeper, target, market, tx.lots, tx.ticks)
    if status == FILLED:
        cancel_all_in_round(lane, target, ALL_MARKETS)
        drop_reductions(lane, keeper, market)
    lane.receipts.filled_lots[index] = lots
    lane.receipts.filled_quote[index] = quote
    return status


@kernel
def run_continuously(lane):
    """Every transaction in its order, each meeting the book that the last one left."""
    kind, receipts = lane.tx.kind, lane.receipts
    for index in range(lane.messages):
        if kind[index] != NONE:
            status, lots, quote = execute_one(lane, tx_of(lane, index))
            receipts.status[index] = status
            receipts.filled_lots[index] = lots
            receipts.filled_quote[index] = quote


@kernel
def run_auction(lane):
    """Every transaction in its order, orders to wait; then one price a market."""
    kind = lane.tx.kind
    for index in range(lane.messages):
        if kind[index] != NONE:
            lane.receipts.status[index] = admit_one(lane, index, tx_of(lane, index))
    clear(lane)


@kernel
def open_block(lane):
    """Clears what the block reports and reckons its prices; expired orders leave."""
    lane.receipts.status[:] = 0
    lane.receipts.filled_lots[:] = 0
    lane.receipts.filled_quote[:] = 0
    lane.info.all[:] = 0
    lane.noted_count, lane.waiting_count = 0, 0
    lane.set_aside[:] = 0
    reckon_prices(lane)
    drop_expired(lane)
    drop_undercollateralised(lane)


@kernel
def close_block(lane):
    """Counts the outcomes, deleverages what was marked, closes the gate."""
    kind, status = lane.tx.kind, lane.receipts.status
    for index in range(lane.messages):
        if kind[index] != NONE:
            lane.counters[status[index]] += 1
    deleverage_pending(lane)
    close_gate(lane)


@kernel
def run_continuous_block(lane):
    """Runs the block of a lane in continuous matching."""
    open_block(lane)
    run_continuously(lane)
    close_block(lane)


@kernel
def run_auction_block(lane):
    """Runs the block of a lane in auction mode."""
    open_block(lane)
    run_auction(lane)
    close_block(lane)
