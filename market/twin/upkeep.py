"""A block of the Hyperliquid preset as a specification: oracle, mark, funding.

Plain Python and exact fractions around `market.twin.block`, written from the
venue's rules and not from `market.block`. Reports are published at once (no threshold,
a quorum of one); stale prices and the grace after a restart are not part of it.
"""

from decimal import Decimal, localcontext
from fractions import Fraction
from math import ceil, floor, trunc

from market.twin.block import ReferenceExchange
from market.twin.lane import MAX_TICKS, Fill

MILLION = 1_000_000
#: Impact sizes are rounded up to this part of a lot.
LOT_PARTS = 1 << 20
DECAY_ONE = 1 << 40


class Mean:
    """A mean that forgets: ``num * e^(-t/tau) + sample * t`` over the same of ``t``."""

    def __init__(self, block_us: int, tau_us: int):
        with localcontext() as context:
            context.prec = 60
            factor = (Decimal(-block_us) / Decimal(tau_us)).exp() * DECAY_ONE
        self.block_us, self.decay = block_us, Fraction(floor(factor), DECAY_ONE)
        self.numerator = self.denominator = 0

    def add(self, sample: int):
        """One block's sample; the decayed sums are rounded down."""
        self.numerator = floor(self.numerator * self.decay) + sample * self.block_us
        self.denominator = floor(self.denominator * self.decay) + self.block_us

    def value(self) -> int:
        """The mean, truncated toward zero; zero without a sample."""
        return trunc(Fraction(self.numerator, max(self.denominator, 1)))


class ReferenceBlock(ReferenceExchange):
    """The exchange of the Hyperliquid preset, and what a block does around it.

    Attributes:
        index: oracle prices by market; `oracle` is the mark, at which margin is
            reckoned.
        basis, traded: the means behind the mark, by market.
        premiums: samples of this funding interval, a list of rates by market each.
        residue: what the floors of funding took.
    """

    def __init__(self, *args, block_us: int):
        super().__init__(*args)
        self.block_us, self.index = block_us, list(self.oracle)
        markets = range(self.markets)
        self.basis = [Mean(block_us, 150_000_000) for _ in markets]
        self.traded = [Mean(block_us, 30_000_000) for _ in markets]
        self.premiums, self.residue = [], 0
        self.funding_paid = 0

    def step(self, txs, reports, block, height, is_halted, word, auction) -> list[Fill]:
        """One block in time; reports by market, 0 where a reporter is silent."""
        self.now_us, self.funding_paid = block * self.block_us, 0
        if is_halted:
            fills = [Fill(0) for _ in txs]
            self._open_block(height)
        else:
            self._take_reports(reports)
            self._mark()
            run = self.run_batch if auction else self.run
            fills = run(txs, height, word)
        if (block + 1) % self.spec.votes_per_sample == 0 and not is_halted:
            self.premiums.append([self.premium(m) for m in range(self.markets)])
        interval = self.spec.votes_per_sample * self.spec.samples_per_funding
        if (block + 1 + self.spec.funding_offset_blocks) % interval == 0:
            self._pay_funding(is_halted)
        return fills

    def _take_reports(self, reports):
        for market, prices in enumerate(reports):
            heard = sorted(price for price in prices if price > 0)
            if heard:
                half = len(heard) // 2
                pair = heard[half] + heard[(len(heard) - 1) // 2]
                self.index[market] = ceil(Fraction(pair, 2))

    def _mark(self):
        self.previous_mark = list(self.oracle)
        for market, (bids, asks) in enumerate(self.books):
            index, basis, traded = self.index[market], *self._means(market)
            if bids and asks:
                bid, ask = bids[0].ticks, asks[0].ticks
                middle = sorted((bid, ask, self.last[market]))[1]
                basis.add((bid + ask) // 2 - index)
                traded.add(middle)
                parts = (index + basis.value(), middle, traded.value())
                mark = sorted(parts)[1]
            else:
                mark = index + basis.value()
            self.oracle[market] = min(max(mark, 1), MAX_TICKS)

    def _means(self, market: int) -> tuple[Mean, Mean]:
        return self.basis[market], self.traded[market]

    # --- funding ---------------------------------------------------------------------

    def premium(self, market: int) -> int:
        """``(max(impact bid - O, 0) - max(O - impact ask, 0)) / O`` in ppm."""
        if self.params["halted"][market]:
            return 0
        index, (bids, asks) = self.index[market], self.books[market]
        bid, ask = self._impact_price(market, bids), self._impact_price(market, asks)
        above = max(bid - index, 0) if bid is not None else 0
        below = max(index - ask, 0) if ask is not None else 0
        return trunc((above - below) / Fraction(index) * MILLION)

    def _impact_price(self, market: int, orders) -> Fraction | None:
        """Mean price of trading the impact notional; None if the side is not deep."""
        left = notional = self.params["impact_notional"][market]
        lots = Fraction(0)
        for order in orders:
            value = order.ticks * self.multiplier[market]
            part = min(Fraction(left, value), order.lots)
            lots += part
            left -= part * value
        if left:
            return None
        lots = Fraction(ceil(lots * LOT_PARTS), LOT_PARTS)
        return notional / (lots * self.multiplier[market])

    def _pay_funding(self, is_halted: bool):
        """An eighth of the rate, at the oracle price; each payment is floored."""
        samples, self.premiums = self.premiums, []
        if is_halted:
            return
        paid = [0] * self.accounts
        for market in range(self.markets):
            total = sum(row[market] for row in samples)
            mean = trunc(Fraction(total, max(len(samples), 1)))
            rate = mean + min(max(100 - mean, -500), 500)
            hourly = min(max(Fraction(rate, 8), -40_000), 40_000)
            unit = self.index[market] * self.multiplier[market]
            for account in range(self.accounts):
                notional = self.position[account][market] * unit
                payment = floor(-notional * hourly / MILLION)
                paid[account] += payment
        self.collateral = [a + b for a, b in zip(self.collateral, paid, strict=True)]
        self.residue -= sum(paid)
        self.funding_paid = sum(abs(payment) for payment in paid)
