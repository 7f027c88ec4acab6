"""Latencies counted in buckets: percentiles without keeping every value.

Buckets of 16 us up to two milliseconds, then 64 an octave. A percentile is read back by
interpolation: the values of a bucket count as spread evenly over it, so that what is
read is less than the bucket's width from the truth, that is at most 16 us or one part
in 64. That width is a result of its own (`error_us`).
"""

import jax.numpy as jnp
from jax import Array, lax

#: Places of the histogram, the last for all latencies from 25 days on.
BUCKETS = 2048
_PER_OCTAVE_BITS = 6
#: Below 2^11 us all buckets are 2^4 us wide; above, each octave has 64.
_WIDTH_BITS = 4
_FIRST_EXPONENT = _WIDTH_BITS + _PER_OCTAVE_BITS


def bucket(value_us: Array) -> Array:
    """The bucket of each latency in microseconds."""
    value = jnp.maximum(value_us, 0)
    exponent = jnp.maximum(63 - lax.clz(value), _FIRST_EXPONENT)
    octave = exponent - _FIRST_EXPONENT
    index = (octave << _PER_OCTAVE_BITS) + (value >> (octave + _WIDTH_BITS))
    return jnp.minimum(index, BUCKETS - 1)


def lower_edge(index: Array) -> Array:
    """The smallest latency of a bucket, microseconds."""
    octave = _octave(index)
    return (index - (octave << _PER_OCTAVE_BITS)) << (octave + _WIDTH_BITS)


def width(index: Array) -> Array:
    """How many latencies a bucket holds: its upper edge less its lower."""
    return jnp.left_shift(jnp.ones_like(index), _octave(index) + _WIDTH_BITS)


def add(histogram: Array, value_us: Array, counted: Array) -> Array:
    """Counts the latencies where ``counted``; histogram int64 [`BUCKETS`]."""
    return histogram.at[bucket(value_us)].add(counted.astype(jnp.int64))


def percentile_us(histogram: Array, share_ppm: int) -> Array:
    """The percentile in microseconds, rounded down; 0 without any value.

    It is the value at the rank ``ceil(share * count)``. The n-th of the m values of a
    bucket is taken to stand at (2 n - 1) / 2 m of its width.
    """
    index, nth = _place_of(histogram, share_ppm)
    among = jnp.maximum(histogram[index], 1)
    value = lower_edge(index) + width(index) * (2 * nth - 1) // (2 * among)
    return jnp.where(jnp.sum(histogram) > 0, value, 0)


def error_us(histogram: Array, share_ppm: int) -> Array:
    """What `percentile_us` is less than from the truth: a bucket's width; 0 of none."""
    index, _ = _place_of(histogram, share_ppm)
    return jnp.where(jnp.sum(histogram) > 0, width(index), 0)


def _octave(index: Array) -> Array:
    return jnp.maximum((index >> _PER_OCTAVE_BITS) - 1, 0)


def _place_of(histogram: Array, share_ppm: int) -> tuple[Array, Array]:
    """The bucket that holds the percentile, and which of its values that is, from 1."""
    total = jnp.sum(histogram)
    rank = jnp.maximum(-((-total * share_ppm) // 1_000_000), 1)
    running = jnp.cumsum(histogram)
    index = jnp.minimum(jnp.sum(running < rank), BUCKETS - 1)
    return index, rank - (running[index] - histogram[index])
