"""Jump-diffusion with optional stochastic volatility, in integers.

The logarithm of the price moves by a drift, a normal step of the current volatility
and, rarely, a jump of normal size. The logarithm of the volatility itself reverts to
its median (an exponential Ornstein-Uhlenbeck process), so it stays positive.

Source: R. Merton, "Option pricing when underlying stock returns are discontinuous"
(1976); L. Scott, "Option pricing when the variance changes randomly" (1987).
"""

from dataclasses import dataclass
from math import isqrt

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Int

from market.numbers.declared import ratio
from market.numbers.logarithms import Q32, exp_q32, log_q32
from market.numbers.quantiles import normal_q24
from market.numbers.randomness import Stream, draw_words
from market.numbers.units import INT, PPM, US_PER_SECOND
from market.prices.model import PriceModel
from market.prices.ticks import ticks_of_log

#: The logarithm of volatility over its median stays within plus and minus this, Q32.
_MAX_LOG_VOLATILITY = 3 * Q32
#: Standard deviation of one block's step is cut here (a logarithm of 4 in Q32).
_MAX_STEP = 4 * Q32


@jax.tree_util.register_dataclass
@dataclass(frozen=True, kw_only=True)
class JumpDiffusionParams:
    """A jump-diffusion with optional stochastic volatility, of the log price."""

    volatility_ppm: Array = ratio(
        0.0002, 0, 0.1, what="over the square root of a second, its median"
    )
    drift_per_hour_ppm: Array = ratio(0, -1, 1, what="without jumps")
    jumps_per_hour_ppm: Array = ratio(0, 0, 3600, what="expected number of jumps")
    jump_mean_ppm: Array = ratio(0, -2, 2, what="mean jump")
    jump_deviation_ppm: Array = ratio(0, 0, 1, what="standard deviation of a jump")
    reversion_per_second_ppm: Array = ratio(
        0, 0, 1, what="share of the log volatility that is lost in a second"
    )
    volatility_of_volatility_ppm: Array = ratio(
        0, 0, 1, what="of the log volatility, over the square root of a second"
    )


def jump_diffusion_path(
    key: Array, start_ticks: Array, params: JumpDiffusionParams, *, blocks, block_us
) -> Int[Array, " T"]:
    """Ticks per block; the first block stands at ``start_ticks``.

    At most one jump a block; a chance above one a block counts as one.

    Args:
        key: key for draws of a whole run.
        start_ticks: the first price.
        params: the numbers of the process.
        blocks: number of blocks, T.
        block_us: length of a block in microseconds.
    """
    words = draw_words(key, Stream.PRICE_DIFFUSION, (blocks, 4))
    diffusion, jump_size, volatility = (normal_q24(words[:, i]) for i in (0, 2, 3))
    steps = _scaled(_step_deviation(volatility, params, block_us), diffusion)
    steps = steps + _jumps(words[:, 1], jump_size, params, block_us)
    moved = jnp.concatenate([jnp.zeros(1, INT), jnp.cumsum(steps[: blocks - 1])])
    level = log_q32(start_ticks) + _drift(params, blocks, block_us) + moved
    return ticks_of_log(level)


def _drift(params, blocks, block_us):
    """The drift since the start at each block in Q32, [T]."""
    elapsed = np.arange(blocks) * block_us // 10_000  # hundredths of a second
    hourly = params.drift_per_hour_ppm * Q32 // PPM
    return hourly * jnp.asarray(elapsed) // 360_000


def _root_of_block_q16(block_us: int) -> int:
    """The square root of a block's length in seconds, Q16."""
    return isqrt((block_us << 32) // US_PER_SECOND)


def _scaled(deviation_q32, draw_q24):
    """A draw of the deviation, Q32, to the nearest."""
    return (deviation_q32 * draw_q24 + (1 << 23)) >> 24


def _step_deviation(draws_q24, params, block_us):
    """Standard deviation of each block's step in Q32, [T]."""
    root = _root_of_block_q16(block_us)
    median = (params.volatility_ppm * root << 16) // PPM
    spread = (params.volatility_of_volatility_ppm * root << 16) // PPM
    kept_ppm = jnp.maximum(
        PPM - params.reversion_per_second_ppm * block_us // US_PER_SECOND, 0
    )

    def step(level, draw):
        moved = level * kept_ppm // PPM + _scaled(spread, draw)
        bounded = jnp.clip(moved, -_MAX_LOG_VOLATILITY, _MAX_LOG_VOLATILITY)
        return bounded, level

    _, levels = lax.scan(step, jnp.zeros((), INT), draws_q24)
    factor_q16 = exp_q32(levels) >> 16
    return jnp.minimum((jnp.minimum(median, _MAX_STEP) * factor_q16) >> 16, _MAX_STEP)


def _per_second(hourly):
    """A rate an hour as one a second, to the nearest, halves to even."""
    whole, rest = hourly // 3600, hourly % 3600
    return whole + ((rest > 1800) | ((rest == 1800) & (whole % 2 == 1)))


def _jumps(words, draws_q24, params, block_us):
    """The jump of each block in Q32, mostly 0, [T]."""
    chance_e12 = jnp.minimum(_per_second(params.jumps_per_hour_ppm) * block_us, 10**12)
    threshold = (chance_e12 << 20) // 244_140_625  # chance * 2**32 / 10**12
    mean = params.jump_mean_ppm * Q32 // PPM
    deviation = params.jump_deviation_ppm * Q32 // PPM
    size = mean + _scaled(deviation, draws_q24)
    return jnp.where(words.astype(INT) < threshold, size, 0)


JUMP_DIFFUSION = PriceModel("jump_diffusion", JumpDiffusionParams, jump_diffusion_path)
