"""One driver at a time in a run directory.

The lock is the operating system's own on an open file, so that it ends with the process
that holds it, however that ends: what a killed driver leaves behind is no obstacle.
"""

import contextlib
import fcntl
import os
import platform
from collections.abc import Iterator
from pathlib import Path

from experiments.config.errors import ConfigError

NAME = ".lock"


@contextlib.contextmanager
def held(folder: Path) -> Iterator[None]:
    """Keeps other drivers out of a folder, which is made where it is missing.

    Raises:
        ConfigError: another driver is in it; says which.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / NAME
    descriptor = _take(path)
    try:
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"process {os.getpid()} on {platform.node()}".encode())
        yield
    finally:
        # Still held: nobody else can have taken the file of this name meanwhile.
        path.unlink(missing_ok=True)
        os.close(descriptor)


def _take(path: Path) -> int:
    """A descriptor of the locked file that stands there now."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _stands_at(path, descriptor):
                return descriptor
        except BlockingIOError:
            holder = os.read(descriptor, 200).decode(errors="replace")
            os.close(descriptor)
            raise ConfigError(
                f"--out {path.parent}: {holder or 'another process'} runs an "
                "experiment there now; wait for its end, or choose another --out"
            ) from None
        except OSError as error:
            os.close(descriptor)
            raise ConfigError(
                f"{path}: this file system has no locks ({error.strerror}); choose an "
                "--out elsewhere"
            ) from None
        os.close(descriptor)  # it was removed by the driver that held it until now


def _stands_at(path: Path, descriptor: int) -> bool:
    try:
        there = path.stat()
    except FileNotFoundError:
        return False
    return os.path.samestat(there, os.fstat(descriptor))
