"""Natural logarithm and exponential of integers in Q32, without any float.

Both are table look-ups with a short polynomial: a table of 2048 steps brings the
rest below ``2**-11``, where two terms of the series are exact to ``2**-34``. Worst
error over the allowed range: 3 units of ``2**-32`` for the logarithm, and for the
exponential a relative ``3 * 2**-32``, or 2 units of ``2**-32`` where the result is
below one. Tables are made once on the host in decimal arithmetic.
"""

from decimal import Decimal, localcontext
from functools import cache

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Int

from market.numbers.units import INT

#: Logarithms and exponentials are fixed point with 32 fractional bits.
Q32 = 1 << 32
#: ``exp_q32`` clips its argument to plus and minus this, so that no result overflows.
MAX_EXPONENT = 21 * Q32
_STEP_BITS = 11
_STEPS = 1 << _STEP_BITS
_MANTISSA_BITS = 40
_LN2_Q48 = 195103586505167


def _round(value: Decimal, scale: int) -> int:
    return int((value * scale).to_integral_value())


@cache
def _exp_table() -> np.ndarray:
    """``exp(i / 2048)`` in Q32 for i in [0, 2048)."""
    with localcontext() as context:
        context.prec = 40
        return np.array(
            [_round((Decimal(i) / _STEPS).exp(), Q32) for i in range(_STEPS)], np.int64
        )


@cache
def _log_table() -> np.ndarray:
    """``ln(1 + i / 2048)`` in Q32 for i in [0, 2048)."""
    with localcontext() as context:
        context.prec = 40
        return np.array(
            [_round((1 + Decimal(i) / _STEPS).ln(), Q32) for i in range(_STEPS)],
            np.int64,
        )


def exp_q32(x: Int[Array, "..."]) -> Int[Array, "..."]:
    """``e**x`` in Q32 of an x in Q32, clipped to `MAX_EXPONENT`; at least 1 unit.

    Rounds toward zero. Results below one unit of Q32 are raised to it, so that a
    factor is always positive.
    """
    x = jnp.clip(jnp.asarray(x, INT), -MAX_EXPONENT, MAX_EXPONENT)
    halvings = (x << 16) // _LN2_Q48
    rest = jnp.maximum(x - ((halvings * _LN2_Q48) >> 16), 0)
    index = rest >> (32 - _STEP_BITS)
    fraction = rest & ((1 << (32 - _STEP_BITS)) - 1)
    series = fraction + ((fraction * fraction) >> 33)
    base = jnp.asarray(_exp_table())[index]
    value = base + ((base * series) >> 32)
    scaled = (value << jnp.maximum(halvings, 0)) >> jnp.maximum(-halvings, 0)
    return jnp.maximum(scaled, 1)


def log_q32(x: Int[Array, "..."]) -> Int[Array, "..."]:
    """``ln(x)`` in Q32 of whole numbers ``1 <= x < 2**62``; ``ln(0)`` reads as 0."""
    x = jnp.maximum(jnp.asarray(x, INT), 1)
    exponent = 63 - lax.clz(x)
    left = jnp.maximum(_MANTISSA_BITS - exponent, 0)
    right = jnp.maximum(exponent - _MANTISSA_BITS, 0)
    mantissa = (x << left) >> right
    rest_bits = _MANTISSA_BITS - _STEP_BITS
    index = (mantissa >> rest_bits) - _STEPS
    knot = (index + _STEPS) << rest_bits
    ratio = ((mantissa - knot) << 32) // knot
    series = ratio - ((ratio * ratio) >> 33)
    return ((exponent * _LN2_Q48) >> 16) + jnp.asarray(_log_table())[index] + series


def sqrt_q16(x: Int[Array, "..."]) -> Int[Array, "..."]:
    """``sqrt(x)`` in Q16 for ``0 <= x < 2**60``, within a relative ``2**-15``."""
    return jnp.where(x > 0, exp_q32(log_q32(x) >> 1) >> 16, 0)


def scale_q32(amount: Int[Array, "..."], factor: Int[Array, "..."]):
    """``floor(amount * factor / 2**32)``, exact for ``0 <= amount < 2**61``.

    Both are non-negative and the result must fit 62 bits.
    """
    whole, fraction = factor >> 32, factor & (Q32 - 1)
    high, low = amount >> 31, amount & ((1 << 31) - 1)
    return amount * whole + ((high * fraction + ((low * fraction) >> 31)) >> 1)
