"""Files that are there whole or not at all, also after the machine has lost power.

A file is written beside its place, flushed to the disk and renamed into it. What a
killed process left beside a file is removed by the next that writes there.
"""

import contextlib
import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

#: ``.runs.parquet.4711.tmp``: what process 4711 is writing.
_TEMPORARY = re.compile(r"\.(?P<name>.+)\.(?P<process>\d+)\.tmp")


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A place beside ``path``; the file or folder made there takes its place.

    Readers see the old content or the new. Where the body raises, the old stays and
    nothing is left beside it.
    """
    remove_temporaries(path.parent, path.name)
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    remove(beside)
    try:
        yield beside
        for file in [beside, *beside.rglob("*")] if beside.is_dir() else [beside]:
            _flush(file)
        os.replace(beside, path)
    except BaseException:
        remove(beside)
        raise
    _flush(path.parent)


def write_bytes(path: Path, data: bytes) -> None:
    """Replaces a file's content as a whole."""
    with replacing(path) as beside:
        beside.write_bytes(data)


def write_json(path: Path, value: Any) -> None:
    """Replaces a file's content by a value as JSON."""
    text = json.dumps(value, indent=2, ensure_ascii=False) + "\n"
    write_bytes(path, text.encode())


def remove(path: Path) -> None:
    """Removes a file, or a folder with all that is in it; a link, not its target."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def remove_temporaries(
    folder: Path, name: str | None = None, *, alone: bool = False
) -> None:
    """Removes what killed processes were writing in a folder.

    Args:
        folder: where to look; it need not exist.
        name: of one file only; None stands for all.
        alone: nobody else writes there, this process included. A process of another
            time may have had the number of one that lives now.
    """
    if not folder.is_dir():
        return
    for place in folder.iterdir():
        found = _TEMPORARY.fullmatch(place.name)
        if found is None or name not in (None, found["name"]):
            continue
        if alone or not _is_alive(int(found["process"])):
            with contextlib.suppress(OSError):
                remove(place)


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


def _flush(path: Path) -> None:
    """Has the disk hold what was written to a file, or which names a folder has."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError:
        # Some file systems refuse it for folders; a file's failure is not hidden.
        if not path.is_dir():
            raise
    finally:
        os.close(descriptor)


def digest_of(path: Path) -> str:
    """SHA-256 of a file's content, hex.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
