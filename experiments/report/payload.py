"""What the charts of the page draw: plain data, one JSON object."""

from typing import Any

import numpy as np

from experiments.report import findings, formats
from experiments.report.bounds import full_points, reached
from experiments.report.curves import Curves, packed
from experiments.report.differences import Comparison, Difference, Row
from experiments.report.panel_titles import HIGH, Sample
from experiments.report.panels import PANELS, Panel, compared, statistic, title
from experiments.report.rundir import RunDirectory
from experiments.report.spreads import distributions
from experiments.report.vocabulary import Metric, unit_of


def _figures(found: Difference, metric: Metric) -> list[float | int | str | None]:
    """What a row of an interval chart draws and says of a difference.

    Mean, both ends, base and other to seven digits; pairs, seeds higher and lower; 1
    where it is beyond chance; its size and its interval in words.
    """
    numbers = [found.mean, found.low, found.high, found.base, found.other]
    short = [None if n is None else float(f"{n:.7g}") for n in numbers]
    words = [
        formats.change(found.mean, metric.unit, found.digits),
        formats.interval(found.low, found.high, metric.unit),
    ]
    return [*short, found.n, found.higher, found.lower, int(found.settled), *words]


def comparison_data(
    directory: RunDirectory, comparison: Comparison, metrics: list[Metric]
) -> dict[str, Any]:
    """One comparison: rows of differences, and titles for all strata and for each."""
    strata = list(comparison.strata)
    rows = [
        {
            "value": row.value,
            "stratum": strata.index(row.stratum),
            "found": {
                m.name: _figures(row.differences[m.name], m)
                for m in metrics
                if m.name in row.differences
            },
        }
        for row in comparison.rows
    ]
    return {
        "axis": comparison.axis,
        "base": comparison.base,
        "strata": list(comparison.strata.values()),
        "rows": rows,
        "titles": {m.name: _titles(directory, comparison, m) for m in metrics},
    }


def _titles(
    directory: RunDirectory, comparison: Comparison, metric: Metric
) -> list[str]:
    """The title over all strata, then over each of them."""
    choices: list[list[Row]] = [list(comparison.rows)]
    for stratum in comparison.strata:
        choices.append([r for r in comparison.rows if r.stratum == stratum])
    return [
        findings.panel_title(directory, comparison, rows, metric) for rows in choices
    ]


def _sample(curves: Curves, point: int, market: str) -> Sample:
    """The curves of a point as one market sees them, market-less ones included."""
    suffix = f".{market}"
    seen = {
        name.removesuffix(suffix): quantiles
        for name, quantiles in curves.values[point].items()
        if "." not in name or name.endswith(suffix)
    }
    return Sample(curves.times[curves.grid[point]], seen, market)


def _unit(directory: RunDirectory, panel: Panel) -> str:
    """The panel's unit, else the stated one of its first series."""
    name = panel.series[0][0]
    stated = (directory.manifest.get("series") or {}).get(name) or {}
    return panel.unit or unit_of(name, stated.get("unit"))


def _panel_markets(directory: RunDirectory, panel: Panel) -> list[str]:
    return directory.markets if panel.per_market and directory.markets else [""]


def _panel_key(panel: Panel, market: str) -> str:
    return f"{panel.key}.{market}" if market else panel.key


def _point_titles(
    directory: RunDirectory, curves: Curves, shown: tuple[Panel, ...]
) -> dict[int, dict[str, str]]:
    """Point -> panel and market -> the finding."""
    titles: dict[int, dict[str, str]] = {}
    bounded = {panel.key: full_points(directory, panel.key) for panel in shown}
    for point in curves.values:
        titles[point] = {}
        for panel in shown:
            for market in _panel_markets(directory, panel):
                unit = _unit(directory, panel)
                found = title(panel, _sample(curves, point, market), unit)
                if found is not None:
                    full = point in bounded[panel.key]
                    found += ", all that there is room for" if full else ""
                    titles[point][_panel_key(panel, market)] = found
    return titles


