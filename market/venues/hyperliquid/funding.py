"""Funding of Hyperliquid: an eight-hour rate, paid every hour at the oracle price.

Rates are whole numbers of a ``unit``: with the default unit of 1e6 they are ppm. A
finer unit loses less to rounding. Plain ints or int64 arrays.

Source: the venue's documentation, "Funding".
"""

from market.numbers.refusals import above_zero
from market.numbers.units import PPM
from market.numbers.wide import (
    IntLike,
    clamp,
    larger,
    mul_div_floor,
    mul_div_toward_zero,
)

#: Interest of 0.01 % in eight hours, clamp of 0.05 %, cap of 4 % an hour: as divisors
#: and percent of the unit.
INTEREST_DIVISOR = 10_000
CLAMP_DIVISOR = 2_000
CAP_PERCENT = 4
#: Notional of the impact prices in quote quanta: BTC and ETH, and all others.
IMPACT_NOTIONAL_MAJOR = 20_000_000_000
IMPACT_NOTIONAL_MINOR = 6_000_000_000
PAYMENTS_PER_RATE = 8


def premium(
    impact_bid: IntLike, impact_ask: IntLike, oracle: IntLike, unit: int = PPM
) -> IntLike:
    """``(max(bid - O, 0) - max(O - ask, 0)) / O``, truncated toward zero.

    >>> premium(1_010, 1_011, 1_000), premium(980, 995, 1_000)
    (10000, -5000)
    """
    above_zero(oracle=oracle)
    gap = larger(impact_bid - oracle, 0) - larger(oracle - impact_ask, 0)
    return mul_div_toward_zero(gap, unit, oracle)


def rate_8h(average_premium: IntLike, unit: int = PPM) -> IntLike:
    """``P + clamp(0.01 % - P, -0.05 %, 0.05 %)`` for eight hours.

    >>> rate_8h(0), rate_8h(300), rate_8h(1_000), rate_8h(-1_000)
    (100, 100, 500, -500)
    """
    interest, bound = unit // INTEREST_DIVISOR, unit // CLAMP_DIVISOR
    return average_premium + clamp(interest - average_premium, -bound, bound)


def hourly_rate(average_premium: IntLike, unit: int = PPM) -> IntLike:
    """An eighth of the eight-hour rate, in eighths of the unit, capped at 4 % an hour.

    In eighths, so that nothing is rounded: divide by ``8 * unit``.

    >>> hourly_rate(0), hourly_rate(10_000_000)
    (100, 320000)
    """
    cap = unit * CAP_PERCENT // 100 * PAYMENTS_PER_RATE
    return clamp(rate_8h(average_premium, unit), -cap, cap)


def funding_payment(
    size: IntLike, oracle: IntLike, rate_eighths: IntLike, unit: int = PPM
) -> IntLike:
    """What an hour adds to the balance: ``-size * oracle * rate``, floored.

    At the oracle price, not the mark. The floor means that funding never creates money;
    what it takes is the residue, minus the sum of all payments.

    Args:
      size: signed position in units whose product with the price is quote quanta.
      oracle: oracle price.
      rate_eighths: :func:`hourly_rate`.
      unit: of the rate.

    >>> funding_payment(1, 1_000_000, 100), funding_payment(-1, 1_000_000, 100)
    (-13, 12)
    """
    above_zero(unit=unit)
    return mul_div_floor(-size * oracle, rate_eighths, PAYMENTS_PER_RATE * unit)
