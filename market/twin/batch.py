"""Auction mode of the reference exchange: admission into a batch, and its clearing.

A part of the plain-Python specification; see `market.twin.block`. Price and
rationing stand in `market.twin.auction`.

1. The cancels of the block (and of replacements) take effect on what rests from
   earlier blocks.
2. Everything else is admitted in sequence as in continuous matching, without meeting a
   book: each order reserves as if it rested. Fill-or-kill is rejected; post-only asks
   for nothing. A reduce-only order may take what the account's other orders of its
   side leave of the position. A liquidation drops all the target's orders and waits at
   a limit at which the insurance fund can bear its whole size.
3. Each market clears at one price; then what is left rests or is dropped, in sequence.
"""

from dataclasses import dataclass, fields

from market.twin.auction import Bid
from market.twin.auction import clear as clear_auction
from market.twin.lane import (
    IMMEDIATE,
    MAX_TICKS,
    Fill,
    Order,
    RejectError,
)
from market.twin.staged import PART_SLOT
from market.types.orders import BUY, SELL, Flag, Kind, Status
from market.types.specs import Liquidation

_ORDER_FIELDS = tuple(field.name for field in fields(Order))
CANCELS = (Kind.CANCEL, Kind.CANCEL_ALL, Kind.REDUCE)


@dataclass(kw_only=True)
class Waiting(Order):
    """An order of the batch."""

    market: int
    side: int
    size: int  # lots admitted; `lots` is what is left
    flags: int = 0
    liquidator: int | None = None
    quote: int = 0

    @property
    def may_rest(self) -> bool:
        """Whether what the clearing leaves of it rests."""
        return self.liquidator is None and not self.flags & IMMEDIATE


