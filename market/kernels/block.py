"""One block of one lane: every transaction in its order, then deleveraging."""

from market.kernels.admission import (
    CANCEL,
    DEPOSIT,
    LIQUIDATE,
    OK,
    REDUCE,
    REPLACE,
    check_names,
    takes_off,
)
from market.kernels.clearing import clear
from market.kernels.cover import drop_undercollateralised
from market.kernels.deleveraging import close_gate, deleverage_pending
from market.kernels.fills import drop_expired
from market.kernels.funds import deposit, withdraw
from market.kernels.lane import (
    FILLED_LOTS,
    FILLED_QUOTE,
    LIQUIDATED,
    LIQUIDATION_RULE,
    MESSAGES,
    SET_ASIDE,
    STATUS,
    TX_ACCOUNT,
    TX_EXPIRY,
    TX_FLAGS,
    TX_KIND,
    TX_LOTS,
    TX_MARKET,
    TX_SIDE,
    TX_SLOT,
    TX_TICKS,
    WAITING,
    counters_of,
    funds_of,
    information,
    vector,
)
from market.kernels.liquidation import liquidate
from market.kernels.margin import reckon_prices
from market.kernels.matching import FILLED, cancel, cancel_all, place_order, reduce
from market.kernels.rounds import (
    admit_liquidation,
    admit_order,
    drop_reductions,
    drop_waiting,
)
from market.kernels.staged import admit_staged, liquidate_in_stages
from market.kernels.takeover import take_over
from market.native.ffi import kernel
from market.types.orders import Kind
from market.types.specs import Liquidation

TAKEOVER, STAGES = int(Liquidation.TAKEOVER), int(Liquidation.STAGES)
NONE = int(Kind.NONE)


@kernel
def execute_one(t, index):
    """Runs transaction ``index`` continuously: ``(status, filled lots, quote)``."""
    size = t[MESSAGES]
    kind, account = vector(t, TX_KIND, size)[index], vector(t, TX_ACCOUNT, size)[index]
    market, slot = vector(t, TX_MARKET, size)[index], vector(t, TX_SLOT, size)[index]
    lots, expiry = vector(t, TX_LOTS, size)[index], vector(t, TX_EXPIRY, size)[index]
    sign, ticks = vector(t, TX_SIDE, size)[index], vector(t, TX_TICKS, size)[index]
    reason = check_names(t, kind, account, market, slot, expiry)
    if reason != OK:
        return reason, 0, 0
    if takes_off(kind):
        return run_cancel(t, kind, account, market, slot, lots), 0, 0
    if kind == LIQUIDATE:
        return run_liquidation(t, account, slot, market, lots, ticks)
    if kind >= DEPOSIT:
        return run_transfer(t, kind, account, lots), 0, 0
    if kind == REPLACE:
        cancel(t, account, market, slot)
    flags = vector(t, TX_FLAGS, size)[index]
    return place_order(t, account, market, sign, ticks, lots, flags, slot, expiry)


@kernel
def run_cancel(t, kind, account, market, slot, lots):
    """A cancel of one order or of all, or of a part of one."""
    if kind == REDUCE:
        return reduce(t, account, market, slot, lots)
    if kind == CANCEL:
        return cancel(t, account, market, slot)
    return cancel_all(t, account, market)


@kernel
def run_liquidation(t, liquidator, target, market, cap, ticks):
    """A liquidation by the rules of the venue."""
    if t[LIQUIDATION_RULE] == TAKEOVER:
        return take_over(t, liquidator, target, market, cap, ticks)
    if t[LIQUIDATION_RULE] == STAGES:
        return liquidate_in_stages(t, liquidator, target, market, cap)
    return liquidate(t, liquidator, target, market, cap)


@kernel
def run_transfer(t, kind, account, quanta):
    """A deposit or a withdrawal."""
    if kind == DEPOSIT:
        return deposit(t, account, quanta)
    return withdraw(t, account, quanta)


@kernel
def cancel_first(t, index):
    """The first pass of an auction: cancels, and the cancel of a replacement."""
    size = t[MESSAGES]
    kind, account = vector(t, TX_KIND, size)[index], vector(t, TX_ACCOUNT, size)[index]
    market, slot = vector(t, TX_MARKET, size)[index], vector(t, TX_SLOT, size)[index]
    if kind != REPLACE and not takes_off(kind):
        return
    lots, expiry = vector(t, TX_LOTS, size)[index], vector(t, TX_EXPIRY, size)[index]
    reason = check_names(t, kind, account, market, slot, expiry)
    if kind == REPLACE:
        if reason == OK:
            cancel(t, account, market, slot)
    elif reason == OK:
        reason = run_cancel(t, kind, account, market, slot, lots)
    vector(t, STATUS, size)[index] = reason


