"""The run directory: manifest, parts while running, Parquet at the end.

A part is what one shard gave. It is written beside its place and renamed into it, so
it is there whole or not at all; what is there needs no second run. At the end the parts
become `runs.parquet` and `series.parquet`, sorted, one piece in memory at a time.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from experiments.config.errors import ConfigError
from experiments.fleet.plan import Lane

MANIFEST, CHECKS, REPORT = "manifest.json", "checks.json", "report.html"
RUNS, SERIES, PARTS = "runs.parquet", "series.parquet", "parts"
#: Version of this layout.
SCHEMA_VERSION = 1


class Piece(NamedTuple):
    """Consecutive runs of one point in one file."""

    point: int
    first_run: int
    file: Path
    row_group: int


def write_json(path: Path, value: Any) -> None:
    """Writes JSON so that a reader sees the old file or the new one, never half."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", "utf-8")
    os.replace(beside, path)


class Store:
    """One run directory."""

    def __init__(self, path: Path):
        self.path = path

    @property
    def parts(self) -> Path:
        """Where finished shards lie until the end."""
        return self.path / PARTS

    def read_manifest(self) -> dict[str, Any]:
        """The manifest.

        Raises:
            ConfigError: there is none, or it is of another layout.
        """
        path = self.path / MANIFEST
        try:
            manifest = json.loads(path.read_text("utf-8"))
        except FileNotFoundError:
            raise ConfigError(
                f"{self.path}: no run directory ({path} is missing)"
            ) from None
        except (OSError, ValueError) as error:
            raise ConfigError(f"{path}: cannot be read ({error})") from None
        if manifest.get("schema") != SCHEMA_VERSION:
            raise ConfigError(
                f"{path}: layout {manifest.get('schema')!r}, this version reads "
                f"{SCHEMA_VERSION}"
            )
        return manifest

    def write_manifest(self, manifest: dict[str, Any]) -> None:
        """Replaces the manifest."""
        self.path.mkdir(parents=True, exist_ok=True)
        write_json(self.path / MANIFEST, {"schema": SCHEMA_VERSION, **manifest})

    def is_used(self) -> bool:
        """Whether an experiment has begun here."""
        return (self.path / MANIFEST).exists()

    def clear(self) -> None:
        """Removes what an earlier experiment left, and nothing else."""
        for name in (MANIFEST, CHECKS, REPORT, RUNS, SERIES):
            (self.path / name).unlink(missing_ok=True)
        shutil.rmtree(self.parts, ignore_errors=True)

    # --- parts --------------------------------------------------------------------

    def write_part(self, runs: pa.Table, series: pa.Table | None) -> Path:
        """Adds what one shard gave; the name follows from its rows."""
        lanes = list(zip(*(runs[c].to_pylist() for c in ("point", "run")), strict=True))
        name = hashlib.sha256(repr(lanes).encode()).hexdigest()[:16]
        beside, place = self.parts / f".{name}.{os.getpid()}", self.parts / name
        shutil.rmtree(beside, ignore_errors=True)
        beside.mkdir(parents=True)
        _write_pieces(beside / RUNS, runs)
        if series is not None:
            _write_pieces(beside / SERIES, series)
        shutil.rmtree(place, ignore_errors=True)
        os.replace(beside, place)
        return place

    def _part_folders(self) -> list[Path]:
        if not self.parts.is_dir():
            return []
        return sorted(p for p in self.parts.iterdir() if not p.name.startswith("."))

    def finished(self) -> set[Lane]:
        """Runs that are kept already, in parts or in the final table."""
        files = [folder / RUNS for folder in self._part_folders()]
        if (self.path / RUNS).exists():
            files.append(self.path / RUNS)
        done = set()
        for file in files:
            table = pq.read_table(file, columns=["point", "run"])
            columns = (table["point"].to_pylist(), table["run"].to_pylist())
            done |= set(map(Lane._make, zip(*columns, strict=True)))
        return done

    # --- the end ------------------------------------------------------------------

    def merge(self) -> int:
        """Writes `runs.parquet` and `series.parquet` from all parts; rows of the first.

        Parts stay; `drop_parts` removes them once the experiment is complete.
        """
        folders = self._part_folders()
        rows = 0
        for name in (RUNS, SERIES):
            files = [f / name for f in folders if (f / name).exists()]
            # What an earlier merge wrote and whose parts are gone is a source as well.
            if (self.path / name).exists():
                files.append(self.path / name)
            count = _merge_files(files, self.path / name)
            rows = count if name == RUNS else rows
        return rows

    def drop_parts(self) -> None:
        """Removes the parts."""
        shutil.rmtree(self.parts, ignore_errors=True)

    def runs(self) -> pa.Table:
        """The table of runs."""
        path = self.path / RUNS
        if not path.exists():
            raise ConfigError(f"{self.path}: no runs are finished ({path} is missing)")
        return pq.read_table(path)


def _pieces_of(table: pa.Table) -> Iterator[pa.Table]:
    """The table cut where the point changes or a run is skipped; sorted before."""
    keys = [("point", "ascending"), ("run", "ascending")]
    if "block" in table.column_names:
        keys.append(("block", "ascending"))
    table = table.sort_by(keys)
    points, runs = table["point"].to_pylist(), table["run"].to_pylist()
    start = 0
    for row in range(1, len(points) + 1):
        if row == len(points) or not (
            points[row] == points[row - 1] and runs[row] - runs[row - 1] in (0, 1)
        ):
            yield table.slice(start, row - start)
            start = row


def _write_pieces(path: Path, table: pa.Table) -> None:
    with pq.ParquetWriter(path, table.schema) as writer:
        for piece in _pieces_of(table):
            writer.write_table(piece, row_group_size=max(piece.num_rows, 1))


def _pieces_in(file: Path) -> Iterator[Piece]:
    with pq.ParquetFile(file) as source:
        for group in range(source.num_row_groups):
            keys = source.read_row_group(group, columns=["point", "run"])
            point, run = (min(keys[name].to_pylist()) for name in ("point", "run"))
            yield Piece(point, run, file, group)


def _merge_files(files: list[Path], target: Path) -> int:
    """Joins sorted files into one; a run that stands twice is written once."""
    pieces = sorted(piece for file in files for piece in _pieces_in(file))
    if not pieces:
        return 0
    beside = target.with_name(f".{target.name}.{os.getpid()}")
    written: set[tuple[int, int]] = set()
    count = 0
    schema = pq.read_schema(pieces[0].file)
    with pq.ParquetWriter(beside, schema) as writer:
        for piece in pieces:
            table = _read(piece)
            fresh, lanes = _unwritten(table, written)
            written |= lanes
            if fresh.num_rows:
                writer.write_table(fresh.cast(schema), row_group_size=fresh.num_rows)
                count += fresh.num_rows
    os.replace(beside, target)
    return count


def _read(piece: Piece) -> pa.Table:
    with pq.ParquetFile(piece.file) as source:
        return source.read_row_group(piece.row_group)


def _unwritten(
    table: pa.Table, written: set[tuple[int, int]]
) -> tuple[pa.Table, set[tuple[int, int]]]:
    keys = list(zip(table["point"].to_pylist(), table["run"].to_pylist(), strict=True))
    lanes = set(keys)
    if not lanes & written:
        return table, lanes
    return table.filter(pa.array([key not in written for key in keys])), lanes
