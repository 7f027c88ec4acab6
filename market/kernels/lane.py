"""What a block of one lane works on, and the names by which the kernels reach it.

Every kernel is given ``lane``, the record declared here: sizes and rules of the venue,
the state, the transactions, the prices and parameters of the block, what it reports,
and scratch. ``lane.position[account, market]`` is the position in the twin's words,
``lane.fees += fee`` books a fee; ``lane.tx.kind[index]``, ``lane.info.trades[market]``
and ``lane.params.halted[market]`` are of a transaction, of the report and a parameter.
How that works: `market.native.record`.

What there is and in which order is said once, in `market.types.layout`; here stand the
lengths, and what only the kernels have.

Letters: A accounts, M markets, C orders of a book's side, B transactions of a block.
"""

from typing import NamedTuple

import numpy as np

from market.kernels.book import BOOK, BOOK_FIELDS, EVENT
from market.kernels.engine import Incoming
from market.native.ffi import kernel
from market.native.record import Record
from market.types.layout import (
    INFO_FIELDS,
    INFO_PER_MARKET,
    PARAM_FIELDS,
    STATE_FIELDS,
    STATIC_FIELDS,
    STEP_FIELDS,
    TX_FIELDS,
)
from market.types.orders import STATUS_COUNT
from market.types.specs import RISK_STEPS

#: Lengths of the arrays that a block changes, but for the columns of the books.
_STATE_SHAPES = {
    "collateral": ("accounts",),
    "position": ("accounts", "markets"),
    "cost": ("accounts", "markets"),
    "open_lots": ("accounts", "markets", 2),
    "open_loss": ("accounts", "markets"),
    "adl_pending": ("accounts", "markets"),
    "withdrawn": ("accounts",),
    "insurance": ("funds",),
    "fees": (),
    "paid_in": (),
    "last": ("markets",),
    "counters": (STATUS_COUNT,),
    "gate_block": ("funds",),
    "cooldown_us": ("accounts",),
}

# --- records of the scratch -----------------------------------------------------------

#: An order that waits for the clearing of its auction round.
WAITING = Record("Waiting")
WAITING.numbers(
    "index",  # of its transaction
    "market",
    "account",
    "sign",
    "limit",
    "lots",  # that are left of it, apart from its fill
    "flags",
    "slot",
    "expiry",
    "loss",  # quanta reserved per lot
    "liquidator",  # who sent the liquidation, -1 for an order of the account's own
    "filled",  # lots
    "prevented",  # lots that self-trade prevention took
)

#: A liquidation of this block, for its limits.
LIQUIDATION = Record("Liquidation")
LIQUIDATION.numbers(
    "target",
    "market",
    "quote",  # notional at the margin price
    "paid",  # what the fund pays for it, or has set aside
)

# --- the record of a lane -------------------------------------------------------------

LANE = Record("Lane")
LANE.numbers(*STATIC_FIELDS)
LANE.numbers(
    "block",  # its index
    "seed",  # a random word, for deleveraging
    "now_us",  # its time
    "funds",  # 1 + M: the shared insurance fund, then those of isolated markets
    "columns",  # orders of the market that is being cleared
    "noted_count",  # liquidations of this block
    "waiting_count",  # orders that wait for the clearing
)

FIRST_STATE = LANE.words
for _name in STATE_FIELDS[len(BOOK_FIELDS) :]:
    LANE.array(_name, *_STATE_SHAPES[_name])

FIRST_TX = LANE.words
_tx = LANE.group("tx")
for _name in TX_FIELDS:
    _tx.array(_name, "messages")

RECEIPT_FIELDS = ("status", "filled_lots", "filled_quote")
FIRST_RECEIPT = LANE.words
_receipts = LANE.group("receipts")
for _name in RECEIPT_FIELDS:
    _receipts.array(_name, "messages")

FIRST_READ = LANE.words
LANE.array("price", "markets")  # ticks that margin is reckoned at
LANE.array("previous_mark", "markets")  # ticks
LANE.array("multiplier", "markets")  # quanta of a lot at one tick
LANE.array("isolated", "markets")  # 1 where the market has a fund of its own

# Rows of the parameters: one each, then `RISK_STEPS` each of the steps.
RISK_UPPER = len(PARAM_FIELDS)
RISK_PPM = RISK_UPPER + RISK_STEPS
PARAM_ROWS = RISK_PPM + RISK_STEPS
PARAMS = LANE.address()
_params = LANE.group("params")
for _row, _name in enumerate(PARAM_FIELDS):
    _params.part(_name, PARAMS, (_row, "markets"), "markets")
