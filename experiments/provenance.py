"""Where results come from: the lab's own sources, versions, device."""

import functools
import hashlib
import json
import os
import platform
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from experiments.fleet.environment import HOME

#: Distributions whose version may matter to a result or its reproduction.
PACKAGES = (
    "jax",
    "jaxlib",
    "mesa",
    "numba",
    "numpy",
    "pandas",
    "pyarrow",
    "pydantic",
    "ray",
    "scipy",
)
#: The lab's own packages, and what in them decides a result.
SOURCES = ("market", "rollup", "agents", "experiments", "shakeout")
_SUFFIXES = {".py", ".yaml", ".json"}


def versions() -> dict[str, str]:
    """Version of the lab and of each package that is installed."""
    own = own_version()
    found = {"shakeout": own} if own else {}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def own_version(home: Path = HOME) -> str | None:
    """Version of the sources that run, which an installed one need not be."""
    try:
        project = tomllib.loads((home / "pyproject.toml").read_text("utf-8"))["project"]
        if project["name"] == "shakeout":
            return str(project["version"])
    except (OSError, ValueError, KeyError):
        pass
    found = _distribution(home)
    return found.version if found else None


@functools.cache
def source_digest(home: Path = HOME) -> str:
    """SHA-256 over the lab's own sources, by name and content."""
    digest = hashlib.sha256()
    for name, path in sorted(_source_files(home).items()):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        digest.update(f"{name} {content}\n".encode())
    return digest.hexdigest()


def _source_files(home: Path) -> dict[str, Path]:
    return {
        path.relative_to(home).as_posix(): path
        for package in SOURCES
        for path in (home / package).rglob("*")
        if path.suffix in _SUFFIXES and path.is_file()
    }


def git_revision(home: Path = HOME) -> dict[str, Any] | None:
    """Revision of the checkout that the lab's own sources are in.

    None where they are in none: an environment may stand in somebody else's repository,
    which does not track them.
    """
    try:
        _git(home, "ls-files", "--error-unmatch", "--", "shakeout/__main__.py")
        revision = _git(home, "rev-parse", "HEAD")
        changed = _git(home, "status", "--porcelain", "--", *SOURCES)
    except (OSError, subprocess.SubprocessError):
        return None
    return {"revision": revision, "dirty": bool(changed)}


def _git(home: Path, *arguments: str) -> str:
    """What git says of a folder, whatever repository the environment points at."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}
    done = subprocess.run(
        ["git", "-C", str(home), *arguments],
        capture_output=True,
        text=True,
        check=True,
        timeout=10,
        env=clean,
    )
    return done.stdout.strip()


def installed_from(home: Path = HOME) -> dict[str, Any] | None:
    """Where an installed lab was taken from, as the installer wrote it down.

    Source: PyPA, "Recording the Direct URL Origin of installed distributions".
    """
    found = _distribution(home)
    text = found.read_text("direct_url.json") if found else None
    try:
        return json.loads(text) if text else None
    except ValueError:
        return None


def _distribution(home: Path) -> metadata.Distribution | None:
    """The distribution that the sources in a folder were installed by."""
    for found in metadata.distributions(name="shakeout"):
        place = found.locate_file("shakeout/__main__.py")
        if Path(str(place)).resolve() == (home / "shakeout" / "__main__.py").resolve():
            return found
        text = found.read_text("direct_url.json")
        if text and _editable_folder(text) == home.resolve():
            return found
    return None


def _editable_folder(text: str) -> Path | None:
    try:
        document = json.loads(text)
        url = urlsplit(document["url"])
        editable = document.get("dir_info", {}).get("editable", False)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    if url.scheme != "file" or not editable:
        return None
    return Path(unquote(url.path)).resolve()


def provenance() -> dict[str, Any]:
    """Everything about the machine and the software, for the manifest."""
    return {
        "versions": versions(),
        "sources": source_digest(),
        "git": git_revision(),
        "installed_from": installed_from(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "command": ["shakeout", *sys.argv[1:]],
    }
