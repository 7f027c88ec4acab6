"""Clearing a round: what trades at the uniform price, and what becomes of the rest.

Price and rationing are `market.kernels.auction`'s: the price maximises volume; at the
margin of a side, orders of earlier blocks come first, block after block, and those of
one block share what is left for them in proportion to their size.

An account's own orders may meet in a round: nobody is the taker, dropping one of a
crossing pair would move the price for everyone, and the fills cancel but for the fees.
Orders that rest from earlier blocks pay the maker's fee, those of the round the
taker's, liquidations none.
"""

from market.kernels.admission import IMMEDIATE
from market.kernels.auction import clear as find_price
from market.kernels.book import ASKS, BIDS, drop_empty, insert, resting_side
from market.kernels.fills import record_fill, reserve, trade
from market.kernels.lane import (
    ADL_PENDING,
    AUCTION_ROWS,
    BLOCK,
    CAPACITY,
    FILLED_LOTS,
    FILLED_QUOTE,
    INFO_LIQUIDATED,
    INFO_LIQUIDATIONS,
    LIQUIDATION_RULE,
    MAKER_FEE,
    MARKETS,
    MESSAGES,
    MULTIPLIER,
    NO_FEE,
    NOTHING,
    PART_SLOT,
    POSITION,
    SLOTS,
    STATUS,
    TAKER_FEE,
    WAITING,
    book_of,
    counters_of,
    information,
    matrix,
    parameters,
    per_position,
    vector,
)
from market.kernels.liquidation import (
    NOTHING_TO_TAKE,
    apply_insurance,
    bankruptcy_quote,
)
from market.kernels.margin import account_equity, account_risk
from market.kernels.matching import BOOK_FULL, FILLED, PARTIAL, RESTING
from market.kernels.rounds import (
    ACCOUNT,
    EXPIRY,
    FLAGS,
    GOT,
    INDEX,
    LIMIT,
    LIQUIDATOR,
    LOSS,
    MARKET,
    SIGN,
    SIZE,
    SLOT,
    round_of,
)
from market.kernels.staged import note_staged_fill, start_cooldown
from market.native.ffi import kernel
from market.types.specs import Liquidation

STAGES = int(Liquidation.STAGES)

# Rows of the scratch: the orders of one market, one a column.
SIDE, TICKS, LOTS, CAME, FILLS, KEYS = range(6)
ROWS = 7  # KEYS has two


@kernel
def _columns(t):
    """Resting bids and asks, then the round: [ROWS, 2 C + B]."""
    return matrix(t, AUCTION_ROWS, ROWS, 2 * t[CAPACITY] + t[MESSAGES])


@kernel
def gather_resting(t, market, side, column):
    """Writes the resting orders of a side, best first; returns the next column."""
    book, columns = book_of(t, market), _columns(t)
    for index in range(book.count[side] - 1, -1, -1):
        columns[SIDE, column] = 1 if side == BIDS else -1
        columns[TICKS, column] = book.ticks[side, index]
        columns[LOTS, column] = book.lots[side, index]
        columns[CAME, column] = book.came[side, index]
        column += 1
    return column


@kernel
def gather_waiting(t, market, column):
    """Writes the round of a market in sequence; returns the next column."""
    waiting, columns = round_of(t), _columns(t)
    for row in range(t[WAITING]):
        is_here = waiting[row, MARKET] == market
        columns[SIDE, column] = waiting[row, SIGN] if is_here else 0
        columns[TICKS, column] = waiting[row, LIMIT]
        columns[LOTS, column] = waiting[row, SIZE] if is_here else 0
        columns[CAME, column] = t[BLOCK]
        column += 1
    return column


@kernel
def apply_resting(t, market, side, index, lots, value):
    """Fills an order of the book."""
    book, sign = book_of(t, market), 1 if side == BIDS else -1
    account = book.owner[side, index] // t[SLOTS]
    reserve(t, account, market, side, -lots, book.loss[side, index])
    fee_ppm = parameters(t)[MAKER_FEE, market]
    trade(t, account, market, sign * lots, value, fee_ppm)
    book.lots[side, index] -= lots


