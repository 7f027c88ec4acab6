"""Oracle and mark price of Hyperliquid: weighted medians and a decaying mean.

Functions on ints; the mean's update takes int64 arrays too, and its decay is an integer
that is worked out once, so that no floating point enters a run.

Source: the venue's documentation, "Oracle", "Robust price indices".
"""

from collections.abc import Sequence
from typing import NamedTuple

from market.numbers.refusals import above_zero, within
from market.numbers.wide import (
    INT64_MAX,
    IntLike,
    divide_toward_zero,
    larger,
    mul_div_floor,
)

#: Spot: Binance, OKX, Bybit, Kraken, Kucoin, Gate, MEXC, Hyperliquid.
SPOT_WEIGHTS = (3, 2, 2, 1, 1, 1, 1, 1)
#: Perpetual mids: Binance, OKX, Bybit, Gate, MEXC.
EXTERNAL_WEIGHTS = (3, 2, 2, 1, 1)
#: The time constant of the documented decay exp(-t / 2.5 minutes).
MARK_EMA_US = 150_000_000
#: The mean of the book that is added when only two components exist.
BOOK_EMA_US = 30_000_000
#: Fractional bits of decay factors, and of the sums of a mean.
DECAY_BITS = 40
#: Of those, at most.
MAX_BITS = 62


def weighted_median(prices: Sequence[int], weights: Sequence[int]) -> int:
    """The price with half of the weight below and half above it.

    Where a price splits the weight exactly in halves, the mean of it and the next,
    rounded down; with equal weights this is the usual median. Zero weights count not.

    >>> weighted_median([10, 20, 30], [3, 1, 1]), weighted_median([10, 20], [1, 1])
    (10, 15)

    Raises:
      ValueError: if no price has a weight, or one has a weight below zero.
    """
    if any(weight < 0 for weight in weights):
        raise ValueError(f"a weight is {min(weights)}; it may not be below zero")
    rows = [(p, w) for p, w in zip(prices, weights, strict=True) if w]
    if not rows:
        raise ValueError("a weighted median needs at least one price with a weight")
    rows.sort()
    whole, so_far = sum(w for _, w in rows), 0
    for index, (price, weight) in enumerate(rows):
        so_far += weight
        if 2 * so_far == whole:
            return (price + rows[index + 1][0]) // 2
        if 2 * so_far > whole:
            break
    return price


def median(values: Sequence[int]) -> int:
    """Median; of an even number the mean of the middle two, rounded down."""
    return weighted_median(values, [1] * len(values))


def oracle_price(validator_prices: Sequence[int], stakes: Sequence[int]) -> int:
    """The clearinghouse's price: stake-weighted median of the validators' prices."""
    return weighted_median(validator_prices, stakes)


# --- a mean that forgets -----------------------------------------------------------


class Ema(NamedTuple):
    """Weighted sum and weight of the samples.

    Attributes:
      numerator: sum of sample * microseconds, decayed.
      denominator: sum of microseconds, decayed.
    """

    numerator: IntLike
    denominator: IntLike


def decay_factor(elapsed_us: int, tau_us: int, bits: int = DECAY_BITS) -> int:
    """``floor(2**bits * exp(-elapsed / tau))``, exactly, on the host.

    By the series of exp(elapsed / tau) in integers with 64 guard bits. After as many
    time constants as there are bits nothing is left, for e is more than two.

    >>> round(decay_factor(150_000_000, 150_000_000) / 2**40, 9)  # 1/e
    0.367879441

    Raises:
      ValueError: the time constant is not above zero, or the time below it.
    """
    above_zero(tau_us=tau_us)
    within(0, INT64_MAX, elapsed_us=elapsed_us)
    within(0, MAX_BITS, bits=bits)
    if elapsed_us >= bits * tau_us:
        return 0
    one = 1 << (bits + 64)
    term = total = one
    order = 0
    while term:
        order += 1
        term = term * elapsed_us // (tau_us * order)
        total += term
    return (one << bits) // total


def updated_ema(
    ema: Ema,
    sample: IntLike,
    elapsed_us: IntLike,
    decay: IntLike,
    bits: int = DECAY_BITS,
) -> Ema:
    """One sample: ``num <- num * decay + sample * t``, ``den <- den * decay + t``.

    Plain ints or int64 arrays; both products are rounded down.

    Args:
      ema: the mean so far.
      sample: signed, e.g. mid price minus oracle price in ticks; |sample| * elapsed
        summed over the time constant has to fit 62 bits.
      elapsed_us: t since the last sample.
      decay: :func:`decay_factor` of t.
      bits: fractional bits of ``decay``.
    """
    within(0, MAX_BITS, bits=bits)
    one = 1 << bits
    return Ema(
        mul_div_floor(ema.numerator, decay, one) + sample * elapsed_us,
        mul_div_floor(ema.denominator, decay, one) + elapsed_us,
    )


def ema_value(ema: Ema) -> IntLike:
    """The mean, truncated toward zero; zero if it has seen nothing.

    Plain ints or int64 arrays: without a sample the numerator is zero.
    """
    return divide_toward_zero(ema.numerator, larger(ema.denominator, 1))


# --- the mark ----------------------------------------------------------------------


def mark_price(
    oracle: int | None,
    basis_ema: int,
    book: Sequence[int] | None,
    external: int | None,
    book_ema: int | None = None,
) -> int:
    """Median of the components that exist; of two, with a mean of the book added.

    Args:
      oracle: oracle price; with ``basis_ema`` the first component.
      basis_ema: 150 s mean of mid price minus oracle price.
      book: (best bid, best ask, last trade): their median is the second.
      external: weighted median of perpetual mids elsewhere: the third.
      book_ema: 30 s mean of the second, used only if exactly two components exist.

    >>> mark_price(10_000, 20, (10_005, 10_015, 10_010), 10_018)
    10018

    Raises:
      ValueError: if there is no component.
    """
    parts = [
        None if oracle is None else oracle + basis_ema,
        None if book is None else median(book),
        external,
    ]
    parts = [part for part in parts if part is not None]
    if len(parts) == 2 and book_ema is not None:
        parts.append(book_ema)
    if not parts:
        raise ValueError("a mark price needs an oracle price, a book or another venue")
    return median(parts)
