"""Differences between points, paired by seed, with intervals.

Run ``k`` of two points sees the same prices, impulses and delays, so their difference
is taken run by run before anything is averaged.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, cast

import numpy as np
import pandas as pd
from scipy import special

#: Resamples of a bootstrap; its own seed is fixed, so a report repeats itself.
RESAMPLES = 10_000
_BOOTSTRAP_SEED = 20_200_312


@dataclass(frozen=True)
class PairedDifference:
    """``other - base`` over the seeds that both have.

    Attributes:
        n: pairs.
        mean: mean difference.
        low, high: confidence interval of the mean; both NaN for fewer than two pairs.
        p_value: two-sided, of no difference (paired t); NaN for fewer than two pairs.
        median: median difference.
        values: the differences by run.
    """

    n: int
    mean: float
    low: float
    high: float
    p_value: float
    median: float
    values: pd.Series = field(repr=False, compare=False)


def rows_at(runs: pd.DataFrame, axes: Mapping[str, Any]) -> pd.DataFrame:
    """The rows of the point, or points, at these values of the axes.

    Raises:
        KeyError: no such axis, or no row there.
    """
    chosen = np.ones(len(runs), bool)
    for axis, value in axes.items():
        if axis not in runs.columns:
            raise KeyError(f"no sweep axis {axis!r}")
        chosen &= (runs[axis] == value).to_numpy()
    if not chosen.any():
        raise KeyError(f"no runs at {dict(axes)}")
    return runs.loc[chosen]


def t_interval(values: np.ndarray, confidence: float = 0.95) -> tuple[float, float]:
    """Student's interval of the mean; NaN for fewer than two values."""
    found = t_test(values, confidence)
    return (found.low, found.high)


def bootstrap_interval(
    values: np.ndarray, confidence: float = 0.95, resamples: int = RESAMPLES
) -> tuple[float, float]:
    """Percentile bootstrap of the mean, for skewed differences such as bad debt."""
    if len(values) < 2:
        return (np.nan, np.nan)
    generator = np.random.default_rng(_BOOTSTRAP_SEED)
    picks = generator.integers(len(values), size=(resamples, len(values)))
    tail = (1 - confidence) / 2
    low, high = np.quantile(values[picks].mean(axis=1), [tail, 1 - tail])
    return (float(low), float(high))


def paired_difference(
    runs: pd.DataFrame,
    metric: str,
    base: Mapping[str, Any],
    other: Mapping[str, Any],
    *,
    confidence: float = 0.95,
    bootstrap: bool = False,
) -> PairedDifference:
    """How a metric differs between two points of a sweep.

    Where ``base`` and ``other`` leave an axis open, rows are paired along it too (the
    same policy under both faults), and the average over that axis is taken by run
    first, so that runs stay the independent unit.

    Args:
        runs: the table of runs.
        metric: a column of it.
        base: axis -> value of the point to compare with.
        other: axis -> value of the point compared.
        confidence: of the interval.
        bootstrap: percentile bootstrap instead of Student's t.
    """
    values = (_by_run(runs, metric, other) - _by_run(runs, metric, base)).dropna()
    array = values.to_numpy(float)
    interval = bootstrap_interval if bootstrap else t_interval
    low, high = interval(array, confidence)
    return PairedDifference(
        n=len(array),
        mean=float(array.mean()) if len(array) else np.nan,
        low=low,
        high=high,
        p_value=_p_value(array),
        median=float(np.median(array)) if len(array) else np.nan,
        values=values,
    )


def _by_run(runs: pd.DataFrame, metric: str, axes: Mapping[str, Any]) -> pd.Series:
    """The metric of each run at these values, averaged over the axes left open."""
    means = rows_at(runs, axes).groupby("run")[metric].mean()
    return cast(pd.Series, means).astype(float)


def _p_value(values: np.ndarray) -> float:
    """Paired t test; 1 where nothing differs, 0 where all differ by the same."""
    return t_test(values).p_value


class TTest(NamedTuple):
    """Student's paired t test: the interval of the mean, and p of no difference."""

    low: float
    high: float
    p_value: float


def t_test(
    values: np.ndarray, confidence: float = 0.95, resolution: float = 0.0
) -> TTest:
    """The paired t test of differences that are known to a resolution only.

    A number that is read to the nearest ``r`` is off by up to ``r / 2``, which adds a
    variance of ``r**2 / 12``; a difference of two, ``r**2 / 6``. The scatter of the
    differences is never taken as less, so that equal differences of a few seeds prove
    nothing finer than the measure can tell.

    Args:
        values: one difference a seed.
        confidence: of the interval.
        resolution: smallest step of each of the two numbers, in the same unit.

    Returns:
        All NaN for fewer than two values.
    """
    n = len(values)
    if n < 2:
        return TTest(np.nan, np.nan, np.nan)
    mean = float(values.mean())
    scatter = max(float(values.var(ddof=1)), resolution**2 / 6)
    error = np.sqrt(scatter / n)
    if error == 0:
        return TTest(mean, mean, 0.0 if mean else 1.0)
    half = float(special.stdtrit(n - 1, 0.5 + confidence / 2) * error)
    p_value = float(2 * special.stdtr(n - 1, -abs(mean) / error))
    return TTest(mean - half, mean + half, p_value)


def holm(p_values: Sequence[float]) -> list[float]:
    """The p values of a family of tests, corrected by Holm's method.

    Rejecting those below 5 % then errs in one family of twenty at most, however many
    tests it has. What is not a number is no test and stays so.

    Source: Holm (1979), A simple sequentially rejective multiple test procedure,
    Scandinavian Journal of Statistics 6.
    """
    p = np.asarray(p_values, float)
    known = np.flatnonzero(np.isfinite(p))
    order = known[np.argsort(p[known], kind="stable")]
    steps = p[order] * np.arange(len(order), 0, -1)
    corrected = p.copy()
    corrected[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return corrected.tolist()
