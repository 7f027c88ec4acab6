"""The page itself: tables, provenance and the packed charts, in one HTML file."""

import base64
import gzip
import json
import math
import shlex
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple

import jinja2
import numpy as np
import yaml

from experiments.report import findings, formats
from experiments.report.curves import Curves, read_curves
from experiments.report.differences import Comparison, compare
from experiments.report.panels import SHOWN_SERIES
from experiments.report.payload import page_data
from experiments.report.rundir import RunDirectory, read_run_directory
from experiments.report.vocabulary import Metric, sentence_case

MAX_CHARTED = 9  # metrics with an interval chart and a distribution
MAX_TABLED = 6  # metrics in the table of differences
REJECT = "reject_"  # columns that count refusals by their reason
MAX_ROOTS = 2_000  # state roots listed; the rest are in runs.parquet


class Fact(NamedTuple):
    """One figure of the strip at the top."""

    figure: str
    label: str
    good: bool | None = None


class Cell(NamedTuple):
    """A table cell: what it shows, what it sorts by, and what stands under it."""

    text: str
    order: float | str
    under: str = ""
    faint: bool = False


def _agents(manifest: dict[str, Any]) -> int:
    if manifest.get("agents"):
        return int(manifest["agents"])
    populations = (manifest.get("config") or {}).get("populations") or {}
    counts = [p.get("count", 0) for p in populations.values() if isinstance(p, dict)]
    return int(sum(counts))


def _facts(directory: RunDirectory) -> list[Fact]:
    manifest, error = directory.manifest, directory.worst_conservation_error
    _, counts = np.unique(directory.runs["point"].to_numpy(), return_counts=True)
    seeds = int(counts.max())
    simulated = manifest.get("blocks", 0) * manifest.get("block_s", 0)
    agents = _agents(manifest)
    facts = [
        Fact(f"{len(directory.runs):,}", "run" if len(directory.runs) == 1 else "runs"),
        Fact(
            f"{len(directory.points):,}",
            "point" if len(directory.points) == 1 else "points of the sweep",
        ),
        Fact(f"{seeds:,}", "seed a point" if seeds == 1 else "seeds a point"),
    ]
    if agents:
        facts.append(Fact(f"{agents:,}", "agents in each run"))
    if simulated:
        facts.append(Fact(formats.span(simulated), "simulated in each run"))
    if manifest.get("wall_s"):
        facts.append(Fact(formats.span(manifest["wall_s"]), "to compute it all"))
    text = "0" if error == 0 else f"{error:,}"
    facts.append(Fact(text, "quanta created or lost, worst run", error == 0))
    return facts


def _notices(directory: RunDirectory, curves: Curves) -> list[str]:
    """What a reader must know before trusting the page."""
    manifest, runs = directory.manifest, directory.runs
    notices = []
    if manifest.get("status", "complete") != "complete":
        notices.append(f"The experiment is {manifest['status']}: some runs are absent.")
    if manifest.get("failures"):
        count = len(manifest["failures"])
        notices.append(f"{formats.plural(count, 'shard')} failed; see the manifest.")
    if directory.worst_conservation_error:
        worst = runs.loc[runs["conservation_error"].abs().idxmax()]
        notices.append(
            f"Money was created or lost: point {worst['point']}, run {worst['run']}."
        )
    flags = runs["status"].to_numpy() if "status" in runs else np.zeros(0)
    flagged = int(np.count_nonzero(flags))
    if flagged:
        verb = "carries" if flagged == 1 else "carry"
        notices.append(f"{formats.plural(flagged, 'run')} {verb} a status flag.")
    if curves.left_out:
        kept = len(curves.values)
        notices.append(
            f"Series are shown for {kept:,} of {kept + len(curves.left_out):,} points, "
            "evenly chosen, to keep the page small; all are in series.parquet."
        )
    return notices


