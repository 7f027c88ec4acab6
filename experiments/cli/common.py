"""What all commands share: exit codes and messages."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

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
