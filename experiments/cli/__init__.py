"""The command line: a module a group of commands, one list of them.

Exit codes: 0 fine, 1 a check failed, 2 a wrong config, argument, file or environment
(`experiments.cli.boundary`), 3 a shard was lost for good, 130 interrupted.
"""

import typer

from experiments.cli import catalogue, conform, proofs, results, run
from experiments.cli.boundary import command

app = typer.Typer(
    name="shakeout",
    help="Agent-based stress tests of leveraged trading on Layer-2 rollups.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

for _function in (
    run.run,
    results.report,
    results.check,
    results.replay,
    conform.conform,
    catalogue.scenarios,
    catalogue.schema,
    proofs.prove,
    proofs.verify,
    proofs.inclusion,
    proofs.law,
):
    app.command()(command(_function))
