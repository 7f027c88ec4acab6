"""Records of single runs: what the chain executed, kept in a file, executed again.

A record is one compressed NumPy archive per run, `records/POINT-RUN.npz`; its entries
are named by their place in `rollup.replay.Record`. It says which run it is of.
"""

import contextlib
import struct
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from experiments.config.errors import ConfigError
from experiments.engine import World, root_text
from experiments.results import files
from rollup.stark.verify.files import Origin

FOLDER = "records"
_ROOT, _ORIGIN = "state_root", "origin"


class Replayed(NamedTuple):
    """What came of executing a record again.

    Attributes:
        root: the state root reached, hex.
        recorded_root: the state root of the recorded run, hex.
        differing: receipts that are not those of the record.
        blocks, txs: what was executed.
    """

    root: str
    recorded_root: str
    differing: int
    blocks: int
    txs: int


def record_path(run_dir: Path, point: int, run: int) -> Path:
    """Where the record of a run lies, if it was kept."""
    return run_dir / FOLDER / f"{point}-{run}.npz"


def make_record(world: World, seed: int, run: int) -> tuple[Any, str]:
    """Runs a world with its agents and keeps what it executed; and the root.

    Raises:
        ConfigError: agents in plain Python take part, whose runs keep no record yet.
    """
    import jax

    if world.guests:
        raise ConfigError("a run with agents in plain Python cannot be recorded yet")

    from agents.run import record

    kept, root = record(np.int64(seed), np.int64(run), world.params, spec=world.spec)
    return jax.device_get(kept), root_text(np.asarray(root))


def save_record(path: Path, record: Any, root: str, origin: Origin) -> None:
    """Writes a record whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    entries: dict[str, Any] = {**_flat(record), _ROOT: np.array(root)}
    entries[_ORIGIN] = np.array([str(part) for part in origin])
    with files.replacing(path) as beside, beside.open("wb") as stream:
        np.savez_compressed(stream, allow_pickle=False, **entries)


def load_record(path: Path, origin: Origin) -> tuple[Any, str]:
    """A record and its root from a file.

    Raises:
        ConfigError: the file is no record of this version, or is of another run.
    """
    from rollup.replay import Record

    found = origin_of(path)
    if found != origin:
        raise ConfigError(
            f"{path}: records {_words(found)}, not {_words(origin)}; remove it, and "
            "the run is recorded anew"
        )
    with _readable(path), np.load(path) as archive:
        entries = dict(archive)
        return _nested(Record, entries, ""), str(entries[_ROOT])


def origin_of(path: Path) -> Origin:
    """The run that a file says it is the record of.

    Raises:
        ConfigError: the file is no record of this version.
    """
    with _readable(path), np.load(path) as archive:
        experiment, point, run = archive[_ORIGIN]
        return Origin(str(experiment), int(point), int(run))


def _words(origin: Origin) -> str:
    return (
        f"run {origin.run} of point {origin.point} of the experiment "
        f"{origin.experiment[:12]}"
    )


@contextlib.contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Names a file that is no archive, or lacks what a record has."""
    broken = (OSError, EOFError, LookupError, ValueError, TypeError, AttributeError)
    # A damaged directory of the archive calls its files encrypted, or elsewhere.
    astray = (zipfile.BadZipFile, zlib.error, struct.error, RuntimeError, MemoryError)
    try:
        yield
    except (*broken, *astray) as error:
        raise ConfigError(f"{path}: is no record of a run ({error})") from None


def replay_record(world: World, record: Any, root: str) -> Replayed:
    """Executes a record: no agents, no ordering policy."""
    from rollup.replay import replay

    spec, params = world.spec, world.params
    reached, differing = replay(
        record,
        params.venue,
        params.chain,
        venue=spec.venue,
        rollup=spec.chain,
        block_us=spec.block_us,
    )
    kinds = np.asarray(record.txs.kind)
    return Replayed(
        root=root_text(np.asarray(reached)),
        recorded_root=root,
        differing=int(differing),
        blocks=kinds.shape[0],
        txs=int(np.count_nonzero(kinds)),
    )


def keep_records(
    run_dir: Path,
    worlds: Sequence[World],
    seed: int,
    experiment: str,
    runs: Sequence[int],
) -> None:
    """Records these runs of every point, unless they are kept already."""
    for point, world in enumerate(worlds):
        for run in runs:
            path = record_path(run_dir, point, run)
            origin = Origin(experiment, point, run)
            if not _is_kept(path, origin):
                save_record(path, *make_record(world, seed, run), origin)


def _is_kept(path: Path, origin: Origin) -> bool:
    try:
        return path.exists() and origin_of(path) == origin
    except ConfigError:  # Damaged: it is recorded anew.
        return False


def _flat(value: Any, prefix: str = "") -> dict[str, np.ndarray]:
    entries: dict[str, np.ndarray] = {}
    for field in fields(value):
        inner, name = getattr(value, field.name), prefix + field.name
        if is_dataclass(inner):
            entries |= _flat(inner, f"{name}.")
        else:
            entries[name] = np.asarray(inner)
    return entries


def _nested(kind: type, entries: dict[str, np.ndarray], prefix: str) -> Any:
    values = {}
    for field in fields(kind):
        name = prefix + field.name
        inner = field.type
        if isinstance(inner, type) and is_dataclass(inner):
            values[field.name] = _nested(inner, entries, f"{name}.")
        else:
            values[field.name] = entries[name]
    return kind(**values)