for _row, _name in zip((RISK_UPPER, RISK_PPM), STEP_FIELDS, strict=True):
    _params.part(_name, PARAMS, (_row, "markets"), RISK_STEPS, "markets")

INFO_ROWS = len(INFO_FIELDS)
INFO = LANE.address()
_info = LANE.group("info")
for _row, _name in enumerate(INFO_FIELDS):
    _shape = ("markets",) if _name in INFO_PER_MARKET else ()
    _info.part(_name, INFO, (_row, "markets"), *_shape)
_info.part("all", INFO, (), INFO_ROWS, "markets")

FIRST_SCRATCH = LANE.words
LANE.array("unit", "markets")  # quanta of one lot at the margin price
LANE.array("fraction_ppm", "markets")  # initial fraction, scaled by open interest
LANE.array("set_aside", "funds")  # of each fund, for liquidations that wait
LANE.rows("noted", LIQUIDATION)  # [B] liquidations of this block
LANE.rows("waiting", WAITING)  # [B], in sequence
LANE.rows("event", EVENT)  # [C + 1] what happened to resting orders
LANE.rows("book", BOOK)  # [M]

_AUCTION = LANE.address()
_auction = LANE.group("auction")  # the orders of one market, resting ones first
for _row, _name in enumerate(("sign", "ticks", "lots", "came", "account", "filled")):
    _auction.part(_name, _AUCTION, (_row, "columns"), "columns")
_auction.part("keys", _AUCTION, (6, "columns"), 2, "columns")
AUCTION_ROWS = 8

_SHARES = LANE.address()
_shares = LANE.group("shares")  # of a deleveraging: who gives how many lots
for _row, _name in enumerate(("most", "weight", "taken", "rest")):
    _shares.part(_name, _SHARES, (_row, "accounts"), "accounts")
SHARE_ROWS = 4

SCRATCH_COUNT = LANE.words - FIRST_SCRATCH

# --- what orders are on their way -----------------------------------------------------

# Arguments that mean nothing, everything or none. A Python int would have a type of its
# own to Numba, and each function that takes one would be compiled anew for it.
NOTHING, NO_FEE = np.int64(0), np.int64(0)
NO_SLOT, ALL_MARKETS = np.int64(-1), np.int64(-1)
#: Slot of a waiting liquidation that takes part of a large position.
PART_SLOT = np.int64(-2)


class Tx(NamedTuple):
    """A transaction as it was sent; see `market.types.orders.Tx`."""

    kind: int
    account: int
    market: int
    sign: int  # +1 buys, -1 sells
    ticks: int
    lots: int
    flags: int
    slot: int
    expiry: int


class Order(NamedTuple):
    """An order whose names and terms are good."""

    account: int
    market: int
    sign: int
    limit: int  # in ticks; of a market order the edge of the band
    lots: int  # of a reduce-only order those that reduce
    flags: int
    slot: int
    expiry: int
    loss: int  # quanta that a lot filled at the limit loses at worst


@kernel
def tx_of(lane, index):
    """Transaction ``index`` of the block."""
    tx = lane.tx
    return Tx(
        tx.kind[index],
        tx.account[index],
        tx.market[index],
        tx.side[index],
        tx.ticks[index],
        tx.lots[index],
        tx.flags[index],
        tx.slot[index],
        tx.expiry_block[index],
    )


@kernel
def order_of(tx, limit, lots, loss):
    """The order that a transaction comes to."""
    account, market, sign, flags = tx.account, tx.market, tx.sign, tx.flags
    return Order(account, market, sign, limit, lots, flags, tx.slot, tx.expiry, loss)


@kernel
def incoming(lane, order):
    """An order as the book of its market meets it."""
    first = order.account * lane.slots
    return Incoming(
        order.sign,
        order.limit,
        order.lots,
        order.flags,
        first + order.slot,
        first,
        first + lane.slots,
        order.loss,
        order.expiry,
        lane.block,
        lane.self_trade,
    )


@kernel
def fund_of(lane, market):
    """The insurance fund of a market: 0, or its own, 1 + market, where isolated."""
    return market + 1 if lane.isolated[market] != 0 else 0
