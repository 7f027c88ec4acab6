"""What the pages show works: code runs, commands exist, configs load.

Ordinary tests look at every command without running it: `make` has the target, the
command line takes the options, the config loads. The slow test works through a page as
a reader would, in an empty folder. What a page says is not run (`<!-- not run: … -->`,
minutes of computing or files of the reader's own) is only looked at.
"""

import doctest
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from experiments.config import load
from tests.docs.blocks import HOME, PAGES, Block, appears, blocks_of, commands_in_prose
from tests.docs.commands import problem

SECONDS = 800
every_page = pytest.mark.parametrize(
    "page", PAGES, ids=lambda page: str(page.relative_to(HOME))
)


def write_files(blocks: list[Block], folder: Path) -> None:
    """Writes the files that the page has its reader write."""
    for block in blocks:
        if block.file:
            (folder / block.file).write_text(block.text)


def typed_in(folder: Path, words: list[str]) -> str:
    """Types a command in a folder; its output, if it ends well."""
    python = [sys.executable, "-P"] if words[0] == "shakeout" else [sys.executable]
    if words[0] == "shakeout":
        words = ["python", "-m", *words]
    assert words[0] == "python", f"{words[0]}: say why the block is not run"
    done = subprocess.run(
        [*python, *words[1:]],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(HOME), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    output = done.stdout + done.stderr
    assert done.returncode == 0, f"{' '.join(words)}\n{output}"
    return output


def test_the_blocks_of_a_page_are_found(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(
        "```python\n# lane.py\nx = 1\n```\n"
        "<!-- not run: minutes -->\n```console\n$ make demo  # it\na … c\n```\n"
        "Type `shakeout run x … y`.\n"
    )
    first, second = blocks_of(page)
    assert (first.file, first.excuse, first.line) == ("lane.py", "", 1)
    assert second.excuse == "minutes"
    assert second.commands == [(["make", "demo"], ["a … c"])]
    assert commands_in_prose(page) == [["shakeout", "run", "x"]]
    assert appears(["a … c"], "x\n a b c\n")
    assert not appears(["a", "b"], "b\na\n")


@pytest.mark.parametrize(
    "words",
    [
        ["make", "coffee"],
        ["python", "-m", "tests.nothing"],
        ["shakeout", "walk"],
        ["shakeout", "run", "demo", "--sets", "runs=2"],
        ["shakeout", "run", "demo", "--set", "sequencer.polcy=fcfs"],
        ["rm", "-r", "runs"],
    ],
)
def test_a_wrong_command_is_found(words, tmp_path):
    assert problem(words, tmp_path) != ""


@every_page
def test_the_commands_of_a_page_are_taken(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    blocks = blocks_of(page)
    write_files(blocks, tmp_path)
    shown = [command.words for block in blocks for command in block.commands]
    told = [problem(words, tmp_path) for words in shown + commands_in_prose(page)]
    assert list(filter(None, told)) == []


@every_page
def test_the_code_of_a_page_can_be_read(page, tmp_path):
    for block in blocks_of(page):
        if block.language == "python" and not block.is_doctest:
            compile(block.text, f"{page.name}:{block.line}", "exec")
        if block.language == "yaml" and not block.file and not block.excuse:
            config = tmp_path / "config.yaml"
            config.write_text(block.text)
            load(config)


@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if any(block.is_doctest for block in blocks_of(page))],
    ids=lambda page: page.name,
)
def test_the_dialogues_of_a_page_run(page):
    failed, tried = doctest.testfile(str(page), module_relative=False)
    assert (failed, tried > 0) == (0, True)


def is_work(block: Block) -> bool:
    """Whether working through the page runs the block."""
    if block.file or block.excuse or block.is_doctest:
        return False
    return block.language == "python" or bool(block.commands)


@pytest.mark.slow
@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if any(map(is_work, blocks_of(page)))],
    ids=lambda page: str(page.relative_to(HOME)),
)
def test_a_page_works(page, tmp_path):
    blocks = blocks_of(page)
    write_files(blocks, tmp_path)
    for block in filter(is_work, blocks):
        if block.language == "python":
            script = tmp_path / f"block_{block.line}.py"
            script.write_text(block.text)
            typed_in(tmp_path, ["python", script.name])
        for command in block.commands:
            output = typed_in(tmp_path, command.words)
            assert appears(command.shown, output), output


ADDITIONS = ("scheme", "family", "fault", "metric")
OURS = ("market", "rollup", "agents", "experiments")


@pytest.mark.parametrize("name", ADDITIONS)
def test_an_addition_is_one_file_and_one_line(name):
    """A stranger adds a scheme, a family, a fault or a metric without forking."""
    blocks = blocks_of(HOME / "docs" / "how-to" / f"{name}.md")
    (source,) = [block for block in blocks if block.file.endswith(".py")]
    assert not re.search(rf"^(from|import) ({'|'.join(OURS)})\b", source.text, re.M)
    path = f"{Path(source.file).stem}:"
    configs = [b.text for b in blocks if b.file.endswith(".yaml")]
    commands = [c.words for block in blocks for c in block.commands]
    runs = [" ".join(words) for words in commands if words[1] == "run"]
    assert sum(text.count(path) for text in configs + runs) == 1
    assert ["shakeout", "conform"] in [words[:2] for words in commands]


def test_an_example_is_the_same_on_its_page_and_in_its_file():
    for path in sorted((HOME / "examples").glob("*.py")):
        shown = [
            block.text.partition("\n")[2]
            for page in PAGES
            for block in blocks_of(page)
            if block.file == path.name
        ]
        assert shown == [path.read_text()], path.name
