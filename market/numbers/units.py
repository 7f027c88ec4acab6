"""The integer money of the lab: quote quanta, ticks, lots, ppm, and exact products.

Source: the house plan, "Integers". All scalars and arrays are int64.
"""

from decimal import Decimal

import jax.numpy as jnp
import numpy as np

#: One quote quantum is 1e-6 of the collateral (USD).
QUANTA_PER_USD = 1_000_000
#: Ratios (fees, margin fractions, probabilities) are parts per million.
PPM = 1_000_000
#: Microseconds in a second; transactions carry microsecond times.
US_PER_SECOND = 1_000_000

INT = jnp.int64


def usd(amount: Decimal | float | str) -> int:
    """Quote quanta of a decimal dollar amount, rounded half to even (host only)."""
    return int((Decimal(str(amount)) * QUANTA_PER_USD).to_integral_value())


def ppm(fraction: Decimal | float | str) -> int:
    """Parts per million of a decimal fraction, rounded half to even (host only)."""
    return int((Decimal(str(fraction)) * PPM).to_integral_value())


def ppm_floor(amount, rate_ppm):
    """``floor(amount * rate_ppm / 1e6)``, exact whenever the result fits 63 bits.

    Works on ints and on arrays. The amount is split as ``q*1e6 + r`` first, so the
    wide product is never formed. Rounds toward minus infinity.
    """
    quotient = amount // PPM
    remainder = amount - quotient * PPM
    return quotient * rate_ppm + (remainder * rate_ppm) // PPM


def ppm_ceil(amount, rate_ppm):
    """``ceil(amount * rate_ppm / 1e6)``, exact whenever the result fits 63 bits.

    Works on ints and on arrays. Rounds toward plus infinity (in favour of whoever
    is owed the requirement).
    """
    return -ppm_floor(-amount, rate_ppm)


def notional(lots, ticks, multiplier):
    """Signed notional in quote quanta; exact, since a lot-tick is whole quanta."""
    return lots * ticks * multiplier


def as_int(values) -> jnp.ndarray:
    """An int64 array of host numbers that are already whole."""
    return jnp.asarray(np.asarray(values, dtype=np.int64))
