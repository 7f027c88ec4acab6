"""Runs an experiment into a run directory, from the first shard to the last file.

The order of things: everything that can be wrong is found before the directory is
touched; every finished shard is on disk before the next is asked for; the final tables
are made from what is on disk, so that a resumed experiment cannot differ from an
unbroken one.
"""

import contextlib
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from experiments import interrupts, manifests
from experiments.conclusion import Summary, conclude
from experiments.config import Experiment
from experiments.config.errors import ConfigError
from experiments.engine import DEFAULT_ENGINE
from experiments.fleet.plan import Plan, Shard, make_plan, work_of
from experiments.fleet.pool import Failure, Pool, open_pool
from experiments.fleet.room import check_room
from experiments.fleet.simulate import ShardResult
from experiments.preparation import Prepared
from experiments.progress import Tally, reporter
from experiments.results import leftovers, lock, manifest_file
from experiments.results import tables as metrics
from experiments.results.store import Kept, Store


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


def run(prepared: Prepared, options: Options, console: Console) -> Summary:
    """Runs what is not done yet and writes everything.

    Raises:
        ConfigError: the directory holds something else or is in use, or Ray is not to
            be had; nothing has been written then.
    """
    with contextlib.ExitStack() as stack:
        if options.out.is_dir():
            stack.enter_context(lock.held(options.out))
        previous, kept = _look(prepared, options)
        total = len(prepared.experiment.points) * prepared.experiment.config.runs
        pool = _open_pool(prepared, options, total - len(kept.lanes))
        stack.callback(pool.close)
        if options.address is None:  # else the machines of a cluster are the room
            check_room(prepared, options.out, pool.workers, pool.gpus > 0)
        if not options.out.is_dir():
            stack.enter_context(lock.held(options.out))
        store = Store(options.out)
        store.remove_temporaries()
        if options.overwrite:
            leftovers.clear(options.out)
        job = _Job(prepared, options, store, kept, console)
        return _run(job, pool, previous, Summary(total=total))


@dataclass(frozen=True)
class _Job:
    """What is run, and where its results go."""

    prepared: Prepared
    options: Options
    store: Store
    kept: Kept
    console: Console

    def say(self, text: str) -> None:
        """Prints a sentence as it is."""
        self.console.print(text, highlight=False, markup=False, soft_wrap=True)


def _look(prepared: Prepared, options: Options) -> tuple[dict[str, Any] | None, Kept]:
    """The manifest of an earlier run that is gone on with, and what it has finished.

    Raises:
        ConfigError: the directory holds something, and nobody said what to do with it.
    """
    experiment, out = prepared.experiment, options.out
    if out.exists() and not out.is_dir():
        raise ConfigError(f"--out {out}: is a file")
    if options.overwrite:
        leftovers.check_clearable(out)
        return None, Kept()
    found = leftovers.found_in(out)
    if not found:
        return None, Kept()
    store = Store(out)
    if found[-1].name != manifest_file.NAME:
        raise ConfigError(
            f"--out {out}: holds {found[0].relative_to(out)} of an experiment whose "
            f"{manifest_file.NAME} is gone; add --overwrite to remove it, or choose "
            "another --out"
        )
    if not options.resume:
        raise ConfigError(
            f"--out {out}: holds an experiment already; add --resume to go on "
            "with it, --overwrite to forget it, or choose another --out"
        )
    manifest = store.read_manifest()
    if manifest["config_hash"] != experiment.hash:
        raise ConfigError(
            f"--resume: {out} holds another experiment (config hash "
            f"{manifest['config_hash'][:12]}, this one is {experiment.hash[:12]})"
        )
    return manifest, store.kept(manifest)


def _open_pool(prepared: Prepared, options: Options, left: int) -> Pool:
    asked = options.workers
    if asked is None:
        asked = prepared.experiment.config.plan.workers
    return open_pool(asked, left, options.address)


def _run(
    job: _Job, pool: Pool, previous: dict[str, Any] | None, summary: Summary
) -> Summary:
    """Plans, computes and concludes, in a directory that nobody else drives."""
    prepared, experiment = job.prepared, job.prepared.experiment
    plan = make_plan(
        prepared.worlds,
        experiment.config.runs,
        job.kept.lanes,
        lanes=experiment.config.plan.lanes,
        workers=pool.workers,
        on_gpu=pool.gpus > 0,
    )
    manifest = manifests.manifest_of(
        experiment, prepared.engine, prepared.worlds, previous
    )
    manifest |= {"workers": pool.workers, "lanes": plan.width}
    if job.kept.is_merged and previous:
        manifest["tables"] = previous["tables"]
    else:
        job.store.write_manifest(manifest)
    _announce(job, plan, pool, previous, manifest)
    started = time.monotonic()
    if plan.shards:
        _compute(job, plan, pool, manifest, summary)
    manifest["wall_s"] = round(manifest["wall_s"] + time.monotonic() - started, 3)
    conclude(prepared, job.store, job.kept, manifest, summary, job.console)
    return summary


def _announce(job: _Job, plan: Plan, pool: Pool, previous, manifest) -> None:
    config = job.prepared.experiment.config
    points = len(job.prepared.experiment.points)
    for problem in job.kept.damaged:
        job.say(f"{problem}; its runs are run again")
    if previous and previous.get("sources") != manifest["sources"]:
        job.say("the sources of the lab are not those that this experiment began with")
    if pool.notice:
        job.say(pool.notice)
    where = f"{pool.workers} workers" if pool.workers else "this process"
    finished = len(job.kept.lanes)
    kept = f", {finished} finished already" if finished else ""
    job.say(
        f"{config.name}: {points} points x {config.runs} runs"
        f"{kept}; {len(plan.shards)} shards of {plan.width} lanes, {plan.groups} "
        f"programs, on {where} -> {job.options.out}"
    )


def _compute(
    job: _Job, plan: Plan, pool: Pool, manifest: dict[str, Any], summary: Summary
) -> None:
    """Runs the shards and puts every result on disk as it comes."""
    prepared, experiment = job.prepared, job.prepared.experiment
    tally = Tally(plan.runs, manifest["blocks"], time.monotonic)

    def work(shard: Shard):
        engine = job.options.engine
        return work_of(prepared.worlds, shard, engine, experiment.config.seed)

    try:
        with interrupts.polled(), reporter(tally, job.console) as shown:
            for event in pool.run(plan.shards, work):
                if isinstance(event, ShardResult):
                    _keep(event, prepared, job.store, manifest)
                    tally.done += len(event.shard.lanes)
                elif isinstance(event, Failure):
                    summary.failures.append(_describe(event, experiment))
                shown.update()
                interrupts.check()
    except KeyboardInterrupt:
        summary.interrupted = True


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
    series = metrics.series_table(result, engine.SERIES, shape)
    store.write_part(experiment.hash, runs, series)
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