@kernel
def admit_one(t, index):
    """The second pass of an auction: a status, or `OK` for what waits for the price."""
    size = t[MESSAGES]
    kind, account = vector(t, TX_KIND, size)[index], vector(t, TX_ACCOUNT, size)[index]
    market, slot = vector(t, TX_MARKET, size)[index], vector(t, TX_SLOT, size)[index]
    lots, expiry = vector(t, TX_LOTS, size)[index], vector(t, TX_EXPIRY, size)[index]
    sign, ticks = vector(t, TX_SIDE, size)[index], vector(t, TX_TICKS, size)[index]
    reason = check_names(t, kind, account, market, slot, expiry)
    if reason != OK:
        return reason
    if kind == LIQUIDATE:
        return admit_any_liquidation(t, index, account, slot, market, lots, ticks)
    if kind >= DEPOSIT:
        return run_transfer(t, kind, account, lots)
    flags = vector(t, TX_FLAGS, size)[index]
    return admit_order(
        t, index, account, market, sign, ticks, lots, flags, slot, expiry
    )


@kernel
def admit_any_liquidation(t, index, liquidator, target, market, cap, ticks):
    """A liquidation by the rules of the venue, in an auction's block."""
    if t[LIQUIDATION_RULE] == TAKEOVER:
        return take_over_first(t, index, liquidator, target, market, cap, ticks)
    if t[LIQUIDATION_RULE] == STAGES:
        return admit_staged(t, index, liquidator, target, market, cap)
    return admit_liquidation(t, index, liquidator, target, market, cap)


@kernel
def take_over_first(t, index, keeper, target, market, cap, ticks):
    """A takeover in an auction's block: at once, before the clearing."""
    size = t[MESSAGES]
    status, lots, quote = take_over(t, keeper, target, market, cap, ticks)
    if status == FILLED:
        drop_waiting(t, target)
        drop_reductions(t, keeper, market)
    vector(t, FILLED_LOTS, size)[index] = lots
    vector(t, FILLED_QUOTE, size)[index] = quote
    return status


@kernel
def run_continuously(t):
    """Every transaction in its order, each meeting the book that the last one left."""
    size = t[MESSAGES]
    kind, statuses = vector(t, TX_KIND, size), vector(t, STATUS, size)
    filled, quotes = vector(t, FILLED_LOTS, size), vector(t, FILLED_QUOTE, size)
    for index in range(size):
        if kind[index] != NONE:
            status, lots, quote = execute_one(t, index)
            statuses[index], filled[index], quotes[index] = status, lots, quote


@kernel
def run_auction(t):
    """Cancels first, then admissions in sequence, then one price a market."""
    size = t[MESSAGES]
    kind, statuses = vector(t, TX_KIND, size), vector(t, STATUS, size)
    for index in range(size):
        cancel_first(t, index)
    for index in range(size):
        if kind[index] != NONE and not takes_off(kind[index]):
            statuses[index] = admit_one(t, index)
    clear(t)


@kernel
def open_block(t):
    """Clears what the block reports and reckons its prices; expired orders leave."""
    for field in (STATUS, FILLED_LOTS, FILLED_QUOTE):
        vector(t, field, t[MESSAGES])[:] = 0
    information(t)[:] = 0
    t[LIQUIDATED], t[WAITING] = 0, 0
    funds_of(t, SET_ASIDE)[:] = 0
    reckon_prices(t)
    drop_expired(t)
    drop_undercollateralised(t)


@kernel
def close_block(t):
    """Counts the outcomes, deleverages what was marked, closes the gate."""
    kind = vector(t, TX_KIND, t[MESSAGES])
    statuses, counters = vector(t, STATUS, t[MESSAGES]), counters_of(t)
    for index in range(t[MESSAGES]):
        if kind[index] != NONE:
            counters[statuses[index]] += 1
    deleverage_pending(t)
    close_gate(t)


@kernel
def run_continuous_block(t):
    """Runs the block whose arrays stand in the table, in continuous matching."""
    open_block(t)
    run_continuously(t)
    close_block(t)


@kernel
def run_auction_block(t):
    """Runs the block whose arrays stand in the table, in auction mode."""
    open_block(t)
    run_auction(t)
    close_block(t)
