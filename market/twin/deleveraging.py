"""Deleveraging of the reference exchange: who gives up how much, and at what price.

A part of the plain-Python specification; see `market.twin.block`.

A marked position is closed at the end of the block against holders of the other side,
while its account has negative equity. `spec.deleveraging` says who gives:

- `RANDOM_WALK` (dYdX v4): holders in account order from a random one, at most 500 of
  them; each gives all it has, and only if both sides pass the transition rule.
- `HYPERLIQUID`, `BINANCE`, `BITMEX`: a queue by score (`market.rules.ranking`); each
  gives all it has until the position is closed.
- `PRO_RATA`: lots in proportion to the profit on the position, by largest remainder
  (to the size, where nobody has a profit). A lot costs everyone the same, so that this
  is one haircut on all profits. Nobody can give more lots than it has: what its share
  is over that stays with the closed account, and the next block asks again.
- `CAPPED_PRO_RATA`: the same, but what one cannot give the others do, to one level;
  what is left when all winners are closed, the rest gives by what it still holds.
- `CONTRACT_PRO_RATA`: lots in proportion to lots, floored. What the floors leave, less
  than a lot a holder, stays with the closed account.

None but the walk asks the counterparties' margin: their venues close positions by rank
or share whatever becomes of the account. The price is the bankruptcy price of the
closed account, and for `HYPERLIQUID` the mark of the block before. If that leaves debt
when all its positions are gone, the vault pays as much as its own equity allows, and
the rest stays as negative collateral.
"""

from market.rules import liquidation, margin, ranking
from market.twin.takeover import ReferenceTakeover
from market.types.specs import Deleveraging, Margin
from market.venues import rankings as adl

MAX_COUNTERPARTIES = 500