def _charted(directory: RunDirectory) -> list[Metric]:
    """Main metrics that are not the same in every run; never none if there are any."""
    runs, metrics = directory.runs, list(directory.metrics.values())
    moving = [m for m in metrics if _moves(runs[m.name].to_numpy(np.float64))]
    return (moving or metrics)[:MAX_CHARTED]


def _moves(values: np.ndarray) -> bool:
    finite = values[np.isfinite(values)]
    return len(finite) > 0 and bool(np.ptp(finite) > 0)


def _difference_table(
    directory: RunDirectory, comparison: Comparison, metrics: list[Metric]
) -> list[list[Cell]]:
    rows = []
    for row in comparison.rows:
        value = findings.value_label(directory, comparison, row)
        cells = [Cell(value, row.value)]
        if len(comparison.strata) > 1:
            cells.append(Cell(comparison.strata[row.stratum], str(row.stratum)))
        for metric in metrics:
            found = row.differences.get(metric.name)
            if found is None:
                cells.append(Cell("–", -math.inf))
                continue
            under = ""
            if found.low is not None:
                under = formats.interval(found.low, found.high, metric.unit)
            if found.higher == 0 and found.lower == 0:
                under = "same in every pair"
            text = formats.change(found.mean, metric.unit)
            cells.append(Cell(text, found.mean, under, not found.settled))
        rows.append(cells)
    return rows


def _point_table(directory: RunDirectory, metrics: list[Metric]) -> list[list[Cell]]:
    points = directory.runs["point"].to_numpy(np.int64)
    table = []
    for point in directory.points:
        cells = [
            Cell(axis.labels[place], place)
            for axis, place in zip(directory.axes, point.place, strict=True)
        ] or [Cell(point.label, 0)]
        here = points == point.index
        seeds = int(np.count_nonzero(here))
        cells.append(Cell(str(seeds), seeds))
        for metric in metrics:
            values = directory.runs[metric.name].to_numpy(np.float64)[here]
            cells.append(_quantile_cell(values[np.isfinite(values)], metric))
        table.append(cells)
    return table


def _refused(directory: RunDirectory) -> list[Metric]:
    """Reasons of refusals that some run had, the most frequent first."""
    reasons = [m for name, m in directory.metrics.items() if name.startswith(REJECT)]
    totals = {
        m.name: float(np.nansum(directory.runs[m.name].to_numpy(np.float64)))
        for m in reasons
    }
    reasons.sort(key=lambda m: -totals[m.name])
    return [m for m in reasons if totals[m.name] > 0]


def _quantile_cell(values: np.ndarray, metric: Metric) -> Cell:
    """Median, and the 5th and 95th percentile under it."""
    if not len(values):
        return Cell("–", -math.inf)
    low, middle, high = np.quantile(values, (0.05, 0.5, 0.95)).tolist()
    under = ""
    if low != high:
        ends = (formats.number(end, metric.unit) for end in (low, high))
        under = " – ".join(ends)
    return Cell(formats.number(middle, metric.unit), middle, under)


def _roots(directory: RunDirectory) -> list[tuple[int, int, Any, str]]:
    rows = directory.runs.sort_values(["point", "run"]).head(MAX_ROOTS)
    seeds = rows["seed"] if "seed" in rows else rows["run"]
    columns = (rows["point"], rows["run"], seeds, rows["state_root"])
    return list(zip(*columns, strict=True))


def _packed(text: str) -> str:
    """Text as base64 of gzip: the page inflates it; equal text, equal bytes."""
    packed = gzip.compress(text.encode("utf-8"), compresslevel=9, mtime=0)
    return base64.b64encode(packed).decode("ascii")


def _plotly() -> str:
    """The plotly.js of the installed plotly."""
    from plotly.offline import get_plotlyjs

    return get_plotlyjs()


def _asset(name: str) -> str:
    folder = resources.files("experiments") / "templates"
    return (folder / name).read_text(encoding="utf-8")


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_asset),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters["sentence"] = sentence_case
    environment.globals["asset"] = _asset
    return environment


