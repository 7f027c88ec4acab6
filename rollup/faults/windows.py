"""Faults of the rollup: windows of time in which a part of it works less or not.

A fault is scheduled (start and duration given) or random (it happens with a chance,
its start is jittered, its duration is log-normal). Random ones are drawn once a run,
from the run's own stream, so two ordering schemes compared on one seed suffer the
same faults. What each kind does is said where it acts: `rollup.chain` (halt and
censorship), `rollup.settlement.pipeline` (data and proofs) and `agents.reporters` (the
oracle).

Source: press reports of twenty outages of rollups and venues, 2023 to 2026; their
durations fit a log-normal of median 171 minutes, sigma 1.25.
"""

from dataclasses import dataclass
from enum import IntEnum

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


class FaultKind(IntEnum):
    """What fails."""

    SEQUENCER_HALT = 0  # blocks carry fewer transactions, or none: no block at all
    CENSORSHIP = 1  # chosen transactions are passed over
    DA_OUTAGE = 2  # batch data is posted slower, or not at all
    PROVER_DELAY = 3  # batches are proven slower, or not at all
    ORACLE_MANIPULATION = 4  # a share of the reporters moves what it reports
    ORACLE_STUCK = 5  # a share of the reporters repeats what it said last
    ORACLE_SILENCE = 6  # a share of the reporters says nothing


@jax.tree_util.register_dataclass
@dataclass(frozen=True, kw_only=True)
class FaultParams:
    """The faults of an experiment, int64 [F] each."""

    kind: Array  # a FaultKind
    start_us: Array
    duration_us: Array  # median of the log-normal where sigma > 0
    severity_ppm: Array  # 1,000,000 is total
    families: Array  # bit mask of families whose transactions are censored
    kinds: Array  # bit mask over `market.types.orders.Kind`; censored too
    bias_ppm: Array  # signed: by how much manipulated reports are off
    markets: Array  # bit mask of the markets whose oracle fails
    chance_ppm: Array  # that the fault happens in a run
    jitter_us: Array  # the start is uniform in [start, start + jitter)
    sigma_ppm: Array  # spread of the log duration; 0 is exact


@jax.tree_util.register_dataclass
@dataclass(frozen=True, kw_only=True)
class FaultWindows:
    """The faults as they happen in one run, int64 [F] each."""

    kind: Array
    start_us: Array
    end_us: Array  # start where the fault does not happen
    severity_ppm: Array
    families: Array
    kinds: Array
    bias_ppm: Array
    markets: Array


def draw_windows(key: Array, params: FaultParams) -> FaultWindows:
    """Draws when and for how long each fault strikes in the run of ``key``."""
    count = params.kind.shape[0]
    words = draw_words(block_key(key, WHOLE_RUN), Stream.FAULTS, (count, 3))
    happens = bernoulli_ppm(words[:, 0], params.chance_ppm)
    start = params.start_us + uniform_int(words[:, 1], params.jitter_us // 1000) * 1000
    spread = log_normal(words[:, 2], params.duration_us, params.sigma_ppm)
    duration = jnp.where(params.sigma_ppm > 0, spread, params.duration_us)
    return FaultWindows(
        kind=params.kind,
        start_us=start,
        end_us=jnp.where(happens, start + duration, start),
        severity_ppm=params.severity_ppm,
        families=params.families,
        kinds=params.kinds,
        bias_ppm=params.bias_ppm,
        markets=params.markets,
    )


def is_active(windows: FaultWindows, now_us: Array) -> Array:
    """Which faults strike a block that starts at ``now_us``; bool [F]."""
    return (windows.start_us <= now_us) & (now_us < windows.end_us)


def severity(windows: FaultWindows, kind: FaultKind, now_us: Array) -> Array:
    """The severity of one kind now, ppm; of several at once the most severe."""
    struck = is_active(windows, now_us) & (windows.kind == kind)
    return jnp.max(jnp.where(struck, windows.severity_ppm, 0), initial=0)


def is_censored(
    windows: FaultWindows, now_us: Array, family: Array, kind: Array, luck: Array
) -> Array:
    """Which transactions the sequencer passes over now; bool [Q].

    Args:
        windows: the faults of the run.
        now_us: start of the block.
        family: [Q] family number of the sender.
        kind: [Q] `market.types.orders.Kind` of the transaction.
        luck: [Q] a number in [0, 1e6) that stays with the transaction: it is censored
            where this is below the severity.
    """
    struck = is_active(windows, now_us) & (windows.kind == FaultKind.CENSORSHIP)
    chosen = ((windows.families[:, None] >> family) & 1) | (
        (windows.kinds[:, None] >> kind) & 1
    )
    hit = struck[:, None] & (chosen > 0) & (luck < windows.severity_ppm[:, None])
    return jnp.any(hit, axis=0)
