"""The table through which the kernels reach one lane's arrays.

A block of the exchange touches some forty arrays. Handing each to each function would
make the kernels unreadable and slow to compile, so they pass one int64 vector around,
the table: sizes and scalars first, then the address of every array. A function opens
the views it needs by name, ``collateral = vector(t, COLLATERAL, t[ACCOUNTS])``; a view
is an address and a shape and costs nothing.
"""

import numpy as np
from numba import carray

from market.kernels.book import EVENT_WIDTH, Book
from market.native.ffi import _pointer, kernel
from market.types.layout import PARAM_FIELDS, STATE_FIELDS, TX_FIELDS
from market.types.orders import STATUS_COUNT
from market.types.specs import RISK_STEPS


def _numbers(first: int, count: int) -> tuple[np.int64, ...]:
    """Consecutive numbers that Numba types as int64.

    A Python int would be typed as that literal, and every function that takes one would
    be compiled anew for each.
    """
    return tuple(np.int64(first + index) for index in range(count))


# Sizes and scalars.
ACCOUNTS, MARKETS, SLOTS, CAPACITY, MESSAGES = range(5)
SELF_TRADE, AUCTION, DELEVERAGES = range(5, 8)
MARGIN_RULE, LIQUIDATION_RULE, COVER_RULE = range(8, 11)
DELEVERAGING, VAULT = range(11, 13)
# The words above come from the static operand; then M multipliers, M isolation flags.
STATIC_WORDS = 13
BLOCK, SEED = 16, 17
LIQUIDATED = 18  # liquidations noted in this block
WAITING = 19  # orders that wait for the clearing
NOW = 21  # time of the block in microseconds

# Addresses of the arrays that a block changes, in the order of the operands.
_STATE = 32
TICKS, LOTS, OWNER, LOSS, EXPIRY, CAME, COUNT = _numbers(_STATE, 7)
COLLATERAL, POSITION, COST, OPEN_LOTS = _numbers(_STATE + 7, 4)
OPEN_LOSS, ADL_PENDING, WITHDRAWN, INSURANCE = _numbers(_STATE + 11, 4)
FEES, PAID_IN, LAST = _numbers(_STATE + 15, 3)
COUNTERS, GATE_BLOCK, COOLDOWN = _numbers(_STATE + 18, 3)

# Addresses of the transactions, in the order of the operands.
_TX = _STATE + len(STATE_FIELDS)
(
    TX_KIND,
    TX_ACCOUNT,
    TX_MARKET,
    TX_SIDE,
    TX_TICKS,
    TX_LOTS,
    TX_FLAGS,
    TX_SLOT,
    TX_EXPIRY,
) = _numbers(_TX, 9)

# Addresses of what is read besides, and of the results that are not state. PRICE is
# what margin is reckoned at: the oracle price, or the mark where the venue has one.
_READ = _TX + len(TX_FIELDS)
PRICE, PREVIOUS_MARK, PARAMS, MULTIPLIER, ISOLATED = _numbers(_READ, 5)
STATUS, FILLED_LOTS, FILLED_QUOTE, INFO = _numbers(_READ + 5, 4)

# Addresses of the scratch of a block.
_SCRATCH = _READ + 9
SCRATCH_COUNT = 10
(
    UNIT,  # [M] quanta of one lot at the margin price
    FRACTION,  # [M] initial margin fraction in ppm, scaled by open interest
    EVENTS,  # [C + 1, EVENT_WIDTH] rows of the book's primitives
    LIQUIDATED_KEY,  # [B] target * M + market of the liquidations so far
    LIQUIDATED_QUOTE,  # [B] their notional at the margin price
    ROUND,  # [B, 12] orders that wait for the clearing
    AUCTION_ROWS,  # [7, 2 C + B] the orders of one market as the auction takes them
    SHARES,  # [SHARE_ROWS, A] who gives how much in a deleveraging
    LIQUIDATED_PAID,  # [B] what the fund pays, or has set aside, for each of those
    SET_ASIDE,  # [1 + M] of each fund for the liquidations that wait
) = _numbers(_SCRATCH, SCRATCH_COUNT)
TABLE_WORDS = _SCRATCH + SCRATCH_COUNT

# Rows of SHARES.
CAPACITY_ROW, WEIGHT_ROW, TAKEN_ROW, REST_ROW = range(4)
SHARE_ROWS = 4

