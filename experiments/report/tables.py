"""The tables of the page: what its cells show, and what they sort by."""

import math
from typing import NamedTuple

import numpy as np

from experiments.report import findings, formats
from experiments.report.differences import Comparison, Difference, Row
from experiments.report.rundir import RunDirectory
from experiments.report.vocabulary import Metric, sentence_case
from experiments.results.statistics import t_test


class Cell(NamedTuple):
    """A table cell: what it shows, what it sorts by, and what stands under it."""

    text: str
    order: float | str
    under: str = ""
    faint: bool = False


_NOTHING = Cell("–", -math.inf)


def differences(
    directory: RunDirectory, comparison: Comparison, metrics: list[Metric]
) -> list[list[Cell]]:
    """A line for each value of the axis in each stratum: some measures' differences."""
    rows = []
    for row in comparison.rows:
        value = findings.value_label(directory, comparison, row)
        cells = [Cell(value, row.value)]
        if len(comparison.strata) > 1:
            cells.append(Cell(comparison.strata[row.stratum], str(row.stratum)))
        for metric in metrics:
            found = row.differences.get(metric.name)
            cells.append(_NOTHING if found is None else _difference(found, metric))
        rows.append(cells)
    return rows


def _difference(found: Difference, metric: Metric) -> Cell:
    under = ""
    if found.low is not None:
        under = formats.interval(found.low, found.high, metric.unit)
    if found.still:
        under = "same in every pair"
    text = findings.sized_change(found, metric)
    return Cell(text, found.mean, under, not found.settled)


def every_measure(
    directory: RunDirectory, comparison: Comparison, metrics: list[Metric]
) -> list[list[Cell]]:
    """A line for each measure: where along the axis it moved most, and how far."""
    table = []
    for metric in metrics:
        rows = [r for r in comparison.rows if metric.name in r.differences]
        rows = [r for r in rows if not r.differences[metric.name].still]
        if not rows:
            continue
        row = max(rows, key=lambda r: _weight(r, metric))
        found = row.differences[metric.name]
        place = findings.value_label(directory, comparison, row)
        where = comparison.strata[row.stratum] if len(comparison.strata) > 1 else ""
        part = formats.share(found.mean, found.base) or "from 0"
        table.append(
            [
                Cell(sentence_case(metric.label), metric.label),
                Cell(place, row.value, where),
                Cell(formats.number(found.base, metric.unit), found.base),
                Cell(formats.number(found.other, metric.unit), found.other),
                Cell(part, found.mean / (abs(found.base) or math.inf)),
                _difference(found, metric)._replace(
                    text=formats.change(found.mean, metric.unit, found.digits)
                ),
                _verdict(found),
            ]
        )
    return table


def _weight(row: Row, metric: Metric) -> tuple[bool, float]:
    found = row.differences[metric.name]
    return found.settled, abs(found.mean)


def _verdict(found: Difference) -> Cell:
    if not math.isfinite(found.p_value):
        return Cell("one seed", 2.0, faint=True)
    if abs(found.mean) < found.resolution:
        return Cell("below what it can tell", 1.5, faint=True)
    text = "beyond chance" if found.settled else "may be chance"
    tiny = found.p_value < 1e-4
    size = "p < 0.0001" if tiny else f"p = {found.p_value:.2g}"
    return Cell(text, found.p_value, size, not found.settled)


def points(directory: RunDirectory, metrics: list[Metric]) -> list[list[Cell]]:
    """A line for each point: median and outer percentiles of some measures."""
    return _by_point(directory, metrics, _quantiles)


def earnings(directory: RunDirectory, metrics: list[Metric]) -> list[list[Cell]]:
    """A line for each point: the mean of some profits, and its interval."""
    return _by_point(directory, metrics, _mean)


def _by_point(directory: RunDirectory, metrics: list[Metric], cell) -> list[list[Cell]]:
    at = directory.runs["point"].to_numpy(np.int64)
    table = []
    for point in directory.points:
        cells = [
            Cell(axis.labels[place], place)
            for axis, place in zip(directory.axes, point.place, strict=True)
        ] or [Cell(point.label, 0)]
        here = at == point.index
        seeds = int(np.count_nonzero(here))
        cells.append(Cell(str(seeds), seeds))
        for metric in metrics:
            values = directory.runs[metric.name].to_numpy(np.float64)[here]
            cells.append(cell(values[np.isfinite(values)], metric))
        table.append(cells)
    return table


def _quantiles(values: np.ndarray, metric: Metric) -> Cell:
    """Median, and the 5th and 95th percentile under it."""
    if not len(values):
        return _NOTHING
    low, middle, high = np.quantile(values, (0.05, 0.5, 0.95)).tolist()
    under = ""
    if low != high:
        ends = (formats.number(end, metric.unit) for end in (low, high))
        under = " – ".join(ends)
    return Cell(formats.number(middle, metric.unit), middle, under)


def _mean(values: np.ndarray, metric: Metric) -> Cell:
    """Mean, and its 95 % interval under it."""
    if not len(values):
        return _NOTHING
    mean, test = float(values.mean()), t_test(values)
    if not math.isfinite(test.low):
        return Cell(formats.change(mean, metric.unit), mean)
    digits = formats.digits_within(mean, test.high - test.low)
    return Cell(
        formats.change(mean, metric.unit, digits),
        mean,
        formats.interval(test.low, test.high, metric.unit),
    )
