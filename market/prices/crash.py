"""A random path through the published figures of a real crash; no data file needed.

One-minute bars are drawn first: a calm lead-in, the fall, the rebound, and what
follows. Whatever the seed, the bars have exactly (to the tick) the depth from the peak
to the low, the minutes between them, the return of the worst minute, the widest
minute, which is that of the low, and the rebound. The rest is noise of about the
published standard deviation, gentle at first and wildest at the low. The bridge then
fills the bars (`market.prices.bridge`).

A run that is too short for the published minutes keeps every other figure and falls
in about half of its own length. Below 24 minutes, or with blocks above 15 s, a bar is
no longer a minute: the run has 24 bars or more, and "minute" means one of them.

Source: Binance BTCUSDT perpetual one-minute klines of the six windows in `FIGURES`:
peak to low over highs and lows, worst close over open, (high - low) over open.
"""

from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int

from market.numbers.logarithms import Q32, log_q32
from market.numbers.quantiles import exponential_q24, normal_q24
from market.numbers.randomness import Stream, draw_words, uniform_int
from market.numbers.units import INT, PPM
from market.prices.bridge import LEAST_BLOCKS, bar_grid, bridge, fold
from market.prices.model import PriceModel
from market.prices.ticks import PriceError, ticks_of_log

MINUTE_US = 60_000_000
LEAST_BARS = 24
#: All but the worst minute stay within this share of the worst return (Q8).
_CAP_Q8 = 248
#: The rebound is complete so many bars after the low, at least and at most.
_LEAST_RISE, _MOST_RISE = 7, 18


class Figures(NamedTuple):
    """The published figures of one crash, in fractions and minutes."""

    depth: str  # peak to low
    minutes: int  # from the minute of the peak to the minute of the low
    worst: str  # fall of the worst minute, open to close
    widest: str  # widest minute, high less low over open
    deviation: str  # standard deviation of one-minute returns
    rebound: str  # highest price after the low, over the low


FIGURES = {
    "2020-03-12": Figures("0.293", 38, "0.045", "0.178", "0.0207", "0.288"),
    "2020-03-13": Figures("0.193", 28, "0.071", "0.114", "0.0252", "0.444"),
    "2021-05-19": Figures("0.249", 35, "0.066", "0.139", "0.0221", "0.273"),
    "2022-11-08": Figures("0.061", 20, "0.013", "0.020", "0.0062", "0.035"),
    "2024-08-05": Figures("0.077", 23, "0.018", "0.027", "0.0048", "0.059"),
    "2025-10-10": Figures("0.133", 36, "0.050", "0.068", "0.0084", "0.121"),
}


@jax.tree_util.register_dataclass
@dataclass(frozen=True, kw_only=True)
class CrashParams:
    """The figures as int64 scalars in ppm, all positive (see `Figures`)."""

    minutes: Array  # from peak to low
    depth_ppm: Array
    worst_ppm: Array
    widest_ppm: Array
    deviation_ppm: Array
    calm_ppm: Array  # standard deviation of one minute of the lead-in
    rebound_ppm: Array


class BarPlan(NamedTuple):
    """How a run is cut into bars, static."""

    bars: int  # K
    bar_us: int  # length of a bar in microseconds times ``finer``
    finer: int  # blocks are divided by this so that every bar has four


class Phases(NamedTuple):
    """The timetable of a crash: the bars of its peak, its low and its rebound."""

    peak: Array
    low: Array
    rebound: Array