@kernel
def apply_waiting(t, market, side, row, lots, value):
    """Fills an order of the round."""
    order = round_of(t)[row]
    account, delta = order[ACCOUNT], order[SIGN] * lots
    reserve(t, account, market, side, -lots, order[LOSS])
    order[GOT] = lots
    if order[LIQUIDATOR] < 0:
        trade(t, account, market, delta, value, parameters(t)[TAKER_FEE, market])
        return
    if t[LIQUIDATION_RULE] == STAGES:
        trade(t, account, market, delta, value, NO_FEE)
        note_staged_fill(t, lots * value)
        return
    held = per_position(t, POSITION)[account, market]
    bankruptcy = bankruptcy_quote(t, market, held, delta, account_risk(t, account))
    trade(t, account, market, delta, value, NO_FEE)
    apply_insurance(t, order[LIQUIDATOR], account, market, -delta * value, bankruptcy)
    information(t)[INFO_LIQUIDATIONS, 0] += 1
    information(t)[INFO_LIQUIDATED, 0] += lots * value


@kernel
def apply_column(t, market, column, bids, resting, ticks):
    """Fills the order of one column at the uniform price."""
    columns, book = _columns(t), book_of(t, market)
    lots = columns[FILLS, column]
    value = ticks * vector(t, MULTIPLIER, t[MARKETS])[market]
    side = BIDS if columns[SIDE, column] > 0 else ASKS
    if column < resting:
        first = 0 if side == BIDS else bids
        index = book.count[side] - 1 - (column - first)
        apply_resting(t, market, side, index, lots, value)
    else:
        row = column - resting
        apply_waiting(t, market, side, row, lots, value)
        vector(t, FILLED_QUOTE, t[MESSAGES])[round_of(t)[row, INDEX]] = lots * value
    if side == BIDS:
        record_fill(t, market, ticks, lots, lots * value)


@kernel
def clear_market(t, market):
    """Finds the price of one market and settles at it."""
    bids = gather_resting(t, market, BIDS, 0)
    resting = gather_resting(t, market, ASKS, bids)
    count = gather_waiting(t, market, resting)
    table, book = _columns(t)[:, :count], book_of(t, market)
    side, ticks, lots = table[SIDE], table[TICKS], table[LOTS]
    numbers, fills, keys = table[CAME], table[FILLS], table[KEYS:]
    price, volume = find_price(side, ticks, lots, numbers, keys, fills)
    if volume == 0:
        return
    for column in range(count):
        if fills[column] > 0:
            apply_column(t, market, column, bids, resting, price)
    for each in range(2):
        drop_empty(book, each)


@kernel
def finish_liquidation(t, order):
    """Frees what is left of a liquidation; its status."""
    account, market, left = order[ACCOUNT], order[MARKET], order[SIZE] - order[GOT]
    reserve(t, account, market, resting_side(order[SIGN]), -left, NOTHING)
    if order[GOT] == 0:
        if account_equity(t, account) < 0:
            per_position(t, ADL_PENDING)[account, market] = 1
        return NOTHING_TO_TAKE
    if order[SLOT] == PART_SLOT:
        start_cooldown(t, account)
    return FILLED if left == 0 else PARTIAL


@kernel
def finish_order(t, order):
    """Rests or drops what is left of a waiting order; its status."""
    account, market, left = order[ACCOUNT], order[MARKET], order[SIZE] - order[GOT]
    if order[SIZE] == 0:
        return PARTIAL
    if left == 0:
        return FILLED
    side, owner = resting_side(order[SIGN]), account * t[SLOTS] + order[SLOT]
    status = PARTIAL
    if order[FLAGS] & IMMEDIATE == 0:
        loss, expiry, book = order[LOSS], order[EXPIRY], book_of(t, market)
        now = t[BLOCK]
        if insert(book, side, order[LIMIT], left, owner, loss, expiry, now):
            return RESTING
        status = BOOK_FULL
        if order[GOT] > 0:
            counters_of(t)[BOOK_FULL] += 1
            status = PARTIAL
    reserve(t, account, market, side, -left, order[LOSS])
    return status


@kernel
def clear(t):
    """Clears every market, then deals with what is left, in sequence."""
    for market in range(t[MARKETS]):
        clear_market(t, market)
    statuses = vector(t, STATUS, t[MESSAGES])
    filled = vector(t, FILLED_LOTS, t[MESSAGES])
    for row in range(t[WAITING]):
        order = round_of(t)[row]
        if order[LIQUIDATOR] >= 0:
            status = finish_liquidation(t, order)
        else:
            status = finish_order(t, order)
        statuses[order[INDEX]], filled[order[INDEX]] = status, order[GOT]
