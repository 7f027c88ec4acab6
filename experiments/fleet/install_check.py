"""Makes sure that the four packages imported are the lab's own.

`agents` and `market` are names that other distributions use as well, and pip lets the
later one overwrite the earlier without a word. The check runs when the command starts.
"""

import importlib.util
from pathlib import Path

PACKAGES = ("market", "rollup", "agents", "experiments")
#: A file of each package that no namesake has.
LANDMARKS = {
    "market": "numbers/randomness.py",
    "rollup": "mempool.py",
    "agents": "world.py",
    "experiments": "fleet/install_check.py",
}


class ShadowedError(RuntimeError):
    """Another distribution, or a folder, stands in front of a package of the lab."""


def package_folder(name: str) -> Path | None:
    """Where the package would be imported from, without importing it."""
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return None
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(next(iter(spec.submodule_search_locations))).resolve()


def check_packages() -> None:
    """Compares where the four packages come from.

    Raises:
        ShadowedError: one of them is missing, or is somebody else's.
    """
    home = Path(__file__).resolve().parents[2]
    wrong = []
    for name in PACKAGES:
        folder = package_folder(name)
        if folder != home / name or not (home / name / LANDMARKS[name]).is_file():
            wrong.append(f"  {name}: {folder or 'not found'}, expected {home / name}")
    if wrong:
        raise ShadowedError(
            "shakeout does not see its own packages:\n"
            + "\n".join(wrong)
            + "\nAnother distribution or a folder of the same name is in the way. "
            "Install shakeout into an environment of its own "
            "(python -m venv .venv && .venv/bin/pip install -e .), or leave the folder "
            "and unset PYTHONPATH."
        )
