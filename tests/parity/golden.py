"""The state roots that the ready scenarios must have, and how they are taken.

    python -m tests.parity.golden              # runs every case, writes the file anew
    python -m tests.parity.golden smoke venues # those cases alone

A root moves only on purpose. Then the change says so under *Results change* in
`CHANGELOG.md`, and this command writes the new roots.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pandas as pd

HOME = Path(__file__).resolve().parents[2]
FILE = Path(__file__).with_name("golden_roots.json")
ADVICE = (
    "A changed root is a changed result. If this change means to move it, say so under "
    "'Results change' in CHANGELOG.md and run `python -m tests.parity.golden {case}`; "
    "if not, something that should not matter does."
)

#: The arguments of `shakeout run` for each case.
CASES = {
    "smoke": ["smoke"],
    "demo": ["demo", "--set", "runs=2"],
    "venues": ["venues", "--set", "runs=1", "--set", "world.duration=300s"],
    "deleveraging_rules": [
        *("deleveraging_rules", "--set", "runs=1"),
        *("--set", "world.duration=300s", "--set", "faults=[]"),
    ],
    "halt_and_stale_oracle": ["halt_and_stale_oracle", "--set", "runs=1"],
}

Roots = dict[str, str]


def roots_of(run_directory: Path) -> Roots:
    """The state root of every run: `point 0, run 1` to 64 hex digits."""
    rows = pd.read_parquet(run_directory / "runs.parquet").sort_values(["point", "run"])
    return {
        f"point {row.point}, run {row.run}": row.state_root
        for row in rows.itertuples(index=False)
    }


def golden() -> dict[str, Roots]:
    """The roots that stand in the file, case by case."""
    return json.loads(FILE.read_text())


def run(case: str, out: Path) -> Roots:
    """Runs a case by the command line, as a user would."""
    command = [sys.executable, "-P", "-m", "shakeout", "run", *CASES[case]]
    done = subprocess.run(
        [*command, "--out", str(out), "--workers", "0"],
        env={**os.environ, "PYTHONPATH": str(HOME)},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise RuntimeError(f"{case} did not run:\n{done.stdout}{done.stderr}")
    return roots_of(out)


def main() -> None:
    """Takes the roots of the chosen cases and writes them down."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.parity.golden", description=__doc__
    )
    parser.add_argument("cases", nargs="*", metavar="CASE", help=", ".join(CASES))
    chosen = parser.parse_args().cases or list(CASES)
    if unknown := set(chosen) - CASES.keys():
        parser.error(f"no case {', '.join(sorted(unknown))}: {', '.join(CASES)}")
    roots = golden() if FILE.exists() else {}
    for case in chosen:
        with tempfile.TemporaryDirectory() as folder:
            roots[case] = run(case, Path(folder) / "out")
        FILE.write_text(json.dumps(roots, indent=2) + "\n")


if __name__ == "__main__":
    main()
