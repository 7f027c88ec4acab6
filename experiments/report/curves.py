"""Time series as the page needs them: quantiles over the seeds, thinned in time.

Nothing raw goes into the page: a curve is the 5 %, 50 % and 95 % quantile over the
runs of a point at no more than 300 times, with as many digits as a chart can show.
A budget of numbers keeps the page small however many points the sweep has.
"""

import itertools
import math
from dataclasses import dataclass

import numpy as np

from experiments.report.rundir import RunDirectory

QUANTILES = (0.05, 0.5, 0.95)
MAX_TIMES = 300
MIN_TIMES = 60
NUMBER_BUDGET = 2_000_000

# What waits in the pipeline: batches that left one stage and not yet the next.
_BACKLOGS = {
    "backlog_posted": ("batches_sealed", "batches_posted"),
    "backlog_proven": ("batches_sealed", "batches_proven"),
    "backlog_settled": ("batches_sealed", "batches_settled"),
}
# A book with one empty side has no spread; it is recorded as 0.
_ZERO_IS_NONE = ("spread_ppm",)


@dataclass(frozen=True)
class Curves:
    """Quantile curves of the points.

    Attributes:
        times: seconds since the start, one list for each distinct grid.
        grid: which of them a point uses.
        values: point -> series (`NAME` or `NAME.MARKET`) -> float64[3, T]: the
            quantiles of `QUANTILES`.
        left_out: points whose curves did not fit the budget.
        sampled: times at which the longest series was sampled; fewer may be kept.
    """

    times: list[np.ndarray]
    grid: dict[int, int]
    values: dict[int, dict[str, np.ndarray]]
    left_out: list[int]
    sampled: int = 0


def thin(count: int, most: int) -> np.ndarray:
    """At most `most` of `count` positions, evenly spaced, both ends included."""
    if count <= most:
        return np.arange(count)
    return np.unique(np.linspace(0, count - 1, most).round().astype(np.int64))


def over_runs(samples: np.ndarray) -> np.ndarray:
    """Quantiles over axis 0 (runs), runs without a sample left out: [3, T]."""
    samples = samples.astype(np.float64)
    if np.isfinite(samples).all():
        return np.quantile(samples, QUANTILES, axis=0)
    found = np.full((len(QUANTILES), samples.shape[1]), np.nan)
    known = np.isfinite(samples).any(axis=0)
    finite = np.where(np.isfinite(samples), samples, np.nan)
    if known.any():
        found[:, known] = np.nanquantile(finite[:, known], QUANTILES, axis=0)
    return found


@dataclass(frozen=True)
class _Layout:
    """Where the rows of one point lie in a [R, T] matrix."""

    rows: slice
    run: np.ndarray
    time: np.ndarray
    shape: tuple[int, int]
    keep: np.ndarray

    def matrix(self, column: np.ndarray) -> np.ndarray:
        """The samples of the kept times, NaN where a run has none."""
        matrix = np.full(self.shape, np.nan)
        matrix[self.run, self.time] = column[self.rows]
        return matrix[:, self.keep]


def _layouts(
    directory: RunDirectory, most_times: int
) -> tuple[dict[int, _Layout], dict[int, np.ndarray]]:
    index = directory.series_columns(["point", "run", "time_s"])
    point = index["point"].to_numpy()
    starts = np.flatnonzero(np.r_[True, np.diff(point) != 0, True])
    layouts, times = {}, {}
    for start, end in itertools.pairwise(starts):
        rows = slice(int(start), int(end))
        runs, run = np.unique(index["run"].to_numpy()[rows], return_inverse=True)
        grid, time = np.unique(index["time_s"].to_numpy()[rows], return_inverse=True)
        keep = thin(len(grid), most_times)
        shape = (len(runs), len(grid))
        layouts[int(point[start])] = _Layout(rows, run, time, shape, keep)
        times[int(point[start])] = grid[keep]
    return layouts, times


