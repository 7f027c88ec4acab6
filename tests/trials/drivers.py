"""Starting the command as a user does, with caches of its own where asked for."""

import os
import subprocess
import sys
from pathlib import Path

HOME = Path(__file__).resolve().parents[2]
TOY = "tests.experiments.toy_engine"

TOY_CONFIG = """\
name: toy
seed: 5
runs: 12
world: {blocks: 12, series_every: 4}
sweep: {venue.taker_fee: [0.0001, 0.0002, 0.0003, 0.0004]}
plan: {lanes: 1}
"""


def start(arguments, log: Path, **variables) -> subprocess.Popen:
    """`shakeout ARGUMENTS`, in a session of its own; what it says goes to a file."""
    environment = {**os.environ, "PYTHONPATH": str(HOME), **variables}
    with log.open("wb") as stream:
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "shakeout", *map(str, arguments)],
            stdout=stream,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,
        )


def empty_caches(folder: Path) -> dict[str, str]:
    """Variables of a run that finds nothing compiled."""
    return {
        "NUMBA_CACHE_DIR": str(folder / "numba"),
        "JAX_COMPILATION_CACHE_DIR": str(folder / "jax"),
    }
