"""When faults strike: windows of time, and the conditions of a block within them.

A fault is scheduled (start and duration given) or random (it happens with a chance,
its start is jittered, its duration is log-normal). Random ones are drawn once a run,
from the run's own stream, so two ordering schemes compared on one seed suffer the
same faults. What a kind does is its `rollup.faults.contract.Fault`; which one it is, is
a number in the parameters, so that points with different faults share one program.

Source: press reports of twenty outages of rollups and venues, 2023 to 2026; their
durations fit a log-normal of median 171 minutes, sigma 1.25.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jax import Array

from market.numbers.quantiles import log_normal
from market.numbers.randomness import (
    WHOLE_RUN,
    Stream,
    bernoulli_ppm,
    block_key,
    draw_words,
    uniform_int,
)
from rollup.faults.contract import Conditions, Fault, Strikes, calm


@jax.tree_util.register_dataclass
@dataclass(frozen=True, kw_only=True)
class FaultParams:
    """The faults of an experiment, int64 [F] each."""

    kind: Array  # place of its `Fault` in the tuple that the chain's spec names
    start_us: Array
    duration_us: Array  # median of the log-normal where the spread is above 0
    severity_ppm: Array  # 1,000,000 is total
    targets: Array  # bit mask over the numbers of groups
    transactions: Array  # bit mask over `market.types.orders.Kind`
    bias_ppm: Array  # signed: by how much manipulated reports are off
    markets: Array  # bit mask of the markets whose oracle fails
    chance_ppm: Array  # that the fault happens in a run
    jitter_us: Array  # the start is uniform in [start, start + jitter)
    spread_ppm: Array  # sigma of the log duration; 0 is exact


@jax.tree_util.register_dataclass
@dataclass(frozen=True, kw_only=True)
class FaultWindows:
    """The faults as they happen in one run, int64 [F] each."""

    kind: Array
    start_us: Array
    end_us: Array  # start where the fault does not happen
    severity_ppm: Array
    targets: Array
    transactions: Array
    bias_ppm: Array
    markets: Array


def draw_windows(key: Array, params: FaultParams) -> FaultWindows:
    """Draws when and for how long each fault strikes in the run of ``key``."""
    count = params.kind.shape[0]
    words = draw_words(block_key(key, WHOLE_RUN), Stream.FAULTS, (count, 3))
    happens = bernoulli_ppm(words[:, 0], params.chance_ppm)
    start = params.start_us + uniform_int(words[:, 1], params.jitter_us // 1000) * 1000
    spread = log_normal(words[:, 2], params.duration_us, params.spread_ppm)
    duration = jnp.where(params.spread_ppm > 0, spread, params.duration_us)
    return FaultWindows(
        kind=params.kind,
        start_us=start,
        end_us=jnp.where(happens, start + duration, start),
        severity_ppm=params.severity_ppm,
        targets=params.targets,
        transactions=params.transactions,
        bias_ppm=params.bias_ppm,
        markets=params.markets,
    )


def strikes_of(windows: FaultWindows, kind: int, now_us: Array) -> Strikes:
    """How the faults of one kind strike a block that starts at ``now_us``."""
    struck = (windows.start_us <= now_us) & (now_us < windows.end_us)
    struck &= windows.kind == kind
    return Strikes(
        struck=struck,
        severity_ppm=jnp.where(struck, windows.severity_ppm, 0),
        targets=windows.targets,
        transactions=windows.transactions,
        bias_ppm=windows.bias_ppm,
        markets=windows.markets,
        since_us=jnp.where(struck, now_us - windows.start_us, 0),
    )


def conditions_of(
    windows: FaultWindows,
    now_us: Array,
    *,
    faults: Sequence[Fault],
    markets: int,
    reporters: int,
) -> Conditions:
    """The conditions of the block that starts at ``now_us``.

    Args:
        windows: the faults of the run.
        now_us: [] start of the block.
        faults: the kinds, as the numbers in ``windows.kind`` count them.
        markets: M.
        reporters: N oracle reporters.
    """
    conditions = calm(windows.kind.shape[0], markets, reporters)
    for number, fault in enumerate(faults):
        strikes = strikes_of(windows, number, now_us)
        conditions = fault.effect(conditions, strikes)
    return conditions
