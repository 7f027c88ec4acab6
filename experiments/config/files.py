"""Reading the files that a user names: regular files, of a bounded size.

A pipe never ends and a device never stops, so neither is read; a file is taken in only
up to what its kind may hold. Whatever goes wrong is one sentence that names the file.
"""

import errno
import hashlib
import json
import os
import re
import stat
from functools import lru_cache
from pathlib import Path
from typing import Any

from experiments.config.errors import ConfigError

#: Bytes of a megabyte, as messages count them.
MB = 1_000_000

#: ``.manifest.json.4711.tmp``, the file that process 4711 is writing.
_BESIDE = re.compile(r"\.([^/]+)\.\d+\.tmp\b")
#: What to do about a file or folder, by the number of the system's error.
_ADVICE = {
    errno.ENOSPC: "free some space, or write elsewhere",
    errno.EDQUOT: "free some of the quota, or write elsewhere",
    errno.EROFS: "write to a place that is not read-only",
    errno.EACCES: "change its permissions, or choose another place",
    errno.EPERM: "change its permissions, or choose another place",
    errno.EISDIR: "name a file",
    errno.ENOTDIR: "name a folder",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.ELOOP: "its links lead in a circle; name the file itself",
    errno.EMFILE: "raise the number of open files (ulimit -n)",
    errno.ENFILE: "the machine has too many files open; try again",
    errno.EIO: "the disk reports a fault; read or write elsewhere",
}


def told(error: OSError, path: Path | str | None = None) -> str:
    """What the system refused, of which file, and what to do.

    Args:
        error: what was raised.
        path: the file as the user knows it; the error's own, if None.
    """
    name = path if path is not None else error.filename
    if isinstance(name, bytes):
        name = os.fsdecode(name)
    if name is not None:
        # What is written beside its place is known by its place.
        name = _BESIDE.sub(r"\1", str(name))
    place = f"{name}: " if name is not None else ""
    said = error.strerror or str(error) or type(error).__name__
    if name is not None and _is_dangling(str(name)):
        return f"{place}is a link to {os.readlink(name)}, which is not there"
    advice = _ADVICE.get(error.errno or 0)
    return f"{place}{said[:1].lower()}{said[1:]}" + (f"; {advice}" if advice else "")


def expanded(name: str) -> Path:
    """The path that a user wrote, with ``~`` as their home.

    Raises:
        ConfigError: there is no such home, or the text is no name of a file.
    """
    if "\0" in name:
        raise ConfigError(f"{name!r}: is no name of a file")
    try:
        return Path(name).expanduser()
    except RuntimeError:
        raise ConfigError(f"{name}: there is no such home; name the folder") from None


def _is_dangling(name: str) -> bool:
    try:
        return os.path.islink(name) and not os.path.exists(name)
    except (OSError, ValueError):
        return False


def read_bytes(path: Path, most: int) -> bytes:
    """The bytes of a regular file.

    Args:
        path: which file.
        most: bytes that it may hold.

    Raises:
        ConfigError: it cannot be read, is no regular file, or holds more.
    """
    try:
        # Opening a pipe would wait for its other end.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except OSError as error:
        raise ConfigError(told(error, path)) from None
    except ValueError:
        raise ConfigError(f"{str(path)!r}: is no name of a file") from None
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        raise ConfigError(f"{path}: is {_kind(status.st_mode)}; name a file")
    try:
        with open(descriptor, "rb") as file:
            data = file.read(most + 1)
    except OSError as error:
        raise ConfigError(told(error, path)) from None
    if len(data) > most:
        raise ConfigError(
            f"{path}: {max(status.st_size, len(data)):,} bytes; a file of this kind "
            f"has at most {most:,}"
        )
    return data


def digest_of(path: Path, most: int) -> str:
    """SHA-256 of what a regular file holds, as `read_bytes` reads it.

    A sweep asks for one file at every point, so an answer is kept for as long as the
    system says that the file is as it was; `read_same` is what finds a change.
    """
    try:
        status = os.stat(path)
    except OSError as error:
        raise ConfigError(told(error, path)) from None
    marks = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
    return _digest(path, most, marks)


@lru_cache(maxsize=256)
def _digest(path: Path, most: int, marks: tuple[int, ...]) -> str:
    return hashlib.sha256(read_bytes(path, most)).hexdigest()


def read_same(path: Path, most: int, sha256: str) -> bytes:
    """The bytes of a regular file that is still what it was.

    Raises:
        ConfigError: as `read_bytes`, or it has changed since its digest was taken.
    """
    data = read_bytes(path, most)
    if hashlib.sha256(data).hexdigest() != sha256:
        raise ConfigError(f"{path}: has changed since it was checked; start again")
    return data


def read_text(path: Path, most: int) -> str:
    """The text of a regular file in UTF-8.

    Raises:
        ConfigError: as `read_bytes`, or it is no UTF-8.
    """
    data = read_bytes(path, most)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError(
            f"{path}:{line}: is not UTF-8 text (byte {error.start:,} is "
            f"{data[error.start]:#04x}); save it as UTF-8"
        ) from None


def read_json(path: Path, most: int) -> Any:
    """The value of a JSON file.

    Raises:
        ConfigError: as `read_text`, or it is no JSON that can be held.
    """
    text = read_text(path, most)
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise ConfigError(f"{path}:{error.lineno}: is not JSON ({error.msg})") from None
    except RecursionError:
        raise ConfigError(f"{path}: is not JSON of ours: nested too deeply") from None
    except ValueError:  # Python bounds the digits of an integer
        raise ConfigError(f"{path}: holds a number of thousands of digits") from None


def check_place(path: Path) -> None:
    """Makes sure, before long work, that its result can be written to this file.

    Folders that are missing above it are no problem; whoever writes makes them.

    Raises:
        ConfigError: something that is no file stands there, or nothing can be written.
    """
    wrong = 0
    place = path
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        pass
    except OSError as error:  # a name that is too long, a folder that none may enter
        raise ConfigError(told(error, path)) from None
    if os.path.lexists(path) and not os.path.isfile(path):
        wrong = errno.EISDIR if os.path.isdir(path) else errno.ENOENT
    else:
        while not os.path.lexists(place) and place != place.parent:
            place = place.parent
        if place != path and not os.path.isdir(place):
            wrong = errno.ENOTDIR
        elif not os.access(place, os.W_OK):
            wrong = errno.EACCES
    if wrong:
        raise ConfigError(told(OSError(wrong, os.strerror(wrong)), place))


def _kind(mode: int) -> str:
    """What stands in the place of a regular file."""
    kinds = {
        stat.S_ISDIR: "a folder",
        stat.S_ISFIFO: "a pipe",
        stat.S_ISCHR: "a device",
        stat.S_ISBLK: "a device",
        stat.S_ISSOCK: "a socket",
    }
    return next((word for test, word in kinds.items() if test(mode)), "no regular file")
