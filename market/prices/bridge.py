"""A random path through bars that honours each bar's open, high, low and close.

The first block of a bar stands at its open, the last at its close; at two random
blocks between them the path touches the high and the low exactly, and it never passes
either. Between these pins it is a discrete Brownian bridge of the volatility that the
bar's range implies, folded back where it would leave the range.

A bar needs four blocks to show four prices. Where blocks are longer than a quarter of
a minute, neighbouring minutes are merged into one bar until it has four.

Source: M. Parkinson, "The extreme value method for estimating the variance of the
rate of return" (1980): E[range**2] = 4 ln 2 variance.
"""

from math import isqrt
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int

from market.numbers.quantiles import normal_q24
from market.numbers.randomness import Stream, draw_words, uniform_int

#: Open, high, low and close are four prices, so a bar has four blocks or more.
LEAST_BLOCKS = 4
#: 1 / sqrt(4 ln 2) in Q16: a bar's standard deviation as a share of its range.
_DEVIATION_OF_RANGE_Q16 = 39_356


class BarGrid(NamedTuple):
    """Which block lies in which bar, all static.

    Attributes:
        blocks: the number of blocks asked for; the last bar may run past it.
        bar: the bar of each block, [N].
        first: the first block of each bar, [K].
        size: the number of blocks of each bar, [K], each at least `LEAST_BLOCKS`.
        step_q16: standard deviation of one block's step as a share of a bar's, Q16.
    """

    blocks: int
    bar: np.ndarray
    first: np.ndarray
    size: np.ndarray
    step_q16: int


def bar_grid(blocks: int, block_length: int, bar_length: int) -> BarGrid:
    """The grid of bars over blocks; a block belongs to the bar in which it starts.

    Args:
        blocks: number of blocks, T.
        block_length: length of a block in any unit.
        bar_length: length of a bar in the same unit, at least four blocks.
    """
    if bar_length < LEAST_BLOCKS * block_length:
        raise ValueError(f"a bar of {bar_length} holds fewer than four {block_length}")
    count = -(-blocks * block_length // bar_length)
    edges = -(-np.arange(count + 1, dtype=np.int64) * bar_length // block_length)
    size = np.diff(edges)
    bar = np.repeat(np.arange(count), size)
    step_q16 = isqrt((block_length << 32) // bar_length)
    return BarGrid(blocks, bar, edges[:-1], size, step_q16)


def merge_bars(bars: Int[Array, "K 4"], group: int, count: int) -> Int[Array, "C 4"]:
    """``count`` bars of ``group`` neighbours each; past the end the close stands."""
    missing = max(count * group - bars.shape[0], 0)
    rest = jnp.broadcast_to(bars[-1, 3], (missing, 4))
    grouped = jnp.concatenate([bars, rest])[: count * group].reshape(count, group, 4)
    return jnp.stack(
        [
            grouped[:, 0, 0],
            jnp.max(grouped[:, :, 1], axis=1),
            jnp.min(grouped[:, :, 2], axis=1),
            grouped[:, -1, 3],
        ],
        axis=-1,
    )


def fold(value, low, high):
    """``value`` reflected at ``low`` and ``high`` until it lies between them.

    Steps never grow by folding: ``|fold(a) - fold(b)| <= |a - b|``.
    """
    span = high - low
    period = jnp.maximum(2 * span, 1)
    phase = (value - low) % period
    return low + jnp.minimum(jnp.minimum(phase, period - phase), span)


def bridge(key: Array, bars: Int[Array, "K 4"], grid: BarGrid) -> Int[Array, " T"]:
    """A path in ticks through the bars, one price a block.

    Rounds the path between pins down to whole ticks.

    Args:
        key: key for draws of a whole run.
        bars: open, high, low, close in ticks; low > 0 and low <= open, close <= high.
        grid: blocks and bars; as many bars as ``bars`` has rows.
    """
    pins = _extremes(key, bars, grid)
    noise = _walk(key, grid)
    position = jnp.arange(grid.bar.size) - grid.first[grid.bar]
    start, end, level, target = _segment(position, pins, bars, grid)
    length = jnp.maximum(end - start, 1)
    done = position - start
    origin = grid.first[grid.bar] + start
    drift = (target - level) * done // length
    span = noise[origin + length] - noise[origin]
    swing = noise[:-1] - noise[origin] - span * done // length
    high, low = bars[:, 1][grid.bar], bars[:, 2][grid.bar]
    deviation_q16 = (high - low) * _DEVIATION_OF_RANGE_Q16
    path = level + drift + (((deviation_q16 >> 10) * swing) >> 30)
    return fold(path, low, high)[: grid.blocks]


class _Pins(NamedTuple):
    """The earlier and the later extreme of each bar: position and level, [K]."""

    early: Array
    late: Array
    early_level: Array
    late_level: Array


def _extremes(key, bars, grid) -> _Pins:
    """Where in each bar the high and the low are touched."""
    opening, high, low, close = bars.T
    last = jnp.asarray(grid.size) - 1
    words = draw_words(key, Stream.PRICE_EXTREMES, (grid.size.size, 2))
    at_high = 1 + uniform_int(words[:, 0], last - 1)
    at_low = 1 + uniform_int(words[:, 1], last - 2)
    at_low = at_low + (at_low >= at_high)
    at_high = jnp.where(opening == high, 0, jnp.where(close == high, last, at_high))
    at_low = jnp.where(opening == low, 0, jnp.where(close == low, last, at_low))
    high_first = at_high < at_low
    return _Pins(
        jnp.minimum(at_high, at_low),
        jnp.maximum(at_high, at_low),
        jnp.where(high_first, high, low),
        jnp.where(high_first, low, high),
    )


def _walk(key, grid):
    """A random walk in Q24 with unit deviation over a bar, [N + 1], starting at 0."""
    words = draw_words(key, Stream.PRICE_BRIDGE, (grid.bar.size,))
    steps = (normal_q24(words) * grid.step_q16) >> 16
    return jnp.concatenate([jnp.zeros(1, steps.dtype), jnp.cumsum(steps)])


def _segment(position, pins, bars, grid):
    """Start, end and their levels of the segment between pins that holds each block."""
    early, late, early_level, late_level = (pin[grid.bar] for pin in pins)
    last = jnp.asarray(grid.size - 1)[grid.bar]
    opening, close = bars[:, 0][grid.bar], bars[:, 3][grid.bar]
    after_early, after_late = position >= early, position >= late
    start = jnp.where(after_late, late, jnp.where(after_early, early, 0))
    end = jnp.where(after_late, last, jnp.where(after_early, late, early))
    level = jnp.where(
        after_late, late_level, jnp.where(after_early, early_level, opening)
    )
    target = jnp.where(
        after_late, close, jnp.where(after_early, late_level, early_level)
    )
    return start, end, level, target
