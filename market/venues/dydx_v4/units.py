"""Base and quote quantums, prices with exponents, subticks: dYdX v4's conversions.

A base quantum is 10**atomic_resolution coins, a quote quantum 1e-6 USDC; an oracle
price is ``price * 10**exponent`` USD. A subtick is
``10**quantum_conversion_exponent`` quote quantums per base quantum.

Source: dYdX v4 ``lib/quantums.go``, ``lib/big_math.go``, ``x/clob/types``.
"""

from fractions import Fraction

from market.numbers.refusals import above_zero, within
from market.numbers.units import PPM
from market.numbers.wide import divide_toward_zero

#: Decimal exponent of a quote quantum.
QUOTE_RESOLUTION = -6
#: Decimal exponents further from zero than this belong to no coin and no price.
MAX_EXPONENT = 128
#: The largest amount of the venue's unsigned types.
MAX_UINT64 = (1 << 64) - 1


def times_power_of_ten(value: int, exponent: int) -> int:
    """``value * 10**exponent``, truncated toward zero for negative exponents."""
    within(-MAX_EXPONENT, MAX_EXPONENT, exponent=exponent)
    if exponent >= 0:
        return value * 10**exponent
    return divide_toward_zero(value, 10**-exponent)


def base_to_quote(
    base: int, atomic_resolution: int, price: int, price_exponent: int
) -> int:
    """Quote quantums of a signed base amount at an oracle price, toward zero.

    >>> base_to_quote(-1_500, -8, 5_000_000_000, -5)
    -750000
    >>> base_to_quote(-1, -10, 1, -5), base_to_quote(1, -10, 1, -5)
    (0, 0)
    """
    exponent = price_exponent + atomic_resolution - QUOTE_RESOLUTION
    return times_power_of_ten(base * price, exponent)


def quote_to_base(
    quote: int, atomic_resolution: int, price: int, price_exponent: int
) -> int:
    """Base quantums of a signed quote amount at an oracle price, toward zero twice.

    First the power of ten, then the price; two truncations give what one would.

    Raises:
      ValueError: the price is not above zero.
    """
    above_zero(price=price)
    exponent = price_exponent + atomic_resolution - QUOTE_RESOLUTION
    return divide_toward_zero(times_power_of_ten(quote, -exponent), price)


def mul_ppm(value: int, ppm: int, round_up: bool = False) -> int:
    """``value * ppm / 1e6``, floored, or rounded up on request.

    >>> mul_ppm(-3, 500_000), mul_ppm(-3, 500_000, round_up=True)
    (-2, -1)
    """
    product = value * ppm
    return -(-product // PPM) if round_up else product // PPM


def fill_quote(subticks: int, base: int, quantum_conversion_exponent: int) -> int:
    """Quote quantums of a fill: ``floor(subticks * base * 10**qce)``.

    >>> fill_quote(5_000_000_000, 1_000_000, -8)
    50000000
    """
    within(-MAX_EXPONENT, MAX_EXPONENT, exponent=quantum_conversion_exponent)
    product = subticks * base
    if quantum_conversion_exponent >= 0:
        return product * 10**quantum_conversion_exponent
    return product // 10**-quantum_conversion_exponent


def power_of_ten(exponent: int) -> Fraction:
    """``10**exponent`` exactly, for either sign."""
    within(-MAX_EXPONENT, MAX_EXPONENT, exponent=exponent)
    return Fraction(10) ** exponent


def average_price_subticks(
    quote: int, base: int, quantum_conversion_exponent: int
) -> Fraction:
    """Average price of a fill in subticks, exact; of no fill a `ValueError`."""
    above_zero(base=base)
    return Fraction(quote, base) / power_of_ten(quantum_conversion_exponent)


def price_to_subticks(
    price: int,
    price_exponent: int,
    atomic_resolution: int,
    quantum_conversion_exponent: int,
) -> Fraction:
    """Subticks of an oracle price, exact."""
    exponent = (
        price_exponent
        + atomic_resolution
        - QUOTE_RESOLUTION
        - quantum_conversion_exponent
    )
    return price * power_of_ten(exponent)


def round_to_multiple(value: int, multiple: int, round_up: bool) -> int:
    """The next multiple below or above (``multiple`` > 0)."""
    above_zero(multiple=multiple)
    steps = -(-value // multiple) if round_up else value // multiple
    return steps * multiple
