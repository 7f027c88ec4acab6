"""Whether a command answered a damaged input as it should: in a sentence, and soon."""

import resource
import signal
import time
import traceback
from typing import NamedTuple

from typer.testing import CliRunner

from experiments.cli import app
from tests.fuzz.inputs import Case, as_app

#: Seconds of computing that a case may take, and of waiting for whatever.
COMPUTING_S, WAITING_S = 5, 60
#: Bytes that a case may add to the memory of the process.
MEMORY = 1_000_000_000
#: What no answer may say.
_FORBIDDEN = ("Traceback", "that the lab does not know", "out of memory")


class Verdict(NamedTuple):
    """What came of a case.

    Attributes:
        problem: what is wrong with the answer; empty where it is as it should be.
        answer: exit code and output.
    """

    problem: str
    answer: str


class _Hang(BaseException):
    """A case took too long."""


def _stop(_, frame) -> None:
    raise _Hang("".join(traceback.format_stack(frame)[-3:]))


def judged(case: Case) -> Verdict:
    """Runs a case and judges how its command ended."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for alarm in (signal.SIGPROF, signal.SIGALRM):
        signal.signal(alarm, _stop)
    started = time.process_time()
    signal.setitimer(signal.ITIMER_PROF, COMPUTING_S)
    signal.setitimer(signal.ITIMER_REAL, WAITING_S)
    try:
        if isinstance(case.run, list):
            result = CliRunner().invoke(app, case.run)
        else:
            result = CliRunner().invoke(as_app(case.run), [])
    except _Hang as hang:
        return Verdict(f"hangs after {time.process_time() - started:.1f} s", str(hang))
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)
        case.restore()
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    answer = f"exit {result.exit_code}: {result.output[-600:]}"
    return Verdict(_problem(case, result, grown), answer)


def _problem(case: Case, result, grown: int) -> str:
    output = result.output
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        return f"raises {type(result.exception).__name__}: {result.exception}"
    for words in _FORBIDDEN:
        if words in output:
            return f"says {words!r}"
    checks = isinstance(case.run, list) and case.run[0] in ("check", "verify", "replay")
    if result.exit_code not in ((0, 1, 2) if checks else (0, 2)):
        return f"ends with exit code {result.exit_code}"
    if result.exit_code == 2 and "shakeout: " not in output:
        return "says nothing of what is wrong"
    if grown > MEMORY:
        return f"takes {grown / 1e9:.1f} GB"
    return ""
