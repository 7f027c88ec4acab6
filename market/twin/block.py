"""The exchange block as a specification: plain Python, ints, one loop, nothing clever.

This twin of `market.exchange` says what each transaction does to accounts, funds and
books. It shares no code with the compiled lowerings: the formulas come from
`market.rules.margin` and `market.rules.liquidation` on plain ints, matching is a loop
over a list. Tests hold the lowerings equal to it. How a batch clears in auction mode
stands in `market.twin.batch`, how positions are deleveraged in
`market.twin.deleveraging`; Hyperliquid's liquidations in `market.twin.staged`.
"""

from market.numbers.units import ppm_floor
from market.rules import liquidation, margin
from market.rules.margin import Risk
from market.twin.batch import ReferenceBatch
from market.twin.deleveraging import ReferenceDeleveraging
from market.twin.lane import (
    GATE_BLOCKS,
    MAX_TICKS,
    Fill,
    RejectError,
)
from market.twin.matching import ReferenceMatching
from market.twin.staged import ReferenceStaged
from market.types.orders import Kind, Status
from market.types.specs import Liquidation


class ReferenceExchange(
    ReferenceMatching, ReferenceDeleveraging, ReferenceStaged, ReferenceBatch
):
    """One exchange, block after block."""

    # --- a block ---------------------------------------------------------------------

    def run(self, txs: list[dict], block: int, seed_word: int) -> list[Fill]:
        """Executes a block in continuous matching; returns what each came to."""
        self._open_block(block)
        results = [self._outcome(tx, self._execute) for tx in txs]
        self._close_block(seed_word)
        return results

    def _close_block(self, seed_word: int):
        self._deleverage_pending(seed_word % 2**62)
        if any(self.risk(account).nc < 0 for account in range(self.accounts)):
            self.gate_block = self.block + GATE_BLOCKS

    def _outcome(self, tx: dict, rule, counts: bool = True) -> Fill:
        """Runs one transaction by ``rule`` and counts what became of it."""
        if tx["kind"] == Kind.NONE:
            return Fill(Status.NONE)
        try:
            self._check_names(tx)
            fill = rule(tx)
        except RejectError as reject:
            fill = Fill(reject.args[0])
        self.counters[fill.status] += counts
        return fill

    def _execute(self, tx: dict) -> Fill:
        kind, account = tx["kind"], tx["account"]
        if kind == Kind.ORDER:
            return self._order(tx)
        if kind == Kind.REPLACE:
            self._remove(account, tx["market"], tx["slot"])
            return self._order(tx)
        if kind == Kind.LIQUIDATE:
            if self.spec.liquidation == Liquidation.TAKEOVER:
                return self._take_over(tx)
            return self._liquidate(tx)
        return self._without_matching(tx)

    def _without_matching(self, tx: dict) -> Fill:
        kind, account = tx["kind"], tx["account"]
        if kind == Kind.CANCEL:
            if not self._remove(account, tx["market"], tx["slot"]):
                raise RejectError(Status.UNKNOWN_ORDER)
        elif kind == Kind.REDUCE:
            self._reduce(account, tx["market"], tx["slot"], tx["lots"])
        elif kind == Kind.CANCEL_ALL:
            self._remove_all(account, None if tx["market"] == -1 else tx["market"])
        elif kind == Kind.DEPOSIT:
            self._deposit(account, tx["lots"])
        else:
            self._withdraw(account, tx["lots"])
        return Fill(Status.ACCEPTED)

    # --- liquidation -----------------------------------------------------------------

    def _target(self, tx: dict) -> tuple[Risk, int]:
        """Risk of the account to be liquidated, and the signed lots to trade."""
        target, market = tx["slot"], tx["market"]
        if self.params["halted"][market]:
            raise RejectError(Status.HALTED)
        if tx["lots"] < 0:
            raise RejectError(Status.BAD_LOTS)
        risk, held = self.risk(target), self.position[target][market]
        in_danger = margin.is_liquidatable(risk.nc, risk.mmr)
        if held == 0 or target == tx["account"] or not in_danger:
            raise RejectError(Status.NOT_LIQUIDATABLE)
        done = self.liquidated.get(target, {})
        used = sum(done.values())
        if market in done or used >= self.rules.max_account_notional:
            raise RejectError(Status.ALREADY_LIQUIDATED)
        unit = self.unit[market]
        delta = liquidation.liquidation_delta(held, unit, used, self.rules)
        if tx["lots"] > 0:
            delta = max(min(delta, tx["lots"]), -tx["lots"])
        return risk, delta

    def fillable_ticks(self, target: int, market: int, risk: Risk) -> int:
        """Limit of a liquidation order."""
        held, unit = self.position[target][market], self.unit[market]
        tier = self.tiers[market]
        required = margin.maintenance_requirement(
            abs(held) * unit, tier.initial_ppm, tier.maintenance_ppm
        )
        ticks = liquidation.fillable_ticks(
            held,
            held * unit,
            required,
            risk.nc,
            risk.mmr,
            self.multiplier[market],
            self.rules,
        )
        return min(ticks, MAX_TICKS)

    def _liquidate(self, tx: dict) -> Fill:
        if self.spec.liquidation == Liquidation.STAGES:
            return self._liquidate_in_stages(tx)
        target, market = tx["slot"], tx["market"]
        risk, delta = self._target(tx)
        side, limit = _sign(delta), self.fillable_ticks(target, market, risk)
        filled, quote = self._dry_run(target, market, side, limit, abs(delta))
        if filled == 0:
            if risk.nc < 0:
                self.adl_pending[target][market] = 1
            raise RejectError(Status.NOTHING_TO_TAKE)
        gain = -side * quote
        bankruptcy = self.bankruptcy_quote(target, market, side * filled, risk)
        paid = max(bankruptcy - gain, 0)
        if paid > 0 and paid > self.fund_budget(target, market):
            self.adl_pending[target][market] = 1
            raise RejectError(Status.INSURANCE_EMPTY)
        self._remove_all(target, None)
        self._take(target, market, side, limit, abs(delta))
        self._bill(tx["account"], target, market, gain, bankruptcy)
        self._note_payment(target, paid)
        done = self.liquidated.setdefault(target, {})
        done[market] = filled * self.unit[market]
        status = Status.FILLED if filled == abs(delta) else Status.PARTIAL
        return Fill(status, filled, quote)

    def _dry_run(self, target, market, side, limit, lots) -> tuple[int, int]:
        filled, quote = 0, 0
        for maker in self._crossing(market, side, limit):
            if maker.account != target:
                taken = min(lots - filled, maker.lots)
                filled += taken
                quote += taken * maker.ticks * self.multiplier[market]
        return filled, quote

    def _take(self, target, market, side, limit, lots):
        """The liquidation order itself: maker fees as usual, no taker fee."""
        for maker in self._crossing(market, side, limit):
            taken = min(lots, maker.lots)
            if taken == 0:
                break
            value = maker.ticks * self.multiplier[market]
            fee_ppm = self.params["maker_fee_ppm"]
            self.trade(target, market, side * taken, value, 0)
            self.trade(maker.account, market, -side * taken, value, fee_ppm)
            self._record(market, maker.ticks, taken, taken * value, 1)
            maker.lots -= taken
            lots -= taken
        self._drop_empty(market)

    def _bill(self, liquidator, target, market, gain: int, bankruptcy: int):
        """The fund pays the loss, or takes the fee and rewards the liquidator."""
        delta = liquidation.insurance_delta(gain, bankruptcy, self.rules.max_fee_ppm)
        fund = self.spec.funds[market]
        delta = max(delta, -self.insurance[fund])
        reward = ppm_floor(max(delta, 0), self.params["liquidator_reward_ppm"])
        self.collateral[target] -= delta
        self.collateral[liquidator] += reward
        self.insurance[fund] += delta - reward
        self.info["liquidation_fees"] += max(delta, 0)
        self.info["insurance_paid"] += max(-delta, 0)
        self.info["liquidations"] += 1
        self.info["liquidated_quote"] += abs(gain)


def _sign(number: int) -> int:
    return (number > 0) - (number < 0)