class ReferenceDeleveraging(ReferenceTakeover):
    """The part of `ReferenceExchange` that deleverages."""

    def _deleverage_pending(self, seed_word: int):
        done = 0
        for target in range(self.accounts):
            for market in range(self.markets):
                if not self.adl_pending[target][market]:
                    continue
                due = self._is_due(target, market)
                if due and done == self.spec.deleverages_per_block:
                    continue
                if due:
                    done += 1
                    self._deleverage(target, market, seed_word)
                if not due or self.position[target][market] == 0:
                    self.adl_pending[target][market] = 0

    def _is_due(self, target: int, market: int) -> bool:
        return self.position[target][market] != 0 and self.risk(target).nc < 0

    def _deleverage(self, target: int, market: int, seed_word: int):
        self._remove_all(target, None)
        if self.spec.deleveraging == Deleveraging.RANDOM_WALK:
            self._walk(target, market, seed_word)
            return
        taken = self._allocation(target, market)
        self._close_allocated(target, market, taken)
        if self.spec.deleveraging == Deleveraging.HYPERLIQUID:
            self._cover_debt(target)

    def bankruptcy_quote(
        self, target: int, market: int, delta: int, risk: margin.Risk
    ) -> int:
        """Quanta that the account gets for ``delta`` lots at the bankruptcy price."""
        if self.spec.margin == Margin.RISK_STEPS:
            return self.close_quote(target, market, delta)
        tier = self.tiers[market]
        return liquidation.bankruptcy_quote_of_position(
            self.position[target][market],
            delta,
            self.unit[market],
            tier.initial_ppm,
            tier.maintenance_ppm,
            risk.nc,
            risk.mmr,
        )

    # --- the random walk -------------------------------------------------------------

    def _walk(self, target: int, market: int, seed_word: int):
        held = self.position[target][market]
        holders = [
            a for a in range(self.accounts) if self.position[a][market] * held < 0
        ]
        if not holders:
            return
        start = seed_word % len(holders)
        for other in (holders[start:] + holders[:start])[:MAX_COUNTERPARTIES]:
            if self.position[target][market]:
                self._close_against(target, other, market)

    def _close_against(self, target: int, other: int, market: int):
        """Closes what both hold at the target's bankruptcy price, if both may."""
        held = self.position[target][market]
        lots = min(abs(held), abs(self.position[other][market]))
        delta, both = -_sign(held) * lots, (target, other)
        before = [self.standing(account) for account in both]
        quote = self.bankruptcy_quote(target, market, delta, before[0].risk)
        self._exchange(target, other, market, delta, quote)
        after = [self.standing(account) for account in both]
        self._exchange(target, other, market, -delta, -quote)
        if not all(map(self.may_move, before, after)):
            return
        self._change_position(target, market, delta, self.unit[market])
        self.collateral[target] += quote
        self._give_up(other, market, -delta, -quote)

    def _exchange(self, target, other, market, delta, quote):
        self._shift(target, market, delta, quote)
        self._shift(other, market, -delta, -quote)

    def _give_up(self, account: int, market: int, delta: int, quote: int):
        """A counterparty's side; its orders go, which may have been reductions."""
        self._change_position(account, market, delta, self.unit[market])
        self.collateral[account] += quote
        self._remove_all(account, market)
        self.info["deleveraged"] += 1
        self.info["deleveraged_quote"] += abs(quote)
        self.info["deleveraging_loss"] -= quote + delta * self.unit[market]

    # --- queues and shares -----------------------------------------------------------

    def _allocation(self, target: int, market: int) -> list[int]:
        """Lots that each account gives."""
        held, rule = self.position[target][market], self.spec.deleveraging
        sizes = [
            abs(row[market]) if row[market] * held < 0 else 0 for row in self.position
        ]
        if rule == Deleveraging.CONTRACT_PRO_RATA:
            return adl.floored(sizes, abs(held))[0]
        if rule in (Deleveraging.PRO_RATA, Deleveraging.CAPPED_PRO_RATA):
            return self._shares(market, sizes, abs(held))
        scores = [self.score(account, market) for account in range(self.accounts)]
        return adl.in_order(adl.ranked(scores), sizes, abs(held))

    def _shares(self, market: int, sizes: list[int], lots: int) -> list[int]:
        profits = [
            max(self.profit(account, market), 0) if size else 0
            for account, size in enumerate(sizes)
        ]
        if self.spec.deleveraging == Deleveraging.CAPPED_PRO_RATA:
            taken, left = adl.capped_pro_rata(profits, sizes, lots)
            kept = [size - lots for size, lots in zip(sizes, taken, strict=True)]
            more = adl.pro_rata(kept, left)
            return [a + b for a, b in zip(taken, more, strict=True)]
        shares = adl.pro_rata(profits if any(profits) else sizes, lots)
        return [min(share, size) for share, size in zip(shares, sizes, strict=True)]

    def profit(self, account: int, market: int) -> int:
        """Unrealised profit of a position."""
        value = self.position[account][market] * self.unit[market]
        return value - self.cost[account][market]

    def score(self, account: int, market: int) -> int:
        """Rank of a counterparty in a queue."""
        held, cost = self.position[account][market], self.cost[account][market]
        value, risk = held * self.unit[market], self.risk(account)
        if self.spec.deleveraging == Deleveraging.HYPERLIQUID:
            return ranking.hyperliquid_score(
                abs(value), abs(cost), abs(value), risk.nc, held < 0
            )
        if self.spec.deleveraging == Deleveraging.BINANCE:
            profit = sum(self.profit(account, m) for m in range(self.markets))
            return ranking.binance_score(risk.nc - profit, profit, risk.mmr)
        # BitMEX: at its bankruptcy price the position is worth what it can lose less.
        bankrupt = self.bankruptcy_quote(account, market, -held, risk) if held else 0
        return ranking.bitmex_score(value, cost, value - bankrupt)

    def _close_allocated(self, target: int, market: int, taken: list[int]):
        """Closes what was allocated at one price; the quote is split to the quantum."""
        held, total = self.position[target][market], sum(taken)
        if total == 0:
            return
        side = _sign(held)
        if self.spec.deleveraging == Deleveraging.HYPERLIQUID:
            price = self.previous_mark[market] * self.multiplier[market]
            quote = side * total * price
        else:
            risk = self.risk(target)
            quote = self.bankruptcy_quote(target, market, -side * total, risk)
        self._change_position(target, market, -side * total, self.unit[market])
        self.collateral[target] += quote
        so_far = 0
        for other, lots in enumerate(taken):
            before, so_far = so_far, so_far + lots
            part = quote * so_far // total - quote * before // total
            if lots:
                self._give_up(other, market, side * lots, -part)

    def _cover_debt(self, target: int):
        vault, debt = self.spec.vault, -self.collateral[target]
        if vault in (-1, target) or debt <= 0 or any(self.position[target]):
            return
        paid = min(debt, max(self.risk(vault).nc, 0))
        self.collateral[target] += paid
        self.collateral[vault] -= paid
        self.info["backstop_paid"] += paid


def _sign(number: int) -> int:
    return (number > 0) - (number < 0)
