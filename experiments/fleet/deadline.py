"""Calls that may never return, made so that the caller does."""

import os
import threading
from collections.abc import Callable
from typing import TypeVar

from experiments import interrupts

T = TypeVar("T")


#: Times longer that a busy machine is given at most.
MOST_PATIENCE = 3.0


def patient(seconds: float) -> float:
    """A deadline for this machine as busy as it is: processes share its cores."""
    share = os.getloadavg()[0] / (os.cpu_count() or 1)
    return seconds * min(max(share, 1.0), MOST_PATIENCE)


class NoAnswerError(Exception):
    """A call has not returned in time; it goes on in a thread of its own."""


def within(seconds: float, call: Callable[[], T]) -> T:
    """What a call returns, or raises, if it does so in time.

    Raises:
        NoAnswerError: it does not. Its thread is left behind.
    """
    outcome: list[T] = []
    failure: list[BaseException] = []

    def run() -> None:
        try:
            outcome.append(call())
        except BaseException as error:  # raised again in the caller's thread
            failure.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        interrupts.abandon()
        raise NoAnswerError(f"no answer within {seconds:.0f} s")
    if failure:
        raise failure[0]
    return outcome[0]
