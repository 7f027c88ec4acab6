"""The command line: `shakeout run`, `report`, `check`, `replay`, `prove`, and others.

Exit codes: 0 fine, 1 a check failed, 2 wrong config or arguments, 3 a shard was lost
for good, 130 interrupted.
"""

import json
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from experiments.cli import proofs as cli_proofs
from experiments.config.errors import ConfigError
from experiments.fleet import environment
from experiments.fleet.install_check import ShadowedError, check_packages

CHECK_FAILED, WRONG_CONFIG, SHARD_LOST, INTERRUPTED = 1, 2, 3, 130

app = typer.Typer(
    name="shakeout",
    help="Agent-based stress tests of leveraged trading on Layer-2 rollups.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

RunDir = Annotated[Path, typer.Argument(metavar="RUN_DIR", help="a run directory")]


def _console() -> Console:
    return Console()


def _say(console: Console, text: str, style: str | None = None) -> None:
    """Prints text as it is: no markup, no colours of its own, no wrapping."""
    console.print(text, style=style, markup=False, highlight=False, soft_wrap=True)


def _complain(problems: list[str]) -> None:
    errors = Console(stderr=True)
    for problem in problems:
        _say(errors, f"shakeout: {problem}", style="red")


def command(function: Callable) -> Callable:
    """Turns a wrong config into its messages and exit code 2."""

    @wraps(function)
    def wrapped(*args, **kwargs):
        try:
            return function(*args, **kwargs)
        except ConfigError as error:
            _complain(error.problems)
            raise typer.Exit(WRONG_CONFIG) from None

    return wrapped


@app.command()
@command
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
    environment.prepare()
    from experiments import config as configs
    from experiments import runner
    from experiments.engine import engine_name

    environment.listen_for_interrupts()
    console = _console()
    experiment = configs.load(config, set_ or [])
    prepared = runner.prepare(experiment, engine_name())
    where = out or Path("runs") / f"{experiment.config.name}-{experiment.hash[:8]}"
    options = runner.Options(
        where, workers, ray_address, resume, overwrite, engine_name()
    )
    summary = runner.run(prepared, options, console)
    raise typer.Exit(_conclude(summary, config, set_ or [], where, console))


def _conclude(summary, config: str, sets: list[str], where: Path, console) -> int:
    """Says what came of a run and gives its exit code."""
    for failure in summary.failures:
        _complain([_failure_text(failure)])
    for outcome in summary.outcomes:
        mark = "ok  " if outcome.passed else "FAIL"
        _say(console, f"{mark} {outcome.message}")
    _say(
        console,
        f"{summary.finished} of {summary.total} runs in {where / 'runs.parquet'}",
    )
    if summary.report:
        _say(console, f"report: {summary.report.resolve()}")
    if summary.interrupted or summary.finished < summary.total:
        given = "".join(f" --set {value!r}" for value in sets)
        verb = "interrupted" if summary.interrupted else "not finished"
        _complain(
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


@app.command()
@command
def report(run_dir: RunDir) -> None:
    """Writes the report of a finished run again."""
    from experiments.report import ReportError, write_report

    try:
        path = write_report(run_dir)
    except ReportError as error:
        raise ConfigError(str(error)) from None
    print(path.resolve())


@app.command()
@command
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
) -> None:
    """Evaluates the checks of a finished run; exit 1 names what moved."""
    from experiments import runner
    from experiments.results import checks, pins
    from experiments.results.store import Store, write_json

    store = Store(run_dir)
    manifest = store.read_manifest()
    remembered = pins.read_pin(against) if against else None
    runs = store.runs().to_pandas()
    outcomes = runner.check(store, manifest)
    if remembered is not None:
        outcomes += pins.compare_with_pin(remembered, manifest, runs)
    missing = len(manifest["points"]) * manifest["runs"] - len(runs)
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


@app.command()
@command
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
    environment.prepare()
    from experiments.cli import replay as replays

    text, equal = replays.replay_run(run_dir, point, run_number)
    print(text)
    if not equal:
        raise typer.Exit(CHECK_FAILED)


@app.command()
def scenarios() -> None:
    """Lists the ready scenarios."""
    from experiments import config as configs

    names = configs.scenario_names()
    width = max(map(len, names))
    for name in names:
        first = (configs.SCENARIOS / f"{name}.yaml").read_text("utf-8").split("\n")[0]
        print(f"{name:{width}}  {first.lstrip('# ')}")


@app.command()
def schema() -> None:
    """Prints the JSON Schema of a config."""
    from experiments import config as configs

    print(json.dumps(configs.json_schema(), indent=2))


for proofs_command in (
    cli_proofs.prove,
    cli_proofs.verify,
    cli_proofs.inclusion,
    cli_proofs.law,
):
    app.command()(command(proofs_command))


def main() -> None:
    """The entry point of the command."""
    try:
        check_packages()
    except ShadowedError as error:
        print(f"shakeout: {error}", file=sys.stderr)
        raise SystemExit(WRONG_CONFIG) from None
    app()


if __name__ == "__main__":
    main()
