"""What the report reads from a run directory, checked once at the door."""

import hashlib
import json
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from experiments.config.errors import ConfigError
from experiments.config.files import read_json
from experiments.report import vocabulary
from experiments.results import parquet
from experiments.results.leftovers import CHECKS
from experiments.results.manifest_file import MOST_BYTES
from experiments.results.parts import RUNS, SERIES
from experiments.results.store import Store

_ID_COLUMNS = ("point", "run", "seed", "state_root", "status", "conservation_error")


class ReportError(Exception):
    """The run directory lacks something without which there is no report."""


@dataclass(frozen=True)
class Window:
    """A fault at work from `start_s` to `end_s`, seconds since the run's start.

    Of a random fault it is the expected window: each run draws its own.
    """

    kind: str
    start_s: float
    end_s: float
    random: bool = False
    title: str = ""

    @property
    def label(self) -> str:
        """What stands over the shade: the title that the kind of fault has given."""
        title = self.title or vocabulary.humanise(self.kind)
        return title + (", expected" if self.random else "")


@dataclass(frozen=True)
class Axis:
    """One axis of the sweep: its values in the order of the points."""

    name: str
    values: tuple[Any, ...]
    titles: dict[str, str] = field(default_factory=dict)  # of kinds of faults
    alone: bool = True  # no other axis ends in the same word

    @property
    def label(self) -> str:
        """The axis in words: the last of its key, or all where another ends alike."""
        words = vocabulary.humanise(self.name)
        return words if self.alone else self.name.replace("_", " ").replace(".", " ")

    @property
    def labels(self) -> tuple[str, ...]:
        """Its values in words; as they are written where two would read the same."""
        words = tuple(
            self.titles.get(str(value)) or vocabulary.value_in_words(value)
            for value in self.values
        )
        alike = len({word.casefold() for word in words}) < len(words)
        return tuple(map(str, self.values)) if alike else words


@dataclass(frozen=True)
class Point:
    """One point of the sweep; `place[i]` is its position on axis i."""

    index: int
    label: str
    place: tuple[int, ...]
    windows: tuple[Window, ...]


@dataclass(frozen=True)
class RunDirectory:
    """Manifest, rows and series of one experiment."""

    path: Path
    manifest: dict[str, Any]
    runs: pd.DataFrame
    axes: tuple[Axis, ...]
    points: tuple[Point, ...]
    checks: list[dict[str, Any]]

    @cached_property
    def metrics(self) -> dict[str, vocabulary.Metric]:
        """Numeric result columns, the main ones first, each with its resolution."""
        described = self.manifest.get("columns") or {}
        skip = {*_ID_COLUMNS, *(axis.name for axis in self.axes)}
        names = [
            name
            for name in self.runs.columns
            if name not in skip
            and pd.api.types.is_numeric_dtype(self.runs[name])
            and np.isfinite(self.runs[name].to_numpy(np.float64)).any()
        ]
        main = {name: i for i, name in enumerate(vocabulary.MAIN_METRICS)}
        names.sort(key=lambda name: main.get(name, len(main)))
        return {name: self._metric(name, described.get(name)) for name in names}

    def _metric(self, name: str, info: dict[str, Any] | None) -> vocabulary.Metric:
        """A metric; where a column tells its error, that is its resolution."""
        metric = vocabulary.metric(name, info)
        error = f"{name.removesuffix('_us')}_error_us"
        if error in self.runs:
            widest = float(np.nanmax(self.runs[error].to_numpy(np.float64)))
            metric = metric._replace(resolution=max(widest, metric.resolution))
        return metric

    @cached_property
    def fault_axis(self) -> int | None:
        """The axis along which the faults differ; the first axis if none does."""
        if not self.axes:
            return None
        named = [i for i, axis in enumerate(self.axes) if "fault" in axis.name.lower()]
        return next(iter(named), next(iter(self._moving_faults()), 0))

    def _moving_faults(self) -> list[int]:
        """Axes along which the fault windows of otherwise equal points differ."""
        moving = []
        for i in range(len(self.axes)):
            groups: dict[tuple[int, ...], set[tuple[Window, ...]]] = {}
            for point in self.points:
                rest = point.place[:i] + point.place[i + 1 :]
                groups.setdefault(rest, set()).add(point.windows)
            if any(len(group) > 1 for group in groups.values()):
                moving.append(i)
        return moving

    def base_of(self, axis: int) -> int:
        """The position that the others of an axis are compared with.

        The value named like a control, else the one without faults, else the first.
        """
        values = self.axes[axis].values
        named = [i for i, value in enumerate(values) if vocabulary.is_base(value)]
        calm = [
            i
            for i in range(len(values))
            if not any(p.windows for p in self.points if p.place[axis] == i)
        ]
        return next(iter(named), calm[0] if len(calm) == 1 else 0)

    @cached_property
    def markets(self) -> list[str]:
        """Names of the markets."""
        return [
            market if isinstance(market, str) else market["name"]
            for market in self.manifest.get("markets") or []
        ]

    @property
    def series_path(self) -> Path:
        """Where the sampled series lie, if the experiment kept any."""
        return self.path / "series.parquet"

    @cached_property
    def series_names(self) -> list[str]:
        """Columns of series.parquet that hold a series."""
        if not self.series_path.exists():
            return []
        with parquet.readable(self.series_path):
            names = pq.read_schema(self.series_path).names
        return [n for n in names if n not in ("point", "run", "block", "time_s")]

    def series_columns(self, names: list[str]) -> pd.DataFrame:
        """Some columns of series.parquet, all rows."""
        with parquet.readable(self.series_path):
            return pq.read_table(self.series_path, columns=names).to_pandas()

    @cached_property
    def root_of_roots(self) -> str:
        """SHA-256 over the state roots of all runs, by point and run."""
        rows = self.runs.sort_values(["point", "run"])
        digest = hashlib.sha256()
        for root in rows["state_root"]:
            digest.update(bytes.fromhex(str(root).removeprefix("0x")))
        return digest.hexdigest()

    @cached_property
    def worst_conservation_error(self) -> int:
        """Largest absolute conservation error of any run, quanta."""
        return int(np.abs(self.runs["conservation_error"].to_numpy()).max())


