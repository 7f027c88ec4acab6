"""Where results come from: versions, device, git revision."""

import platform
import subprocess
import sys
from importlib import metadata
from typing import Any

from experiments.fleet.environment import HOME

#: Distributions whose version may matter to a result or its reproduction.
PACKAGES = (
    "shakeout",
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


def versions() -> dict[str, str]:
    """Version of each package that is installed."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def git_revision() -> dict[str, Any] | None:
    """Revision of the lab's own checkout; None where it is not one."""
    try:
        revision = _git("rev-parse", "HEAD")
        changed = _git("status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.SubprocessError):
        return None
    return {"revision": revision, "dirty": bool(changed)}


def _git(*arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(HOME), *arguments],
        capture_output=True,
        text=True,
        check=True,
        timeout=10,
    )
    return done.stdout.strip()


def provenance() -> dict[str, Any]:
    """Everything about the machine and the software, for the manifest."""
    return {
        "versions": versions(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "git": git_revision(),
        "command": ["shakeout", *sys.argv[1:]],
    }
