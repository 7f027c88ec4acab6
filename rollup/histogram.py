"""Latencies counted in buckets: percentiles without keeping every value.

Eight buckets an octave, from one millisecond up, so a percentile read back is at most
one eighth above the truth.
"""

import jax.numpy as jnp
from jax import Array, lax

BUCKETS = 256
_PER_OCTAVE_BITS = 3
_FIRST_EXPONENT = 10


def bucket(value_us: Array) -> Array:
    """The bucket of each latency in microseconds."""
    value = jnp.maximum(value_us, 1 << _FIRST_EXPONENT)
    exponent = 63 - lax.clz(value)
    fraction = (value >> (exponent - _PER_OCTAVE_BITS)) & ((1 << _PER_OCTAVE_BITS) - 1)
    index = ((exponent - _FIRST_EXPONENT) << _PER_OCTAVE_BITS) + fraction
    return jnp.minimum(index, BUCKETS - 1)


def upper_edge(index: Array) -> Array:
    """The smallest latency above every one in the bucket, microseconds."""
    exponent = _FIRST_EXPONENT + (index >> _PER_OCTAVE_BITS)
    fraction = (index & ((1 << _PER_OCTAVE_BITS) - 1)) + 1
    base = jnp.left_shift(jnp.ones_like(index), exponent)
    return base + (base >> _PER_OCTAVE_BITS) * fraction


def add(histogram: Array, value_us: Array, counted: Array) -> Array:
    """Counts the latencies where ``counted``; histogram int64 [256]."""
    return histogram.at[bucket(value_us)].add(counted.astype(jnp.int64))


def percentile_us(histogram: Array, share_ppm: int) -> Array:
    """Upper edge of the bucket that holds the percentile; 0 without any value."""
    total = jnp.sum(histogram)
    rank = -((-total * share_ppm) // 1_000_000)
    index = jnp.sum(jnp.cumsum(histogram) < rank)
    return jnp.where(total > 0, upper_edge(index), 0)
