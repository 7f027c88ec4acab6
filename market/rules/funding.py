"""Funding after dYdX v4: premium votes, samples, rate, index, payment.

Every block votes a premium of the book over the index; every minute the median of the
votes becomes a sample; every hour the mean of the samples, clamped, moves the funding
index; positions pay by how far the index moved. Rates are ppm per eight hours. The
index of a market is in millionths of a quote quantum per lot (per base quantum at the
venue). Functions of plain lists, as the venue writes them, are in
:mod:`market.venues.dydx_v4`.

Source: dYdX v4, ``x/perpetuals/keeper/perpetual``, ``x/perpetuals/funding``,
``x/clob/memclob``.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from market.numbers.refusals import above_zero
from market.numbers.units import PPM, ppm_floor
from market.numbers.wide import (
    INT64_MAX,
    IntLike,
    clamp,
    divide_toward_zero,
    is_host,
    mul_div_ceil,
    mul_div_toward_zero,
)
from market.rules.margin import maintenance_fraction_ppm

#: The rate is quoted for eight hours.
RATE_SECONDS = 28_800
#: Clamps of votes and of the rate, as multiples (ppm) of IMF - MMF.
VOTE_CLAMP_PPM = 60_000_000
RATE_CLAMP_PPM = 6_000_000
#: A sample is the median of at least this many votes, zeros included.
MIN_VOTES = 15
#: A tick of an hour averages at least this many one-minute samples, zeros included.
MIN_SAMPLES = 60


def funding_clamp_ppm(
    clamp_factor_ppm: IntLike, initial_margin_ppm: IntLike, maintenance_ppm: IntLike
) -> IntLike:
    """Largest |rate| or |vote|: ``floor(factor * (IMF - MMF) / 1e6)``.

    >>> funding_clamp_ppm(RATE_CLAMP_PPM, 50_000, 600_000)
    120000
    """
    gap = initial_margin_ppm - maintenance_fraction_ppm(
        initial_margin_ppm, maintenance_ppm
    )
    return ppm_floor(clamp_factor_ppm, gap)


# --- a vote ------------------------------------------------------------------------


class BookSide(NamedTuple):
    """Resting orders of one side, best first; empty slots have zero lots.

    Attributes:
      ticks: int64[C].
      lots: int64[C].
    """

    ticks: jax.Array
    lots: jax.Array

    def best(self) -> tuple[jax.Array, jax.Array]:
        """Best price and whether there is one."""
        filled = self.lots > 0
        return self.ticks[jnp.argmax(filled)], jnp.any(filled)


def impact_base(
    side: BookSide, impact_notional: IntLike, multiplier: IntLike, base_per_lot: int
) -> tuple[jax.Array, jax.Array]:
    """Base units that ``impact_notional`` trades against one side, rounded up once.

    Args:
      side: the orders it would trade with.
      impact_notional: quote quanta, > 0.
      multiplier: quote quanta per lot and tick.
      base_per_lot: base units in a lot; the finer they are, the less the rounding
        weighs. ``impact_notional * base_per_lot`` within 2**62.

    Returns:
      Base units, and whether the side is deep enough.
    """
    quotes = side.lots * side.ticks * multiplier
    before = jnp.cumsum(quotes) - quotes
    is_whole = before + quotes < impact_notional
    is_last = (before < impact_notional) & ~is_whole
    # Only one order is met in part, so the wide division is done once, not per slot.
    missing = jnp.sum(jnp.where(is_last, impact_notional - before, 0))
    last_base = jnp.sum(jnp.where(is_last, side.lots, 0)) * base_per_lot
    last_quotes = jnp.sum(jnp.where(is_last, quotes, 0))
    part = mul_div_ceil(missing, last_base, jnp.maximum(last_quotes, 1))
    base = jnp.sum(jnp.where(is_whole, side.lots * base_per_lot, 0)) + part
    return base, jnp.sum(quotes) >= impact_notional


def _side_premium(side, is_bid, index_ticks, impact_notional, multiplier, base_per_lot):
    """Premium in ppm, unclamped, from the side the index is outside of."""
    base, is_deep = impact_base(side, impact_notional, multiplier, base_per_lot)
    best, _ = side.best()
    # The impact price is a ratio: notional over base, or the best price for no impact.
    no_impact = jnp.asarray(impact_notional) == 0
    price = jnp.where(no_impact, best, impact_notional * base_per_lot)
    unit = jnp.where(no_impact, 1, base * multiplier)
    gap = price - index_ticks * unit
    counts = (no_impact | is_deep) & jnp.where(is_bid, gap > 0, gap < 0)
    value = mul_div_toward_zero(gap, PPM, jnp.maximum(index_ticks * unit, 1))
    return jnp.where(counts, value, 0)


def premium_vote_ppm(
    index_ticks: IntLike,
    bids: BookSide,
    asks: BookSide,
    impact_notional: IntLike,
    multiplier: IntLike,
    max_vote_ppm: IntLike,
    base_per_lot: int = 1 << 20,
) -> jax.Array:
    """The premium a block votes, in ppm, truncated toward zero and clamped.

    ``(max(0, impact bid - index) - max(0, index - impact ask)) / index``; zero while
    the index is within the best prices, and where the book is not deep enough.

    Args:
      index_ticks: index price, > 0.
      bids: buy orders, best first.
      asks: sell orders, best first.
      impact_notional: quote quanta; 0 uses the best price.
      multiplier: quote quanta per lot and tick.
      max_vote_ppm: clamp (:func:`funding_clamp_ppm`).
      base_per_lot: resolution of the impact size.
    """
    (best_bid, has_bid), (best_ask, has_ask) = bids.best(), asks.best()
    rest = (index_ticks, impact_notional, multiplier, base_per_lot)
    above = _side_premium(bids, True, *rest)
    below = _side_premium(asks, False, *rest)
    use_bid = has_bid & (index_ticks < best_bid)
    use_ask = ~use_bid & has_ask & (index_ticks > best_ask)
    vote = jnp.where(use_bid, above, jnp.where(use_ask, below, 0))
    return clamp(vote, -max_vote_ppm, max_vote_ppm)


# --- a sample, a rate, an index ----------------------------------------------------


def mean_away_from_zero(x: IntLike, y: IntLike) -> IntLike:
    """Mean of two integers, a half rounded away from zero (|x|, |y| within 2**61).

    >>> mean_away_from_zero(1, 2), mean_away_from_zero(-1, -2)
    (2, -2)
    """
    both_halves = x + y
    if is_host(x, y):
        return -((-both_halves) // 2) if both_halves > 0 else both_halves // 2
    return jnp.where(both_halves > 0, -((-both_halves) // 2), both_halves // 2)


def sample_ppm(votes: jax.Array, blocks: IntLike, minimum: int = MIN_VOTES):
    """A sample: the median of the votes, padded with zeros.

    Args:
      votes: int64[... K]; the first ``blocks`` are votes, and the rest are zero. Blocks
        that did not vote count as zero.
      blocks: blocks since the last sample, <= K. K >= ``minimum``.
      minimum: least number of values the median is taken of.

    Returns:
      int64[...]; with an even count the mean of the middle two, rounded away from zero.
    """
    count = jnp.maximum(jnp.asarray(blocks), minimum)
    counted = jnp.arange(votes.shape[-1]) < count[..., None]
    ordered = jnp.sort(jnp.where(counted, votes, INT64_MAX), axis=-1)

    def at(rank):
        return jnp.take_along_axis(ordered, rank[..., None], axis=-1)[..., 0]

    return mean_away_from_zero(at((count - 1) // 2), at(count // 2))


def premium_ppm(
    sum_of_samples: IntLike, samples: IntLike, minimum: int = MIN_SAMPLES
) -> IntLike:
    """Mean of the samples of a tick, missing ones as zeros, truncated toward zero.

    >>> premium_ppm(-119, 60)
    -1
    """
    count = max(samples, minimum) if is_host(samples) else jnp.maximum(samples, minimum)
    above_zero(samples=count)
    return divide_toward_zero(sum_of_samples, count)


def rate_ppm(premium: IntLike, default_ppm: IntLike, max_rate_ppm: IntLike) -> IntLike:
    """Eight-hour rate: premium plus default, clamped."""
    return clamp(premium + default_ppm, -max_rate_ppm, max_rate_ppm)


def index_delta(rate: IntLike, seconds: IntLike, notional_per_lot: IntLike) -> IntLike:
    """How far the index moves, in millionths of a quantum per lot, toward zero.

    In the venue's units the price conversion truncates once more before the division
    (:func:`market.venues.dydx_v4.funding_index_delta`); a lot is worth whole quanta.

    >>> index_delta(100, 3_600, 10_000_000)
    125000000
    """
    return mul_div_toward_zero(rate * seconds, notional_per_lot, RATE_SECONDS)


# --- a payment ---------------------------------------------------------------------


class Payments(NamedTuple):
    """What funding does to balances.

    Attributes:
      payment: added to each balance (negative: paid), int64[A].
      residue: what the floors took from all of them together. Payments and residue
        sum to zero: the residue goes to a named account, and nothing is lost. It is
        never negative while the positions of each market sum to zero.
    """

    payment: IntLike
    residue: IntLike


def funding_payment(index_moves, lots) -> IntLike:
    """``floor(sum over positions of -move * lots / 1e6)``: one floor over the sum.

    Args:
      index_moves: index minus its value at the account's last payment: int64[A M]
        or int64[M], or a list of ints.
      lots: int64[A M] signed positions, |lots| within 2**42, or a list of ints.

    >>> funding_payment([1_500_000, -500_000], [1, 1]), funding_payment([500_000], [1])
    (-1, -1)
    """
    if isinstance(lots, list | tuple):
        return sum(-d * q for d, q in zip(index_moves, lots, strict=True)) // PPM
    # -move * lots split in millionths, so that the wide product is never formed.
    whole, rest = -index_moves // PPM, -index_moves % PPM
    quotients = whole * lots + (rest * lots) // PPM
    rests = (rest * lots) % PPM
    return jnp.sum(quotients, axis=-1) + jnp.sum(rests, axis=-1) // PPM


def pay_funding(index_moves: jax.Array, lots: jax.Array) -> Payments:
    """Payments of all accounts and the residue of their floors (see `Payments`)."""
    payment = funding_payment(index_moves, lots)
    return Payments(payment, -jnp.sum(payment))
