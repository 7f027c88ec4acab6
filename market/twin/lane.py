"""Accounts of the reference exchange: balances, positions, reservations, margin, funds.

The first of the three parts of the plain-Python specification; see
`market.twin.block`.
"""

from dataclasses import dataclass
from typing import NamedTuple

from market.numbers.units import PPM, ppm_ceil
from market.rules import margin
from market.rules.liquidation import LiquidationRules
from market.rules.margin import Risk, Tier
from market.types.orders import BUY, SELL, STATUS_COUNT, Flag, Kind, Status
from market.types.specs import Margin, VenueSpec
from market.venues import starkex
from market.venues.starkex import FXP_32

MAX_TICKS = 2**31 - 1
MAX_ORDER_LOTS = 2**40
MAX_NOTIONAL = 2**50
MAX_COLLATERAL = 2**55
MAX_PAID_IN = 2**61
GATE_BLOCKS = 50
IMMEDIATE = Flag.IOC | Flag.FOK | Flag.MARKET
KNOWN_FLAGS = int(IMMEDIATE | Flag.POST_ONLY | Flag.REDUCE_ONLY)
NAMED_BY_MARKET = (
    Kind.ORDER,
    Kind.CANCEL,
    Kind.CANCEL_ALL,
    Kind.REPLACE,
    Kind.LIQUIDATE,
    Kind.REDUCE,
)
INFO_FIELDS = (
    "liquidations liquidated_quote liquidation_fees insurance_paid deleveraged "
    "deleveraged_quote deleveraging_loss withdrawn taken_over backstop_paid "
    "funding_paid"
).split()


class RejectError(Exception):
    """A transaction that is turned down, with its reason."""


@dataclass
class Order:
    """A resting order."""

    account: int
    slot: int
    ticks: int
    lots: int
    loss: int  # quanta reserved per lot
    expiry: int
    batch: int  # block in which it came


class Standing(NamedTuple):
    """An account before or after a transition."""

    risk: Risk
    held: tuple[int, ...]
    exact: int  # StarkEx's risk, in millionths of a quantum

    def totals(self) -> tuple[int, int]:
        """TV and TR in fixed-point units of a millionth of a quantum."""
        return self.risk.nc * PPM * FXP_32, self.exact * FXP_32 * FXP_32


@dataclass
class Fill:
    """What a transaction came to."""

    status: int
    lots: int = 0
    quote: int = 0


