"""Whether the files of a run directory are what the manifest says they are.

Identity, then content: every file is of this experiment, each planned run stands in the
tables at most once, with its seed and the values of its point on the axes, and has all
its samples. Runs that are missing are no damage; `missing_runs` counts them.
"""

import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from experiments.config.errors import ConfigError
from experiments.config.files import read_json
from experiments.evidence import inclusion, records
from experiments.results import leftovers, manifest_file
from experiments.results.parquet import of_another
from experiments.results.parts import RUNS, SERIES
from experiments.results.store import Store
from rollup.stark.verify import files as proof_files


def audit(store: Store, manifest: dict[str, Any]) -> pd.DataFrame:
    """Looks through a run directory; its table of runs.

    Raises:
        ConfigError: names the file that is damaged or of another experiment.
    """
    runs = store.runs().to_pandas()
    _check_runs(store.path / RUNS, runs, manifest)
    if SERIES in manifest.get("tables", {}):
        columns = ["point", "run", "block"]
        series = store.table(SERIES, manifest).select(columns).to_pandas()
        _check_series(store.path / SERIES, series, runs, manifest)
    _check_files(store.path, manifest["config_hash"])
    return runs


def missing_runs(manifest: dict[str, Any], runs: pd.DataFrame) -> int:
    """How many planned runs a sound table does not have."""
    return len(manifest_file.planned_lanes(manifest)) - len(runs)


def _check_runs(path: Path, runs: pd.DataFrame, manifest: dict[str, Any]) -> None:
    needed = {"point", "run", "seed", "state_root", "status", *manifest["axes"]}
    lacking = sorted(needed - set(runs.columns))
    if lacking:
        raise ConfigError(f"{path}: lacks the columns {', '.join(lacking)}")
    lanes = list(zip(runs["point"].tolist(), runs["run"].tolist(), strict=True))
    planned = set(manifest_file.planned_lanes(manifest))
    for (point, run), count in Counter(lanes).items():
        if count > 1 or (point, run) not in planned:
            told = f"stands there {count} times" if count > 1 else "was never planned"
            raise ConfigError(f"{path}: run {run} of point {point} {told}")
    for seed in set(runs["seed"].tolist()) - {manifest["seed"]}:
        raise ConfigError(
            f"{path}: seed = {seed}: the experiment's is {manifest['seed']}"
        )
    for axis in manifest["axes"]:
        _check_axis(path, axis, runs, manifest["points"])


def _check_axis(path: Path, axis: str, runs: pd.DataFrame, points: list) -> None:
    for point, value in zip(runs["point"], runs[axis], strict=True):
        planned = points[point]["axes"][axis]
        if planned != value and str(planned) != str(value):
            raise ConfigError(
                f"{path}: {axis} = {value!r} at point {point}: the experiment has "
                f"{planned!r} there"
            )


def _check_series(
    path: Path, series: pd.DataFrame, runs: pd.DataFrame, manifest: dict[str, Any]
) -> None:
    found = series.groupby(["point", "run"])["block"]
    lanes = set(zip(runs["point"], runs["run"], strict=True))
    if set(found.groups) != lanes:
        raise ConfigError(f"{path}: holds other runs than {RUNS}")
    every, blocks = manifest["series_every"], manifest["blocks"]
    sizes = found.size()
    if len(set(sizes.tolist())) != 1:
        raise ConfigError(f"{path}: some runs have fewer samples than others")
    wanted = np.minimum(np.arange(1, sizes.iloc[0] + 1) * every, blocks)
    if not np.array_equal(series["block"].to_numpy(), np.tile(wanted, len(lanes))):
        raise ConfigError(f"{path}: samples are not of every {every} blocks, in order")


def _check_files(folder: Path, identity: str) -> None:
    """Records, proofs and the report: whose each says that it is."""
    readers: dict[str, Callable[[Path], str | None]] = {
        ".npz": lambda path: records.origin_of(path).experiment,
        ".proof": _of_proof,
        ".json": _of_json,
        ".html": _of_report,
    }
    for path in leftovers.found_in(folder):
        if path.suffix in readers and path.name not in _JUDGED_ELSEWHERE:
            found = readers[path.suffix](path)
            if found != identity:
                raise ConfigError(f"{path}: {of_another(found, identity)}")


#: The manifest is what all others are compared with; checks are written anew.
_JUDGED_ELSEWHERE = {manifest_file.NAME, leftovers.CHECKS}


def _of_proof(path: Path) -> str | None:
    try:
        return proof_files.read_origin(path).experiment
    except (OSError, ValueError) as problem:
        raise ConfigError(f"{path}: is damaged ({problem})") from None


def _of_json(path: Path) -> str | None:
    try:
        if path.name != "proofs.json":
            return inclusion.read(path).experiment
        document = read_json(path, manifest_file.MOST_BYTES)
    except (OSError, ValueError) as problem:
        raise ConfigError(f"{path}: is damaged ({problem})") from None
    return document.get("experiment") if isinstance(document, dict) else None


def _of_report(path: Path) -> str | None:
    """The identity in a report's head; its first bytes are enough."""
    try:
        with path.open("rb") as stream:
            head = stream.read(1 << 16).decode("utf-8", errors="replace")
    except OSError as problem:
        raise ConfigError(f"{path}: cannot be read ({problem.strerror})") from None
    pattern = re.escape(leftovers.REPORT_MARK).replace(r"\{\}", "([0-9a-f]{64})")
    found = re.search(pattern, head)
    return found[1] if found else None
