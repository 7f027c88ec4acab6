"""What the lab left in a folder, told from what is somebody else's.

`--overwrite` removes all that an experiment of the lab has left, and nothing else: a
run directory may hold its owner's notes, and `--out` may name a folder by mistake.
"""

import contextlib
import json
import re
from collections.abc import Iterator
from pathlib import Path

from experiments.config.errors import ConfigError
from experiments.results import files, manifest_file, parquet, parts

CHECKS, REPORT = "checks.json", "report.html"
RECORDS, PROOFS = "records", "proofs"
#: How a report names its experiment: an element of the page's head.
REPORT_MARK = '<meta name="shakeout-experiment" content="{}">'
_TABLES = (parts.RUNS, parts.SERIES)
#: Names of the files in the folders of a run directory; all of them are the lab's.
_FILES = {
    RECORDS: re.compile(r"\d+-\d+\.npz"),
    PROOFS: re.compile(r"\d+-\d+-\d+(\.proof|-account-\d+\.json)|proofs\.json"),
}


def found_in(folder: Path) -> list[Path]:
    """Everything there that has a name of the lab's, the manifest last."""
    parts_folder = folder / parts.FOLDER
    tops = [folder / name for name in (CHECKS, REPORT, *_TABLES)]
    return [
        *parts.folders_in(parts_folder),
        *(file for name in _FILES for file in _files_in(folder, name)),
        *(path for path in tops if path.exists() or path.is_symlink()),
        *(path for path in [folder / manifest_file.NAME] if path.exists()),
    ]


def _files_in(folder: Path, name: str) -> Iterator[Path]:
    inside = folder / name
    if inside.is_dir():
        yield from (p for p in inside.iterdir() if _FILES[name].fullmatch(p.name))


def clear(folder: Path) -> None:
    """Removes what experiments have left there, the manifest last.

    Where this is cut short, the manifest still says whose the rest is.

    Raises:
        ConfigError: something has a name of the lab's but is not the lab's.
    """
    check_clearable(folder)
    for path in found_in(folder):
        files.remove(path)
    for name in (parts.FOLDER, *_FILES):
        _remove_empty(folder / name)


def remove_parts(folder: Path) -> None:
    """Removes the parts of an experiment whose runs stand in its tables."""
    for part in parts.folders_in(folder / parts.FOLDER):
        files.remove(part)
    _remove_empty(folder / parts.FOLDER)


def _remove_empty(folder: Path) -> None:
    """Removes a folder of the lab's, unless somebody keeps something else in it."""
    files.remove_temporaries(folder, alone=True)
    with contextlib.suppress(OSError):
        folder.rmdir()


def check_clearable(folder: Path) -> None:
    """Looks through a folder that is to be cleared.

    Raises:
        ConfigError: something has a name of the lab's but is not the lab's.
    """
    if not _is_manifest(folder / manifest_file.NAME):
        for path in found_in(folder):
            _check_own(path)


def _is_manifest(path: Path) -> bool:
    """Whether it is a manifest of the lab's, of any layout, whole or cut short."""
    if not path.is_file():
        return False
    text = path.read_bytes()
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return text[:12] == b'{\n  "schema"'[: len(text[:12])]
    return isinstance(document, dict) and "config_hash" in document


def _check_own(path: Path) -> None:
    """Refuses a file that only has a name of the lab's; asked where no manifest is."""
    own = True
    if path.name in _TABLES:
        with contextlib.suppress(ConfigError):  # Damaged: nobody reads it any more.
            own = parquet.mark_of(path) is not None
    elif path.name == REPORT:
        start = REPORT_MARK.partition("{")[0]
        own = start in path.read_text("utf-8", errors="replace")
    elif path.name == CHECKS:
        own = '"experiment"' in path.read_text("utf-8", errors="replace")
    elif path.name == manifest_file.NAME:
        own = False
    if not own:
        raise ConfigError(
            f"--overwrite: {path} is not a file of the lab's; move it, or choose "
            "another --out"
        )
