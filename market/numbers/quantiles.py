"""Normal, exponential and log-normal draws by integer look-up.

A 32-bit word gives a tail probability p and, where the law has two sides, a sign. The
table of the quantile function has 128 knots in every octave of p (4,097 in all), so
the far tail is as fine as the middle: the least p is ``2**-32``, 6.3 standard
deviations of a normal. Between knots the value is interpolated linearly, in integers.

Values are Q24. Worst error against scipy: normal 3.3e-6, exponential 7.6e-6. Tables are
made once on the host and held by checksums in the tests, so that draws are equal on
every device and every host.
"""

from collections.abc import Callable
from functools import cache

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Int, UInt32
from scipy import special

from market.numbers.logarithms import exp_q32, scale_q32
from market.numbers.units import INT, PPM

#: Draws are fixed point with 24 fractional bits.
Q24_BITS = 24
Q24 = 1 << Q24_BITS
_SEGMENT_BITS = 7
_SEGMENTS = 1 << _SEGMENT_BITS
_REST_BITS = 31 - _SEGMENT_BITS
_OCTAVES = 32


def tail_knots() -> np.ndarray:
    """The 4,097 tail probabilities of the tables, ascending from ``2**-32`` to 1."""
    octave = 2.0 ** np.arange(-_OCTAVES, 0)
    knots = octave[:, None] * (1 + np.arange(_SEGMENTS) / _SEGMENTS)
    return np.append(knots.ravel(), 1.0)


def _table(quantile: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    return np.rint(quantile(tail_knots()) * Q24).astype(np.int64)


@cache
def normal_table() -> np.ndarray:
    """``|z|`` in Q24 that a standard normal passes with probability p."""
    return _table(lambda p: -special.ndtri(p / 2))


@cache
def exponential_table() -> np.ndarray:
    """The value in Q24 that a unit exponential passes with probability p."""
    return _table(lambda p: -np.log(p))


def _look_up(table: np.ndarray, words: UInt32[Array, "..."]) -> Int[Array, "..."]:
    """The table at tail probability ``(words | 1) / 2**32``; rounds down."""
    tail = words.astype(jnp.uint32) | jnp.uint32(1)
    octave = lax.clz(tail)
    mantissa = (tail << octave).astype(INT)
    segment = (mantissa >> _REST_BITS) & (_SEGMENTS - 1)
    index = (31 - octave.astype(INT)) * _SEGMENTS + segment
    rest = mantissa & ((1 << _REST_BITS) - 1)
    knots = jnp.asarray(table)
    lower = knots[index]
    return lower + (((knots[index + 1] - lower) * rest) >> _REST_BITS)


def _signed(magnitude, words):
    return jnp.where((words & 1) == 1, -magnitude, magnitude)


def normal_q24(words: UInt32[Array, "..."]) -> Int[Array, "..."]:
    """Standard normal draws in Q24, one for each 32-bit word."""
    return _signed(_look_up(normal_table(), words), words)


def exponential_q24(words: UInt32[Array, "..."]) -> Int[Array, "..."]:
    """Unit exponential draws in Q24, one for each 32-bit word."""
    return _look_up(exponential_table(), words)


def log_normal(words: UInt32[Array, "..."], median, sigma_ppm) -> Int[Array, "..."]:
    """Log-normal whole numbers ``median * exp(sigma * z)``, rounded down.

    Args:
        words: one 32-bit word for each draw.
        median: the median in any unit, ``0 <= median < 2**47``; broadcast.
        sigma_ppm: standard deviation of the logarithm in ppm, at most 3,000,000;
            broadcast. The factor is held between ``e**-10`` and ``e**10``.
    """
    exponent = (normal_q24(words) * sigma_ppm // PPM) << (32 - Q24_BITS)
    capped = jnp.clip(exponent, -(10 << 32), 10 << 32)
    return scale_q32(jnp.asarray(median, INT), exp_q32(capped))
