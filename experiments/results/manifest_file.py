"""The manifest of a run directory as a file, which anything may have damaged."""

import hashlib
import json
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from experiments.config.errors import ConfigError, dotted
from experiments.config.files import read_json
from experiments.fleet.plan import Lane
from experiments.results import files

NAME = "manifest.json"
#: Version of the layout of a run directory.
SCHEMA_VERSION = 2
_DIGEST = "digest"
#: No reader takes in more; the faults of each run of each point stand in it.
MOST_BYTES = 1 << 30


Amount = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class _Record(BaseModel):
    model_config = ConfigDict(strict=True)


class _Fault(_Record):
    kind: str
    title: str = ""
    start_s: float | None = None
    end_s: float | None = None
    random: bool = False


class _Point(_Record):
    point: int
    label: str
    axes: dict[str, Any]
    faults: list[_Fault] = []


class _Column(_Record):
    unit: str = ""
    meaning: str = ""
    better: str | None = None
    label: str = ""


class _Series(_Record):
    unit: str = ""
    meaning: str = ""
    per_market: bool = False
    cumulative: bool = False


class _Git(_Record):
    revision: str
    dirty: bool


class _Config(_Record):
    checks: list[str] = []
    report: dict[str, Any] | None = None
    populations: dict[str, Any] | None = None


class _Manifest(_Record):
    """What the readers rely on; the rest is told as it stands."""

    name: str
    config_hash: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    config: _Config
    axes: list[str]
    points: Annotated[list[_Point], Field(min_length=1)]
    runs: Annotated[int, Field(ge=1)]
    seed: Annotated[int, Field(ge=0)]
    blocks: Annotated[int, Field(ge=1)]
    series_every: Annotated[int, Field(ge=1)]
    status: str
    tables: dict[str, str] = {}
    markets: list[str] = []
    block_s: Amount = 0
    agents: Annotated[int, Field(ge=0)] = 0
    columns: dict[str, _Column] = {}
    series: dict[str, _Series] = {}
    plugin_folders: list[str] = []
    git: _Git | None = None
    versions: dict[str, str] = {}
    command: list[str] | str = ""
    wall_s: Amount = 0
    compile_s: Amount = 0
    run_s: Amount = 0
    peak_bytes: Annotated[int, Field(ge=0)] = 0
    failures: list[Any] = []


def write(folder: Path, manifest: dict[str, Any]) -> None:
    """Replaces the manifest, with a digest of itself in it."""
    document = json.loads(json.dumps({**manifest, "schema": SCHEMA_VERSION}))
    document[_DIGEST] = _digest_of(document)
    files.write_json(folder / NAME, document)


def _digest_of(manifest: dict[str, Any]) -> str:
    """SHA-256 of everything in it but the digest itself, hex."""
    rest = {key: value for key, value in manifest.items() if key != _DIGEST}
    text = json.dumps(rest, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def read(folder: Path) -> dict[str, Any]:
    """The manifest of a run directory.

    Raises:
        ConfigError: there is none, it is damaged, or it is of another layout.
    """
    path = folder / NAME
    if not path.exists():
        raise ConfigError(f"{folder}: no run directory ({path} is missing)")
    manifest = read_json(path, MOST_BYTES)
    if not isinstance(manifest, dict):
        raise ConfigError(f"{path}: is no manifest (it must map keys to values)")
    if manifest.get("schema") != SCHEMA_VERSION:
        raise ConfigError(
            f"{path}: layout {manifest.get('schema')!r}, this version reads "
            f"{SCHEMA_VERSION}; run the experiment again with --overwrite"
        )
    try:
        checked = _Manifest.model_validate(manifest)
    except ValidationError as error:
        first = error.errors()[0]
        raise ConfigError(
            f"{path}: {dotted(first['loc'])}: is damaged ({first['msg']})"
        ) from None
    if manifest.get(_DIGEST) != _digest_of(manifest):
        raise ConfigError(
            f"{path}: is not as the lab wrote it (its digest does not hold); run the "
            "experiment again with --overwrite"
        )
    numbers = [point.point for point in checked.points]
    if numbers != list(range(len(numbers))):
        raise ConfigError(f"{path}: points: must be numbered from 0 in their order")
    if any(set(point.axes) != set(checked.axes) for point in checked.points):
        raise ConfigError(f"{path}: points: each must have a value on every axis")
    return manifest


def planned_lanes(manifest: dict[str, Any]) -> list[Lane]:
    """Every run of the experiment, sorted."""
    return [
        Lane(point, run)
        for point in range(len(manifest["points"]))
        for run in range(manifest["runs"])
    ]
