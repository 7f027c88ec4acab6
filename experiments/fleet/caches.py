"""Where compiled code is kept, also where the usual places cannot be written.

An installation may be read-only, and its user may have no home: then compiled code goes
to a folder of the user's own among the temporary files. Code is loaded from there and
run, so a folder that somebody else could write is never used.
"""

import os
import stat
import sys
import tempfile
from functools import cache
from pathlib import Path


def user_directory() -> Path | None:
    """The user's cache directory: XDG's, else ~/.cache, else a temporary one.

    None where nothing at all can be written. Says in one sentence where the usual ones
    cannot be.
    """
    chosen = os.environ.get("XDG_CACHE_HOME")
    return _writable_or_temporary(Path(chosen) if chosen else _home_cache())


@cache
def _writable_or_temporary(usual: Path | None) -> Path | None:
    if usual is not None and is_writable(usual):
        return usual
    folder = _temporary()
    kept = f"are kept in {folder}" if folder else "are not kept"
    print(
        f"shakeout: {usual or 'a home directory'} cannot be written, so compiled "
        f"programs {kept}; XDG_CACHE_HOME chooses another place",
        file=sys.stderr,
    )
    return folder


def numba_directory(home: Path) -> Path | None:
    """Where Numba is told to keep kernels; None: beside the lab's sources, or nowhere.

    Args:
        home: the folder that holds the four packages.
    """
    sources = home / "market" / "kernels"
    if is_writable(sources / "__pycache__"):
        return None
    folder = user_directory()
    return folder and folder / "shakeout" / "numba"


def is_writable(folder: Path) -> bool:
    """Whether files can be made in a folder, which may have to be made itself."""
    while not folder.exists():
        if folder.is_symlink() or folder == folder.parent:
            return False
        folder = folder.parent
    if not folder.is_dir():
        return False
    try:
        # Asking for permission is not enough: root has it on a read-only mount.
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def _home_cache() -> Path | None:
    try:
        return Path.home() / ".cache"
    except RuntimeError:  # neither HOME nor an entry among the users
        return None


def _temporary() -> Path | None:
    """A folder of this user alone: the same one every time, if nobody else made it."""
    try:
        folder = Path(tempfile.gettempdir()) / f"shakeout-{os.getuid()}"
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
        private = stat.S_ISDIR(found.st_mode) and not stat.S_IMODE(found.st_mode) & 0o77
        if found.st_uid == os.getuid() and private:
            return folder
        return Path(tempfile.mkdtemp(prefix="shakeout-"))
    except OSError:
        return None
