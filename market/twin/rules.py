"""dYdX v4's formulas: an independent twin of `market.rules`.

Exact fractions and loops; every rounding is one visible call. Written from the venue's
rules, not from the array code, so that agreement of the two means something.

Source: as in :mod:`market.rules.margin`, :mod:`market.rules.liquidation`,
    :mod:`market.rules.funding`.
"""

from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor, trunc

MILLION = 1_000_000


@dataclass(frozen=True)
class DydxMarket:
    """Parameters and state of one market; money in quote quanta."""

    ticks: int
    multiplier: int
    initial_margin_ppm: int
    maintenance_ppm: int
    oi_lower: int = 0
    oi_upper: int = 0
    open_notional: int = 0


@dataclass(frozen=True)
class DydxAccount:
    """A balance and a signed position in each market."""

    collateral: int
    lots: tuple[int, ...]


# --- margin ------------------------------------------------------------------------


def notional(market: DydxMarket, lots: int) -> int:
    """Signed notional."""
    return lots * market.ticks * market.multiplier


def initial_fraction(market: DydxMarket) -> int:
    """Initial fraction in ppm, scaled by open interest, rounded down."""
    lower, upper = market.oi_lower, market.oi_upper
    if upper == 0 or market.open_notional <= lower:
        return market.initial_margin_ppm
    if market.open_notional >= upper:
        return MILLION
    progress = Fraction(market.open_notional - lower, upper - lower)
    return market.initial_margin_ppm + floor(
        (MILLION - market.initial_margin_ppm) * progress
    )


def initial_requirement(market: DydxMarket, lots: int, custom_ppm: int = 0) -> int:
    """Initial requirement, rounded up."""
    fraction = max(initial_fraction(market), custom_ppm)
    return ceil(Fraction(abs(notional(market, lots)) * fraction, MILLION))


def maintenance_requirement(market: DydxMarket, lots: int) -> int:
    """Maintenance requirement: two ceilings on the base fraction."""
    base = ceil(
        Fraction(abs(notional(market, lots)) * market.initial_margin_ppm, MILLION)
    )
    return ceil(Fraction(base * market.maintenance_ppm, MILLION))


def account_risk(
    account: DydxAccount, markets: tuple[DydxMarket, ...]
) -> tuple[int, int, int]:
    """Net collateral, initial and maintenance requirement."""
    rows = list(zip(markets, account.lots, strict=True))
    nc = account.collateral + sum(notional(m, q) for m, q in rows)
    return (
        nc,
        sum(initial_requirement(m, q) for m, q in rows),
        sum(maintenance_requirement(m, q) for m, q in rows),
    )


def compare_risk(nc_a: int, mmr_a: int, nc_b: int, mmr_b: int) -> int:
    """1 if a is riskier: smaller NC/MMR; ties by larger MMR, or smaller NC if flat."""
    left, right = nc_a * mmr_b, nc_b * mmr_a
    if left != right:
        return 1 if left < right else -1
    if mmr_a == mmr_b == 0:
        return (nc_b > nc_a) - (nc_b < nc_a)
    return (mmr_a > mmr_b) - (mmr_a < mmr_b)


def is_valid_transition(nc_0: int, mmr_0: int, nc_1: int, mmr_1: int) -> bool:
    """For an account that is under-collateralised afterwards."""
    if mmr_1 > mmr_0:
        return False
    if mmr_0 == 0 or mmr_1 == 0:
        return mmr_0 == mmr_1 == 0 and nc_1 > nc_0
    return Fraction(nc_1, mmr_1) >= Fraction(nc_0, mmr_0)


# --- liquidation -------------------------------------------------------------------


