"""Whatever a command raises ends it in one sentence and an exit code."""

import errno
import json
import zipfile

import pyarrow as pa
import pytest
import typer
from typer.testing import CliRunner

from experiments.cli.boundary import command
from experiments.config.errors import ConfigError


def ending(error):
    """How a command ends that raises this."""
    app = typer.Typer()

    def broken(place: str = "runs/x") -> None:
        raise error

    app.command()(command(broken))
    return CliRunner().invoke(app, [])


def nested():
    return nested()


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (ConfigError(["one", "two"]), 2, "shakeout: one\nshakeout: two\n"),
        (OSError(errno.ENOSPC, "No space left on device", "a/b"), 2, "a/b: no space"),
        (OSError(errno.EROFS, "Read-only file system", "a/b"), 2, "not read-only"),
        (OSError(errno.ENOSPC, "No space", "a/.b.json.47.tmp"), 2, "a/b.json: no"),
        (PermissionError(errno.EACCES, "Permission denied", "p"), 2, "p: permission"),
        (MemoryError(), 2, "runs/x: out of memory"),
        (RecursionError(), 2, "runs/x: something in it is nested too deeply"),
        (UnicodeDecodeError("utf-8", b"x", 0, 1, "bad"), 2, "is not Unicode"),
        (pa.ArrowInvalid("no magic bytes\nmore"), 2, "damaged file (no magic bytes)"),
        (OSError("Couldn't deserialize thrift"), 2, "damaged file (Couldn't"),
        (zipfile.BadZipFile("not a zip"), 2, "damaged file (not a zip)"),
        (json.JSONDecodeError("no value", "", 0), 2, "damaged file (no value"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (BrokenPipeError(errno.EPIPE, "Broken pipe"), 141, ""),
        (TypeError("x"), 2, "an error that the lab does not know, TypeError: x at "),
        (typer.Exit(1), 1, ""),
    ],
)
def test_an_error_ends_a_command_in_a_sentence(error, code, said):
    result = ending(error)
    assert result.exit_code == code
    assert said in result.stderr
    assert "Traceback" not in result.output


def test_the_traceback_of_an_unforeseen_error_is_shown_where_asked(monkeypatch):
    monkeypatch.setenv("SHAKEOUT_TRACEBACK", "1")
    assert "Traceback" in ending(TypeError("x")).stderr


@pytest.mark.parametrize("name", ["scenarios", "law", "verify", "check", "run"])
@pytest.mark.timeout(60)
def test_every_command_stands_behind_the_boundary(name, shakeout, tmp_path):
    """A name of 300 letters is none that a file system takes."""
    arguments = [] if name == "scenarios" else [tmp_path / ("x" * 300)]
    result = shakeout(name, *arguments)
    assert result.exit_code == (0 if name == "scenarios" else 2), result.output
    assert "Traceback" not in result.output