class ReferenceBatch:
    """The part of `ReferenceExchange` that runs a block as an auction."""

    def run_batch(self, txs: list[dict], block: int, seed_word: int) -> list[Fill]:
        """Executes a block in auction mode; returns what each came to."""
        self._open_block(block)
        results = [None] * len(txs)
        for index, tx in enumerate(txs):
            if tx["kind"] in CANCELS:
                results[index] = self._outcome(tx, self._without_matching)
            elif tx["kind"] == Kind.REPLACE:
                self._cancel_replaced(tx)
        waiting = {}
        for index, tx in enumerate(txs):
            if tx["kind"] not in CANCELS:
                results[index] = self._admit(tx)
                if results[index] is None:
                    waiting[index] = self.batch[-1]
        for market in range(self.markets):
            self._clear_market(market)
        self._finish_batch(waiting, results)
        self._close_block(seed_word)
        return results

    def _cancel_replaced(self, tx: dict):
        try:
            self._check_names(tx)
        except RejectError:
            return
        self._remove(tx["account"], tx["market"], tx["slot"])

    # --- admission -------------------------------------------------------------------

    def _admit(self, tx: dict) -> Fill | None:
        """What became of a transaction, or None where it waits for the price."""
        before = len(self.batch)
        fill = self._outcome(tx, self._admit_one, counts=False)
        if len(self.batch) > before:
            return None
        if fill.status != Status.NONE:
            self.counters[fill.status] += 1
        return fill

    def _admit_one(self, tx: dict) -> Fill:
        if tx["kind"] == Kind.LIQUIDATE:
            if self.spec.liquidation == Liquidation.TAKEOVER:
                return self._take_over_first(tx)
            return self._admit_liquidation(tx)
        if tx["kind"] not in (Kind.ORDER, Kind.REPLACE):
            return self._without_matching(tx)
        account, market, side = tx["account"], tx["market"], tx["side"]
        limit = self._check_order(tx)
        self.check_isolation(account, market)
        lots = self._reducible_by_all(tx)
        if self._find(account, market, tx["slot"]):
            raise RejectError(Status.SLOT_BUSY)
        self._check_count(tx)
        if tx["flags"] & Flag.FOK:
            raise RejectError(Status.CANNOT_FILL)
        self._check_margin(account, market, side, lots, limit)
        self._wait(
            account=account,
            slot=tx["slot"],
            ticks=limit,
            lots=lots,
            loss=self.worst_loss(market, side, limit),
            expiry=tx["expiry_block"],
            market=market,
            side=side,
            flags=tx["flags"],
        )
        return Fill(Status.RESTING)

    def _wait(self, **values):
        size = values["lots"]
        self.batch.append(Waiting(size=size, batch=self.block, **values))

    def _reducible_by_all(self, tx: dict) -> int:
        """Lots of an order; of a reduce-only one what its other orders leave."""
        if not tx["flags"] & Flag.REDUCE_ONLY:
            return tx["lots"]
        account, market, side = tx["account"], tx["market"], tx["side"]
        resting = self.open_lots(account, market, 0 if side == BUY else 1)
        lots = min(self._reducible(tx), abs(self.position[account][market]) - resting)
        if lots <= 0:
            raise RejectError(Status.WOULD_INCREASE)
        return lots

    def _admit_liquidation(self, tx: dict) -> Fill:
        if self.spec.liquidation == Liquidation.STAGES:
            return self._admit_in_stages(tx)
        target, market = tx["slot"], tx["market"]
        risk, delta = self._target(tx)
        side, lots = (BUY if delta > 0 else SELL), abs(delta)
        limit = self.fillable_ticks(target, market, risk)
        bankruptcy = self.bankruptcy_quote(target, market, delta, risk)
        limit = self._affordable_limit(side, lots, target, market, limit, bankruptcy)
        if not 1 <= limit <= MAX_TICKS:
            self.adl_pending[target][market] = 1
            raise RejectError(Status.INSURANCE_EMPTY)
        gain = -side * lots * limit * self.multiplier[market]
        aside = max(bankruptcy - gain, 0)
        self.set_aside[self.spec.funds[market]] += aside
        self._note_payment(target, aside)
        self._remove_all(target, None)
        self._drop_waiting(target)
        done = self.liquidated.setdefault(target, {})
        done[market] = lots * self.unit[market]
        self._wait(
            account=target,
            slot=-1,
            ticks=limit,
            lots=lots,
            loss=0,
            expiry=0,
            market=market,
            side=side,
            liquidator=tx["account"],
        )
        return Fill(Status.RESTING)

    def _drop_waiting(self, account: int):
        """Drops the waiting orders of an account that is liquidated."""
        for order in self.batch:
            if order.account == account and order.liquidator is None:
                order.lots = order.size = 0

    def _take_over_first(self, tx: dict) -> Fill:
        """A takeover asks no book and does not wait for the price.

        The keeper's position has changed: its waiting reduce-only orders go.
        """
        fill = self._take_over(tx)
        self._drop_waiting(tx["slot"])
        for order in self.batch:
            mine = (order.account, order.market) == (tx["account"], tx["market"])
            if mine and order.flags & Flag.REDUCE_ONLY:
                order.lots = order.size = 0
        return fill

    def _affordable_limit(self, side, lots, target, market, limit, bankruptcy) -> int:
        """The limit, no worse than where the fund can still bear the whole size."""
        value, fund = lots * self.multiplier[market], self.fund_budget(target, market)
        if side == SELL:
            return max(limit, -(-(bankruptcy - fund) // value))
        return min(limit, (fund - bankruptcy) // value)

    # --- clearing --------------------------------------------------------------------

    def _clear_market(self, market: int):
        """One price; fills in the order bids, asks, batch, each by its priority."""
        resting = [(BUY, o) for o in self.books[market][0]]
        resting += [(SELL, o) for o in self.books[market][1]]
        waiting = [(o.side, o) for o in self.batch if o.market == market]
        bids = [Bid(s, o.ticks, o.lots, o.batch) for s, o in resting + waiting]
        ticks, _, filled = clear_auction(bids)
        for (side, order), lots in zip(resting + waiting, filled, strict=True):
            if lots > 0:
                self._fill_at(order, market, side, lots, ticks)
        self._drop_empty(market)

    def _fill_at(self, order: Order, market: int, side: int, lots: int, ticks: int):
        order.lots -= lots
        value = ticks * self.multiplier[market]
        if side == BUY:
            self._record(market, ticks, lots, lots * value, 1)
        if not isinstance(order, Waiting):
            fee_ppm = self.params["maker_fee_ppm"]
            self.trade(order.account, market, side * lots, value, fee_ppm)
            return
        order.quote = lots * value
        if order.liquidator is None:
            fee_ppm = self.params["taker_fee_ppm"]
            self.trade(order.account, market, side * lots, value, fee_ppm)
            return
        if self.spec.liquidation == Liquidation.STAGES:
            self.trade(order.account, market, side * lots, value, 0)
            self._note_staged_fill(lots * value)
            return
        risk = self.risk(order.account)
        bankruptcy = self.bankruptcy_quote(order.account, market, side * lots, risk)
        self.trade(order.account, market, side * lots, value, 0)
        gain = -side * lots * value
        self._bill(order.liquidator, order.account, market, gain, bankruptcy)

    def _finish_batch(self, waiting: dict[int, Waiting], results: list):
        """What is left of the batch rests or is dropped, in sequence."""
        self.batch = []
        for index, order in waiting.items():
            status = self._finish_waiting(order)
            self.counters[status] += 1
            results[index] = Fill(status, order.size - order.lots, order.quote)

    def _finish_waiting(self, order: Waiting) -> int:
        filled = order.size - order.lots
        if order.liquidator is not None and filled == 0:
            if self.risk(order.account).nc < 0:
                self.adl_pending[order.account][order.market] = 1
            return Status.NOTHING_TO_TAKE
        if order.slot == PART_SLOT:
            self._start_cooldown(order.account)
        if order.size > 0 and order.lots == 0:
            return Status.FILLED
        if order.size == 0 or not order.may_rest:
            return Status.PARTIAL
        if self._has_room(order.market, order.side):
            rest = Order(*(getattr(order, name) for name in _ORDER_FIELDS))
            self._rest(rest, order.market, order.side)
            return Status.RESTING
        if filled == 0:
            return Status.BOOK_FULL
        self.counters[Status.BOOK_FULL] += 1
        return Status.PARTIAL
