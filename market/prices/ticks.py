"""Prices in whole ticks: limits, host conversions, and the logarithmic ladder."""

from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation

import jax.numpy as jnp
from jaxtyping import Array, Int

from market.numbers.logarithms import exp_q32
from market.numbers.units import PPM, US_PER_SECOND
from market.types.limits import MAX_OUTSIDE_TICKS


class PriceError(ValueError):
    """Prices that cannot be simulated; says what was found and what is allowed."""


def exact_decimal(value: Decimal | str | float | int, name: str) -> Decimal:
    """A positive finite number without binary rounding."""
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite() or number <= 0:
        raise PriceError(f"{name} must be a positive number, not {value!r}")
    return number


def whole_ticks(price, tick, name: str) -> int:
    """A price in ticks, to the nearest, halves to even.

    Raises:
        PriceError: the price or tick is not positive, or the price is not between one
            tick and `MAX_OUTSIDE_TICKS` ticks.
    """
    ratio = exact_decimal(price, name) / exact_decimal(tick, f"tick of {name}")
    ticks = int(ratio.to_integral_value(ROUND_HALF_EVEN))
    if not 1 <= ticks <= MAX_OUTSIDE_TICKS:
        raise PriceError(
            f"{name} is {ticks} ticks; allowed are 1 to {MAX_OUTSIDE_TICKS}"
        )
    return ticks


def whole_ppm(fraction, name: str, least: float, most: float) -> int:
    """A fraction in parts per million, to the nearest, halves to even.

    Raises:
        PriceError: it is not a number from ``least`` to ``most``.
    """
    try:
        number = Decimal(str(fraction))
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite() or not Decimal(str(least)) <= number <= Decimal(
        str(most)
    ):
        raise PriceError(f"{name} must be from {least} to {most}, not {fraction!r}")
    return int((number * PPM).to_integral_value(ROUND_HALF_EVEN))


def whole_us(seconds, name: str) -> int:
    """A time in microseconds, zero or more."""
    try:
        number = Decimal(str(seconds))
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite() or number < 0:
        raise PriceError(f"{name} must be zero or more seconds, not {seconds!r}")
    return int((number * US_PER_SECOND).to_integral_value(ROUND_HALF_EVEN))


def ticks_of_log(level: Int[Array, "..."]) -> Int[Array, "..."]:
    """Whole ticks, 1 to `MAX_OUTSIDE_TICKS`, of a logarithm in Q32; to the nearest."""
    return jnp.clip((exp_q32(level) + (1 << 31)) >> 32, 1, MAX_OUTSIDE_TICKS)
