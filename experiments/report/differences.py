"""Paired differences: the same seed with and without a change.

Two points that differ along one axis of the sweep only are paired run by run: run k
sees the same prices, impulses and delays in both, so that the difference of a metric
is due to the change. Intervals: `experiments.results.statistics.t_test`, 95 % each by
itself. What is called beyond chance is so after Holm's correction over the family: all
measures at all values of an axis that are compared.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from experiments.report.formats import digits_within
from experiments.report.rundir import RunDirectory
from experiments.results.statistics import holm, t_test

CONFIDENCE = 0.95
#: Beyond chance is what errs in one family of twenty.
ALPHA = 1 - CONFIDENCE


class Difference(NamedTuple):
    """One metric at one point against its base, over `n` pairs.

    `low` and `high` are None with fewer than two pairs. `higher` and `lower` count
    the seeds in which the metric rose and fell. `p_value` is that of no difference,
    corrected for its family by `compare`; NaN with fewer than two pairs.
    """

    n: int
    base: float
    other: float
    mean: float
    low: float | None
    high: float | None
    higher: int
    lower: int
    p_value: float = math.nan
    resolution: float = 0.0

    @property
    def settled(self) -> bool:
        """Whether it is beyond chance, and beyond what the measure can tell."""
        return self.p_value < ALPHA and abs(self.mean) >= self.resolution

    @property
    def still(self) -> bool:
        """Whether no seed saw any difference."""
        return self.higher == 0 and self.lower == 0

    @property
    def digits(self) -> int:
        """Digits of the mean that the interval leaves."""
        if self.low is None or self.high is None:
            return 3
        return digits_within(self.mean, self.high - self.low)


@dataclass(frozen=True)
class Row:
    """One value of the axis against the base, everything else (`stratum`) equal."""

    value: int
    stratum: tuple[int, ...]
    differences: dict[str, Difference]


@dataclass(frozen=True)
class Comparison:
    """All values of one axis against its base value, in every stratum.

    A stratum is a choice on all other axes; `strata` holds their labels in words.
    `family` is how many tests were corrected together.
    """

    axis: int
    base: int
    strata: dict[tuple[int, ...], str]
    rows: tuple[Row, ...]
    family: int = 0


def difference(
    base: np.ndarray, other: np.ndarray, resolution: float = 0.0
) -> Difference:
    """The difference `other - base` of paired samples, its p value uncorrected."""
    deltas = other - base
    test = t_test(deltas, CONFIDENCE, resolution)
    low, high = (test.low, test.high) if len(deltas) > 1 else (None, None)
    return Difference(
        n=len(deltas),
        base=float(base.mean()),
        other=float(other.mean()),
        mean=float(deltas.mean()),
        low=low,
        high=high,
        higher=int((deltas > 0).sum()),
        lower=int((deltas < 0).sum()),
        p_value=test.p_value,
        resolution=resolution,
    )


class _Samples(NamedTuple):
    """The runs of a point: their numbers, sorted, and float64[runs, metrics]."""

    run: np.ndarray
    values: np.ndarray


def _samples(directory: RunDirectory, metrics: list[str]) -> dict[int, _Samples]:
    rows = directory.runs.sort_values(["point", "run"])
    run, values = rows["run"].to_numpy(), rows[metrics].to_numpy(np.float64)
    points, starts = np.unique(rows["point"].to_numpy(), return_index=True)
    ends = [*starts[1:], len(rows)]
    return {
        int(point): _Samples(run[start:end], values[start:end])
        for point, start, end in zip(points, starts, ends, strict=True)
    }


def _row_differences(
    base: _Samples, other: _Samples, metrics: list[str], resolution: dict[str, float]
) -> dict[str, Difference]:
    """Differences over the runs that both points finished with a value."""
    _, left, right = np.intersect1d(base.run, other.run, return_indices=True)
    before, after = base.values[left], other.values[right]
    valid = np.isfinite(before) & np.isfinite(after)
    return {
        name: difference(
            before[valid[:, k], k], after[valid[:, k], k], resolution.get(name, 0.0)
        )
        for k, name in enumerate(metrics)
        if valid[:, k].any()
    }


def _stratum_label(directory: RunDirectory, axis: int, stratum: tuple[int, ...]) -> str:
    others = [a for i, a in enumerate(directory.axes) if i != axis]
    return ", ".join(
        f"{a.label} {a.labels[place]}" if _is_numeric(a.values) else a.labels[place]
        for a, place in zip(others, stratum, strict=True)
    )


def _is_numeric(values: tuple[object, ...]) -> bool:
    return all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in values)


def compare(directory: RunDirectory, axis: int, metrics: list[str]) -> Comparison:
    """Compare all points along an axis with the base value of that axis.

    Measures that are the same in every pair are no tests; all others are one family.
    """
    resolution = {name: m.resolution for name, m in directory.metrics.items()}
    runs = _samples(directory, metrics)
    base = directory.base_of(axis)
    at = {point.place: point.index for point in directory.points}
    rows, strata = [], {}
    for point in directory.points:
        stratum = point.place[:axis] + point.place[axis + 1 :]
        value = point.place[axis]
        partner = at.get((*point.place[:axis], base, *point.place[axis + 1 :]))
        if value == base or partner not in runs or point.index not in runs:
            continue
        strata[stratum] = _stratum_label(directory, axis, stratum)
        found = _row_differences(runs[partner], runs[point.index], metrics, resolution)
        rows.append(Row(value, stratum, found))
    rows.sort(key=lambda row: (row.value, row.stratum))
    family = _correct(rows)
    return Comparison(axis, base, dict(sorted(strata.items())), tuple(rows), family)


def _correct(rows: list[Row]) -> int:
    """Corrects the p values of all tests of some rows; how many there were."""
    moved = {
        name
        for row in rows
        for name, found in row.differences.items()
        if not found.still
    }
    tests = [
        (row, name)
        for row in rows
        for name, found in row.differences.items()
        if name in moved and math.isfinite(found.p_value)
    ]
    corrected = holm([row.differences[name].p_value for row, name in tests])
    for (row, name), p_value in zip(tests, corrected, strict=True):
        row.differences[name] = row.differences[name]._replace(p_value=p_value)
    return len(tests)
