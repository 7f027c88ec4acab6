"""A block of the Hyperliquid preset: oracle, mark and funding around the exchange.

Exact fractions, written from the venue's rules and not from `market.block`. Reports are
published at once (no threshold, a quorum of one); stale prices and the grace after a
restart are not part of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext
from fractions import Fraction
from math import ceil, floor, trunc

from market.twin.block import open_block, run_auction_block, run_continuous_block
from market.twin.book import best
from market.twin.lane import Fill, Lane, Order, Tx
from market.types.limits import MAX_TICKS
from market.types.orders import BUY, SELL, Status

MILLION = 1_000_000
#: Time constants of the means behind the mark: of the basis, and of traded prices.
BASIS_US, TRADED_US = 150_000_000, 30_000_000
#: Impact sizes are rounded up to this part of a lot.
LOT_PARTS = 1 << 20
DECAY_ONE = 1 << 40
#: Parts per million: default funding rate, its clamp, and the cap of an hour.
DEFAULT_RATE, RATE_CLAMP, HOURLY_CAP = 100, 500, 40_000


@dataclass
class Mean:
    """A mean that forgets: ``num * e^(-t/tau) + sample * t`` over the same of ``t``."""

    block_us: int
    decay: Fraction
    numerator: int = 0
    denominator: int = 0


def forgetting_mean(block_us: int, tau_us: int) -> Mean:
    """A mean without a sample."""
    with localcontext() as context:
        context.prec = 60
        factor = (Decimal(-block_us) / Decimal(tau_us)).exp() * DECAY_ONE
    return Mean(block_us, Fraction(floor(factor), DECAY_ONE))


def add_sample(mean: Mean, sample: int) -> None:
    """One block's sample; the decayed sums are rounded down."""
    mean.numerator = floor(mean.numerator * mean.decay) + sample * mean.block_us
    mean.denominator = floor(mean.denominator * mean.decay) + mean.block_us


def value_of(mean: Mean) -> int:
    """The mean, truncated toward zero; zero without a sample."""
    return trunc(Fraction(mean.numerator, max(mean.denominator, 1)))


@dataclass
class Hyperliquid:
    """The exchange of the Hyperliquid preset, and what a block does around it.

    Attributes:
        lane: the exchange; its `price` is the mark.
        block_us: length of a block.
        index: oracle prices by market.
        basis, traded: the means behind the mark, by market.
        premiums: samples of this funding interval, a list of rates by market each.
        payments_due: payments whose time has come; a halted block makes none.
        residue: what the floors of funding took.
    """

    lane: Lane
    block_us: int
    index: list[int]
    basis: list[Mean]
    traded: list[Mean]
    premiums: list[list[int]]
    payments_due: int = 0
    residue: int = 0


@dataclass(frozen=True)
class Given:
    """What a block is given, as `market.types.environment.Environment`."""

    block: int
    height: int
    reports: Sequence[Sequence[int]]  # by market; 0 where a reporter is silent
    seed_word: int
    is_halted: bool
    auction: bool


def open_hyperliquid(lane: Lane, block_us: int) -> Hyperliquid:
    """The preset before its first block; the mark is the oracle's price."""
    return Hyperliquid(
        lane=lane,
        block_us=block_us,
        index=list(lane.price),
        basis=[forgetting_mean(block_us, BASIS_US) for _ in lane.markets],
        traded=[forgetting_mean(block_us, TRADED_US) for _ in lane.markets],
        premiums=[],
    )


def step(venue: Hyperliquid, txs: list[Tx], given: Given) -> list[Fill]:
    """One block in time; returns what each transaction came to."""
    lane, spec = venue.lane, venue.lane.spec
    lane.now_us = given.block * venue.block_us
    if given.is_halted:
        fills = [Fill(Status.NONE) for _ in txs]
        open_block(lane, given.height, given.seed_word)
    else:
        take_reports(venue, given.reports)
        make_mark(venue)
        run = run_auction_block if given.auction else run_continuous_block
        fills = run(lane, txs, given.height, given.seed_word)
    if (given.block + 1) % spec.votes_per_sample == 0 and not given.is_halted:
        venue.premiums.append([premium(venue, market) for market in lane.markets])
    interval = spec.votes_per_sample * spec.samples_per_funding
    if (given.block + 1 + spec.funding_offset_blocks) % interval == 0:
        venue.payments_due += 1
    if venue.payments_due and not given.is_halted:
        venue.payments_due -= 1
        pay_funding(venue)
    return fills


