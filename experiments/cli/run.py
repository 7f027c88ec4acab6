"""`shakeout run`: an experiment from its config to its report."""

import shlex
import shutil
import sys
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
    from experiments import interrupts, runner
    from experiments.engine import engine_name
    from experiments.preparation import prepare

    console = Console()
    experiment = configs.load(config, set_ or [])
    prepared = prepare(experiment, engine_name())
    where = out or runner.default_folder(experiment)
    options = runner.Options(
        where, workers, ray_address, resume, overwrite, engine_name()
    )
    advice = go_on(config, set_ or [], where, workers, ray_address)
    interrupts.advise(advice)
    summary = runner.run(prepared, options, console)
    raise typer.Exit(_conclude(summary, advice, where, console))


def go_on(
    config: str,
    sets: list[str],
    where: Path,
    workers: int | None,
    ray_address: str | None,
) -> str:
    """How to go on with a run: a command that does so from any folder.

    It starts in this folder, for paths inside a value or a config, and plug-ins, are
    looked for here.
    """
    words = [*_program(), "run", config]
    for value in sets:
        words += ["--set", value]
    words += ["--out", str(where)]
    if workers is not None:
        words += ["--workers", str(workers)]
    if ray_address is not None:
        words += ["--ray-address", ray_address]
    command = shlex.join([*words, "--resume"])
    return f"go on with: cd {shlex.quote(str(Path.cwd()))} && {command}"


def _program() -> list[str]:
    """What starts this program in the shell that it was started from."""
    script = shutil.which("shakeout")
    if script and Path(script).resolve().parent == Path(sys.executable).parent:
        return ["shakeout"]
    return [sys.executable, "-m", "shakeout"]


def _conclude(summary, advice: str, where: Path, console) -> int:
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
        verb = "interrupted" if summary.interrupted else "not finished"
        complain([f"{verb}; {advice}"])
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
