"""Ctrl-C at random moments of a first run of `smoke`, with nothing compiled yet.

    python -m tests.trials.interrupts --tries 10 [--workers 2] [--signal TERM]

Each try must end with exit code 130 within ten seconds. Prints a line a try; exit code
1 where one did not.
"""

import argparse
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.trials.drivers import empty_caches, start

#: Seconds that a process has to end in.
PATIENCE_S = 10.0


def interrupted(after_s: float, number: signal.Signals, workers: int) -> str:
    """One try: what came of it; empty where all is well."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        log = folder / "log"
        arguments = ["run", "smoke", "--out", folder / "out", "--workers", workers]
        process = start(arguments, log, **empty_caches(folder))
        try:
            process.wait(after_s)
            return f"ended by itself with {process.returncode}"
        except subprocess.TimeoutExpired:
            process.send_signal(number)
        began = time.monotonic()
        try:
            code = process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            return f"still there after {PATIENCE_S:.0f} s"
        told = log.read_text(errors="replace")
        if code != 130:
            return f"exit code {code} after {time.monotonic() - began:.1f} s\n{told}"
        return told if "Traceback" in told or "ignored" in told else ""


def main() -> int:
    """Makes the tries that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tries", type=int, default=10)
    parser.add_argument("--from-s", type=float, default=0.5)
    parser.add_argument("--to-s", type=float, default=30.0)
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--signal", choices=("INT", "TERM"), default="INT")
    chosen = parser.parse_args()
    number, failed = signal.Signals[f"SIG{chosen.signal}"], 0
    for _ in range(chosen.tries):
        after_s = random.uniform(chosen.from_s, chosen.to_s)
        problem = interrupted(after_s, number, chosen.workers)
        failed += bool(problem)
        print(f"{number.name} after {after_s:5.1f} s: {problem or 'fine'}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
