"""One block of one lane: every transaction in its order, then deleveraging."""

from market.kernels.admission import (
    CANCEL,
    CANCEL_ALL,
    LIQUIDATE,
    OK,
    REPLACE,
    check_names,
)
from market.kernels.deleveraging import close_gate, deleverage_pending
from market.kernels.funds import deposit, withdraw
from market.kernels.layout import (
    COUNTERS,
    FILLED_LOTS,
    FILLED_QUOTE,
    INFO,
    INFO_ROWS,
    LIQUIDATED,
    MARKETS,
    MESSAGES,
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
    vector,
)
from market.kernels.liquidation import liquidate
from market.kernels.margin import reckon_prices
from market.kernels.matching import cancel, cancel_all, place_order
from market.kernels.settlement import drop_expired
from market.native import kernel
from market.orders import STATUS_COUNT, Kind

DEPOSIT, NONE = int(Kind.DEPOSIT), int(Kind.NONE)


@kernel
def execute_one(t, index):
    """Runs transaction ``index``: ``(status, filled lots, filled quote)``."""
    size = t[MESSAGES]
    kind, account = vector(t, TX_KIND, size)[index], vector(t, TX_ACCOUNT, size)[index]
    market, slot = vector(t, TX_MARKET, size)[index], vector(t, TX_SLOT, size)[index]
    lots, expiry = vector(t, TX_LOTS, size)[index], vector(t, TX_EXPIRY, size)[index]
    reason = check_names(t, kind, account, market, slot, expiry)
    if reason != OK:
        return reason, 0, 0
    if kind == CANCEL:
        return cancel(t, account, market, slot), 0, 0
    if kind == CANCEL_ALL:
        return cancel_all(t, account, market), 0, 0
    if kind == LIQUIDATE:
        return liquidate(t, account, slot, market, lots)
    if kind == DEPOSIT:
        return deposit(t, account, lots), 0, 0
    if kind > DEPOSIT:
        return withdraw(t, account, lots), 0, 0
    if kind == REPLACE:
        cancel(t, account, market, slot)
    sign, ticks = vector(t, TX_SIDE, size)[index], vector(t, TX_TICKS, size)[index]
    flags = vector(t, TX_FLAGS, size)[index]
    return place_order(t, account, market, sign, ticks, lots, flags, slot, expiry)


@kernel
def run_block(t):
    """Runs the block whose arrays stand in the table."""
    size = t[MESSAGES]
    kind, counters = vector(t, TX_KIND, size), vector(t, COUNTERS, STATUS_COUNT)
    statuses, filled = vector(t, STATUS, size), vector(t, FILLED_LOTS, size)
    quotes = vector(t, FILLED_QUOTE, size)
    vector(t, INFO, INFO_ROWS * t[MARKETS])[:] = 0
    t[LIQUIDATED] = 0
    reckon_prices(t)
    drop_expired(t)
    for index in range(size):
        if kind[index] == NONE:
            statuses[index], filled[index], quotes[index] = 0, 0, 0
            continue
        status, lots, quote = execute_one(t, index)
        statuses[index], filled[index], quotes[index] = status, lots, quote
        counters[status] += 1
    deleverage_pending(t)
    close_gate(t)
