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
    """

    times: list[np.ndarray]
    grid: dict[int, int]
    values: dict[int, dict[str, np.ndarray]]
    left_out: list[int]


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
    return Curves(grids, grid, values, [p for p in present if p not in values])


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


def short(values: np.ndarray, span: float) -> list[float | int | None]:
    """Numbers with as many decimals as a chart of that span can show.

    A step of one 5,000th of the span is finer than a pixel. NaN becomes None.
    """
    if not math.isfinite(span) or span <= 0:
        span = float(np.nanmax(np.abs(values), initial=0.0)) or 1.0
    places = math.ceil(math.log10(5_000 / span))
    short_numbers: list[float | int | None] = []
    for value in values.tolist():
        if not math.isfinite(value):
            short_numbers.append(None)
        else:
            rounded = round(value, places)
            whole = rounded == int(rounded)
            short_numbers.append(int(rounded) if whole else rounded)
    return short_numbers


def packed(quantiles: np.ndarray) -> list[list[float | int | None]]:
    """A curve for the page: one list where all seeds agree, else three."""
    finite = quantiles[np.isfinite(quantiles)]
    span = float(finite.max() - finite.min()) if finite.size else 0.0
    low, mid, high = quantiles
    if np.array_equal(low, high, equal_nan=True):
        return [short(mid, span)]
    return [short(low, span), short(mid, span), short(high, span)]
