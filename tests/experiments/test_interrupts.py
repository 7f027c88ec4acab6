"""Signals end a command at once, or where it polls; nothing is raised in between."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

HOME = Path(__file__).resolve().parents[2]
START = """
import time
from experiments import interrupts
with interrupts.listening():
    interrupts.advise("go on with: that")
"""
UNPOLLED = """
    print("ready", flush=True)
    time.sleep(60)
"""
POLLED = """
    with interrupts.polled():
        print("ready", flush=True)
        try:
            for _ in range(600):
                time.sleep(0.1)
                interrupts.check()
        except KeyboardInterrupt:
            print("tidy", flush=True)
            raise SystemExit(5)
"""
DEAF = """
    with interrupts.polled():
        print("ready", flush=True)
        time.sleep(60)
"""


def ended(script, *signals):
    """Exit code and what was said by a script that is sent signals when it is ready."""
    process = subprocess.Popen(
        [sys.executable, "-c", START + script],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(HOME)},
    )
    assert process.stdout.readline() == "ready\n"
    for number in signals:
        process.send_signal(number)
        time.sleep(0.5)
    output, errors = process.communicate(timeout=10)
    return process.returncode, output, errors


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_where_nobody_polls_the_process_ends_at_once_and_says_how_to_go_on(number):
    code, _, errors = ended(UNPOLLED, number)
    assert (code, errors) == (130, "shakeout: interrupted; go on with: that\n")


def test_where_somebody_polls_they_end_it():
    code, output, errors = ended(POLLED, signal.SIGINT)
    assert (code, output) == (5, "tidy\n")
    assert errors.startswith("shakeout: stopping; finished runs are kept")


def test_a_second_signal_ends_it_anyway():
    code, _, errors = ended(DEAF, signal.SIGINT, signal.SIGINT)
    assert code == 130
    assert errors.endswith("shakeout: interrupted; go on with: that\n")


def test_a_notebook_keeps_its_handlers_when_a_command_is_over():
    from experiments import interrupts

    before = [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)]
    with interrupts.listening():
        assert signal.getsignal(signal.SIGINT) != before[0]
    assert [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)] == before
