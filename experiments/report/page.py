"""The page itself: tables, provenance and the packed charts, in one HTML file."""

import base64
import gzip
import json
import shlex
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple

import jinja2
import numpy as np
import yaml

from experiments.report import findings, formats, measures, notices, tables
from experiments.report.curves import read_curves
from experiments.report.differences import Comparison, compare
from experiments.report.panels import SHOWN_SERIES
from experiments.report.payload import page_data
from experiments.report.rundir import RunDirectory, read_run_directory
from experiments.report.vocabulary import Metric, sentence_case
from experiments.results import files
from experiments.results.leftovers import REPORT_MARK

MAX_TABLED = 6  # metrics in the table of differences
MAX_ROOTS = 2_000  # state roots listed; the rest are in runs.parquet


class Fact(NamedTuple):
    """One figure of the strip at the top."""

    figure: str
    label: str
    good: bool | None = None


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
    return command if isinstance(command, str) else shlex.join(map(str, command))


def _compared(directory: RunDirectory, metrics: list[Metric]) -> list[Comparison]:
    """A comparison for each axis, that of the faults first."""
    comparisons = [
        compare(directory, axis, [m.name for m in metrics])
        for axis, values in enumerate(directory.axes)
        if len(values.values) > 1
    ]
    comparisons = [c for c in comparisons if c.rows]
    comparisons.sort(key=lambda c: c.axis != directory.fault_axis)
    return comparisons


def _section(
    directory: RunDirectory, comparison: Comparison, shown: list[Metric], every
) -> dict[str, Any]:
    """The texts and tables of one comparison."""
    return {
        "axis": directory.axes[comparison.axis].label,
        "heading": findings.heading(directory, comparison),
        "base": findings.base_label(directory, comparison),
        "stratified": len(comparison.strata) > 1,
        "family": comparison.family,
        "rows": tables.differences(directory, comparison, shown),
        "every": tables.every_measure(directory, comparison, every),
    }


def _undrawn(charted: list[Metric], drawn: int) -> str:
    """The measures whose spread over the seeds found no room on the page."""
    return ", ".join(metric.label for metric in charted[drawn:])


def _context(directory: RunDirectory) -> dict[str, Any]:
    curves = read_curves(directory, SHOWN_SERIES)
    measured, earned = measures.compared(directory), measures.profits(directory)
    every = [*measured, *(m for m in earned if m not in measured)]
    comparisons = _compared(directory, every)
    charted = measures.charted(measured, comparisons)
    tabled, refused = charted[:MAX_TABLED], measures.refused(directory)
    turned = measures.turned_away(directory)
    data = page_data(directory, curves, comparisons, charted, earned)
    config = directory.manifest.get("config") or {}
    return {
        "identity": REPORT_MARK.format(directory.manifest["config_hash"]),
        "name": directory.manifest.get("name") or directory.path.name,
        "headline": findings.headline(
            directory, next(iter(comparisons), None), directory.metrics
        ),
        "facts": _facts(directory),
        "alarms": notices.alarms(directory),
        "warnings": notices.warnings(directory, curves),
        "comparisons": [_section(directory, c, tabled, every) for c in comparisons],
        "tabled": tabled,
        "charted": charted,
        "points": tables.points(directory, charted),
        "earned": earned,
        "earnings": tables.earnings(directory, earned),
        "refused": refused,
        "refusals": tables.points(directory, refused),
        "turned": turned,
        "turned_away": tables.points(directory, turned),
        "axes": [axis.label for axis in directory.axes] or ["point"],
        "sampling": notices.sampling(directory, curves),
        "undrawn": _undrawn(charted, len(data["distributions"])),
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
    files.write_bytes(target, page.encode())
    return target
