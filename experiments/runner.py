"""Runs an experiment into a run directory, from the first shard to the last file.

The order of things: everything that can be wrong is found before the directory is
touched; every finished shard is on disk before the next is asked for; the final tables
are made from what is on disk, so that a resumed experiment cannot differ from an
unbroken one.
"""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from experiments import manifests
from experiments.conclusion import Summary, conclude
from experiments.config import Experiment
from experiments.config.errors import ConfigError
from experiments.engine import (
    DEFAULT_ENGINE,
)
from experiments.fleet import environment
from experiments.fleet.cluster import Failure, open_pool
from experiments.fleet.plan import Plan, Shard, make_plan, work_of
from experiments.fleet.simulate import ShardResult
from experiments.preparation import Prepared
from experiments.progress import Tally, reporter
from experiments.results import tables as metrics
from experiments.results.store import Store


@dataclass(frozen=True)
class Options:
    """How to run: everything that results do not depend on.

    Attributes:
        out: the run directory.
        workers: processes; None chooses, 0 stays in this one.
        address: of a Ray cluster; None starts one here.
        resume: go on where an earlier run into `out` stopped.
        overwrite: forget what an earlier run left there.
        engine: import path of what runs worlds.
    """

    out: Path
    workers: int | None = None
    address: str | None = None
    resume: bool = False
    overwrite: bool = False
    engine: str = DEFAULT_ENGINE


def default_folder(experiment: Experiment) -> Path:
    """Where an experiment's results go if nobody says where."""
    return Path("runs") / f"{experiment.config.name}-{experiment.hash[:8]}"


def choose_workers(asked: int | None, total: int, address: str | None) -> int:
    """Workers for so many runs: as asked, else one a GPU, else one a core."""
    if asked is not None:
        return asked
    if address:
        return min(environment.core_count(), total)
    gpus = environment.gpu_count()
    if gpus:
        return gpus if gpus > 1 else 0
    useful = min(environment.core_count(), total)
    return useful if useful > 1 else 0


def run(prepared: Prepared, options: Options, console: Console) -> Summary:
    """Runs what is not done yet and writes everything.

    Raises:
        ConfigError: the directory holds something else, or Ray is not to be had.
    """
    experiment, store = prepared.experiment, Store(options.out)
    previous = _open(store, experiment, options)
    done = store.finished() if previous else set()
    total = len(experiment.points) * experiment.config.runs
    asked = options.workers
    if asked is None:
        asked = experiment.config.plan.workers
    workers = choose_workers(asked, total - len(done), options.address)
    plan = make_plan(
        prepared.worlds,
        experiment.config.runs,
        done,
        lanes=experiment.config.plan.lanes,
        workers=workers,
        on_gpu=environment.gpu_count() > 0,
    )
    manifest = manifests.manifest_of(
        experiment, prepared.engine, prepared.worlds, previous
    )
    manifest |= {"workers": workers, "lanes": plan.width}
    store.write_manifest(manifest)
    _announce(prepared, plan, len(done), workers, options, console)
    summary = Summary(total=total)
    started = time.monotonic()
    if plan.shards:
        _compute(prepared, plan, workers, options, store, manifest, summary, console)
    manifest["wall_s"] = round(manifest["wall_s"] + time.monotonic() - started, 3)
    conclude(prepared, store, manifest, summary, console)
    return summary


def _open(store: Store, experiment: Experiment, options: Options) -> dict | None:
    """The manifest of an earlier run that is gone on with, or None."""
    if not store.is_used():
        if store.path.exists() and not store.path.is_dir():
            raise ConfigError(f"--out {store.path}: is a file")
        return None
    if options.overwrite:
        store.clear()
        return None
    if not options.resume:
        raise ConfigError(
            f"--out {store.path}: holds an experiment already; add --resume to go on "
            "with it, --overwrite to forget it, or choose another --out"
        )
    manifest = store.read_manifest()
    if manifest["config_hash"] != experiment.hash:
        raise ConfigError(
            f"--resume: {store.path} holds another experiment (config hash "
            f"{manifest['config_hash'][:12]}, this one is {experiment.hash[:12]})"
        )
    return manifest


def _announce(prepared, plan: Plan, done: int, workers, options, console) -> None:
    experiment = prepared.experiment
    points = len(experiment.points)
    where = f"{workers} workers" if workers else "this process"
    kept = f", {done} finished already" if done else ""
    console.print(
        f"{experiment.config.name}: {points} points x {experiment.config.runs} runs"
        f"{kept}; {len(plan.shards)} shards of {plan.width} lanes, {plan.groups} "
        f"programs, on {where} -> {options.out}",
        highlight=False,
        markup=False,
        soft_wrap=True,
    )


def _compute(
    prepared: Prepared,
    plan: Plan,
    workers: int,
    options: Options,
    store: Store,
    manifest: dict[str, Any],
    summary: Summary,
    console: Console,
) -> None:
    """Runs the shards and puts every result on disk as it comes."""
    experiment = prepared.experiment
    tally = Tally(plan.runs, manifest["blocks"], time.monotonic)
    pool = None

    def work(shard: Shard):
        return work_of(prepared.worlds, shard, options.engine, experiment.config.seed)

    try:
        gpus = environment.gpu_count()
        pool = open_pool(workers, options.address, gpus)
        with reporter(tally, console) as shown:
            for event in pool.run(plan.shards, work):
                if isinstance(event, ShardResult):
                    _keep(event, prepared, store, manifest)
                    tally.done += len(event.shard.lanes)
                elif isinstance(event, Failure):
                    summary.failures.append(_describe(event, experiment))
                shown.update()
    except KeyboardInterrupt:
        summary.interrupted = True
    finally:
        if pool is not None:
            pool.close()


def _keep(result: ShardResult, prepared: Prepared, store: Store, manifest) -> None:
    experiment, engine = prepared.experiment, prepared.engine
    config = experiment.config
    runs = metrics.runs_table(
        result,
        [point.axes for point in experiment.points],
        config.seed,
        prepared.metrics,
    )
    shape = engine.layout(experiment.configs[result.shard.lanes[0].point])
    store.write_part(runs, metrics.series_table(result, engine.SERIES, shape))
    manifest["compile_s"] = round(manifest["compile_s"] + result.compile_s, 3)
    manifest["run_s"] = round(manifest["run_s"] + result.run_s, 3)
    manifest["device"] = result.device
    manifest["peak_bytes"] = max(manifest["peak_bytes"], result.peak_bytes)


def _describe(failure: Failure, experiment: Experiment) -> dict[str, Any]:
    lanes = failure.shard.lanes
    points = sorted({lane.point for lane in lanes})
    return {
        "points": [
            {"point": point, "label": experiment.points[point].label}
            for point in points
        ],
        "runs": [{"point": lane.point, "run": lane.run} for lane in lanes],
        "seed": experiment.config.seed,
        "reason": failure.reason,
    }