def fillable_price(
    market: DydxMarket, lots: int, tnc: int, tmmr: int, ba_ppm: int, smmr_ppm: int
) -> Fraction:
    """Quote quanta per lot, exact."""
    rating = Fraction(ba_ppm, MILLION) * (1 - Fraction(tnc, tmmr))
    rating = max(Fraction(0), min(Fraction(1), rating))
    spread = (
        rating * Fraction(smmr_ppm, MILLION) * maintenance_requirement(market, lots)
    )
    return (notional(market, lots) - spread) / lots


def fillable_ticks(price: Fraction, market: DydxMarket, lots: int) -> int:
    """A long sells, rounded up; a short buys, rounded down; at least one tick."""
    ticks = price / market.multiplier
    return max(ceil(ticks) if lots > 0 else floor(ticks), 1)


def insurance_delta(quote_delta: int, bankruptcy: int, max_fee_ppm: int) -> int:
    """Loss in full; gain up to the fee cap."""
    delta = quote_delta - bankruptcy
    if delta <= 0:
        return delta
    return min(delta, floor(Fraction(abs(quote_delta) * max_fee_ppm, MILLION)))


def liquidation_delta(
    market: DydxMarket,
    lots: int,
    min_notional: int,
    portion_ppm: int,
    account_room: int,
    step: int = 1,
) -> int:
    """Signed lots to liquidate now."""
    size, value = abs(lots), abs(notional(market, lots))
    sign = 1 if lots < 0 else -1
    portion = floor(Fraction(value * portion_ppm, MILLION))
    limit = min(max(min(min_notional, value), portion), account_room)
    if value <= limit or size <= step:
        return sign * size
    part = limit // (market.ticks * market.multiplier)
    return sign * min(max(part - part % step, step), size)


# --- deleveraging ------------------------------------------------------------------


# --- funding -----------------------------------------------------------------------


def impact_price(
    levels: list[tuple[int, int]], impact_notional: int, multiplier: int, unit: int
) -> Fraction | None:
    """Average price in ticks of trading the notional; None if there is too little.

    The size is added up as an exact fraction of base units and rounded up once.
    """
    if impact_notional == 0:
        return Fraction(levels[0][0]) if levels else None
    remaining, base = impact_notional, Fraction(0)
    for ticks, lots in levels:
        if remaining <= 0:
            break
        quote = ticks * lots * multiplier
        base += lots * unit * min(Fraction(1), Fraction(remaining, quote))
        remaining -= quote
    if remaining > 0:
        return None
    return Fraction(impact_notional * unit, ceil(base) * multiplier)


def premium_vote(
    index: int,
    bids: list[tuple[int, int]],
    asks: list[tuple[int, int]],
    impact_notional: int,
    multiplier: int,
    max_ppm: int,
    unit: int,
) -> int:
    """Premium vote in ppm."""
    premium = 0
    if bids and index < bids[0][0]:
        price = impact_price(bids, impact_notional, multiplier, unit)
        if price is not None and price > index:
            premium = trunc((price / index - 1) * MILLION)
    elif asks and index > asks[0][0]:
        price = impact_price(asks, impact_notional, multiplier, unit)
        if price is not None and price < index:
            premium = trunc((price / index - 1) * MILLION)
    return max(-max_ppm, min(max_ppm, premium))


def median(values: list[int]) -> int:
    """Median; of an even number the mean of the middle two, a half away from zero."""
    ordered = sorted(values)
    middle = len(ordered) // 2
    if len(ordered) % 2:
        return ordered[middle]
    mean = Fraction(ordered[middle - 1] + ordered[middle], 2)
    return ceil(mean) if mean > 0 else floor(mean)


def sample(votes: list[int], blocks: int, minimum: int) -> int:
    """Median of the votes padded with zeros."""
    return median(votes + [0] * (max(blocks, minimum) - len(votes)))


def funding_payment(index_moves: list[int], lots: list[int]) -> int:
    """One floor over the sum."""
    owed = sum(
        Fraction(-d * q, MILLION) for d, q in zip(index_moves, lots, strict=True)
    )
    return floor(owed)