def _plan(points: int, series: int) -> tuple[int, int]:
    """How many times a curve and how many points fit the budget."""
    a_time = series * len(QUANTILES)
    times = NUMBER_BUDGET // max(points * a_time, 1)
    times = int(np.clip(times, MIN_TIMES, MAX_TIMES))
    return times, max(NUMBER_BUDGET // (times * a_time), 1)


def _backlogs(names: list[str]) -> dict[str, tuple[str, str]]:
    """Derived series whose two parts exist."""
    return {k: v for k, v in _BACKLOGS.items() if set(v) <= set(names)}


def read_curves(directory: RunDirectory, wanted: frozenset[str]) -> Curves:
    """Quantile curves of every point that fits the budget, backlogs included.

    Args:
        directory: the run directory.
        wanted: series names (without market) that the page shows.
    """
    backlogs = _backlogs(directory.series_names)
    names = [n for n in directory.series_names if n.split(".")[0] in wanted]
    if not names and not backlogs:
        return Curves([], {}, {}, [])
    most_times, most_points = _plan(len(directory.points), len(names) + len(backlogs))
    layouts, times = _layouts(directory, most_times)
    present = [point.index for point in directory.points if point.index in layouts]
    kept = [present[i] for i in thin(len(present), most_points)]
    values: dict[int, dict[str, np.ndarray]] = {point: {} for point in kept}
    for name in names:
        column = directory.series_columns([name])[name].to_numpy(np.float64)
        if name.split(".")[0] in _ZERO_IS_NONE:
            column = np.where(column == 0, np.nan, column)
        for point in kept:
            values[point][name] = over_runs(layouts[point].matrix(column))
    for name, (ahead, behind) in backlogs.items():
        both = directory.series_columns([ahead, behind])
        column = (both[ahead] - both[behind]).to_numpy(np.float64)
        for point in kept:
            values[point][name] = over_runs(layouts[point].matrix(column))
    grids, grid = _grids({point: times[point] for point in kept})
    left_out = [point for point in present if point not in values]
    sampled = max((layout.shape[1] for layout in layouts.values()), default=0)
    return Curves(grids, grid, values, left_out, sampled)


def _grids(
    times: dict[int, np.ndarray],
) -> tuple[list[np.ndarray], dict[int, int]]:
    """The distinct time grids, and which one each point uses."""
    grids: list[np.ndarray] = []
    place: dict[bytes, int] = {}
    grid = {}
    for point, seconds in times.items():
        key = seconds.tobytes()
        if key not in place:
            place[key] = len(grids)
            grids.append(seconds)
        grid[point] = place[key]
    return grids, grid


def decimals(span: float) -> int:
    """Decimal places whose step is finer than a pixel of a chart of that span.

    Negative for large spans: a chart up to a million needs no single dollars.
    """
    if not math.isfinite(span) or span <= 0:
        return 0
    return math.ceil(math.log10(5_000 / span))


def packed(quantiles: np.ndarray) -> dict[str, object]:
    """A curve for the page: rounded to whole steps, and then only what changes.

    Returns:
        `places`: a step is 10**-places; `q`: one list where all seeds agree, else
        three, of the first value and then the differences from one to the next.
        Where there is no value stands None, and the next difference bridges it.
    """
    finite = quantiles[np.isfinite(quantiles)]
    span = float(np.ptp(finite)) if finite.size else 0.0
    span = span or float(np.abs(finite).max(initial=1.0))
    places = decimals(span)
    low, middle, high = np.rint(quantiles * 10.0**places)
    agree = np.array_equal(low, high, equal_nan=True)
    rows = [middle] if agree else [low, middle, high]
    return {"places": places, "q": [_steps(row) for row in rows]}


def _steps(levels: np.ndarray) -> list[int | None]:
    known = np.isfinite(levels)
    steps = np.diff(levels[known], prepend=0.0).astype(np.int64).tolist()
    if known.all():
        return steps
    following = iter(steps)
    return [next(following) if here else None for here in known]
