"""What all commands share: exit codes, messages, how a wrong config ends one."""

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from experiments.config.errors import ConfigError

CHECK_FAILED, WRONG_CONFIG, SHARD_LOST, INTERRUPTED = 1, 2, 3, 130

RunDir = Annotated[Path, typer.Argument(metavar="RUN_DIR", help="a run directory")]


def say(console: Console, text: str, style: str | None = None) -> None:
    """Prints text as it is: no markup, no colours of its own, no wrapping."""
    console.print(text, style=style, markup=False, highlight=False, soft_wrap=True)


def complain(problems: list[str]) -> None:
    """Prints what is wrong, a line each, where errors go."""
    errors = Console(stderr=True)
    for problem in problems:
        say(errors, f"shakeout: {problem}", style="red")


def command(function: Callable) -> Callable:
    """Turns a wrong config into its messages and exit code 2."""

    @wraps(function)
    def wrapped(*args, **kwargs):
        try:
            return function(*args, **kwargs)
        except ConfigError as error:
            complain(error.problems)
            raise typer.Exit(WRONG_CONFIG) from None

    return wrapped
