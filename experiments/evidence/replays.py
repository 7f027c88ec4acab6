"""A run of a finished experiment, executed again from its record."""

from pathlib import Path

from experiments import manifests
from experiments.config.errors import ConfigError
from experiments.engine import DEFAULT_ENGINE, load_engine
from experiments.evidence import records
from experiments.results.store import Store
from rollup.stark.verify.files import Origin


def replay_run(run_dir: Path, point: int, run: int) -> tuple[str, bool]:
    """Replays a run and compares it with its row.

    Takes the record that was kept, or makes one by running the world again with its
    agents; either way the replay itself knows neither agents nor ordering policy.

    Returns:
        What to tell the user, and whether everything is equal.
    """
    store = Store(run_dir)
    manifest = store.read_manifest()
    stored = _stored_root(store, point, run)
    world = load_engine(DEFAULT_ENGINE).build(
        manifests.experiment_of(manifest).configs
    )[point]
    path = records.record_path(run_dir, point, run)
    if path.exists():
        origin = Origin(manifest["config_hash"], point, run)
        (record, root), source = records.load_record(path, origin), f"from {path}"
    else:
        record, root = records.make_record(world, manifest["seed"], run)
        source = "recorded anew"
    replayed = records.replay_record(world, record, root)
    equal = replayed.root == root == stored and replayed.differing == 0
    label = manifest["points"][point]["label"]
    lines = [
        f"point {point} ({label}), run {run}, seed {manifest['seed']}, {source}: "
        f"{replayed.blocks:,} blocks, {replayed.txs:,} transactions",
        f"  replayed {replayed.root}",
        f"  recorded {root}",
        f"  row      {stored}",
        f"  receipts that differ: {replayed.differing:,}",
        "equal" if equal else "NOT EQUAL",
    ]
    return "\n".join(lines), equal


def _stored_root(store: Store, point: int, run: int) -> str:
    table = store.runs().select(["point", "run", "state_root"]).to_pylist()
    for row in table:
        if (row["point"], row["run"]) == (point, run):
            return row["state_root"]
    points = {row["point"] for row in table}
    runs = {row["run"] for row in table}
    raise ConfigError(
        f"{store.path}: no run {run} of point {point}; points are 0 to {max(points)}, "
        f"runs 0 to {max(runs)}"
    )
