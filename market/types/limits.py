"""Every bound of the market, once, each with its unit and its reason.

All forms of the exchange, the builders of configs and the checks of a run import them
from here. They keep money, prices and sizes within 63 bits: a product of two bounded
numbers is either below 2**63 or goes through the exact helpers of `market.numbers`.
"""

# --- of an order -------------------------------------------------------------------

#: Highest price, in ticks: 31 bits, so that price times parts per million, and a price
#: beside an order's index in one sort key, stay within 63.
MAX_TICKS = (1 << 31) - 1
#: Largest size of an order, in lots: the lots of 2**22 orders still add up.
MAX_ORDER_LOTS = 1 << 40
#: No order, exposure or position may be made worth more, in quanta (1.1 bn USD): times
#: parts per million it stays within 2**70, which the exact helpers take.
MAX_NOTIONAL = 1 << 50
#: Open interest is reckoned up to here, in quanta: orders keep to `MAX_NOTIONAL`, but
#: price moves alone may make a position worth 2**60.
MAX_OPEN_INTEREST = 1 << 61

# --- of an account and of the ledger -----------------------------------------------

#: Largest balance of an account by deposits, in quanta (36 bn USD): a balance times a
#: hundred stays exact. A run in which one passes it reports that.
MAX_COLLATERAL = 1 << 55
#: Largest sum of all deposits, in quanta: the ledger is checked by sums of columns.
MAX_PAID_IN = 1 << 61
#: Largest sum of all first balances of a world, in quanta: half of `MAX_PAID_IN`, so
#: that a run may pay in as much again.
MAX_FIRST_BALANCES = 1 << 60

#: Accounts of a venue: 20 bits of a sort key, beside a shortfall or an arrival.
MAX_ACCOUNTS = 1 << 20

# --- of a block --------------------------------------------------------------------

#: Counterparties that a deleveraging looks at, at most.
#: Source: dYdX v4, ``x/clob``.
MAX_COUNTERPARTIES = 500
#: The random word of a block picks by its bits from here up where the list of marked
#: positions begins, and by the whole of it the first counterparty of a walk.
LIST_SHIFT = 31
#: Blocks without withdrawals after an account with negative equity was seen.
#: Source: dYdX v4, ``x/subaccounts/types/update.go``.
GATE_BLOCKS = 50

# --- of an auction -----------------------------------------------------------------

#: Orders of one market in an auction: 12 bits of a sort key.
MAX_AUCTION_ORDERS = 1 << 12
#: Lots of all of them together: what is shared out in proportion stays within 63 bits.
MAX_AUCTION_LOTS = 1 << 50

# --- of a message stream (`market.match`) --------------------------------------------

#: Largest price, size and order name of a message; products of two stay in 62 bits.
MAX_MESSAGE_VALUE = (1 << 31) - 1
#: Orders of a side of the book in the array form: two counts of them share 31 bits.
MAX_SIDE_ORDERS = (1 << 15) - 1

# --- of outside prices -------------------------------------------------------------

#: The highest price of an outside path, in ticks. Below it a price survives the way
#: through its logarithm to the tick, and a bar's range times a Q24 draw fits 63 bits.
MAX_OUTSIDE_TICKS = 1 << 28


def check_range(name: str, value: int, least: int, most: int | None = None) -> None:
    """Holds a number of a spec within its bounds, which are inclusive.

    Raises:
        ValueError: it is outside; says what is allowed.
    """
    if value < least or (most is not None and value > most):
        allowed = f"{least:,} or more" if most is None else f"{least:,} to {most:,}"
        raise ValueError(f"{name} = {value:,}: must be {allowed}")
