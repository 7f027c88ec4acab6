"""StarkEx in the reference exchange: takeovers by keepers, and orders without cover.

A part of the plain-Python specification; see `market.twin.block`. The rules of
a transition are those of `market.venues.starkex`; ratios are compared as plain
integers.
"""

from market.numbers.units import PPM, ppm_floor
from market.twin.lane import (
    MAX_NOTIONAL,
    MAX_TICKS,
    Fill,
    ReferenceAccounts,
    RejectError,
)
from market.types.orders import Status
from market.types.specs import Cover


class ReferenceTakeover(ReferenceAccounts):
    """The part of `ReferenceExchange` that only StarkEx has."""

    # --- orders without cover --------------------------------------------------------

    def _open_block(self, block: int):
        super()._open_block(block)
        if self.spec.cover == Cover.EVERY_BLOCK:
            self._drop_undercollateralised()

    def _drop_undercollateralised(self):
        """Reckons reservations anew and cancels the orders that are not covered."""
        for market, sides in enumerate(self.books):
            for side, orders in zip((1, -1), sides, strict=True):
                for order in orders:
                    order.loss = self.worst_loss(market, side, order.ticks)
        for account in range(self.accounts):
            if self.has_orders(account) and not self._is_covered(account):
                self._remove_all(account, None)

    def _is_covered(self, account: int) -> bool:
        """Whether it is well leveraged with every order filled at its worst."""
        have = self.risk(account).nc
        need = 0
        for market in range(self.markets):
            have -= self.open_loss(account, market)
            worst = self.exposure(account, market, {})
            need += self.exact_requirement(market, worst)
        return have * PPM >= need

    # --- takeovers -------------------------------------------------------------------

    def close_quote(self, target: int, market: int, delta: int) -> int:
        """The least that the account gets for ``delta`` lots: TV/TR does not fall."""
        before = self.standing(target)
        notional = delta * self.unit[market]
        exact = before.exact
        held = self.position[target][market]
        exact -= self.exact_requirement(market, held)
        exact += self.exact_requirement(market, held + delta)
        if before.exact == 0:
            return -notional
        # Least c with TV0 * TR1 <= (TV0 + notional + c) * TR0.
        value = before.risk.nc
        return -(((value + notional) * before.exact - value * exact) // before.exact)

    def _taken_lots(self, tx: dict) -> int:
        """Checks a takeover; signed lots by which the target's position changes."""
        keeper, target, market = tx["account"], tx["slot"], tx["market"]
        if self.params["halted"][market]:
            raise RejectError(Status.HALTED)
        if tx["lots"] < 0:
            raise RejectError(Status.BAD_LOTS)
        if not 0 <= tx["ticks"] <= MAX_TICKS:
            raise RejectError(Status.BAD_PRICE)
        held = self.position[target][market]
        is_safe = self.standing(target).exact <= self.risk(target).nc * PPM
        if held == 0 or keeper == target or is_safe:
            raise RejectError(Status.NOT_LIQUIDATABLE)
        lots = min(abs(held), tx["lots"] or abs(held))
        if lots * tx["ticks"] * self.multiplier[market] > MAX_NOTIONAL:
            raise RejectError(Status.BAD_LOTS)
        self.check_isolation(keeper, market)
        return -lots if held > 0 else lots

    def _keeper_quote(self, tx: dict, delta: int, close: int) -> int:
        """Signed quanta that the keeper pays."""
        market = tx["market"]
        worth = -delta * self.unit[market]
        least = close if self.risk(tx["slot"]).nc >= 0 else worth
        fee = ppm_floor(abs(worth), self.params["liquidation_fee_ppm"])
        if tx["ticks"] == 0:
            return max(worth - fee, least)
        quote = -delta * tx["ticks"] * self.multiplier[market]
        if quote < least:
            raise RejectError(Status.UNFAIR_PRICE)
        return quote

    def _take_over(self, tx: dict) -> Fill:
        keeper, target, market = tx["account"], tx["slot"], tx["market"]
        delta = self._taken_lots(tx)
        close = self.close_quote(target, market, delta)
        quote = self._keeper_quote(tx, delta, close)
        missing = max(close - quote, 0)
        fund = self.spec.funds[market]
        if missing > self.insurance[fund]:
            self.adl_pending[target][market] = 1
            raise RejectError(Status.INSURANCE_EMPTY)
        gain = max(-delta * self.unit[market] - quote, 0)
        share = gain - ppm_floor(gain, self.params["liquidator_reward_ppm"])
        self._shift(keeper, market, -delta, -quote - share)
        is_margined = self.slack(keeper) >= 0
        most = self.exposure(keeper, market, {}) * self.unit[market]
        self._shift(keeper, market, delta, quote + share)
        if not is_margined or most > MAX_NOTIONAL:
            raise RejectError(Status.MARGIN)
        self._remove_all(target, None)
        value = abs(quote) // abs(delta)
        self._change_position(target, market, delta, value)
        self._change_position(keeper, market, -delta, value)
        self.collateral[target] += quote + missing
        self.collateral[keeper] -= quote + share
        self.insurance[fund] += share - missing
        self.info["liquidation_fees"] += gain
        self.info["insurance_paid"] += missing
        self.info["liquidations"] += 1
        self.info["liquidated_quote"] += abs(quote)
        return Fill(Status.FILLED, abs(delta), abs(quote))
