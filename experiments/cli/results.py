"""`shakeout report`, `check` and `replay`: what a finished run holds."""

from pathlib import Path
from typing import Annotated

import typer

from experiments.cli.common import CHECK_FAILED, RunDir
from experiments.config.errors import ConfigError
from experiments.config.files import check_place


def report(run_dir: RunDir) -> None:
    """Writes the report of a finished run again."""
    from experiments.report import ReportError, write_report

    try:
        path = write_report(run_dir)
    except ReportError as error:
        raise ConfigError(str(error)) from None
    print(path.resolve())


def check(
    run_dir: RunDir,
    against: Annotated[
        Path | None, typer.Option(metavar="FILE", help="compare with this pin")
    ] = None,
    pin: Annotated[
        Path | None, typer.Option(metavar="FILE", help="write a pin of these results")
    ] = None,
    junit: Annotated[
        Path | None, typer.Option(metavar="FILE", help="write JUnit XML")
    ] = None,
    instead: Annotated[
        list[str] | None,
        typer.Option(
            "--check",
            metavar="EXPRESSION",
            help="evaluate this instead of the config's checks; repeatable",
        ),
    ] = None,
) -> None:
    """Evaluates the checks of a finished run; exit 1 names what moved."""
    from experiments import audit, conclusion
    from experiments.results import checks, pins
    from experiments.results.files import write_json
    from experiments.results.store import Store

    for written in (pin, junit):
        if written is not None:
            check_place(written)
    store = Store(run_dir)
    manifest = store.read_manifest()
    remembered = pins.read_pin(against) if against else None
    runs = audit.audit(store, manifest)
    outcomes = conclusion.check(store, manifest, instead or [])
    if remembered is not None:
        outcomes += pins.compare_with_pin(remembered, manifest, runs)
    missing = audit.missing_runs(manifest, runs)
    if missing:
        message = f"{missing} runs are missing: the experiment is not complete"
        outcomes.append(checks.Outcome("complete", False, missing, 0, message=message))
    for outcome in outcomes:
        print(f"{'ok  ' if outcome.passed else 'FAIL'} {outcome.message}")
    if junit:
        checks.write_junit(junit, manifest["name"], outcomes)
    if pin:
        write_json(pin, pins.make_pin(manifest, runs))
        print(f"pinned to {pin}")
    if not all(outcome.passed for outcome in outcomes):
        raise typer.Exit(CHECK_FAILED)


def replay(
    run_dir: RunDir,
    run_number: Annotated[
        int, typer.Option("--run", metavar="K", min=0, help="number of the run")
    ],
    point: Annotated[
        int, typer.Option(metavar="P", min=0, help="number of the sweep point")
    ] = 0,
) -> None:
    """Executes the transactions of a run again, with no agents, and compares roots."""
    from experiments.evidence.replays import replay_run

    text, equal = replay_run(run_dir, point, run_number)
    print(text)
    if not equal:
        raise typer.Exit(CHECK_FAILED)
