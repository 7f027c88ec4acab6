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
    finite = np.sort(column[np.isfinite(column)])
    if len(finite) > MAX_DOTS:
        finite = np.quantile(finite, np.linspace(0, 1, MAX_DOTS))
    places = decimals(float(np.ptp(finite)) / 10) if len(finite) else 0
    return np.round(finite, max(places, 2)).tolist()


def _title(directory: RunDirectory, metric: Metric) -> str:
    """Between which bounds all runs lie, and at which point they spread widest."""
    values = directory.runs[metric.name]
    low, high = float(values.min()), float(values.max())
    label = sentence_case(metric.label)
    if low == high:
        return f"{label}: {number(low, metric.unit)} in every run"
    text = f"{label}: {number(low, metric.unit)} to {number(high, metric.unit)}"
    if len(directory.points) == 1:
        return f"{text} over {plural(len(values), 'seed')}"
    groups = directory.runs.groupby("point")[metric.name]
    ranges = groups.max() - groups.min()
    if ranges.max() == 0:
        return f"{text}, the same for all seeds of a point"
    if ranges.min() > 0.9 * ranges.max():
        return f"{text}, alike at all points"
    widest = {p.index: p.label for p in directory.points}[int(ranges.idxmax())]
    return f"{text}, widest with {widest}"


def distributions(directory: RunDirectory, metrics: list[Metric]) -> list[dict]:
    """For each metric its title and, for each point, the values over the seeds."""
    groups = {int(i): rows for i, rows in directory.runs.groupby("point")}
    a_metric = sum(min(len(rows), MAX_DOTS) for rows in groups.values())
    fitting = max(NUMBER_BUDGET // max(a_metric, 1), 1)
    return [
        {
            "metric": metric.name,
            "label": metric.label,
            "unit": metric.unit,
            "title": _title(directory, metric),
            "values": {
                point: _values(rows[metric.name].to_numpy(np.float64))
                for point, rows in groups.items()
            },
        }
        for metric in metrics[:fitting]
    ]
