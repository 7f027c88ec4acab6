"""Orders of the reference exchange: what is well formed, affordable, and how it trades.

The second of the three parts of the plain-Python specification; see
`market.twin.block`.
"""

from market.numbers.units import PPM, ppm_ceil
from market.twin.lane import (
    IMMEDIATE,
    KNOWN_FLAGS,
    MAX_NOTIONAL,
    MAX_ORDER_LOTS,
    MAX_TICKS,
    NAMED_BY_MARKET,
    Fill,
    Order,
    ReferenceAccounts,
    RejectError,
)
from market.types.orders import BUY, SELL, Flag, Kind, Status
from market.types.specs import Cover, Margin, SelfTrade


class ReferenceMatching(ReferenceAccounts):
    """Checks and continuous matching of one order after the other."""

    def _check_names(self, tx: dict):
        if tx["kind"] not in list(Kind):
            raise RejectError(Status.UNKNOWN_KIND)
        if not 0 <= tx["account"] < self.accounts:
            raise RejectError(Status.UNKNOWN_ACCOUNT)
        if tx["kind"] in NAMED_BY_MARKET:
            every = tx["kind"] == Kind.CANCEL_ALL and tx["market"] == -1
            if not every and not 0 <= tx["market"] < self.markets:
                raise RejectError(Status.UNKNOWN_MARKET)
            if tx["kind"] == Kind.LIQUIDATE:
                if not 0 <= tx["slot"] < self.accounts:
                    raise RejectError(Status.UNKNOWN_ACCOUNT)
            elif tx["kind"] != Kind.CANCEL_ALL and not self._is_slot(tx["slot"]):
                raise RejectError(Status.UNKNOWN_SLOT)
        if tx["expiry_block"] != 0 and tx["expiry_block"] < self.block:
            raise RejectError(Status.EXPIRED)

    def _is_slot(self, slot: int) -> bool:
        return 0 <= slot < self.spec.slots

    def _check_order(self, tx: dict) -> int:
        """Form, flags, size and price; returns the limit in ticks."""
        market, side, flags = tx["market"], tx["side"], tx["flags"]
        if self.params["halted"][market]:
            raise RejectError(Status.HALTED)
        if side not in (BUY, SELL):
            raise RejectError(Status.BAD_SIDE)
        if not _has_good_flags(flags):
            raise RejectError(Status.BAD_FLAGS)
        most = min(self.params["max_order_lots"][market], MAX_ORDER_LOTS)
        if not 1 <= tx["lots"] <= most:
            raise RejectError(Status.BAD_LOTS)
        limit = self._limit(tx)
        if tx["lots"] * limit * self.multiplier[market] > MAX_NOTIONAL:
            raise RejectError(Status.BAD_LOTS)
        return limit

    def _limit(self, tx: dict) -> int:
        """The order's own limit inside the band; of a market order, the band's edge."""
        band, oracle = self.params["price_band_ppm"], self.oracle[tx["market"]]
        band = band[tx["market"]]
        if tx["flags"] & Flag.MARKET:
            if tx["side"] == BUY:
                return min(oracle * (PPM + band) // PPM, MAX_TICKS)
            return max(-(-oracle * (PPM - band) // PPM), 1)
        if not 1 <= tx["ticks"] <= MAX_TICKS:
            raise RejectError(Status.BAD_PRICE)
        if abs(tx["ticks"] - oracle) * PPM > band * oracle:
            raise RejectError(Status.PRICE_BAND)
        return tx["ticks"]

    def _reducible(self, tx: dict) -> int:
        """Lots of an order; of a reduce-only one at most the position."""
        held = self.position[tx["account"]][tx["market"]]
        if not tx["flags"] & Flag.REDUCE_ONLY:
            return tx["lots"]
        if held * tx["side"] >= 0:
            raise RejectError(Status.WOULD_INCREASE)
        return min(tx["lots"], abs(held))

    def _check_margin(self, account, market, side, lots, limit):
        """Initial margin at the worst case, or a reduction that is no riskier."""
        extra = {(market, side): lots}
        exposure = self.exposure(account, market, extra)
        if exposure * self.unit[market] > MAX_NOTIONAL:
            raise RejectError(Status.MARGIN)
        if self.slack(account, extra) >= lots * self.worst_loss(market, side, limit):
            return
        if not self._is_safe_reduction(account, market, side, lots, limit):
            raise RejectError(Status.MARGIN)

    def _is_safe_reduction(self, account, market, side, lots, limit) -> bool:
        held = self.position[account][market]
        resting = self.open_lots(account, market, 0 if side == BUY else 1)
        if held * side >= 0 or resting + lots > abs(held):
            return False
        before, value = self.standing(account), limit * self.multiplier[market]
        # A fee is rounded up with each fill, of which there may be one a lot.
        paid = lots * (side * value + ppm_ceil(value, self.fee_bound()))
        self._shift(account, market, side * lots, -paid)
        after = self.standing(account)
        self._shift(account, market, -side * lots, paid)
        if self.spec.cover == Cover.EVERY_BLOCK and self.has_orders(account):
            return False
        if self.spec.margin == Margin.RISK_STEPS:
            return self.may_move(before, after)
        now, new, equity = before.risk, after.risk, after.risk.nc
        if new.mmr == 0:
            return equity >= 0 or equity >= now.nc
        return equity * now.mmr >= now.nc * new.mmr

    def _order(self, tx: dict) -> Fill:
        account, market, side = tx["account"], tx["market"], tx["side"]
        limit = self._check_order(tx)
        self.check_isolation(account, market)
        lots = self._reducible(tx)
        if self._find(account, market, tx["slot"]):
            raise RejectError(Status.SLOT_BUSY)
        self._check_count(tx)
        self._check_book(tx, limit, lots)
        self._check_margin(account, market, side, lots, limit)
        loss = self.worst_loss(market, side, limit)
        stops = self._meets_own(account, market, side, limit)
        if stops and self.spec.self_trade == SelfTrade.CANCEL_NEWEST:
            raise RejectError(Status.SELF_TRADE)
        names = (account, tx["slot"], limit, lots, loss, tx["expiry_block"])
        order = Order(*names, self.block)
        return self._match(order, market, side, tx["flags"])

    def _check_count(self, tx: dict):
        """Limits on the orders that rest, or wait and may rest."""
        if tx["flags"] & IMMEDIATE:
            return
        books = enumerate(self.books)
        orders = [(m, o) for m, sides in books for side in sides for o in side]
        orders += [(o.market, o) for o in self.batch if o.lots > 0 and o.may_rest]
        own = sum(o.account == tx["account"] for _, o in orders)
        here = sum(market == tx["market"] for market, _ in orders)
        most_here = self.params["max_market_orders"][tx["market"]]
        if 0 < self.params["max_open_orders"] <= own or 0 < most_here <= here:
            raise RejectError(Status.TOO_MANY_ORDERS)

    def _crossing(self, market: int, side: int, limit: int) -> list[Order]:
        """Orders that a taker meets, best first."""
        asks = self.books[market][1 if side == BUY else 0]
        return [o for o in asks if side * (limit - o.ticks) >= 0]

    def _meets_own(self, account: int, market: int, side: int, limit: int) -> bool:
        """Whether the first order that a taker meets is its own."""
        met = self._crossing(market, side, limit)
        return bool(met) and met[0].account == account

    def _available(self, account, market, side, limit, lots) -> int:
        """Lots of others that a taker can reach, at most ``lots``."""
        total = 0
        for order in self._crossing(market, side, limit):
            if order.account != account:
                total += order.lots
            elif self.spec.self_trade != SelfTrade.CANCEL_OLDEST:
                break
        return min(total, lots)

    def _has_room(self, market: int, side: int) -> bool:
        own = self.books[market][0 if side == BUY else 1]
        return len(own) < self.spec.book_capacity

    def _check_book(self, tx: dict, limit: int, lots: int):
        account, market, side = tx["account"], tx["market"], tx["side"]
        flags = tx["flags"]
        if flags & Flag.POST_ONLY and self._crossing(market, side, limit):
            raise RejectError(Status.WOULD_TAKE)
        there = self._available(account, market, side, limit, lots)
        if flags & Flag.FOK and there < lots:
            raise RejectError(Status.CANNOT_FILL)
        full = not flags & IMMEDIATE and not self._has_room(market, side)
        if full and there == 0:
            raise RejectError(Status.BOOK_FULL)

    def _match(self, order: Order, market: int, side: int, flags: int) -> Fill:
        """Takes from the book, best first; rests or drops what is left."""
        lots, fill, dropped = order.lots, Fill(Status.RESTING), flags & IMMEDIATE != 0
        for maker in self._crossing(market, side, order.ticks):
            if order.lots == 0:
                break
            if maker.account == order.account:
                if self.spec.self_trade == SelfTrade.CANCEL_NEWEST:
                    self.counters[Status.SELF_TRADE] += 1
                    dropped = True
                    break
                self._prevent(order, maker)
            else:
                taken = min(order.lots, maker.lots)
                maker.lots -= taken
                order.lots -= taken
                fill.lots += taken
                fill.quote += self._fill(order, maker, market, side, taken)
        self._drop_empty(market)
        fill.status = self._finish(order, market, side, lots, fill.lots, dropped)
        return fill

    def _prevent(self, order: Order, maker: Order):
        """Self-trade prevention where it does not stop the incoming order."""
        if self.spec.self_trade == SelfTrade.DECREMENT:
            both = min(order.lots, maker.lots)
            order.lots -= both
            maker.lots -= both
        else:
            maker.lots = 0

    def _finish(self, order, market, side, lots, filled, dropped) -> int:
        """Rests what is left of an order; returns its status."""
        if filled == lots:
            return Status.FILLED
        if dropped or order.lots == 0:
            return Status.PARTIAL
        if not self._has_room(market, side):
            self.counters[Status.BOOK_FULL] += 1
            return Status.PARTIAL
        self._rest(order, market, side)
        return Status.RESTING

    def _rest(self, order: Order, market: int, side: int):
        """Behind all better and equal prices, before the worse."""
        own = self.books[market][0 if side == BUY else 1]
        place = 0
        while place < len(own) and side * (own[place].ticks - order.ticks) >= 0:
            place += 1
        own.insert(place, order)

    def _fill(self, order, maker, market, side, lots) -> int:
        """Settles one fill at the maker's price; returns its notional."""
        value = maker.ticks * self.multiplier[market]
        taker_fee, maker_fee = (self.params[f"{who}_fee_ppm"] for who in _WHO)
        self.trade(order.account, market, side * lots, value, taker_fee)
        self.trade(maker.account, market, -side * lots, value, maker_fee)
        self._record(market, maker.ticks, lots, lots * value, 1)
        return lots * value


_WHO = ("taker", "maker")


def _has_good_flags(flags: int) -> bool:
    if flags & ~KNOWN_FLAGS:
        return False
    if flags & Flag.POST_ONLY and flags & IMMEDIATE:
        return False
    return not flags & Flag.REDUCE_ONLY or bool(flags & IMMEDIATE)