def bar_plan(blocks: int, block_us: int) -> BarPlan:
    """Minutes where the run has 24 of them and four blocks in each, else 24 bars."""
    finer = -(-LEAST_BARS * LEAST_BLOCKS // blocks)
    run_us = blocks * block_us
    whole = -(-run_us // MINUTE_US)
    most = blocks * finer // LEAST_BLOCKS
    if run_us >= LEAST_BARS * MINUTE_US and block_us * LEAST_BLOCKS <= MINUTE_US:
        return BarPlan(whole, MINUTE_US * finer, finer)
    bars = min(max(whole, LEAST_BARS), most)
    return BarPlan(bars, run_us * finer // bars, finer)


def crash_phases(minutes: int | Array, bars: int) -> Phases:
    """The timetable of a crash whose fall takes ``minutes``, fitted to so many bars."""
    shorter = jnp.minimum(minutes, bars // 2)
    fall = jnp.where(bars >= minutes + 20, minutes, shorter).astype(INT)
    peak = (bars - fall) // 4
    low = peak + fall
    after = bars - low - 1
    rise = jnp.clip(2 * after // 3, _LEAST_RISE, _MOST_RISE)
    return Phases(peak, low, low + jnp.minimum(rise, after - 1))


def crash_path(
    key: Array, start_ticks: Array, params: CrashParams, *, blocks: int, block_us: int
) -> Int[Array, " T"]:
    """Ticks per block; the first block stands at ``start_ticks``.

    Args:
        key: key for draws of a whole run.
        start_ticks: the first price.
        params: the crash's figures.
        blocks: number of blocks, T.
        block_us: length of a block in microseconds.
    """
    plan = bar_plan(blocks, block_us)
    grid = bar_grid(blocks * plan.finer, block_us, plan.bar_us)
    bars = crash_bars(key, start_ticks, params, bars=max(plan.bars, grid.size.size))
    return bridge(key, bars[: grid.size.size], grid)[:: plan.finer]


def crash_bars(
    key: Array, start_ticks: Array, params: CrashParams, *, bars: int
) -> Int[Array, "K 4"]:
    """Open, high, low and close of each bar in ticks, through the crash's figures."""
    words = draw_words(key, Stream.PRICE_BARS, (bars, 4))
    phases = crash_phases(params.minutes, bars)
    turns = _turns(words[:, 0], start_ticks, params)
    worst = _worst_bar(words[0, 1], phases)
    weights = _weights(phases, bars)
    levels = _levels(normal_q24(words[:, 2]), weights, turns, worst, params, phases)
    edges = ticks_of_log(levels)
    before_low = np.arange(bars + 1) <= phases.low
    ceiling = jnp.where(before_low, turns.peak, turns.rebound) - 1
    edges = jnp.clip(edges, turns.low + 1, ceiling)
    fallen = _fallen(edges[worst], params.worst_ppm)
    edges = _placed(edges, 0, start_ticks)
    edges = _placed(edges, worst + 1, fallen)
    edges = _placed(edges, phases.low, turns.low_open)
    edges = _placed(edges, phases.low + 1, turns.low_close)
    return _with_wicks(edges, words[:, 3], weights, turns, params, phases)


class _Turns(NamedTuple):
    """The prices that the path must touch, in ticks."""

    start: Array
    peak: Array
    low: Array
    low_open: Array
    low_high: Array
    low_close: Array
    rebound: Array
    at_peak: Array  # level next to the peak, Q32
    below_rebound: Array  # how far below the rebound its minute opens, a share in Q8


def _q32(ppm):
    return ppm * Q32 // PPM


def _fallen(ticks, ppm):
    """``ticks * (1 - ppm / 1e6)``, to the nearest."""
    return (ticks * (PPM - ppm) + PPM // 2) // PPM


def _turns(words, start, params) -> _Turns:
    calm = _q32(params.calm_ppm)
    share = uniform_int(words, 256)  # Q8, a fresh one for each use below
    origin = log_q32(start)
    peak_level = origin + 2 * calm + (calm * share[0] >> 7)
    peak = ticks_of_log(peak_level)
    low = _fallen(peak, params.depth_ppm)
    # The low's minute opens 35 to 60 % of its range above the low ...
    opened = low + (low * params.widest_ppm // PPM) * (90 + share[1] // 4) // 256
    width = (opened * params.widest_ppm + PPM // 2) // PPM
    # ... and closes 35 to 85 % above it, never further than the worst minute fell.
    reach = opened * (params.worst_ppm * _CAP_Q8 >> 8) // PPM
    aimed = low + width * (90 + share[2] // 2) // 256
    closed = jnp.clip(aimed, opened - reach, opened + reach)
    rebound = (low * (PPM + params.rebound_ppm) + PPM // 2) // PPM
    return _Turns(
        start,
        peak,
        low,
        opened,
        low + width,
        closed,
        rebound,
        peak_level - (calm * (128 + share[4] // 2) >> 8),
        share[3],
    )


def _worst_bar(word, phases):
    """The worst minute: any one from the middle of the fall to just before the low."""
    first = phases.peak + 1 + (phases.low - phases.peak) // 2
    return first + uniform_int(word, phases.low - 1 - first)


def _weights(phases, bars):
    """How wild each bar is in 256ths of the published deviation, [K]."""
    bar = np.arange(bars)
    fall = 112 + 240 * (bar - phases.peak) // (phases.low - phases.peak)
    after = jnp.maximum(320 - 16 * (bar - phases.low), 160)
    return jnp.where(bar <= phases.peak, 256, jnp.where(bar < phases.low, fall, after))


def _levels(draws, weights, turns, worst, params, phases):
    """Log price at the K + 1 edges of the bars in Q32, pinned at the turns."""
    deviation, calm = _q32(params.deviation_ppm), _q32(params.calm_ppm)
    known = [turns.start, turns.peak, turns.low, turns.low_open, turns.low_close]
    fallen = [PPM - params.worst_ppm, jnp.asarray(PPM), turns.rebound]
    logs = log_q32(jnp.stack(known + fallen))
    origin, peak, low, opened, closed, after_worst, before_worst, highest = logs
    worst_step = after_worst - before_worst
    cap = (-worst_step * _CAP_Q8) >> 8
    margin, tick = (peak - low) >> 6, 2 * Q32 // turns.low
    floor = low + jnp.maximum(margin, tick)
    before = _before_worst(weights, turns.at_peak, opened, worst_step, worst, phases)
    before = jnp.clip(before, floor - worst_step, turns.at_peak)
    top = highest - jnp.maximum(deviation >> 3, tick)
    below = deviation * (64 + turns.below_rebound // 2) >> 9
    at_rebound = jnp.minimum(highest - below, top)
    calm_floor = low + ((at_rebound - low) >> 1)
    steps = (
        # first edge, its level, deviation per bar, lowest and highest level
        (0, origin, calm, origin - 4 * calm, turns.at_peak),
        (phases.peak, turns.at_peak, calm, origin, turns.at_peak),
        (phases.peak + 1, turns.at_peak, deviation, floor, turns.at_peak),
        (worst, before, deviation, floor, turns.at_peak),
        (worst + 1, before + worst_step, deviation, floor, turns.at_peak),
        (phases.low, opened, deviation, floor, turns.at_peak),
        (phases.low + 1, closed, deviation, floor, top),
        (phases.rebound, at_rebound, deviation, calm_floor, top),
        (phases.rebound + 1, at_rebound, deviation, calm_floor, top),
    )
    final = jnp.maximum(at_rebound - 2 * deviation, calm_floor)
    pins = [
        jnp.stack([jnp.asarray(x, INT) for x in column])
        for column in zip(*steps, strict=True)
    ]
    return _pinned_walk(draws, weights, pins, final, cap)


def _before_worst(weights, start, end, worst_step, worst, phases):
    """Where the worst minute opens: on the way from peak to low by weight."""
    bars = np.arange(weights.shape[0])
    falling = (bars > phases.peak) & (bars < phases.low) & (bars != worst)
    falling = jnp.where(falling, weights, 0)
    done = jnp.sum(jnp.where(bars < worst, falling, 0))
    return start + (end - worst_step - start) * done // jnp.sum(falling)


def _pinned_walk(draws, weights, pins, final, cap):
    """A walk over bars through pins, whose steps stay within ``cap``, [K + 1] in Q32.

    In each segment the way from pin to pin is shared out by weight; to it comes the
    weighted noise less its own mean, shrunk where a step would pass the cap; then the
    walk is folded into the segment's band, which lets no step grow.

    Args:
        draws: normal draws in Q24, [K].
        weights: of the bars, [K].
        pins: first edge, level, deviation, lowest, highest of each segment, [S] each.
        final: level at the last edge.
        cap: the longest step.
    """
    first, level, deviation, lowest, highest = pins
    bars = draws.shape[0]
    segment = jnp.sum(np.arange(bars)[:, None] >= first[None, 1:], axis=1)
    member = segment[:, None] == np.arange(first.shape[0])
    target = jnp.concatenate([level[1:], jnp.reshape(final, (1,))])
    weight = jnp.sum(jnp.where(member, weights[:, None], 0), axis=0)[segment]
    noise = jnp.sum(jnp.where(member, (weights * draws)[:, None], 0), axis=0)[segment]
    drift = (target - level)[segment] * weights // weight
    swing = (weights * (draws - noise // weight)) >> 8
    room = (jnp.maximum(cap - jnp.abs(drift), 0) << 24) // jnp.maximum(
        jnp.abs(swing), 1
    )
    roomy = jnp.min(jnp.where(member, room[:, None], Q32), axis=0)
    scale = jnp.minimum(roomy, deviation)[segment]
    steps = drift + ((scale * swing) >> 24)
    total = jnp.concatenate([jnp.zeros(1, INT), jnp.cumsum(steps)])
    walked = level[segment] + total[:-1] - total[first[segment]]
    inside = fold(walked, lowest[segment], highest[segment])
    return jnp.append(inside, final)


def _with_wicks(edges, words, weights, turns, params, phases):
    """Bars from their edges: highs and lows beyond the bodies, pinned at the turns."""
    opened, closed = edges[:-1], edges[1:]
    top, bottom = jnp.maximum(opened, closed), jnp.minimum(opened, closed)
    bar = np.arange(words.shape[0])
    deviation = jnp.where(bar < phases.peak, params.calm_ppm, params.deviation_ppm)
    typical = opened * deviation // PPM * weights // 1024
    room = jnp.maximum((opened * params.widest_ppm // PPM - (top - bottom)) // 2 - 1, 0)
    ceiling = jnp.where(bar < phases.low, turns.peak, turns.rebound) - 1
    high, low = (
        jnp.minimum((typical * exponential_q24(half << 16)) >> 24, room)
        for half in (words & 0xFFFF, words >> 16)
    )
    high = jnp.maximum(jnp.minimum(top + high, ceiling), top)
    low = jnp.minimum(jnp.maximum(bottom - low, turns.low + 1), bottom)
    high = _placed(high, phases.peak, turns.peak)
    high = _placed(high, phases.low, turns.low_high)
    high = _placed(high, phases.rebound, turns.rebound)
    low = _placed(low, phases.low, turns.low)
    return jnp.stack([opened, high, low, closed], axis=-1)


def _placed(values, index, value):
    """``values`` with one entry replaced; compiles to less than a scatter."""
    return jnp.where(np.arange(values.shape[0]) == index, value, values)


def check_crash(crash: CrashParams, blocks: int, block_us: int) -> None:
    """Refuses figures that cannot be reached in the bars that a run has.

    Raises:
        PriceError: the fall or the rebound needs more minutes.
    """
    bars = bar_plan(blocks, block_us).bars
    phases = crash_phases(int(crash.minutes), bars)
    depth, worst, widest, rebound = (
        int(value) / PPM
        for value in (
            crash.depth_ppm,
            crash.worst_ppm,
            crash.widest_ppm,
            crash.rebound_ppm,
        )
    )
    fall = -np.log1p(-depth) - np.log1p(0.6 * widest)
    rise = np.log1p(rebound) - np.log1p(0.35 * widest)
    cap = -np.log1p(-worst)
    for name, way, bars in (
        ("depth", fall, int(phases.low - phases.peak) - 1),
        ("rebound", rise, int(phases.rebound - phases.low) - 1),
    ):
        if way > 0.97 * cap * bars:
            raise PriceError(
                f"a {name} of {depth if name == 'depth' else rebound:.3f} needs more "
                f"than {bars} minutes of at most {worst:.3f}; take a longer run, a "
                f"larger worst minute or a smaller {name}"
            )


CRASH = PriceModel("crash", CrashParams, crash_path, check_crash)
