"""Hyperliquid's liquidations in the reference exchange: book, vault, deleveraging.

A part of the plain-Python specification; see `market.twin.block`. A keeper
names an account and a market, as under the other presets; by the account's equity at
the mark this is what happens:

1. Below the maintenance margin: a market order (to the edge of the price band) into the
   book for the whole position, or for a part of a large one (`market.rules.staged`).
   Nobody takes a fee. What the fill leaves is the account's.
2. Below two thirds of it, where the venue has a vault: the vault takes all positions
   and all collateral, and the account ends at zero. Open orders of the account are
   cancelled, those of the vault stay.
3. Below zero: all positions are marked for deleveraging, but in halted markets.

The vault is an account like others. What it takes over never lowers its equity, but
may bring it under its own margin. Then it is liquidated into the book by any keeper;
nobody takes it over, and below zero it is deleveraged. Positions that would be worth
more than the venue's largest notional it does not take; they go on to the book.
"""

from market.numbers.units import PPM
from market.rules.staged import StagedRules, lots_to_send
from market.twin.lane import (
    MAX_NOTIONAL,
    MAX_TICKS,
    Fill,
    ReferenceAccounts,
    RejectError,
)
from market.types.orders import BUY, SELL, Status
from market.venues.hyperliquid.liquidation import (
    LiquidationStage,
    backstop,
    liquidation_stage,
)

#: Slot of a waiting liquidation that takes part of a large position.
PART_SLOT = -2


class ReferenceStaged(ReferenceAccounts):
    """The part of `ReferenceExchange` that liquidates in stages."""

    def _liquidate_in_stages(self, tx: dict) -> Fill:
        """One liquidation in continuous matching."""
        target, market = tx["slot"], tx["market"]
        if self._next_stage(tx) == LiquidationStage.BACKSTOP:
            return self._backstop(target, market)
        side, lots, is_part = self._staged_order(tx)
        limit = self._edge_of_band(market, side)
        if self._dry_run(target, market, side, limit, lots)[0] == 0:
            raise RejectError(Status.NOTHING_TO_TAKE)
        self._remove_all(target, None)
        filled, quote = self._dry_run(target, market, side, limit, lots)
        self._take(target, market, side, limit, lots)
        self._note_staged_fill(quote)
        self.liquidated.setdefault(target, {})[market] = filled * self.unit[market]
        if is_part:
            self._start_cooldown(target)
        status = Status.FILLED if filled == lots else Status.PARTIAL
        return Fill(status, filled, quote)

    def _admit_in_stages(self, tx: dict) -> Fill:
        """One liquidation in auction mode; its order waits for the price."""
        target, market = tx["slot"], tx["market"]
        if self._next_stage(tx) == LiquidationStage.BACKSTOP:
            self._drop_waiting(target)
            return self._backstop(target, market)
        side, lots, is_part = self._staged_order(tx)
        self._remove_all(target, None)
        self._drop_waiting(target)
        self.liquidated.setdefault(target, {})[market] = lots * self.unit[market]
        self._wait(
            account=target,
            slot=PART_SLOT if is_part else -1,
            ticks=self._edge_of_band(market, side),
            lots=lots,
            loss=0,
            expiry=0,
            market=market,
            side=side,
            liquidator=tx["account"],
        )
        return Fill(Status.RESTING)

    def _next_stage(self, tx: dict) -> LiquidationStage:
        """Book or backstop, or the reason why neither."""
        target, market = tx["slot"], tx["market"]
        if self.params["halted"][market]:
            raise RejectError(Status.HALTED)
        if tx["lots"] < 0:
            raise RejectError(Status.BAD_LOTS)
        risk, held = self.risk(target), self.position[target][market]
        stage = liquidation_stage(risk.nc, risk.mmr)
        if held == 0 or target == tx["account"] or stage == LiquidationStage.SAFE:
            raise RejectError(Status.NOT_LIQUIDATABLE)
        if market in self.liquidated.get(target, {}):
            raise RejectError(Status.ALREADY_LIQUIDATED)
        if risk.nc < 0:
            for each, lots in enumerate(self.position[target]):
                if lots and not self.params["halted"][each]:
                    self.adl_pending[target][each] = 1
            raise RejectError(Status.BANKRUPT)
        return stage if self._vault_takes(target) else LiquidationStage.BOOK

    def _vault_takes(self, target: int) -> bool:
        vault = self.spec.vault
        if vault in (-1, target):
            return False
        rows = zip(self.position[vault], self.position[target], self.unit, strict=True)
        return all(abs(a + b) * unit <= MAX_NOTIONAL for a, b, unit in rows)

    def _staged_order(self, tx: dict) -> tuple[int, int, bool]:
        """Side and lots to send, and whether they are part of a large position."""
        target, market, params = tx["slot"], tx["market"], self.params
        held = self.position[target][market]
        rules = StagedRules(
            params["min_liquidation_notional"],
            params["max_liquidation_portion_ppm"],
            params["liquidation_cooldown_us"],
            params["cooldown_waits"],
        )
        notional = abs(held) * self.unit[market]
        until = self.cooldown_us[target]
        lots = lots_to_send(abs(held), notional, self.now_us, until, rules)
        if lots == 0:
            raise RejectError(Status.ALREADY_LIQUIDATED)
        side = SELL if held > 0 else BUY
        sent = min(lots, tx["lots"]) if tx["lots"] > 0 else lots
        return side, sent, lots < abs(held)

    def _edge_of_band(self, market: int, side: int) -> int:
        price, band = self.oracle[market], self.params["price_band_ppm"][market]
        if side == BUY:
            return min(price * (PPM + band) // PPM, MAX_TICKS)
        return max(-(-price * (PPM - band) // PPM), 1)

    def _backstop(self, target: int, market: int) -> Fill:
        """The vault takes everything: positions at the mark, collateral as it is."""
        lots = abs(self.position[target][market])
        self._remove_all(target, None)
        taken = backstop(self.collateral[target], tuple(self.position[target]))
        quote = 0
        for each, held in enumerate(taken.positions):
            if held:
                unit = self.unit[each]
                self._change_position(target, each, -held, unit)
                self._change_position(self.spec.vault, each, held, unit)
                quote += abs(held) * unit
        self.collateral[self.spec.vault] += taken.margin
        self.collateral[target] -= taken.margin
        self.cooldown_us[target] = 0
        self.info["taken_over"] += quote
        self._note_staged_fill(quote)
        return Fill(Status.FILLED, lots, lots * self.unit[market])

    def _note_staged_fill(self, quote: int):
        self.info["liquidations"] += 1
        self.info["liquidated_quote"] += quote

    def _start_cooldown(self, target: int):
        self.cooldown_us[target] = self.now_us + self.params["liquidation_cooldown_us"]
