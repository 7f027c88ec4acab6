"""Funding of dYdX v4 from books in subticks and lists of votes and samples.

Source: dYdX v4 ``x/clob/memclob``, ``x/perpetuals/keeper/perpetual.go``,
``x/perpetuals/funding/funding.go``.
"""

from collections.abc import Sequence
from fractions import Fraction
from math import ceil, trunc

from market.numbers.refusals import above_zero, within
from market.numbers.units import PPM
from market.numbers.wide import divide_toward_zero
from market.rules import funding
from market.venues.dydx_v4.margin import Perpetual
from market.venues.dydx_v4.units import (
    MAX_UINT64,
    average_price_subticks,
    fill_quote,
)

Level = tuple[int, int]
#: Votes of a sample, or samples of a tick, at most.
MOST_VALUES = 1 << 20


def impact_price_subticks(
    levels: Sequence[Level], impact_notional: int, quantum_conversion_exponent: int
) -> Fraction | None:
    """Average price of trading a notional against one side; None if it is too thin.

    Args:
      levels: (subticks, base quantums), best first.
      impact_notional: quote quantums; 0 gives the best price.
      quantum_conversion_exponent: of the pair.

    The base amount adds up exactly and is rounded up once. Each order's quote amount is
    floored, as a fill's would be.

    Raises:
      ValueError: the notional is below zero, or what it meets has no size.
    """
    within(0, MAX_UINT64, impact_notional=impact_notional)
    if impact_notional == 0:
        return Fraction(levels[0][0]) if levels else None
    remaining, total = impact_notional, Fraction(0)
    for subticks, base in levels:
        if remaining <= 0:
            break
        quote = fill_quote(subticks, base, quantum_conversion_exponent)
        total += base if remaining > quote else Fraction(remaining * base, quote)
        remaining -= quote
    if remaining > 0:
        return None
    return average_price_subticks(
        impact_notional, ceil(total), quantum_conversion_exponent
    )


def premium_vote(
    index_subticks: Fraction,
    bids: Sequence[Level],
    asks: Sequence[Level],
    impact_notional: int,
    max_vote_ppm: int,
    quantum_conversion_exponent: int = 0,
) -> int:
    """Premium in ppm, truncated toward zero and clamped.

    Zero between the best prices, on a thin side, and where the impact price is not
    beyond the index.

    Raises:
      ValueError: the index is not above zero.
    """
    index = Fraction(index_subticks)
    above_zero(index_subticks=index)
    is_bid = bool(bids) and index < bids[0][0]
    if not is_bid and not (asks and index > asks[0][0]):
        return 0
    side = bids if is_bid else asks
    price = impact_price_subticks(side, impact_notional, quantum_conversion_exponent)
    if price is None or (price <= index if is_bid else price >= index):
        return 0
    premium = trunc(price * PPM / index - PPM)
    return max(-max_vote_ppm, min(premium, max_vote_ppm))


def funding_sample(
    votes: Sequence[int], blocks: int, minimum: int = funding.MIN_VOTES
) -> int:
    """Median of the votes, padded with zeros to ``max(blocks, minimum)`` values.

    An even number of values: mean of the middle two, a half away from zero.

    >>> funding_sample([100] * 8, 8), funding_sample([100] * 7, 7)
    (100, 0)
    """
    within(1, MOST_VALUES, votes=max(blocks, minimum, len(votes)))
    ordered = sorted([*votes, *[0] * (max(blocks, minimum) - len(votes))])
    middle = len(ordered) // 2
    if len(ordered) % 2:
        return ordered[middle]
    return funding.mean_away_from_zero(ordered[middle - 1], ordered[middle])


def remove_tails(samples: Sequence[int], tail_ppm: int) -> list[int]:
    """Samples without their tails: ``floor(n * 2 * ratio)`` in all.

    Of an odd number the larger part goes at the top. Nothing is removed (and nothing
    sorted) when the tails round to nothing or to everything.

    >>> remove_tails([5, 1, 3, 2, 4], 300_000)
    [2, 3]
    """
    within(0, PPM, tail_ppm=tail_ppm)
    removed = len(samples) * 2 * tail_ppm // PPM
    if removed == 0 or removed >= len(samples):
        return list(samples)
    bottom = removed // 2
    return sorted(samples)[bottom : len(samples) - (removed - bottom)]


def premium_rate(
    samples: Sequence[int],
    ticks_in_epoch: int = funding.MIN_SAMPLES,
    tail_ppm: int = 0,
    minimum: int = funding.MIN_SAMPLES,
) -> int:
    """Mean of the samples padded with zeros, tails removed, truncated toward zero.

    Args:
      samples: the non-zero samples of the tick.
      ticks_in_epoch: samples taken, zeros included.
      tail_ppm: share removed at each end (0 today).
      minimum: ceil(tick duration / sample duration).
    """
    count = max(ticks_in_epoch, minimum, len(samples))
    within(1, MOST_VALUES, samples=count)
    padding = count - len(samples)
    kept = remove_tails([*samples, *[0] * padding], tail_ppm)
    return divide_toward_zero(sum(kept), len(kept))


def funding_index_delta(rate_ppm: int, seconds: int, perpetual: Perpetual) -> int:
    """Change of the index, in millionths of a quote per base quantum.

    The price conversion truncates toward zero, then the division by eight hours does.
    """
    return divide_toward_zero(
        perpetual.to_quote(rate_ppm * seconds), funding.RATE_SECONDS
    )


def funding_payment(positions: Sequence[tuple[int, int, int]]) -> int:
    """What is due, added to the balance; positions ``(base, index, cached index)``.

    ``floor(sum of -(index - cached) * base / 1e6)``: one floor over the sum.

    >>> funding_payment([(1, 1_500_000, 0), (-1, 1_000_000, 0)])
    -1
    """
    moves = [index - cached for _, index, cached in positions]
    return funding.funding_payment(moves, [base for base, _, _ in positions])
