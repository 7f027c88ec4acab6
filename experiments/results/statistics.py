"""Differences between points, paired by seed, with intervals.

Run ``k`` of two points sees the same prices, impulses and delays, so their difference
is taken run by run before anything is averaged.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
import pandas as pd
from scipy import stats

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
    n = len(values)
    if n < 2:
        return (np.nan, np.nan)
    half = stats.t.ppf(0.5 + confidence / 2, n - 1) * values.std(ddof=1) / np.sqrt(n)
    return (float(values.mean() - half), float(values.mean() + half))


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
    if len(values) < 2:
        return np.nan
    if np.ptp(values) == 0:
        return 1.0 if values[0] == 0 else 0.0
    return float(np.asarray(stats.ttest_1samp(values, 0))[1])
