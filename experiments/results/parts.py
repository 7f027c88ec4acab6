"""Parts: what each finished shard gave, on disk until the experiment is complete.

A part is a folder with the rows of some runs, their series, and a seal: the identity of
the experiment, the runs, and the digest of each file. A part whose seal does not hold
is damaged, and its runs are run again; one of another experiment is refused.
"""

import contextlib
import hashlib
import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, Field, ValidationError

from experiments.config.errors import ConfigError
from experiments.fleet.plan import Lane
from experiments.results import files, parquet

FOLDER, SEAL = "parts", "seal.json"
RUNS, SERIES = "runs.parquet", "series.parquet"
_NAME = re.compile("[0-9a-f]{16}")


class Seal(BaseModel):
    """What a part says of itself.

    Attributes:
        experiment: identity of the experiment.
        lanes: point and run of each run in it, sorted.
        digests: SHA-256 of each file, hex.
    """

    experiment: str
    lanes: Annotated[list[tuple[int, int]], Field(min_length=1)]
    digests: dict[str, str]


@dataclass
class Found:
    """The parts of a run directory.

    Attributes:
        whole: folders of the parts whose seal holds.
        lanes: the runs that are in them.
        damaged: folders of the others, each with what is wrong.
    """

    whole: list[Path] = field(default_factory=list)
    lanes: set[Lane] = field(default_factory=set)
    damaged: dict[Path, str] = field(default_factory=dict)


class Piece(NamedTuple):
    """Consecutive runs of one point in one file."""

    point: int
    first_run: int
    file: Path
    row_group: int


def write(parts: Path, identity: str, runs: pa.Table, series: pa.Table | None) -> Path:
    """Adds what one shard gave; the name follows from its runs."""
    lanes = sorted(_lanes_of(runs))
    place = parts / _name_of(lanes)
    parts.mkdir(exist_ok=True)
    files.remove(place)  # A damaged one; whole ones are not run again.
    with files.replacing(place) as folder:
        folder.mkdir()
        for name, table in ((RUNS, runs), (SERIES, series)):
            if table is not None:
                pieces = parquet.marked(table, identity)
                parquet.write(folder / name, _pieces_of(pieces), pieces.schema)
        digests = {file.name: files.digest_of(file) for file in folder.iterdir()}
        seal = Seal(experiment=identity, lanes=lanes, digests=digests)
        (folder / SEAL).write_text(seal.model_dump_json(), "utf-8")
    return place


def _lanes_of(runs: pa.Table) -> Iterator[tuple[int, int]]:
    return zip(*(runs[c].to_pylist() for c in ("point", "run")), strict=True)


def _name_of(lanes: list[tuple[int, int]]) -> str:
    return hashlib.sha256(repr(lanes).encode()).hexdigest()[:16]


def folders_in(parts: Path) -> list[Path]:
    """Everything there that has the name of a part."""
    if not parts.is_dir():
        return []
    return sorted(p for p in parts.iterdir() if _NAME.fullmatch(p.name))


def find(parts: Path, identity: str, planned: Collection[Lane]) -> Found:
    """Looks at every part.

    Raises:
        ConfigError: one is of another experiment, or has runs that another has too.
    """
    found, planned = Found(), set(planned)
    for folder in folders_in(parts):
        try:
            seal = Seal.model_validate_json((folder / SEAL).read_bytes())
        except (OSError, ValidationError, RecursionError):
            found.damaged[folder] = f"{SEAL} is damaged or missing"
            continue
        if seal.experiment != identity:
            raise ConfigError(
                f"{folder}: {parquet.of_another(seal.experiment, identity)}"
            )
        broken = _broken_file(folder, seal)
        if broken:
            found.damaged[folder] = broken
            continue
        lanes = set(map(Lane._make, seal.lanes))
        if not lanes <= planned or lanes & found.lanes:
            raise ConfigError(
                f"{folder}: holds runs that {_surplus(lanes, planned)}; remove it"
            )
        found.lanes |= lanes
        found.whole.append(folder)
    return found


def _surplus(lanes: set[Lane], planned: set[Lane]) -> str:
    if lanes <= planned:
        return "another part holds as well"
    return "the experiment does not have"


def _broken_file(folder: Path, seal: Seal) -> str:
    """Which file is not what the seal says, in words; empty where all are."""
    if RUNS not in seal.digests or not set(seal.digests) <= {RUNS, SERIES}:
        return f"{SEAL} names other files"
    if folder.name != _name_of(seal.lanes):
        return f"{SEAL} is of another part"
    for name, digest in seal.digests.items():
        with contextlib.suppress(OSError):
            if (folder / name).is_file() and files.digest_of(folder / name) == digest:
                continue
        return f"{name} is damaged or missing"
    return ""


def merge(found: Found, name: str, target: Path, identity: str) -> int:
    """Joins a file of all parts into one, sorted; how many rows it has.

    One piece is in memory at a time. Writes nothing where no part has such a file.

    Raises:
        ConfigError: a part cannot be read, or has other columns than the rest.
    """
    pieces = sorted(
        piece
        for folder in found.whole
        if (folder / name).exists()
        for piece in _pieces_in(folder / name, identity)
    )
    if not pieces:
        return 0
    schema = pq.read_schema(pieces[0].file)
    with files.replacing(target) as beside:
        return parquet.write(beside, _fitting(pieces, schema), schema)


def _fitting(pieces: Iterable[Piece], schema: pa.Schema) -> Iterator[pa.Table]:
    for piece in pieces:
        with parquet.readable(piece.file), pq.ParquetFile(piece.file) as source:
            table = source.read_row_group(piece.row_group)
        if table.column_names != schema.names:
            raise ConfigError(
                f"{piece.file}: has other columns than the parts before it: another "
                "version of the lab wrote it; run the experiment again with --overwrite"
            )
        yield table


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


def _pieces_in(file: Path, identity: str) -> Iterator[Piece]:
    parquet.check_mark(file, identity)
    with parquet.readable(file), pq.ParquetFile(file) as source:
        for group in range(source.num_row_groups):
            keys = source.read_row_group(group, columns=["point", "run"])
            point, run = (min(keys[name].to_pylist()) for name in ("point", "run"))
            yield Piece(point, run, file, group)
