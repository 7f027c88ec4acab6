"""Runs mutants, each in a temporary copy of the packages, with the tests of its rule.

One that survives means that a rule is not tested.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.mutants import MUTANTS, ROOT, Mutant, broken

SECONDS = 300
FOLDERS = ("market", "rollup", "agents", "experiments", "shakeout", "tests")

#: A failure is enough: hypothesis need not look for the smallest example.
CONFTEST = """
from hypothesis import Phase, settings

settings.register_profile("mutants", phases=[Phase.generate], database=None)
settings.load_profile("mutants")
"""


def survives(mutant: Mutant, copy: Path) -> bool:
    """Whether the tests pass although the rule is broken."""
    path = copy / mutant.file
    source = path.read_text()
    path.write_text(broken(mutant, source))
    command = [sys.executable, "-m", "pytest", "-x", "-q", "--no-header", "-p"]
    command += ["no:cacheprovider", "--hypothesis-seed=1", mutant.tests]
    # What a mutant does not touch is compiled once for all of them.
    cache = {
        "JAX_COMPILATION_CACHE_DIR": str(copy / "compiled"),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
        "PYTHONPATH": str(copy),
    }
    try:
        run = subprocess.run(
            command,
            cwd=copy,
            capture_output=True,
            timeout=SECONDS,
            env={**os.environ, **cache},
            text=True,
        )
    except subprocess.TimeoutExpired:
        return False
    finally:
        path.write_text(source)
    if run.returncode not in (0, 1):
        raise SystemExit(f"{mutant.rule}: the tests did not run\n{run.stdout[-2000:]}")
    return run.returncode == 0


def copy_of_sources(folder: Path) -> None:
    """The packages and the tests, where they may be broken."""
    ignored = shutil.ignore_patterns("__pycache__")
    for name in FOLDERS:
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", folder)
    (folder / "conftest.py").write_text(CONFTEST)


def chosen(words: list[str]) -> list[Mutant]:
    """The mutants that have one of the words; all for none."""
    texts = {
        mutant: f"{mutant.file} {mutant.function} {mutant.rule}" for mutant in MUTANTS
    }
    return [
        m for m, text in texts.items() if not words or any(w in text for w in words)
    ]


def main() -> None:
    """Runs the chosen mutants; exits 1 if one survives."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.mutants", description=__doc__
    )
    parser.add_argument("words", nargs="*", help="part of a file, function or rule")
    mutants = chosen(parser.parse_args().words)
    for mutant in mutants:
        broken(mutant, (ROOT / mutant.file).read_text())
    alive = []
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        copy_of_sources(copy)
        for mutant in mutants:
            lives = survives(mutant, copy)
            alive += [mutant] if lives else []
            verdict = "SURVIVES" if lives else "killed"
            print(f"{verdict:9}{mutant.file}: {mutant.rule}", flush=True)
    print(f"{len(mutants) - len(alive)} of {len(mutants)} mutants killed")
    sys.exit(bool(alive))


if __name__ == "__main__":
    main()
