"""SIGKILL at random moments of a run, which is then resumed until it is complete.

    python -m tests.trials.kills --tries 10 [--config smoke]

A run is killed several times, some of them inside the merging of the tables and the
removal of the parts; resumed, it must end with the rows of a run that nobody killed,
and with nothing beside them. Prints a line a try; exit code 1 where one did not.
"""

import argparse
import os
import random
import signal
import sys
import tempfile
import threading
from pathlib import Path

import pandas as pd

from tests.trials.drivers import TOY, TOY_CONFIG, start

#: What a complete run directory holds.
FILES = {"manifest.json", "runs.parquet", "series.parquet", "checks.json"}
FILES |= {"report.html"}


def killed(arguments: list, log: Path, moment: float | str, **variables) -> int:
    """Kills a run after some seconds, or when a file has come or a part has gone."""
    process = start(arguments, log, **variables)
    out = Path(arguments[arguments.index("--out") + 1])
    if isinstance(moment, float):
        timer = threading.Timer(moment, process.kill)
        timer.start()
        process.wait()
        timer.cancel()
    else:
        seen = 0
        while process.poll() is None:
            parts = len(list(out.glob("parts/[!.]*")))
            seen = max(seen, parts)
            if (moment == "cleaning" and parts < seen) or (
                moment != "cleaning" and (out / moment).exists()
            ):
                os.kill(process.pid, signal.SIGKILL)
        process.wait()
    return process.returncode


def tables(out: Path) -> list[pd.DataFrame]:
    """The two tables of a run directory."""
    names = ("runs.parquet", "series.parquet")
    return [pd.read_parquet(out / name) for name in names]


def problem_of(out: Path, whole: Path) -> str:
    """How a resumed directory differs from one that nobody killed."""
    for mine, theirs in zip(tables(out), tables(whole), strict=True):
        if not mine.equals(theirs):
            return "other rows"
    beside = {path.name for path in out.iterdir()} - FILES
    return f"left behind: {sorted(beside)}" if beside else ""


def moments(count: int, longest_s: float) -> list[float | str]:
    """When to kill: half of them by the clock, half inside the end of a run."""
    late = ["runs.parquet", "series.parquet", "cleaning"]
    return [
        random.uniform(0.5, longest_s) if number % 2 else late[number // 2 % 3]
        for number in range(count)
    ]


def main() -> int:
    """Makes the tries that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tries", type=int, default=10)
    parser.add_argument("--longest-s", type=float, default=8.0)
    parser.add_argument("--config", help="a scenario of real worlds; else the toy")
    chosen = parser.parse_args()
    failed = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        config, variables = chosen.config, {}
        if config is None:
            config, variables = folder / "toy.yaml", {"SHAKEOUT_ENGINE": TOY}
            config.write_text(TOY_CONFIG)
        words = ["run", config, "--workers", 0, "--resume", "--out"]
        whole = start([*words, folder / "whole"], folder / "log", **variables)
        if whole.wait():
            print((folder / "log").read_text())
            return 1
        for number, moment in enumerate(moments(chosen.tries, chosen.longest_s)):
            out, log = folder / f"out{number}", folder / f"log{number}"
            code = killed([*words, out], log, moment, **variables)
            again = start([*words, out], log, **variables).wait()
            problem = problem_of(out, folder / "whole") if again == 0 else ""
            if again:
                problem = f"exit code {again}\n{log.read_text()}"
            failed += bool(problem)
            told = f"{moment:.1f} s" if isinstance(moment, float) else moment
            print(f"killed at {told} ({code}): {problem or 'fine'}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
