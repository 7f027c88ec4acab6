"""The transaction record of the exchange, its kinds, flags and outcomes.

One record of int64 arrays serves from an agent's intent to the receipt. An order is
named by (account, market, slot): the client chooses the slot, so cancel and replace
need no search by the client and no allocation of ids by the venue.
"""

from dataclasses import dataclass
from enum import IntEnum, IntFlag

import jax
import jax.numpy as jnp
from jax import Array


class Kind(IntEnum):
    """What a transaction asks for."""

    NONE = 0  # an empty record: no transaction
    ORDER = 1  # buy or sell; `flags` say how
    CANCEL = 2  # the order in `slot`
    CANCEL_ALL = 3  # every order of the account in `market` (all markets if -1)
    REPLACE = 4  # cancel `slot` if it rests, then place the new order in it
    LIQUIDATE = 5  # `slot` names the account to be liquidated, in `market`; `lots` at
    # most, 0 without limit; on StarkEx the keeper takes over at `ticks`, 0 by default
    DEPOSIT = 6  # `lots` quanta of collateral come in from the settlement layer
    WITHDRAW = 7  # `lots` quanta of collateral leave, payable when the batch settles
    FORCED_WITHDRAW = 8  # a withdrawal sent through the settlement layer
    REDUCE = 9  # takes `lots` off the order in `slot`, which keeps its time priority


class Flag(IntFlag):
    """How an order behaves; without a flag it is a limit order good till cancelled."""

    POST_ONLY = 1  # rejected if it would take
    IOC = 2  # what does not fill at once is dropped
    FOK = 4  # fills whole at once or not at all
    REDUCE_ONLY = 8  # may only shrink the position; needs IOC, FOK or MARKET
    MARKET = 16  # limit is the edge of the price band; implies IOC


#: Flags of an order that never rests.
IMMEDIATE = int(Flag.IOC | Flag.FOK | Flag.MARKET)
ALL_FLAGS = sum(int(flag) for flag in Flag)


class Status(IntEnum):
    """What became of a transaction. From `REJECTED` on: nothing was changed."""

    NONE = 0  # there was no transaction
    ACCEPTED = 1  # done (cancels, reductions, deposits, withdrawals)
    RESTING = 2  # in the book, perhaps after a part was filled
    FILLED = 3  # filled whole
    PARTIAL = 4  # filled in part (perhaps zero lots), the rest dropped (IOC, market)
    CANCELLED = 5  # taken back, or its account liquidated, before its round closed
    REJECTED = 8  # not a reason itself: reasons are larger
    UNKNOWN_KIND = 9
    UNKNOWN_ACCOUNT = 10
    UNKNOWN_MARKET = 11
    UNKNOWN_SLOT = 12  # slot out of range
    UNKNOWN_ORDER = 13  # cancel or reduction of an order that is not open
    BAD_SIDE = 14
    BAD_LOTS = 15  # not positive, over the maximum, or a reduction by more than is open
    BAD_PRICE = 16  # not positive or beyond the largest price
    BAD_FLAGS = 17  # flags that exclude each other
    PRICE_BAND = 18  # limit further from the oracle than the venue's band allows
    HALTED = 19  # the market, or the venue, is halted
    EXPIRED = 20  # its expiry block is past
    SLOT_BUSY = 21  # an order rests or waits in that slot already
    WOULD_TAKE = 22  # post-only that crosses
    WOULD_INCREASE = 23  # reduce-only on the wrong side or without a position
    CANNOT_FILL = 24  # fill-or-kill without the volume
    MARGIN = 25  # initial margin would not hold
    BOOK_FULL = 26  # no free slot in the side of the book
    TOO_MANY_ORDERS = 27  # as many rest as the account, or the market, may have
    NOT_LIQUIDATABLE = 28  # the account named is in no danger
    ALREADY_LIQUIDATED = 29  # that position was liquidated in this block already
    INSURANCE_EMPTY = 30  # the fund cannot pay the loss: marked for deleveraging
    NOTHING_TO_TAKE = 31  # liquidation found no bid or ask at the fillable price
    NO_FUNDS = 32  # withdrawal of more than the free collateral
    WITHDRAWALS_GATED = 33  # withdrawals are blocked after a negative account
    SELF_TRADE = 34  # self-trade prevention dropped the order
    BANKRUPT = 35  # no equity left to liquidate: marked for deleveraging
    ISOLATED = 36  # an isolated market beside another, or another beside it
    UNFAIR_PRICE = 37  # a keeper would pay less than the account has to get


#: Length of the per-run counters of outcomes, indexed by `Status`.
STATUS_COUNT = 40

BUY, SELL = 1, -1


@jax.tree_util.register_dataclass
@dataclass(frozen=True, kw_only=True)
class Tx:
    """Transactions as arrays of one common shape, for example [Q], [B] or [N, K]."""

    kind: Array
    account: Array
    market: Array
    side: Array  # +1 buy, -1 sell
    ticks: Array  # limit price; ignored by market orders
    lots: Array  # size; quanta for deposits and withdrawals
    flags: Array
    slot: Array
    fee_bid: Array  # quanta offered to the sequencer for priority
    sent_us: Array  # microseconds since the start of the run
    arrival_us: Array  # at the sequencer
    expiry_block: Array  # last block in which it may execute or rest; 0 is never


@jax.tree_util.register_dataclass
@dataclass(frozen=True, kw_only=True)
class Receipt:
    """Outcomes of transactions, arrays of their shape."""

    status: Array
    filled_lots: Array
    filled_quote: Array  # absolute quanta exchanged at the fills' prices, fees apart


def no_transactions(shape: tuple[int, ...]) -> Tx:
    """Empty records: kind `NONE`, everything else zero."""
    zero = jnp.zeros(shape, jnp.int64)
    return Tx(**{name: zero for name in Tx.__dataclass_fields__})