class ReferenceAccounts:
    """What the exchange owns, and what one account may do.

    Attributes:
        spec: shapes and code of the venue.
        params: numbers of the venue by name, ints or lists of ints.
        books: [market][side] resting orders, best first.
        collateral, withdrawn: by account.
        position, cost, adl_pending: [account][market].
        insurance: the shared fund, then those of isolated markets.
        fees, paid_in, gate_block: scalars.
        oracle, previous_mark, last: ticks by market; `oracle` is the price that margin
            is reckoned at, which is the mark where the venue has one.
        cooldown_us: end of the cooldown after a partial liquidation, by account.
        now_us: time of the block.
        batch: orders that wait for the clearing of an auction.
        counters: outcomes by `Status`.
        info: what the block did, by field of `ExchangeInfo`.
    """

    def __init__(self, spec: VenueSpec, params: dict, collateral, insurance, ticks):
        self.spec, self.params = spec, params
        self.accounts, self.markets = spec.accounts, len(spec.markets)
        self.multiplier = spec.multipliers
        self.books = [([], []) for _ in range(self.markets)]
        self.collateral, self.withdrawn = list(collateral), [0] * self.accounts
        self.position = [[0] * self.markets for _ in range(self.accounts)]
        self.cost = [[0] * self.markets for _ in range(self.accounts)]
        self.adl_pending = [[0] * self.markets for _ in range(self.accounts)]
        shared = [insurance] + [0] * self.markets
        self.insurance = list(insurance) if isinstance(insurance, list) else shared
        self.fees, self.gate_block = 0, 0
        self.paid_in = sum(collateral) + sum(self.insurance)
        self.oracle, self.last = list(ticks), list(ticks)
        self.previous_mark = list(ticks)
        self.cooldown_us, self.now_us = [0] * self.accounts, 0
        self.counters = [0] * STATUS_COUNT
        self.batch = []
        self.rules = LiquidationRules(
            max_fee_ppm=params["liquidation_fee_ppm"],
            bankruptcy_adjustment_ppm=params["bankruptcy_adjustment_ppm"],
            spread_to_maintenance_ppm=params["spread_to_maintenance_ppm"],
            min_position_notional=params["min_liquidation_notional"],
            max_position_portion_ppm=params["max_liquidation_portion_ppm"],
            max_account_notional=params["max_liquidation_notional"],
            max_account_insurance=params["max_liquidation_insurance"],
        )

    # --- margin ----------

    def _open_block(self, block: int):
        self.block, self.liquidated, self.paid_for = block, {}, {}
        self.set_aside = [0] * len(self.insurance)
        self.info = {name: 0 for name in INFO_FIELDS}
        for name in ("traded_lots", "traded_quote", "trades", "high", "low"):
            self.info[name] = [0] * self.markets
        self.unit = [o * m for o, m in zip(self.oracle, self.multiplier, strict=True)]
        self.tiers = [
            Tier(*(self.params[name][market] for name in _TIER_FIELDS))
            for market in range(self.markets)
        ]
        self.open_interest = [
            sum(max(held[m], 0) for held in self.position) * self.unit[m]
            for m in range(self.markets)
        ]
        for sides in self.books:
            for side in sides:
                side[:] = [o for o in side if not 0 < o.expiry < block]

    def risk(self, account: int) -> Risk:
        """Equity and requirements of the positions, open orders apart."""
        held = self.position[account]
        notionals = [n * unit for n, unit in zip(held, self.unit, strict=True)]
        risk = margin.account_risk(
            self.collateral[account], notionals, self.open_interest, self.tiers
        )
        if self.spec.margin != Margin.RISK_STEPS:
            return risk
        pairs = list(enumerate(held))
        imr = sum(self.initial_requirement(m, lots) for m, lots in pairs)
        exact = sum(self.exact_requirement(m, lots) for m, lots in pairs)
        return Risk(risk.nc, imr, -(-exact // PPM))

    def exact_requirement(self, market: int, lots: int) -> int:
        """StarkEx's risk of a position, in millionths of a quantum."""
        notional = abs(lots) * self.unit[market]
        return notional * self._factor(market, lots)

    def _factor(self, market: int, lots: int) -> int:
        by_balance = self.params["risk_by_balance"][market]
        size = abs(lots) if by_balance else abs(lots) * self.unit[market]
        uppers, factors = self.params["risk_upper"], self.params["risk_ppm"]
        for upper, factor in zip(uppers[:-1], factors[:-1], strict=True):
            if size <= upper[market]:
                return factor[market]
        return factors[-1][market]

    def initial_requirement(self, market: int, lots: int) -> int:
        """Initial requirement of a position; on StarkEx at least its risk."""
        tier, interest = self.tiers[market], self.open_interest[market]
        fraction = margin.initial_fraction_ppm(interest, tier)
        if self.spec.margin == Margin.RISK_STEPS:
            fraction = max(fraction, self._factor(market, lots))
        return margin.initial_requirement(abs(lots) * self.unit[market], fraction)

    def standing(self, account: int) -> Standing:
        """The account as a transition rule sees it."""
        held = tuple(self.position[account])
        exact = sum(self.exact_requirement(m, lots) for m, lots in enumerate(held))
        return Standing(self.risk(account), held, exact)

    def may_move(self, before: Standing, after: Standing) -> bool:
        """Whether an account may go from one standing to another."""
        if self.spec.margin != Margin.RISK_STEPS:
            return margin.is_update_allowed(before.risk, after.risk)
        totals = (*before.totals(), *after.totals())
        smaller = starkex.is_smaller(before.held, after.held)
        return starkex.check_transition(*totals, smaller) == starkex.ErrorCode.SUCCESS

    def orders_of(self, account: int, market: int, side: int) -> list[Order]:
        """The account's orders on one side of one market, resting or waiting."""
        waiting = [o for o in self.batch if o.market == market and o.lots > 0]
        waiting = [o for o in waiting if o.side == (BUY, SELL)[side]]
        return [o for o in self.books[market][side] + waiting if o.account == account]

    def open_lots(self, account: int, market: int, side: int) -> int:
        """Lots resting on one side."""
        return sum(o.lots for o in self.orders_of(account, market, side))

    def open_loss(self, account: int, market: int) -> int:
        """Quanta reserved by resting orders of one market."""
        orders = [o for side in (0, 1) for o in self.orders_of(account, market, side)]
        return sum(o.lots * o.loss for o in orders)

    def worst_loss(self, market: int, side: int, limit: int) -> int:
        """Quanta that one lot filled at its limit loses on the oracle, with its fee."""
        against = max(0, side * (limit - self.oracle[market]))
        value = limit * self.multiplier[market]
        return against * self.multiplier[market] + ppm_ceil(value, self.fee_bound())

    def fee_bound(self) -> int:
        """The larger of the two fees, not below zero."""
        return max(self.params["maker_fee_ppm"], self.params["taker_fee_ppm"], 0)

    def exposure(self, account: int, market: int, extra: dict) -> int:
        """Largest position in lots if all orders of one side fill."""
        held = self.position[account][market]
        buying = self.open_lots(account, market, 0) + extra.get((market, BUY), 0)
        selling = self.open_lots(account, market, 1) + extra.get((market, SELL), 0)
        return max(abs(held + buying), abs(held - selling))

    def slack(self, account: int, extra: dict | None = None) -> int:
        """Equity over initial requirement with every order filled at its worst.

        Args:
            account: whose.
            extra: lots besides those resting, by (market, side).
        """
        total = self.risk(account).nc
        for market in range(self.markets):
            lots = self.exposure(account, market, extra or {})
            total -= self.initial_requirement(market, lots)
            total -= self.open_loss(account, market)
        return total

    def fund_budget(self, target: int, market: int) -> int:
        """The most that the fund may pay for a liquidation of the account now."""
        fund = self.spec.funds[market]
        left = self.rules.max_account_insurance - self.paid_for.get(target, 0)
        return min(self.insurance[fund] - self.set_aside[fund], left)

    def _note_payment(self, target: int, paid: int):
        self.paid_for[target] = self.paid_for.get(target, 0) + paid

    def check_isolation(self, account: int, market: int):
        """An account in an isolated market has nothing in any other.

        Except the vault, which takes over what there is.
        """
        if account == self.spec.vault:
            return
        for other in range(self.markets):
            held = self.position[account][other] != 0
            orders = any(self.orders_of(account, other, side) for side in (0, 1))
            apart = self.spec.isolated[market] or self.spec.isolated[other]
            if other != market and apart and (held or orders):
                raise RejectError(Status.ISOLATED)

    def has_orders(self, account: int) -> bool:
        """Whether any order of the account rests or waits."""
        places = [(m, s) for m in range(self.markets) for s in (0, 1)]
        return any(self.orders_of(account, *place) for place in places)

    def trade(self, account: int, market: int, delta: int, value: int, fee_ppm: int):
        """One side of a fill: ``delta`` lots at ``value`` quanta each, and its fee."""
        fee = ppm_ceil(abs(delta) * value, fee_ppm)
        self._change_position(account, market, delta, value)
        self.collateral[account] -= delta * value + fee
        self.fees += fee

    def _change_position(self, account, market, delta, value):
        held, cost = self.position[account][market], self.cost[account][market]
        if held * delta >= 0:
            cost += delta * value
        elif abs(delta) < abs(held):
            cost -= cost * abs(delta) // abs(held)
        else:
            cost = (held + delta) * value
        self.position[account][market] = held + delta
        self.cost[account][market] = cost

    def _shift(self, account: int, market: int, delta: int, quanta: int):
        """Moves lots and quanta into an account, its entry value apart."""
        self.position[account][market] += delta
        self.collateral[account] += quanta

    def _record(self, market, ticks, lots, quote, trades):
        info = self.info
        info["traded_lots"][market] += lots
        info["traded_quote"][market] += quote
        info["trades"][market] += trades
        info["high"][market] = max(info["high"][market], ticks)
        low = info["low"][market]
        info["low"][market] = ticks if low == 0 else min(low, ticks)
        self.last[market] = ticks

    def _find(self, account: int, market: int, slot: int) -> Order | None:
        for side in (0, 1):
            for order in self.orders_of(account, market, side):
                if order.slot == slot:
                    return order
        return None

    def _drop_empty(self, market: int):
        for side in self.books[market]:
            side[:] = [o for o in side if o.lots > 0]

    def _remove(self, account: int, market: int, slot: int) -> bool:
        order = self._find(account, market, slot)
        for side in self.books[market]:
            side[:] = [o for o in side if o is not order]
        return order is not None

    def _reduce(self, account: int, market: int, slot: int, lots: int):
        """Takes lots off a resting order, which keeps its place."""
        if lots < 1:
            raise RejectError(Status.BAD_LOTS)
        order = self._find(account, market, slot)
        if order is None:
            raise RejectError(Status.UNKNOWN_ORDER)
        if lots > order.lots:
            raise RejectError(Status.BAD_LOTS)
        order.lots -= lots
        self._drop_empty(market)

    def _remove_all(self, account: int, market: int | None):
        for each, sides in enumerate(self.books):
            if market is None or each == market:
                for side in sides:
                    side[:] = [o for o in side if o.account != account]

    # --- funds -----------------------------------------------------------------------

    def _deposit(self, account: int, quanta: int):
        if not 1 <= quanta <= MAX_COLLATERAL:
            raise RejectError(Status.BAD_LOTS)
        if self.collateral[account] + quanta > MAX_COLLATERAL:
            raise RejectError(Status.BAD_LOTS)
        if self.paid_in + quanta > MAX_PAID_IN:
            raise RejectError(Status.BAD_LOTS)
        self.collateral[account] += quanta
        self.paid_in += quanta

    def _withdraw(self, account: int, quanta: int):
        if quanta < 1:
            raise RejectError(Status.BAD_LOTS)
        if self.gate_block > 0 and self.block <= self.gate_block:
            raise RejectError(Status.WITHDRAWALS_GATED)
        reserved = sum(self.open_loss(account, m) for m in range(self.markets))
        free = min(self.collateral[account] - reserved, self.slack(account))
        if quanta > free:
            raise RejectError(Status.NO_FUNDS)
        self.collateral[account] -= quanta
        self.withdrawn[account] += quanta
        self.info["withdrawn"] += quanta


_TIER_FIELDS = ("initial_ppm", "maintenance_fraction_ppm", "oi_lower", "oi_upper")