# Rows of PARAMS [P, M]; a scalar stands in every column.
INITIAL, MAINTENANCE, OI_LOWER, OI_UPPER, BAND, MAX_LOTS, HALTED = range(7)
MAKER_FEE, TAKER_FEE, ADJUSTMENT, SPREAD, LIQUIDATION_FEE, REWARD = range(7, 13)
MIN_LIQUIDATION, PORTION, MAX_LIQUIDATION = range(13, 16)
MAX_OPEN_ORDERS, MAX_MARKET_ORDERS, COOLDOWN_US, COOLDOWN_WAITS = range(16, 20)
MAX_INSURANCE, BY_BALANCE = range(20, 22)
# Parameters of S rows each, below the others.
RISK_UPPER = len(PARAM_FIELDS)
RISK_PPM = RISK_UPPER + RISK_STEPS
PARAM_ROWS = RISK_PPM + RISK_STEPS

# Rows of INFO [5 + scalars, M]; a scalar stands in the first column.
TRADED_LOTS, TRADED_QUOTE, TRADES, HIGH, LOW = range(5)
INFO_LIQUIDATIONS, INFO_LIQUIDATED, INFO_LIQUIDATION_FEES = range(5, 8)
INFO_INSURANCE_PAID, INFO_DELEVERAGED, INFO_DELEVERAGED_QUOTE = range(8, 11)
INFO_DELEVERAGING_LOSS, INFO_WITHDRAWN = range(11, 13)
INFO_TAKEN_OVER, INFO_BACKSTOP_PAID = range(13, 15)
INFO_ROWS = 15

# Arguments that mean nothing, everything or none; int64 for the reason of `_numbers`.
NOTHING, NO_FEE = np.int64(0), np.int64(0)
NO_SLOT, ALL_MARKETS = np.int64(-1), np.int64(-1)
#: Slot of a waiting liquidation that takes part of a large position.
PART_SLOT = np.int64(-2)


@kernel
def vector(t, field, size):
    """The array ``field`` as [size]."""
    return carray(_pointer(t[field]), (size,), np.int64)


@kernel
def matrix(t, field, rows, columns):
    """The array ``field`` as [rows, columns]."""
    return carray(_pointer(t[field]), (rows, columns), np.int64)


@kernel
def amount(t, field):
    """The array ``field`` of one number."""
    return vector(t, field, np.int64(1))


@kernel
def funds_of(t, field):
    """The array ``field`` of the insurance funds, as [1 + M]."""
    return vector(t, field, t[MARKETS] + 1)


@kernel
def fund_index(t, market):
    """The insurance fund of a market: 0, or its own, 1 + market, where isolated."""
    return market + 1 if vector(t, ISOLATED, t[MARKETS])[market] != 0 else 0


@kernel
def per_position(t, field):
    """The array ``field`` as [A, M]."""
    return carray(_pointer(t[field]), (t[ACCOUNTS], t[MARKETS]), np.int64)


@kernel
def open_lots_of(t):
    """Lots resting on each side as [A, M, 2]."""
    shape = (t[ACCOUNTS], t[MARKETS], 2)
    return carray(_pointer(t[OPEN_LOTS]), shape, np.int64)


@kernel
def parameters(t):
    """The parameters of the venue as [P, M]."""
    return matrix(t, PARAMS, np.int64(PARAM_ROWS), t[MARKETS])


@kernel
def information(t):
    """What the block reports, as [INFO_ROWS, M]."""
    return matrix(t, INFO, np.int64(INFO_ROWS), t[MARKETS])


@kernel
def counters_of(t):
    """Outcomes since the start, by status."""
    return vector(t, COUNTERS, np.int64(STATUS_COUNT))


@kernel
def events_of(t):
    """The event rows of the book's primitives."""
    return matrix(t, EVENTS, t[CAPACITY] + 1, np.int64(EVENT_WIDTH))


@kernel
def _two_sides(t, field, market):
    shape = (2, t[CAPACITY])
    offset = market * 2 * t[CAPACITY] * 8
    return carray(_pointer(t[field] + offset), shape, np.int64)


@kernel
def book_of(t, market):
    """The book of one market."""
    return Book(
        _two_sides(t, TICKS, market),
        _two_sides(t, LOTS, market),
        _two_sides(t, OWNER, market),
        _two_sides(t, LOSS, market),
        _two_sides(t, EXPIRY, market),
        _two_sides(t, CAME, market),
        carray(_pointer(t[COUNT] + market * 16), (2,), np.int64),
    )
