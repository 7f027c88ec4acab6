"""The edge of the command line: whatever a command raises ends it in one sentence.

A user sees what is wrong, with which file or key, and what to do; never a traceback,
and never the exit code of a failed check. What this lab raises itself are
`ConfigError`s; the system, the libraries that read files, and numbers or nesting
without bound raise errors of their own, which are told here. An error that nobody
foresaw is told with its place in the code; with ``SHAKEOUT_TRACEBACK=1`` its traceback
is shown as well.
"""

import os
import sys
import traceback
import zipfile
import zlib
from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from json import JSONDecodeError
from typing import Any

import typer

from experiments.cli.common import INTERRUPTED, WRONG_CONFIG, complain
from experiments.config.errors import ConfigError
from experiments.config.files import told

#: What a shell says of a command that wrote into a closed pipe.
PIPE_CLOSED = 128 + 13
#: Set to 1, it shows the traceback of an error that nobody foresaw.
TRACEBACK_VARIABLE = "SHAKEOUT_TRACEBACK"


def command(function: Callable) -> Callable:
    """A command that ends in a sentence and an exit code, whatever it raises."""

    @wraps(function)
    def wrapped(*args, **kwargs):
        _print_anything()
        try:
            return function(*args, **kwargs)
        except (typer.Exit, typer.Abort):
            raise
        except KeyboardInterrupt:
            complain(["interrupted"])
            raise typer.Exit(INTERRUPTED) from None
        except BrokenPipeError:
            _print_nothing()
            raise typer.Exit(PIPE_CLOSED) from None
        except Exception as error:
            complain(sentences(error, kwargs))
            raise typer.Exit(WRONG_CONFIG) from None

    return wrapped


def sentences(error: Exception, arguments: dict[str, Any]) -> list[str]:
    """What went wrong, for the user, one sentence a problem.

    Args:
        error: what the command raised.
        arguments: of the command by name; the first names where, if nothing else does.
    """
    first = next(iter(arguments.values()), "")
    place = f"{first}: " if isinstance(first, str | os.PathLike) and first else ""
    match error:
        case ConfigError():
            return error.problems
        case MemoryError():
            return [f"{place}out of memory; fewer lanes, accounts or points need less"]
        case RecursionError():
            return [f"{place}something in it is nested too deeply"]
        case UnicodeError():
            return [f"{place}holds text that is not Unicode ({error})"]
        case OSError() if error.errno or error.filename:
            return [told(error)]
        case _ if _is_damage(error):
            return [f"{place}holds a damaged file ({_first_line(error)})"]
    return [_unforeseen(error)]


def _is_damage(error: Exception) -> bool:
    """Whether a library that reads files has found one damaged."""
    # An error of the system has a number; PyArrow raises some that have none.
    kinds = (JSONDecodeError, zipfile.BadZipFile, zlib.error, EOFError, OSError)
    if isinstance(error, kinds):
        return True
    arrow = sys.modules.get("pyarrow")
    return arrow is not None and isinstance(error, arrow.ArrowException)


def _unforeseen(error: Exception) -> str:
    """An error that is the lab's own fault: what and where, for a report of it."""
    if os.environ.get(TRACEBACK_VARIABLE):
        traceback.print_exception(error)
    frames = traceback.extract_tb(error.__traceback__)
    where = f" at {frames[-1].filename}:{frames[-1].lineno}" if frames else ""
    return (
        f"an error that the lab does not know, {type(error).__name__}: "
        f"{_first_line(error)}{where}; please report it, with the traceback that "
        f"{TRACEBACK_VARIABLE}=1 shows"
    )


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]


def _print_nothing() -> None:
    """Sends what is still to be printed to nowhere, as nobody reads on."""
    with suppress(OSError, ValueError):  # a stream of a test's own has no file
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _print_anything() -> None:
    """Lets text that a terminal cannot show be printed as escapes."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")
