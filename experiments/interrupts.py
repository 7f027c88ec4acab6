"""Ctrl-C and SIGTERM: noticed at once, and honoured where nothing can be torn.

Python's own handler raises `KeyboardInterrupt` between any two of its instructions,
also in those that XLA, LLVM and Numba call back into while they compile: there the
exception is lost, or unwinds through native code that cannot bear it. So nothing is
raised here. A watching thread learns of the signal by way of a pipe. Where the main
thread polls (`polled`), it finds out by `check`, in Python, and ends the run tidily;
anywhere else the process ends at once, without taking native code down: what is on
disk is whole at every moment (`experiments.results.files`). A second signal ends it at
once wherever it is.
"""

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator

#: Exit code after Ctrl-C or SIGTERM.
INTERRUPTED = 130
#: Seconds for the main thread to notice; then the process ends without it.
NOTICE_S = 15.0

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class _State:
    """What the watching thread and the main thread tell each other."""

    def __init__(self) -> None:
        self.requested = threading.Event()
        self.taken = threading.Event()
        self.polled = False
        self.advice = ""
        self.abandoned = False


_state = _State()


@contextlib.contextmanager
def listening() -> Iterator[None]:
    """Signals are handled as this module says, for a command's time.

    To be called in the main thread of a process that is the lab's own; a notebook keeps
    its handlers, and `KeyboardInterrupt`.
    """
    global _state
    _state = _State()
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    wakeup = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    for number in _SIGNALS:
        signal.signal(number, lambda *_: None)
    threading.Thread(target=_watch, args=(reader,), daemon=True).start()
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(wakeup)
        os.close(writer)  # ends the watching thread


def _watch(reader: int) -> None:
    """Reads the numbers of arriving signals until the pipe is closed."""
    while arrived := os.read(reader, 1):
        if arrived[0] not in _SIGNALS:
            continue
        if _state.requested.is_set() or not _state.polled:
            leave()
        _say("stopping; finished runs are kept (again: stop at once)")
        _state.requested.set()
        threading.Thread(target=_wait_for_notice, daemon=True).start()
    os.close(reader)


def _wait_for_notice() -> None:
    if not _state.taken.wait(NOTICE_S):
        leave()


@contextlib.contextmanager
def polled() -> Iterator[None]:
    """While this lasts, `check` is called several times a second."""
    _state.polled = True
    try:
        yield
    finally:
        _state.polled = False


def check() -> None:
    """A safe point.

    Raises:
        KeyboardInterrupt: somebody has asked to stop.
    """
    if _state.requested.is_set():
        _state.taken.set()
        raise KeyboardInterrupt


def was_requested() -> bool:
    """Whether somebody has asked to stop."""
    if _state.requested.is_set():
        _state.taken.set()
    return _state.requested.is_set()


def advise(text: str) -> None:
    """What to say where the process has to end at once: how to go on."""
    _state.advice = text


def abandon() -> None:
    """A thread is left behind in native code: do not wait for it at the end."""
    _state.abandoned = True


def leave(code: int = INTERRUPTED) -> None:
    """Ends the process now, without the interpreter's teardown."""
    if code == INTERRUPTED and not _state.taken.is_set():
        _say(f"interrupted{'; ' if _state.advice else ''}{_state.advice}")
    _exit(code)


def finish(code: int) -> None:
    """Ends the process if a thread was left behind; else returns.

    The interpreter would wait for the thread, or pull the ground from under it.
    """
    if _state.abandoned:
        _exit(code)


def _exit(code: int) -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            if stream.isatty():
                stream.write("\x1b[?25h")  # a progress bar hides the cursor
            stream.flush()
    os._exit(code)


def _say(text: str) -> None:
    """Writes past Python's buffers, whose locks the main thread may hold."""
    with contextlib.suppress(OSError):
        os.write(2, f"shakeout: {text}\n".encode())
