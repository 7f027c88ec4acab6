"""The run directory: manifest, parts while running, tables at the end.

Every file in it carries the identity of its experiment, the hash of the config. Parts
are there whole or not at all, and stay until the manifest says that the experiment is
complete and what the digests of its tables are: up to then the parts are what counts,
from then on the tables.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from experiments.config.errors import ConfigError
from experiments.fleet.plan import Lane
from experiments.results import files, leftovers, manifest_file, parquet, parts
from experiments.results.parts import RUNS, SERIES

COMPLETE = "complete"


@dataclass(frozen=True)
class Kept:
    """What an earlier run of the same experiment left.

    Attributes:
        lanes: runs that need not be run again.
        damaged: what cannot be used, a sentence each.
        is_merged: all runs stand in the tables, and parts are not needed.
    """

    lanes: set[Lane] = field(default_factory=set)
    damaged: list[str] = field(default_factory=list)
    is_merged: bool = False


class Store:
    """One run directory."""

    def __init__(self, path: Path):
        self.path = path

    @property
    def parts(self) -> Path:
        """Where finished shards lie until the end."""
        return self.path / parts.FOLDER

    def read_manifest(self) -> dict[str, Any]:
        """The manifest.

        Raises:
            ConfigError: there is none, it is damaged, or it is of another layout.
        """
        return manifest_file.read(self.path)

    def write_manifest(self, manifest: dict[str, Any]) -> None:
        """Replaces the manifest."""
        manifest_file.write(self.path, manifest)

    def remove_temporaries(self) -> None:
        """Removes what a killed driver was writing; nobody else may drive here."""
        for folder in (
            self.path,
            self.parts,
            self.path / leftovers.RECORDS,
            self.path / leftovers.PROOFS,
        ):
            files.remove_temporaries(folder, alone=True)

    # --- parts --------------------------------------------------------------------

    def write_part(
        self, identity: str, runs: pa.Table, series: pa.Table | None
    ) -> Path:
        """Adds what one shard gave."""
        return parts.write(self.parts, identity, runs, series)

    def kept(self, manifest: dict[str, Any]) -> Kept:
        """What the run that wrote this manifest has finished.

        Raises:
            ConfigError: there is something of another experiment.
        """
        planned, identity = manifest_file.planned_lanes(manifest), _identity(manifest)
        found = parts.find(self.parts, identity, planned)
        damaged = [f"{folder}: {what}" for folder, what in found.damaged.items()]
        if manifest["status"] == COMPLETE and manifest.get("tables"):
            problems = self._problems_of_tables(manifest)
            if not problems:
                return Kept(set(planned), is_merged=True)
            damaged += problems
        return Kept(found.lanes, damaged)

    def _problems_of_tables(self, manifest: dict[str, Any]) -> list[str]:
        """What is wrong with the tables, a sentence each.

        Raises:
            ConfigError: one is another experiment's.
        """
        problems = []
        for name, digest in manifest["tables"].items():
            path = self.path / name
            if not path.is_file():
                problems.append(f"{path}: is missing")
            elif files.digest_of(path) != digest:
                problems.append(f"{path}: is damaged")
                _refuse_another(path, _identity(manifest))
        return problems

    # --- the end ------------------------------------------------------------------

    def merge(self, manifest: dict[str, Any]) -> int:
        """Writes the tables of all parts; how many runs there are.

        Puts the digests of the tables into the manifest. The parts stay;
        `drop_parts` removes them once the manifest says that they are not needed.
        """
        identity = _identity(manifest)
        planned = manifest_file.planned_lanes(manifest)
        found = parts.find(self.parts, identity, planned)
        tables = {}
        for name in (RUNS, SERIES):
            target = self.path / name
            if parts.merge(found, name, target, identity):
                tables[name] = files.digest_of(target)
            else:
                files.remove(target)
        manifest["tables"] = tables
        return len(found.lanes)

    def drop_parts(self) -> None:
        """Removes the parts."""
        leftovers.remove_parts(self.path)

    def runs(self) -> pa.Table:
        """The table of runs, known to be what the manifest says.

        Raises:
            ConfigError: it is missing, damaged, or of another experiment.
        """
        path, manifest = self.path / RUNS, self.read_manifest()
        if not path.exists():
            raise ConfigError(f"{self.path}: no runs are finished ({path} is missing)")
        return self.table(RUNS, manifest)

    def table(self, name: str, manifest: dict[str, Any]) -> pa.Table:
        """A table, known to be what the manifest says.

        Raises:
            ConfigError: it is missing, damaged, or of another experiment.
        """
        self.check_table(name, manifest)
        return parquet.read(self.path / name, _identity(manifest))

    def check_table(self, name: str, manifest: dict[str, Any]) -> None:
        """Compares a table with what the manifest says, and reads no rows.

        Raises:
            ConfigError: it is missing, damaged, or of another experiment.
        """
        path, digest = self.path / name, manifest.get("tables", {}).get(name)
        parquet.check_mark(path, _identity(manifest))
        if digest is not None and files.digest_of(path) != digest:
            raise ConfigError(
                f"{path}: is not the table that the manifest names (its SHA-256 must "
                f"be {digest[:12]}…); run the experiment again with --resume"
            )


def _identity(manifest: dict[str, Any]) -> str:
    return manifest["config_hash"]


def _refuse_another(path: Path, identity: str) -> None:
    """Refuses a table that can be read and is another experiment's."""
    try:
        found = parquet.mark_of(path)
    except ConfigError:
        return
    if found is not None and found != identity:
        raise ConfigError(f"{path}: {parquet.of_another(found, identity)}")
