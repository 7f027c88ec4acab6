"""Prints a lock file: every package of `.[test]`, its version and its hashes.

    make lock

Resolves for the interpreter that runs it, with pip's own resolver and nothing
installed; the output holds names, versions and SHA-256 hashes, no addresses. The lock
is for Linux on x86-64 with Python 3.11, which CI uses.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

HOME = Path(__file__).resolve().parent.parent
HEADER = """\
# Versions and hashes of everything that `make test` installs on Linux x86-64 with
# Python 3.11. Made by `make lock`; do not edit.
#
#   pip install --require-hashes -r requirements-ci.txt
#   pip install --no-deps --no-build-isolation -e .
"""


def resolve(requirements: list[str]) -> list[dict]:
    """What pip would install into an empty environment."""
    with tempfile.NamedTemporaryFile(suffix=".json") as report:
        subprocess.run(
            [
                *(sys.executable, "-m", "pip", "install", "--quiet", "--dry-run"),
                *("--ignore-installed", "--report", report.name, *requirements),
            ],
            check=True,
            stdout=sys.stderr,
            cwd=HOME,
        )
        return json.load(open(report.name))["install"]


def locked(package: dict) -> str | None:
    """The line of one package; None for the project itself."""
    download = package["download_info"]
    if "dir_info" in download:
        return None
    name = package["metadata"]["name"].lower().replace("_", "-").replace(".", "-")
    digest = download["archive_info"]["hashes"]["sha256"]
    return f"{name}=={package['metadata']['version']} --hash=sha256:{digest}"


def main() -> None:
    """Prints the lock file."""
    # The build backend is part of it, so that the project builds without isolation.
    packages = resolve([".[test]", "hatchling", "editables"])
    print(HEADER + "\n".join(sorted(filter(None, map(locked, packages)))))


if __name__ == "__main__":
    main()
