"""Runs an experiment into a run directory, from the first shard to the last file.

The order of things: everything that can be wrong is found before the directory is
touched; every finished shard is on disk before the next is asked for; the final tables
are made from what is on disk, so that a resumed experiment cannot differ from an
unbroken one.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console

from experiments import manifests
from experiments.config import Experiment
from experiments.config.errors import ConfigError
from experiments.engine import (
    DEFAULT_ENGINE,
    Engine,
    MetricLike,
    World,
    load_engine,
)
from experiments.evidence import records
from experiments.fleet import environment
from experiments.fleet.cluster import Failure, open_pool
from experiments.fleet.plan import Plan, Shard, make_plan, work_of
from experiments.fleet.simulate import ShardResult
from experiments.progress import Tally, reporter
from experiments.results import checks
from experiments.results import tables as metrics
from experiments.results.columns import kept
from experiments.results.expressions import parse_check
from experiments.results.store import CHECKS, Store, write_json


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


@dataclass
class Summary:
    """What came of a run.

    Attributes:
        outcomes: of the checks.
        failures: of shards, in words, with point, runs and seed.
        interrupted: somebody pressed Ctrl-C.
        finished, total: runs on disk, and runs of the experiment.
    """

    outcomes: list[checks.Outcome] = field(default_factory=list)
    failures: list[dict[str, Any]] = field(default_factory=list)
    interrupted: bool = False
    finished: int = 0
    total: int = 0
    report: Path | None = None


@dataclass(frozen=True)
class Prepared:
    """An experiment that is known to be runnable."""

    experiment: Experiment
    engine: Engine
    worlds: list[World]

    @property
    def metrics(self) -> dict[str, MetricLike]:
        """The metrics that it keeps, by name."""
        known = self.engine.metrics(self.worlds)
        return kept(known, self.experiment.config.metrics)


def default_folder(experiment: Experiment) -> Path:
    """Where an experiment's results go if nobody says where."""
    return Path("runs") / f"{experiment.config.name}-{experiment.hash[:8]}"


def known_columns(prepared: Prepared) -> list[str]:
    """Columns that a check of this experiment may name."""
    experiment = prepared.experiment
    numeric = [
        axis
        for axis in experiment.axes
        if all(isinstance(p.axes[axis], int | float) for p in experiment.points)
    ]
    return [*metrics.IDENTITY, *numeric, *prepared.metrics]


def prepare(experiment: Experiment, engine_name: str = DEFAULT_ENGINE) -> Prepared:
    """Builds every world and looks at every check; nothing is computed.

    Raises:
        ConfigError: a point cannot be built, or a check or metric is unknown.
    """
    engine = load_engine(engine_name)
    prepared = Prepared(experiment, engine, _build(experiment, engine))
    columns = known_columns(prepared)
    for text in experiment.config.checks:
        parse_check(text, columns)
    return prepared


def _build(experiment: Experiment, engine: Engine) -> list[World]:
    try:
        return engine.build(experiment.configs)
    except ConfigError as error:
        if len(experiment.configs) == 1:
            raise
        _blame(experiment, engine, error)
        raise


def _blame(experiment: Experiment, engine: Engine, error: ConfigError) -> None:
    """Raises the error again with the first point that has it by itself."""
    for point, config in zip(experiment.points, experiment.configs, strict=True):
        try:
            engine.build([config])
        except ConfigError as alone:
            problems = [
                f"point {point.number} ({point.label}): {text}"
                for text in alone.problems
            ]
            raise ConfigError(problems) from error


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
    _finish(prepared, store, manifest, summary, console)
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


def _finish(
    prepared: Prepared,
    store: Store,
    manifest: dict[str, Any],
    summary: Summary,
    console: Console,
) -> None:
    """Final tables, checks, report and manifest, of whatever is on disk."""
    summary.finished = store.merge()
    complete = summary.finished == summary.total
    if summary.finished:
        summary.outcomes = check(store, manifest)
    if complete:
        store.drop_parts()
        wanted = prepared.experiment.config.record.runs
        seed = prepared.experiment.config.seed
        records.keep_records(store.path, prepared.worlds, seed, wanted)
        _prove(prepared, store, console)
    if summary.interrupted:
        manifest["status"] = "interrupted"
    else:
        manifest["status"] = "complete" if complete else "partial"
    manifest["failures"] = summary.failures
    store.write_manifest(manifest)
    if summary.finished and not summary.interrupted:
        summary.report = write_report(store.path, console)


def _prove(prepared: Prepared, store: Store, console: Console) -> None:
    """Proves the batches that the config asks for, and says what came of them."""
    config = prepared.experiment.config
    if not config.rollup.prove:
        return
    from experiments.evidence.proving import keep_proofs

    rows = keep_proofs(
        store.path,
        prepared.worlds,
        config.seed,
        config.rollup.prove_runs,
        config.rollup.prove_every,
    )
    for row in rows:
        if row["reason"]:
            place = f"point {row['point']}, run {row['run']}, batch {row['batch']}"
            console.print(f"no proof of {place}: {row['reason']}", highlight=False)
    proven = sum(1 for row in rows if not row["reason"])
    seconds = sum(row["seconds"] for row in rows)
    console.print(
        f"{proven} of {len(rows)} batches proven in {seconds:.1f} s: "
        f"{store.path / 'proofs'}",
        highlight=False,
    )


def check(store: Store, manifest: dict[str, Any]) -> list[checks.Outcome]:
    """Evaluates the config's checks over the runs and writes checks.json."""
    labels = {point["point"]: point["label"] for point in manifest["points"]}
    texts: Sequence[str] = manifest["config"].get("checks", [])
    outcomes = checks.evaluate_checks(texts, store.runs().to_pandas(), labels)
    write_json(store.path / CHECKS, [outcome.as_json() for outcome in outcomes])
    return outcomes


def write_report(path: Path, console: Console) -> Path | None:
    """Writes the report; a report that cannot be made is no reason to lose a run."""
    from experiments.report import ReportError
    from experiments.report import write_report as write

    try:
        return write(path)
    except ReportError as error:
        console.print(f"no report: {error}", style="yellow", markup=False)
        return None
