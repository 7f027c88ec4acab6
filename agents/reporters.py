"""Oracle reporters: what they see, and what those say that lie, stick or fall silent.

Each reporter reports the index of each market with an error of its own. Which of them
fail in a block, and how, the conditions of the block say (`rollup.faults.oracle`): a
silent reporter is silent whatever else it does, a stuck one repeats what it said
whatever it is told to say.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from market.numbers.quantiles import normal_q24
from market.numbers.randomness import Stream, draw_words
from market.numbers.units import PPM
from market.upkeep.oracle import distorted_reports
from rollup.faults import Conditions

_Q24 = 24


class Reports(NamedTuple):
    """One round of reports.

    Attributes:
        heard: [M, N] ticks that reach the venue, 0 of a silent reporter.
        said: [M, N] ticks that each reporter said last; a stuck one repeats them.
    """

    heard: Array
    said: Array


def honest_reports(key: Array, index: Array, noise_ppm: Array, reporters: int) -> Array:
    """What reporters see of an index: each with an error of its own, at least a tick.

    Args:
        key: key of the block.
        index: [M] ticks.
        noise_ppm: [] standard deviation of an error.
        reporters: N.
    """
    words = draw_words(key, Stream.ORACLE, (index.shape[0], reporters))
    error = (normal_q24(words) * noise_ppm) >> _Q24
    return jnp.maximum(index[:, None] + index[:, None] * error // PPM, 1)


def reports(honest: Array, said: Array, conditions: Conditions) -> Reports:
    """What the reporters say, the faulty ones among them.

    A manipulated report is the honest one moved by the bias, rounded down, never
    below one tick. A stuck reporter repeats what it said before its fault began.

    Args:
        honest: [M, N] what they see.
        said: [M, N] what they said last.
        conditions: of the block.
    """
    spoken = distorted_reports(honest, said, conditions.stuck, conditions.bias_ppm)
    silent = conditions.silent
    return Reports(
        heard=jnp.where(silent, 0, spoken), said=jnp.where(silent, said, spoken)
    )