def _read_checks(path: Path, identity: str) -> list[dict[str, Any]]:
    """The outcomes of the checks; none where they were not evaluated."""
    if not path.exists():
        return []
    try:
        document = read_json(path, MOST_BYTES)
        experiment, outcomes = document["experiment"], document["checks"]
        sound = all(isinstance(o["passed"], bool) and o["check"] for o in outcomes)
    except (KeyError, TypeError) as error:
        raise ConfigError(f"{path}: is damaged ({error!r}); remove it") from None
    if not sound or experiment != identity:
        raise ConfigError(f"{path}: {parquet.of_another(str(experiment), identity)}")
    return outcomes


def _hashable(value: Any) -> Any:
    """A sweep value as a key: lists and mappings by their canonical text."""
    if isinstance(value, (list, dict)):
        return json.dumps(value, sort_keys=True)
    return value


def _windows(faults: list[dict[str, Any]]) -> tuple[Window, ...]:
    """The windows of a point's faults; a random one may state none."""
    windows = []
    for fault in faults:
        start, end = fault.get("start_s"), fault.get("end_s")
        if start is not None and end is not None and end > start:
            window = Window(str(fault["kind"]), float(start), float(end))
            random, title = bool(fault.get("random")), str(fault.get("title") or "")
            windows.append(replace(window, random=random, title=title))
    return tuple(windows)


def _sweep(manifest: dict[str, Any]) -> tuple[tuple[Axis, ...], tuple[Point, ...]]:
    entries = manifest.get("points") or [{"point": 0, "label": "", "axes": {}}]
    names = list(manifest.get("axes") or [])
    values: dict[str, list[Any]] = {name: [] for name in names}
    for entry in entries:
        for name in names:
            value = _hashable(entry["axes"].get(name))
            if value not in values[name]:
                values[name].append(value)
    titles = {
        str(fault["kind"]): str(fault["title"])
        for entry in entries
        for fault in entry.get("faults") or []
        if fault.get("title")
    }
    words = [vocabulary.humanise(name) for name in names]
    axes = tuple(
        Axis(
            name,
            tuple(values[name]),
            titles,
            words.count(vocabulary.humanise(name)) < 2,
        )
        for name in names
    )
    points = []
    for entry in entries:
        place = tuple(
            axis.values.index(_hashable(entry["axes"].get(axis.name))) for axis in axes
        )
        label = ", ".join(a.labels[i] for a, i in zip(axes, place, strict=True))
        faults = _windows(entry.get("faults") or [])
        label = label or entry.get("label") or "the only point"
        points.append(Point(int(entry["point"]), label, place, faults))
    return axes, tuple(points)


def read_run_directory(path: Path) -> RunDirectory:
    """Read manifest, rows and checks.

    Raises:
        ReportError: a file is missing, malformed or empty.
    """
    store, table, checks = Store(path), path / RUNS, path / CHECKS
    try:
        manifest = store.read_manifest()
        if not table.exists():
            raise ReportError(f"{table} is missing: the experiment finished no run")
        runs = store.table(RUNS, manifest).to_pandas()
        if (path / SERIES).exists() or SERIES in manifest.get("tables", {}):
            store.check_table(SERIES, manifest)
        outcomes = _read_checks(checks, manifest["config_hash"])
    except ConfigError as error:
        raise ReportError(str(error)) from None
    missing = {"point", "run", "state_root", "conservation_error"} - set(runs.columns)
    if missing:
        raise ReportError(f"{table} lacks the columns {sorted(missing)}")
    if runs.empty:
        raise ReportError(f"{table} has no rows: the experiment finished no run")
    axes, points = _sweep(manifest)
    return RunDirectory(
        path=path,
        manifest=manifest,
        runs=runs,
        axes=axes,
        points=points,
        checks=outcomes,
    )
