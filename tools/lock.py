"""Prints a lock file: every package of `.[test,dev]`, its version and its hash.

    make lock            keeps the versions that are locked, adds what is missing
    make lock FRESH=1    takes the newest version of every package

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
LOCK = HOME / "requirements-ci.txt"
HEADER = """\
# Versions and hashes of everything that `make lint` and `make test` install on Linux
# x86-64 with Python 3.11. Made by `make lock`; do not edit.
#
#   pip install --require-hashes -r requirements-ci.txt
#   pip install --no-deps --no-build-isolation -e .
"""


def resolve(requirements: list[str], kept: list[str]) -> list[dict]:
    """What pip would install into an empty environment, at the kept versions."""
    with tempfile.TemporaryDirectory() as folder:
        report, constraints = Path(folder) / "report.json", Path(folder) / "kept.txt"
        constraints.write_text("\n".join(kept))
        subprocess.run(
            [
                *(sys.executable, "-m", "pip", "install", "--quiet", "--dry-run"),
                *("--ignore-installed", "--constraint", str(constraints)),
                *("--report", str(report), *requirements),
            ],
            check=True,
            stdout=sys.stderr,
            cwd=HOME,
        )
        return json.loads(report.read_text())["install"]


def locked_versions() -> list[str]:
    """`name==version` of every line of the present lock file."""
    lines = LOCK.read_text().splitlines() if LOCK.exists() else []
    return [line.split()[0] for line in lines if "==" in line]


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
    kept = [] if "--fresh" in sys.argv[1:] else locked_versions()
    # The build backend is part of it, so that the project builds without isolation.
    packages = resolve([".[test,dev]", "hatchling", "editables"], kept)
    print(HEADER + "\n".join(sorted(filter(None, map(locked, packages)))))


if __name__ == "__main__":
    main()
