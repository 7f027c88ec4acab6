"""What a page shows: its blocks of code, and the commands a reader may type.

A page is worked through from top to bottom in one folder. A block that begins with
``# name.py`` (or another file name) is that file; another Python block is run, after
those before it; in a console block what follows ``$`` is typed. A block after
``<!-- not run: reason -->`` is only looked at: its commands must be such as the command
line takes, its Python must compile.
"""

import re
import shlex
from pathlib import Path
from typing import NamedTuple

HOME = Path(__file__).resolve().parents[2]
PAGES = sorted([*HOME.glob("*.md"), *(HOME / "docs").rglob("*.md")])

_BLOCK = re.compile(
    r"(?:^<!-- not run: (?P<excuse>[^>]+) -->\n+)?"
    r"^```(?P<language>\w+)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
_FILE = re.compile(r"# (?P<name>[\w./-]+\.\w+)\n")
_TICKED = re.compile(r"`((?:shakeout|python -m|make) [^`]+)`")


class Block(NamedTuple):
    """A block of code on a page."""

    line: int
    language: str
    text: str
    excuse: str  # why it is not run; empty where it is

    @property
    def file(self) -> str:
        """The name of the file that the block is; empty if it is none."""
        found = _FILE.match(self.text)
        return found["name"] if found else ""

    @property
    def is_doctest(self) -> bool:
        """Whether it is a dialogue at a prompt, which `doctest` runs."""
        return self.text.startswith(">>> ")

    @property
    def commands(self) -> list["Command"]:
        """What a reader types, and what the page says then appears."""
        if self.language != "console":
            return []
        typed = re.split(r"^\$ ", self.text, flags=re.MULTILINE)[1:]
        return [_command(part) for part in typed]


class Command(NamedTuple):
    """One command and the lines that the page prints below it."""

    words: list[str]
    shown: list[str]


def _command(typed: str) -> Command:
    first, *shown = typed.rstrip("\n").split("\n")
    return Command(shlex.split(first, comments=True), shown)


def blocks_of(page: Path) -> list[Block]:
    """The blocks of a page, in their order."""
    text = page.read_text()
    return [
        Block(
            text.count("\n", 0, found.start("language")) + 1,
            found["language"],
            found["text"],
            (found["excuse"] or "").strip(),
        )
        for found in _BLOCK.finditer(text)
    ]


def commands_in_prose(page: Path) -> list[list[str]]:
    """Commands in backticks between the blocks; an ellipsis ends one."""
    prose = _BLOCK.sub("", page.read_text())
    found = (text.split(" …")[0].split(" [")[0] for text in _TICKED.findall(prose))
    return [shlex.split(text) for text in found]


def appears(shown: list[str], output: str) -> bool:
    """Whether the lines appear in the output in their order; `…` is anything."""
    lines = [re.escape(line.rstrip()).replace("…", ".*") for line in shown]
    pattern = "(?:.*\n)*?".join(rf"\s*{line}\s*\n" for line in lines)
    return re.search(pattern, output + "\n") is not None