def _side_by_side_titles(
    directory: RunDirectory, curves: Curves, shown: tuple[Panel, ...], axis: int
) -> dict[str, dict[str, str]]:
    """Stratum -> panel and market -> what differs along the axis."""
    base = directory.axes[axis].labels[directory.base_of(axis)]
    groups: dict[str, dict[str, int]] = {}
    for point in directory.points:
        if point.index in curves.values:
            rest = [*point.place[:axis], *point.place[axis + 1 :]]
            label = directory.axes[axis].labels[point.place[axis]]
            stratum = ",".join(str(place) for place in rest)
            groups.setdefault(stratum, {})[label] = point.index
    titles: dict[str, dict[str, str]] = {}
    for stratum, points in groups.items():
        titles[stratum] = {}
        for panel in shown:
            for market in _panel_markets(directory, panel):
                figures = {
                    label: statistic(panel, _sample(curves, point, market))
                    for label, point in points.items()
                }
                known = {k: v for k, v in figures.items() if v is not None}
                if base in known:
                    key = _panel_key(panel, market)
                    unit = _unit(directory, panel)
                    titles[stratum][key] = compared(panel, unit, known, base)
    return titles


def _panel_data(
    directory: RunDirectory, panel: Panel, names: set[str]
) -> dict[str, Any]:
    return {
        "key": panel.key,
        "question": panel.question,
        "note": panel.note,
        "bounds": reached(directory, panel.key),
        "noun": panel.noun,
        "series": [s for s in panel.series if s[0] in names],
        "unit": _unit(directory, panel),
        "perMarket": panel.per_market,
        "band": list(panel.band),
        "zero": panel.zero,
    }


def _halted_spans(curves: Curves, point: int) -> list[list[Any]]:
    """Times in which some run's sequencer stood, where no fault was scheduled.

    The series counts blocks that were not made, so it climbs during a halt.
    """
    halted = curves.values.get(point, {}).get("halted")
    if halted is None:
        return []
    times = curves.times[curves.grid[point]]
    climbs = np.diff(np.nan_to_num(halted[HIGH])) > 0
    at = np.flatnonzero(np.r_[climbs, False] | np.r_[False, climbs])
    groups = np.split(at, np.flatnonzero(np.diff(at) > 1) + 1) if at.size else []
    return [
        ["halted in some runs", float(times[g[0]]), float(times[g[-1]])] for g in groups
    ]


def _point_data(directory: RunDirectory, curves: Curves) -> list[dict[str, Any]]:
    return [
        {
            "id": point.index,
            "label": point.label,
            "place": point.place,
            "windows": [[w.label, w.start_s, w.end_s] for w in point.windows]
            or _halted_spans(curves, point.index),
        }
        for point in directory.points
    ]


def _caveats(directory: RunDirectory, metric: Metric) -> list[str]:
    """How finely a measure is known, where that is no single unit, and what cut it."""
    known = formats.number(metric.resolution, metric.unit)
    precision = [f"known to {known}"] if metric.resolution > 1 else []
    return precision + reached(directory, measure=metric.name)


def page_data(
    directory: RunDirectory,
    curves: Curves,
    comparisons: list[Comparison],
    metrics: list[Metric],
    profits: list[Metric],
) -> dict[str, Any]:
    """Everything that the page's charts are drawn from; finite numbers only."""
    names = {name.split(".")[0] for some in curves.values.values() for name in some}
    shown = tuple(
        panel for panel in PANELS if any(name in names for name, _, _ in panel.series)
    )
    axis = directory.fault_axis
    return {
        "axes": [
            {"name": a.name, "label": a.label, "labels": a.labels}
            for a in directory.axes
        ],
        "faultAxis": axis,
        "base": None if axis is None else directory.base_of(axis),
        "markets": directory.markets,
        "metrics": {
            m.name: m._asdict() | {"bounds": _caveats(directory, m)} for m in metrics
        },
        "profits": {m.name: m._asdict() | {"bounds": []} for m in profits},
        "points": _point_data(directory, curves),
        "comparisons": [
            comparison_data(directory, c, [*metrics, *profits]) for c in comparisons
        ],
        "panels": [_panel_data(directory, panel, names) for panel in shown],
        "times": [np.round(t, 3).tolist() for t in curves.times],
        "grid": curves.grid,
        "curves": {
            point: {name: packed(q) for name, q in some.items() if name != "halted"}
            for point, some in curves.values.items()
        },
        "titles": _point_titles(directory, curves, shown),
        "sideBySide": {}
        if axis is None
        else _side_by_side_titles(directory, curves, shown, axis),
        "distributions": distributions(directory, metrics),
    }
