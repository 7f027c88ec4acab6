"""Runs cases by the thousand: ``python -m tests.fuzz --cases 10000 --seed 1``.

A case is known by its number and the seed; ``--case N`` runs one and shows its answer.
"""

import argparse
import collections
import tempfile
import time
from pathlib import Path

from tests.fuzz.inputs import Inputs, use_toy
from tests.fuzz.judge import judged
from tests.fuzz.proofs import proof_of_a_batch


def main() -> int:
    """Prints each case whose answer is wrong; 1 where there is one."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--cases", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument("--case", type=int, help="this case alone, with its answer")
    parser.add_argument("--kind", help="only cases of this kind of input")
    asked = parser.parse_args()
    use_toy()
    one = asked.case is not None
    numbers = range(asked.first, asked.first + asked.cases)
    started, wrong = time.monotonic(), 0
    tally = collections.Counter()
    with tempfile.TemporaryDirectory() as folder:
        inputs = Inputs(Path(folder), proof_of_a_batch())
        for number in [asked.case] if one else numbers:
            kind, case = inputs.case(number, asked.seed)
            if asked.kind not in (None, kind):
                case.restore()
                continue
            verdict = judged(case)
            tally[kind] += 1
            if verdict.problem or one:
                wrong += bool(verdict.problem)
                print(f"case {number} ({kind}): {verdict.problem}", flush=True)
                print(f"  {verdict.answer}", flush=True)
    print(
        f"{tally.total()} cases, {wrong} wrong, {time.monotonic() - started:.0f} s: "
        + ", ".join(f"{kind} {count}" for kind, count in sorted(tally.items()))
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
