"""How a metric spreads over the seeds of each point."""

import numpy as np

from experiments.report.curves import decimals
from experiments.report.formats import number, plural
from experiments.report.rundir import RunDirectory
from experiments.report.vocabulary import Metric, sentence_case

MAX_DOTS = 64  # a point with more seeds is shown by its percentiles
NUMBER_BUDGET = 150_000


def _values(column: np.ndarray) -> list[float]:
    """The seeds' values, or their percentiles where there are too many to see."""
    finite = np.sort(column)
    if len(finite) > MAX_DOTS:
        finite = np.quantile(finite, np.linspace(0, 1, MAX_DOTS))
    places = decimals(float(np.ptp(finite)) / 10) if len(finite) else 0
    return np.round(finite, max(places, 2)).tolist()


def _title(directory: RunDirectory, metric: Metric) -> str:
    """Between which bounds all runs lie, and at which point they spread widest."""
    values = directory.runs[metric.name].to_numpy(np.float64)
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    label = sentence_case(metric.label)
    if low == high:
        return f"{label}: {number(low, metric.unit)} in every run"
    text = f"{label}: {number(low, metric.unit)} to {number(high, metric.unit)}"
    if len(directory.points) == 1:
        return f"{text} over {plural(len(values), 'seed')}"
    ranges = {
        point: float(np.ptp(column))
        for point, column in _by_point(directory, metric).items()
        if len(column)
    }
    widest = max(ranges, key=lambda point: ranges[point])
    if ranges[widest] == 0:
        return f"{text}, the same for all seeds of a point"
    if min(ranges.values()) > 0.9 * ranges[widest]:
        return f"{text}, alike at all points"
    label = {p.index: p.label for p in directory.points}[widest]
    return f"{text}, widest with {label}"


def _by_point(directory: RunDirectory, metric: Metric) -> dict[int, np.ndarray]:
    """Point -> the finite values of its runs."""
    values = directory.runs[metric.name].to_numpy(np.float64)
    points = directory.runs["point"].to_numpy(np.int64)
    finite = np.isfinite(values)
    return {int(p): values[finite & (points == p)] for p in np.unique(points)}


def distributions(directory: RunDirectory, metrics: list[Metric]) -> list[dict]:
    """For each metric its title and, for each point, the values over the seeds."""
    _, seeds = np.unique(directory.runs["point"].to_numpy(), return_counts=True)
    a_metric = int(np.minimum(seeds, MAX_DOTS).sum())
    fitting = max(NUMBER_BUDGET // max(a_metric, 1), 1)
    return [
        {
            "metric": metric.name,
            "label": metric.label,
            "unit": metric.unit,
            "title": _title(directory, metric),
            "values": {
                point: _values(column)
                for point, column in _by_point(directory, metric).items()
            },
        }
        for metric in metrics[:fitting]
    ]
