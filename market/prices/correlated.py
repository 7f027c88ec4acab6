"""Further markets driven from the first: beta, correlation and noise of their own.

The log return of a driven market is beta times the first market's plus noise whose
standard deviation follows the first market's own over the minute around each block.
So the correlation of returns is the one asked for in quiet and in wild minutes alike.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int

from market.numbers.logarithms import Q32, log_q32, sqrt_q16
from market.numbers.quantiles import normal_q24
from market.numbers.randomness import Stream, draw_words
from market.numbers.units import INT, PPM
from market.prices.ticks import ticks_of_log

_WINDOW_US = 60_000_000
#: A window holds at least this many returns, however long the blocks are.
_LEAST_WINDOW = 8
#: Below this correlation the noise would drown everything; it is read as this.
LEAST_CORRELATION_PPM = 50_000
#: Standard deviation of one block's noise is cut here (a logarithm of 1 in Q32).
_MAX_NOISE = Q32


@jax.tree_util.register_dataclass
@dataclass(frozen=True, kw_only=True)
class DrivenParams:
    """How each further market follows the first; one row a driven market, [M - 1]."""

    start_ticks: Array
    beta_ppm: Array  # slope of log returns; its sign is the sign of the correlation
    correlation_ppm: Array  # size of the correlation, 50,000 to 1,000,000


def driven_paths(
    key: Array, first: Int[Array, " T"], params: DrivenParams, *, block_us: int
) -> Int[Array, "T M-1"]:
    """Ticks of the driven markets; each starts at its ``start_ticks``.

    Args:
        key: key for draws of a whole run.
        first: ticks of the first market.
        params: how the others follow.
        block_us: length of a block in microseconds.
    """
    blocks, markets = first.shape[0], params.start_ticks.shape[0]
    words = draw_words(key, Stream.PRICE_PEERS, (blocks, markets))
    level = log_q32(first)
    deviation = _local_deviation(jnp.diff(level), block_us)
    noise = _noise(deviation, words[1:], params)
    own = jnp.concatenate([jnp.zeros((1, markets), INT), jnp.cumsum(noise, axis=0)])
    followed = (level - level[0])[:, None] * params.beta_ppm // PPM
    return ticks_of_log(log_q32(params.start_ticks) + followed + own)


def _local_deviation(returns: Int[Array, " T-1"], block_us: int) -> Int[Array, " T-1"]:
    """Root mean square in Q32 of the returns in the minute around each block."""
    count = returns.shape[0]
    half = max(_WINDOW_US // block_us, _LEAST_WINDOW) // 2
    index = np.arange(count)
    start, end = np.maximum(index - half, 0), np.minimum(index + half + 1, count)
    small = jnp.clip(returns >> 8, -Q32 >> 8, Q32 >> 8)  # Q24, at most a factor e
    total = jnp.concatenate([jnp.zeros(1, INT), jnp.cumsum(small * small)])
    mean = (total[end] - total[start]) // jnp.asarray(end - start)
    return sqrt_q16(mean) >> 8


def _noise(deviation, words, params):
    """The driven markets' own returns in Q32, [T - 1, M - 1]."""
    rho = jnp.clip(params.correlation_ppm, LEAST_CORRELATION_PPM, PPM)
    unexplained_q16 = sqrt_q16(PPM * PPM - rho * rho)
    ratio_ppm = (jnp.abs(params.beta_ppm) * unexplained_q16 // rho) >> 16
    size = jnp.minimum(deviation[:, None] * ratio_ppm // PPM, _MAX_NOISE)
    return (size * normal_q24(words) + (1 << 23)) >> 24