def take_reports(venue: Hyperliquid, reports: Sequence[Sequence[int]]) -> None:
    """The oracle price is the median of what was heard, a half rounded up."""
    for market, prices in enumerate(reports):
        heard = sorted(price for price in prices if price > 0)
        if heard:
            half = len(heard) // 2
            pair = heard[half] + heard[(len(heard) - 1) // 2]
            venue.index[market] = ceil(Fraction(pair, 2))


def make_mark(venue: Hyperliquid) -> None:
    """The median of oracle and basis, of the book, and of the book's mean."""
    lane = venue.lane
    lane.previous_mark = list(lane.price)
    for market, book in enumerate(lane.books):
        index = venue.index[market]
        basis, traded = venue.basis[market], venue.traded[market]
        bid, ask = best(book, BUY), best(book, SELL)
        if bid and ask:
            middle = sorted((bid.ticks, ask.ticks, lane.last[market]))[1]
            add_sample(basis, (bid.ticks + ask.ticks) // 2 - index)
            add_sample(traded, middle)
            parts = (index + value_of(basis), middle, value_of(traded))
            mark = sorted(parts)[1]
        else:
            mark = index + value_of(basis)
        lane.price[market] = min(max(mark, 1), MAX_TICKS)


# --- funding -------------------------------------------------------------------------


def premium(venue: Hyperliquid, market: int) -> int:
    """``(max(impact bid - O, 0) - max(O - impact ask, 0)) / O`` in ppm."""
    if venue.lane.params.halted[market]:
        return 0
    index, book = venue.index[market], venue.lane.books[market]
    bid = impact_price(venue, market, book.bids)
    ask = impact_price(venue, market, book.asks)
    above = max(bid - index, Fraction(0)) if bid is not None else Fraction(0)
    below = max(index - ask, Fraction(0)) if ask is not None else Fraction(0)
    return trunc((above - below) / index * MILLION)


def impact_price(
    venue: Hyperliquid, market: int, orders: list[Order]
) -> Fraction | None:
    """Mean price of trading the impact notional; None if the side is not deep."""
    multiplier = venue.lane.multiplier[market]
    notional = venue.lane.params.impact_notional[market]
    left, lots = Fraction(notional), Fraction(0)
    for order in orders:
        value = order.ticks * multiplier
        part = min(left / value, Fraction(order.lots))
        lots += part
        left -= part * value
    if left:
        return None
    lots = Fraction(ceil(lots * LOT_PARTS), LOT_PARTS)
    return notional / (lots * multiplier)


def pay_funding(venue: Hyperliquid) -> None:
    """An eighth of the rate, at the oracle price; each payment is floored."""
    lane, samples, venue.premiums = venue.lane, venue.premiums, []
    rates = [hourly_rate([row[market] for row in samples]) for market in lane.markets]
    for account, held in enumerate(lane.position):
        paid = 0
        for market, rate in enumerate(rates):
            unit = venue.index[market] * lane.multiplier[market]
            paid += floor(-held[market] * unit * rate / MILLION)
        lane.collateral[account] += paid
        venue.residue -= paid
        lane.info.funding_paid += abs(paid)


def hourly_rate(samples: list[int]) -> Fraction:
    """An hour's rate in ppm, from the premiums of the interval."""
    mean = trunc(Fraction(sum(samples), max(len(samples), 1)))
    clamped = min(max(DEFAULT_RATE - mean, -RATE_CLAMP), RATE_CLAMP)
    cap = Fraction(HOURLY_CAP)
    return min(max(Fraction(mean + clamped, 8), -cap), cap)
