"""`shakeout conform`: whether something of one's own keeps its contract."""

from typing import Annotated

import typer

from experiments.cli.common import CHECK_FAILED


def conform(
    path: Annotated[
        str,
        typer.Argument(metavar="MODULE:NAME", help="import path, package.module:Name"),
    ],
) -> None:
    """Puts a scheme, family, fault, agent, metric or price model through its rules."""
    from experiments import conform as rules

    kind, found = rules.conform(path)
    print(f"{path} is {kind.word}")
    broken = 0
    for finding in found:
        mark = "ok    " if finding.holds else "FAILED"
        print(f"{mark}  {finding.says}: {finding.seen}", flush=True)
        broken += not finding.holds
    if broken:
        print(f"{broken} rule{'s' if broken > 1 else ''} of its contract broken")
        raise typer.Exit(CHECK_FAILED)
