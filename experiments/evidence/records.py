"""Records of single runs: what the chain executed, kept in a file, executed again.

A record is one compressed NumPy archive per run, `records/POINT-RUN.npz`; its entries
are named by their place in `rollup.replay.Record`.
"""

import os
from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from experiments.config.errors import ConfigError
from experiments.engine import World, root_text

FOLDER = "records"
_ROOT = "state_root"


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


def save_record(path: Path, record: Any, root: str) -> None:
    """Writes a record whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.stem}.{os.getpid()}.npz")
    entries: dict[str, Any] = {**_flat(record), _ROOT: np.array(root)}
    np.savez_compressed(beside, allow_pickle=False, **entries)
    os.replace(beside, path)


def load_record(path: Path) -> tuple[Any, str]:
    """A record and its root from a file.

    Raises:
        ConfigError: the file is no record of this version.
    """
    from rollup.replay import Record

    try:
        with np.load(path) as archive:
            entries = dict(archive)
        return _nested(Record, entries, ""), str(entries[_ROOT])
    except (OSError, KeyError, ValueError) as error:
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
    run_dir: Path, worlds: Sequence[World], seed: int, runs: Sequence[int]
) -> None:
    """Records these runs of every point, unless they are kept already."""
    for point, world in enumerate(worlds):
        for run in runs:
            path = record_path(run_dir, point, run)
            if not path.exists():
                save_record(path, *make_record(world, seed, run))


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
