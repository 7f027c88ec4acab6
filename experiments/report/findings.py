"""What the paired comparison found, in one line each: titles made of numbers."""

from typing import NamedTuple

import numpy as np

from experiments.report.differences import Comparison, Difference, Row
from experiments.report.formats import THIN, change, interval, number, plural
from experiments.report.rundir import RunDirectory
from experiments.report.vocabulary import Metric, sentence_case

# A headline takes the first of these that a change moved beyond chance.
_HEADLINE_METRICS = (
    "bad_debt",
    "liquidation_loss",
    "deleveraging_loss",
    "insurance_paid",
    "liquidated_notional",
    "liquidations",
    "inclusion_p95_us",
)

CONFIDENCE = f"95{THIN}%"  # of every interval, see `differences`


class Finding(NamedTuple):
    """A title and the sentence under it."""

    title: str
    detail: str


def _moved(metric: Metric, mean: float) -> str:
    """`$2.94M more bad debt`, `p95 inclusion time up 110 s`."""
    size = number(abs(mean), metric.unit)
    if metric.unit in ("USD", "count"):
        return f"{size} {'more' if mean > 0 else 'less'} {metric.label}"
    return f"{metric.label} {'up' if mean > 0 else 'down'} {size}"


def _under(directory: RunDirectory, comparison: Comparison, row: Row) -> str:
    """` under first come, first served`, or nothing where there is one stratum."""
    if len(comparison.strata) < 2:
        return ""
    return f" under {comparison.strata[row.stratum]}"


def value_label(directory: RunDirectory, comparison: Comparison, row: Row) -> str:
    """The value of a row in words, with the axis' name where it is a number."""
    axis = directory.axes[comparison.axis]
    value = axis.values[row.value]
    label = axis.labels[row.value]
    return f"{axis.label} {label}" if isinstance(value, (int, float)) else label


def base_label(directory: RunDirectory, comparison: Comparison) -> str:
    """The base value in words."""
    row = Row(comparison.base, (), {})
    return value_label(directory, comparison, row)


def heading(directory: RunDirectory, comparison: Comparison) -> str:
    """What the section about an axis is called."""
    axis = directory.axes[comparison.axis]
    if comparison.axis == directory.fault_axis and "fault" in axis.label:
        return "What the faults did"
    return f"What the {axis.label} changed"


def _strongest(rows: list[Row], name: str) -> Row | None:
    """The row that moved the metric most, among those beyond chance."""
    settled = [r for r in rows if name in r.differences and r.differences[name].settled]
    return max(settled, key=lambda r: abs(r.differences[name].mean), default=None)


def _furthest(rows: list[Row], name: str) -> Row | None:
    """The row that moved the metric most, chance or not."""
    moved = [r for r in rows if name in r.differences and r.differences[name].mean]
    return max(moved, key=lambda r: abs(r.differences[name].mean), default=None)


def panel_title(
    directory: RunDirectory, comparison: Comparison, rows: list[Row], metric: Metric
) -> str:
    """Title of one metric's interval chart over some rows of a comparison."""
    label = sentence_case(metric.label)
    found = [r.differences[metric.name] for r in rows if metric.name in r.differences]
    if not found:
        return f"{label}: no pair of runs"
    if all(d.higher == 0 and d.lower == 0 for d in found):
        return f"{label}: the same in every pair"
    row, alone = _strongest(rows, metric.name), max(d.n for d in found) < 2
    if row is None and alone:
        row = _furthest(rows, metric.name)
    if row is None:
        return f"{label}: no difference beyond chance"
    by = change(row.differences[metric.name].mean, metric.unit)
    value = value_label(directory, comparison, row)
    alike = [r.differences.get(metric.name) for r in rows if r.value == row.value]
    everywhere = {change(d.mean, metric.unit) for d in alike if d is not None} == {by}
    where = "" if everywhere else _under(directory, comparison, row)
    return f"{label}: {by} with {value}{where}{', on one seed' if alone else ''}"


def _seeds(found: Difference) -> str:
    """In how many seeds the sign was the same."""
    most = max(found.higher, found.lower)
    way = "higher" if found.higher >= found.lower else "lower"
    return f"{way} in {most} of {plural(found.n, 'seed')}"


def headline(
    directory: RunDirectory, comparison: Comparison | None, metrics: dict[str, Metric]
) -> Finding:
    """The strongest finding of the experiment, for the top of the page."""
    if comparison is None or not any(row.differences for row in comparison.rows):
        return _lone_headline(directory, metrics)
    seeds = max(d.n for r in comparison.rows for d in r.differences.values())
    choose = _strongest if seeds > 1 else _furthest
    for name in _HEADLINE_METRICS:
        row = choose(list(comparison.rows), name) if name in metrics else None
        if row is not None:
            return _headline_of(directory, comparison, row, metrics[name])
    axis = directory.axes[comparison.axis].label
    return Finding(
        f"No {axis} moved the losses" + (" beyond chance" if seeds > 1 else ""),
        f"Compared over {plural(seeds, 'paired seed')}, against "
        f"{base_label(directory, comparison)}.",
    )


def _headline_of(
    directory: RunDirectory, comparison: Comparison, row: Row, metric: Metric
) -> Finding:
    found = row.differences[metric.name]
    value = sentence_case(value_label(directory, comparison, row))
    where = _under(directory, comparison, row)
    base, other = (number(n, metric.unit) for n in (found.base, found.other))
    calm = base_label(directory, comparison)
    if found.low is None:
        detail = f"{base} with {calm}, {other} here: one seed, so no interval."
        return Finding(f"{value}: {_moved(metric, found.mean)}{where}", detail)
    detail = (
        f"The same seeds with {calm} end at {base} on average, here at {other}: "
        f"{_seeds(found)}, "
        f"{CONFIDENCE} interval of the difference "
        f"{interval(found.low, found.high, metric.unit)}."
    )
    mildest = _mildest(comparison, row, metric)
    if mildest is not None:
        other = mildest.differences[metric.name]
        by = change(other.mean, metric.unit) if other.mean else "no change"
        doubt = "" if other.settled or not other.mean else ", not beyond chance"
        detail += f" Under {comparison.strata[mildest.stratum]} it is {by}{doubt}."
    return Finding(f"{value}: {_moved(metric, found.mean)}{where}", detail)


def _mildest(comparison: Comparison, row: Row, metric: Metric) -> Row | None:
    """The stratum in which the same change did least."""
    others = [
        r
        for r in comparison.rows
        if r.value == row.value and r is not row and metric.name in r.differences
    ]
    return min(others, key=lambda r: abs(r.differences[metric.name].mean), default=None)


def _lone_headline(directory: RunDirectory, metrics: dict[str, Metric]) -> Finding:
    """For an experiment with nothing to compare: what its median run came to."""
    parts = []
    for name in ("liquidations", "liquidation_loss", "bad_debt"):
        if name in metrics:
            middle = float(np.nanmedian(directory.runs[name].to_numpy(np.float64)))
            if name == "bad_debt" and middle == 0:
                parts.append("no bad debt")
                continue
            text = number(middle, metrics[name].unit)
            of = "of " if metrics[name].unit == "USD" else ""
            parts.append(f"{text} {of}{metrics[name].label}")
    runs = len(directory.runs)
    if not parts:
        name = directory.manifest.get("name", "One experiment")
        return Finding(f"{name}: {plural(runs, 'run')}", "")
    text = ", ".join(parts[:-1]) + " and " + parts[-1] if parts[1:] else parts[0]
    whose = "The median of all runs." if runs > 1 else "One run, so no intervals."
    return Finding(sentence_case(text), whose)
