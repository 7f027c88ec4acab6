"""What the paired comparison found, in one line each: titles made of numbers."""

from typing import NamedTuple

import numpy as np

from experiments.report.differences import Comparison, Difference, Row
from experiments.report.formats import (
    THIN,
    change,
    interval,
    number,
    plural,
    share,
)
from experiments.report.rundir import RunDirectory
from experiments.report.vocabulary import Metric, sentence_case

#: What users of a venue fear, the worst first. A headline is about the first of these
#: that differs in some pair of runs, unless the config's `report.headline` names one.
HEADLINE_ORDER = (
    "bad_debt",
    "deleveraging_loss",
    "liquidation_loss",
    "insurance_paid",
    "deleveraged",
    "liquidated_notional",
    "liquidations",
    "withdrawal_delay_us",
    "inclusion_p95_us",
)

CONFIDENCE = f"95{THIN}%"  # of every interval, see `differences`


class Finding(NamedTuple):
    """A title and the sentence under it."""

    title: str
    detail: str


def _moved(metric: Metric, found: Difference) -> str:
    """`$2.94M more bad debt`, `p95 inclusion time up 110 s`."""
    size = number(abs(found.mean), metric.unit, found.digits)
    if metric.unit in ("USD", "count"):
        fewer = "less" if metric.unit == "USD" else "fewer"
        return f"{size} {'more' if found.mean > 0 else fewer} {metric.label}"
    return f"{metric.label} {'up' if found.mean > 0 else 'down'} {size}"


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
    if all(d.still for d in found):
        return f"{label}: the same in every pair"
    row, alone = _strongest(rows, metric.name), max(d.n for d in found) < 2
    if row is None and alone:
        row = _furthest(rows, metric.name)
    if row is None:
        return f"{label}: no difference beyond chance"
    best = row.differences[metric.name]
    by = sized_change(best, metric)
    value = value_label(directory, comparison, row)
    alike = [r.differences.get(metric.name) for r in rows if r.value == row.value]
    everywhere = {change(d.mean, metric.unit) for d in alike if d is not None} == {
        change(best.mean, metric.unit)
    }
    where = "" if everywhere else _under(directory, comparison, row)
    return f"{label}: {by} with {value}{where}{', on one seed' if alone else ''}"


def sized_change(found: Difference, metric: Metric) -> str:
    """A difference with its share of the base, `+$2.9M (+310 %)`."""
    part = share(found.mean, found.base) if found.mean else ""
    by = change(found.mean, metric.unit, found.digits)
    return f"{by} ({part})" if part else by


def _seeds(found: Difference) -> str:
    """In how many seeds the sign was the same."""
    most = max(found.higher, found.lower)
    way = "higher" if found.higher >= found.lower else "lower"
    return f"{way} in {most} of {plural(found.n, 'seed')}"


def headline_measure(
    directory: RunDirectory, comparison: Comparison, metrics: dict[str, Metric]
) -> tuple[Metric | None, bool]:
    """What the headline is about, by a rule that looks at no size; whether one asked.

    The config's `report.headline`; else the first of `HEADLINE_ORDER` that differs in
    some pair of runs.
    """
    config = directory.manifest.get("config") or {}
    asked = (config.get("report") or {}).get("headline")
    if asked in metrics:
        return metrics[asked], True
    for name in HEADLINE_ORDER:
        found = [row.differences.get(name) for row in comparison.rows]
        if name in metrics and any(d is not None and not d.still for d in found):
            return metrics[name], False
    return None, False


def headline(
    directory: RunDirectory, comparison: Comparison | None, metrics: dict[str, Metric]
) -> Finding:
    """The comparison at the top of the page: what, against what, and how much of it."""
    if comparison is None or not any(row.differences for row in comparison.rows):
        return _lone_headline(directory, metrics)
    metric, asked = headline_measure(directory, comparison, metrics)
    row = _furthest(list(comparison.rows), metric.name) if metric else None
    if metric is None or row is None:
        what = metric.label if metric else "the losses"
        axis = directory.axes[comparison.axis].label
        seeds = max(d.n for r in comparison.rows for d in r.differences.values())
        return Finding(
            f"No {axis} moved {what}",
            f"The same in all of {plural(seeds, 'paired seed')}, against "
            f"{base_label(directory, comparison)}.",
        )
    return _headline_of(directory, comparison, row, metric, asked)


def _headline_of(
    directory: RunDirectory,
    comparison: Comparison,
    row: Row,
    metric: Metric,
    asked: bool,
) -> Finding:
    found = row.differences[metric.name]
    value = sentence_case(value_label(directory, comparison, row))
    where = _under(directory, comparison, row)
    calm = base_label(directory, comparison)
    part = share(found.mean, found.base) or f"from {number(0, metric.unit)}"
    size = f" ({part})"
    title = f"{value}: {_moved(metric, found)} than {calm}{size}{where}"
    if found.low is not None and not found.settled:
        label, by = sentence_case(metric.label), sized_change(found, metric)
        most = f"most with {value_label(directory, comparison, row)}{where}, {by}"
        title = f"{label}: no difference from {calm} beyond chance; {most}"
    base, other = (number(n, metric.unit) for n in (found.base, found.other))
    if found.low is None:
        detail = f"{base} with {calm}, {other} here: one seed, so no interval."
    else:
        detail = (
            f"The same seeds with {calm} end at {base} on average, with "
            f"{value_label(directory, comparison, row)} at {other}: "
            f"{_seeds(found)}, {CONFIDENCE} interval of the difference "
            f"{interval(found.low, found.high, metric.unit)}."
        )
    detail += _mildest(comparison, row, metric)
    return Finding(title, detail + _rule(comparison, metric, asked))


def _rule(comparison: Comparison, metric: Metric, asked: bool) -> str:
    """By what rule the headline was chosen."""
    compared = sum(metric.name in row.differences for row in comparison.rows)
    why = (
        "the measure that report.headline names"
        if asked
        else "the first loss of a fixed order that differs between runs"
    )
    text = f" The headline is about {metric.label}, {why}"
    if compared > 1:
        text += f", at the largest of its {compared} differences"
    return text + "."


def _mildest(comparison: Comparison, row: Row, metric: Metric) -> str:
    """What the same change did in the stratum in which it did least, as a sentence."""
    others = [
        r
        for r in comparison.rows
        if r.value == row.value and r is not row and metric.name in r.differences
    ]
    if not others:
        return ""
    mildest = min(others, key=lambda r: abs(r.differences[metric.name].mean))
    found = mildest.differences[metric.name]
    by = sized_change(found, metric) if found.mean else "no change"
    doubt = "" if found.settled or not found.mean else ", not beyond chance"
    return f" Under {comparison.strata[mildest.stratum]} it is {by}{doubt}."


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
