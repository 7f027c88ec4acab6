"""`shakeout run`: an experiment from its config to its report."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from experiments.cli.common import (
    CHECK_FAILED,
    INTERRUPTED,
    SHARD_LOST,
    complain,
    say,
)
from experiments.fleet import environment


def run(
    config: Annotated[
        str, typer.Argument(help="a YAML file, or the name of a ready scenario")
    ],
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="override a key; repeatable"),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="run directory")] = None,
    workers: Annotated[
        int | None, typer.Option(min=0, help="processes; 0 runs in this one")
    ] = None,
    ray_address: Annotated[
        str | None, typer.Option(help="a Ray cluster instead of this machine")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="go on where --out stopped")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="forget what --out holds")
    ] = False,
) -> None:
    """Runs an experiment and writes its tables, checks and report."""
    from experiments import config as configs
    from experiments import runner
    from experiments.engine import engine_name
    from experiments.preparation import prepare

    environment.listen_for_interrupts()
    console = Console()
    experiment = configs.load(config, set_ or [])
    prepared = prepare(experiment, engine_name())
    where = out or runner.default_folder(experiment)
    options = runner.Options(
        where, workers, ray_address, resume, overwrite, engine_name()
    )
    summary = runner.run(prepared, options, console)
    raise typer.Exit(_conclude(summary, config, set_ or [], where, console))


def _conclude(summary, config: str, sets: list[str], where: Path, console) -> int:
    """Says what came of a run and gives its exit code."""
    for failure in summary.failures:
        complain([_failure_text(failure)])
    for outcome in summary.outcomes:
        mark = "ok  " if outcome.passed else "FAIL"
        say(console, f"{mark} {outcome.message}")
    say(
        console,
        f"{summary.finished} of {summary.total} runs in {where / 'runs.parquet'}",
    )
    if summary.report:
        say(console, f"report: {summary.report.resolve()}")
    if summary.interrupted or summary.finished < summary.total:
        given = "".join(f" --set {value!r}" for value in sets)
        verb = "interrupted" if summary.interrupted else "not finished"
        complain(
            [f"{verb}; go on with: shakeout run {config}{given} --out {where} --resume"]
        )
    if summary.interrupted:
        return INTERRUPTED
    if summary.failures:
        return SHARD_LOST
    return 0 if all(o.passed for o in summary.outcomes) else CHECK_FAILED


def _failure_text(failure: dict) -> str:
    places = ", ".join(
        f"point {p['point']} ({p['label']}) runs "
        + " ".join(str(r["run"]) for r in failure["runs"] if r["point"] == p["point"])
        for p in failure["points"]
    )
    return f"lost: {places}; seed {failure['seed']}\n{failure['reason']}"
