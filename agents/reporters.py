"""Oracle reporters: what they see, and what those say that lie, stick or fall silent.

Each reporter reports the index of each market with an error of its own. A fault of the
oracle strikes a share of the reporters, its severity: the *nearest* whole number of
them (a half counts up), and always the first ones by number, so that the same share
strikes the same reporters in every block and every run. Its `markets` say which.

Where faults overlap, a silent reporter is silent whatever else it does, a stuck one
repeats what it said whatever it is told to say, and biases of manipulations add up.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from market.numbers.quantiles import normal_q24
from market.numbers.randomness import Stream, draw_words
from market.numbers.units import PPM
from market.upkeep.oracle import distorted_reports
from rollup.faults.windows import FaultKind, FaultWindows, is_active

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


def is_struck(
    windows: FaultWindows, kind: FaultKind, now_us: Array, markets: int, reporters: int
) -> Array:
    """Which reporters each fault of a kind strikes now; bool [F, M, N]."""
    active = is_active(windows, now_us) & (windows.kind == kind)
    count = (windows.severity_ppm * reporters * 2 + PPM) // (2 * PPM)
    where = (windows.markets[:, None] >> jnp.arange(markets)) & 1 > 0
    who = jnp.arange(reporters) < count[:, None]
    return active[:, None, None] & where[:, :, None] & who[:, None, :]


def reports(
    honest: Array, said: Array, windows: FaultWindows, now_us: Array
) -> Reports:
    """What the reporters say, the faulty ones among them.

    A manipulated report is the honest one moved by the bias, rounded down, never
    below one tick. A stuck reporter repeats what it said before its fault began.

    Args:
        honest: [M, N] what they see.
        said: [M, N] what they said last.
        windows: the faults of the run.
        now_us: start of the block.
    """

    def struck(kind: FaultKind) -> Array:
        return is_struck(windows, kind, now_us, *honest.shape)

    lies = struck(FaultKind.ORACLE_MANIPULATION)
    bias = jnp.sum(jnp.where(lies, windows.bias_ppm[:, None, None], 0), axis=0)
    sticks = jnp.any(struck(FaultKind.ORACLE_STUCK), axis=0)
    silent = jnp.any(struck(FaultKind.ORACLE_SILENCE), axis=0)
    spoken = distorted_reports(honest, said, sticks, bias)
    return Reports(
        heard=jnp.where(silent, 0, spoken), said=jnp.where(silent, said, spoken)
    )