def _provenance(directory: RunDirectory) -> list[tuple[str, str]]:
    manifest = directory.manifest
    git = manifest.get("git") or {}
    revision = git.get("revision") or ""
    versions = manifest.get("versions") or {}
    facts = {
        "Root of roots": directory.root_of_roots,
        "Configuration": f"sha256 {manifest.get('config_hash', '')}",
        "Seed": str(manifest.get("seed", "")),
        "Source": revision + (" with local changes" if git.get("dirty") else ""),
        "Device": str(manifest.get("device") or ""),
        "Platform": " · ".join(
            str(manifest[key]) for key in ("platform", "python") if manifest.get(key)
        ),
        "Versions": ", ".join(f"{name} {v}" for name, v in versions.items()),
        "Started": str(manifest.get("started") or ""),
    }
    return [(name, value) for name, value in facts.items() if value.strip()]


def _command(manifest: dict[str, Any]) -> str:
    """The command line that made the run, quoted for a shell."""
    command = manifest.get("command") or ""
    return command if isinstance(command, str) else shlex.join(command)


def _context(directory: RunDirectory) -> dict[str, Any]:
    curves = read_curves(directory, SHOWN_SERIES)
    charted = _charted(directory)
    comparisons = [
        compare(directory, axis, [m.name for m in charted])
        for axis, values in enumerate(directory.axes)
        if len(values.values) > 1
    ]
    comparisons = [c for c in comparisons if c.rows]
    comparisons.sort(key=lambda c: c.axis != directory.fault_axis)
    tabled, refused = charted[:MAX_TABLED], _refused(directory)
    data = page_data(directory, curves, comparisons, charted)
    config = directory.manifest.get("config") or {}
    return {
        "name": directory.manifest.get("name") or directory.path.name,
        "headline": findings.headline(
            directory, next(iter(comparisons), None), directory.metrics
        ),
        "facts": _facts(directory),
        "notices": _notices(directory, curves),
        "comparisons": [
            {
                "axis": directory.axes[c.axis].label,
                "heading": findings.heading(directory, c),
                "base": findings.base_label(directory, c),
                "stratified": len(c.strata) > 1,
                "rows": _difference_table(directory, c, tabled),
            }
            for c in comparisons
        ],
        "tabled": tabled,
        "charted": charted,
        "points": _point_table(directory, charted),
        "refused": refused,
        "refusals": _point_table(directory, refused),
        "axes": [axis.label for axis in directory.axes] or ["point"],
        "has_curves": bool(data["panels"]),
        "side_by_side": bool(data["sideBySide"]) and bool(data["panels"]),
        "has_seeds": len(directory.runs) > 1,
        "checks": directory.checks,
        "provenance": _provenance(directory),
        "command": _command(directory.manifest),
        "config": yaml.safe_dump(config, sort_keys=False, allow_unicode=True),
        "roots": _roots(directory),
        "rooted": formats.plural(len(directory.runs), "run"),
        "all_runs": len(directory.runs),
        "data": _packed(json.dumps(data, allow_nan=False, separators=(",", ":"))),
        "plotly": _packed(_plotly()),
    }


def write_report(run_dir: Path) -> Path:
    """Write `report.html` into a run directory; the same results, the same bytes.

    Args:
        run_dir: what `shakeout run` wrote: manifest.json, runs.parquet and, where
            kept, series.parquet and checks.json.

    Returns:
        Path of the page. It needs no network and no other file.

    Raises:
        ReportError: the directory lacks what a report needs.
    """
    directory = read_run_directory(Path(run_dir))
    page = _environment().get_template("report.html.j2").render(_context(directory))
    target = directory.path / "report.html"
    part = target.with_suffix(".html.part")
    part.write_text(page, encoding="utf-8")
    part.replace(target)
    return target
