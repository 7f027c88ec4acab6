"""All benchmarks, one process each, as JSON lines: `make bench`."""

import subprocess
import sys

BENCHMARKS = (
    ("benchmarks.book",),
    ("benchmarks.margin",),
    ("benchmarks.merkle",),
    ("benchmarks.stark",),
    ("benchmarks.world", "--policy", "fcfs"),
    ("benchmarks.world", "--policy", "batch_auction"),
)


def main() -> int:
    """Runs them in order; the exit code counts those that failed."""
    failed = 0
    for module, *arguments in BENCHMARKS:
        done = subprocess.run([sys.executable, "-m", module, *arguments], check=False)
        failed += done.returncode != 0
    return failed


if __name__ == "__main__":
    sys.exit(main())
