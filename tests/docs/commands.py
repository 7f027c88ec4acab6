"""Whether the command line takes a command that a page shows, without running it."""

import importlib.util
import re
from pathlib import Path
from typing import Any

import typer

from experiments.cli import app
from experiments.config import load
from experiments.config.errors import ConfigError
from tests.docs.blocks import HOME

_BROUGHT = re.compile(r"\.(csv|json)$|=replay$")


def problem(words: list[str], folder: Path) -> str:
    """What is wrong with a command; empty if nothing.

    `make` must have the target, `python -m` the module, `shakeout` the command and its
    options; a ready scenario must load with the values that are set.
    """
    if words[0] == "make":
        return _problem_of_make(words[1:])
    if words[:2] == ["python", "-m"]:
        if words[2] != "shakeout":
            found = importlib.util.find_spec(words[2])
            return "" if found else f"there is no module {words[2]}"
        words = words[2:]
    if words[0] != "shakeout":
        return f"{words[0]} is not a command of the lab"
    return _problem_of_shakeout(words[1:], folder)


def _problem_of_make(targets: list[str]) -> str:
    there = re.findall(r"^(\w[\w-]*):", (HOME / "Makefile").read_text(), re.MULTILINE)
    named = [word for word in targets if "=" not in word]
    return "".join(f"make has no {name}; " for name in named if name not in there)


def _problem_of_shakeout(words: list[str], folder: Path) -> str:
    commands: dict[str, Any] = vars(typer.main.get_command(app))["commands"]
    if not words or words[0].startswith("-"):
        return ""
    command = commands.get(words[0])
    if command is None:
        return f"shakeout has no command {words[0]}"
    if len(words) == 1:
        return ""  # named in prose, without its arguments
    known = {name for each in command.params for name in each.opts}
    options = [word.split("=")[0] for word in words[1:] if word.startswith("-")]
    unknown = [name for name in options if name not in known | {"--help"}]
    if unknown:
        return f"shakeout {words[0]} has no option {', '.join(unknown)}"
    return _problem_of_config(command, words, folder) if words[0] == "run" else ""


def _problem_of_config(command: Any, words: list[str], folder: Path) -> str:
    """Loads the config of `shakeout run`, if the reader has it by then."""
    given = command.make_context("run", words[1:]).params
    name = given["config"]
    if name.endswith(".yaml") and not (folder / name).exists():
        return ""
    # Files that the reader brings, and what needs them, are not here to be read.
    values = [pair for pair in given["set_"] or [] if not _BROUGHT.search(pair)]
    try:
        load(folder / name if name.endswith(".yaml") else name, values)
    except ConfigError as error:
        return f"shakeout run {name}: {error}"
    return ""
