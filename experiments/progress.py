"""Progress of an experiment: a live line on a terminal, plain lines elsewhere."""

import time
from collections.abc import Callable
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.text import Text

#: Seconds between two plain lines.
PLAIN_INTERVAL_S = 10.0


class Tally:
    """Counts finished runs and reckons throughput and time left.

    Compilation comes before the first result, so the rate is taken over the whole time
    and the time left errs on the long side at first.
    """

    def __init__(self, total: int, blocks: int, clock: Callable[[], float]):
        self.total, self.blocks, self.done = total, blocks, 0
        self._clock = clock
        self._started = clock()

    @property
    def elapsed_s(self) -> float:
        """Seconds since the start."""
        return self._clock() - self._started

    def rate(self) -> float:
        """Runs a second."""
        return self.done / self.elapsed_s if self.elapsed_s > 0 else 0.0

    def left_s(self) -> float | None:
        """Seconds left at this rate; None before the first result."""
        return (self.total - self.done) / self.rate() if self.done else None

    def text(self) -> str:
        """``64/192 runs · 8.1 runs/s · 14,580 blocks/s · 0:16 left``."""
        parts = [f"{self.done}/{self.total} runs"]
        if self.done:
            parts.append(f"{figures(self.rate())} runs/s")
            parts.append(f"{self.rate() * self.blocks:,.0f} blocks/s")
        left = self.left_s()
        if left is None:
            parts.append(f"compiling, {clock_text(self.elapsed_s)}")
        else:
            parts.append(f"{clock_text(left)} left")
        return " · ".join(parts)


def figures(value: float) -> str:
    """About three figures."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def clock_text(seconds: float) -> str:
    """``0:07``, ``12:30``, ``1:02:03``."""
    whole = int(seconds + 0.5)
    hours, minutes = whole // 3600, whole // 60 % 60
    if hours:
        return f"{hours}:{minutes:02}:{whole % 60:02}"
    return f"{minutes}:{whole % 60:02}"


class Reporter(Protocol):
    """Shows a tally while it grows."""

    def __enter__(self) -> "Reporter": ...

    def __exit__(self, *exception: object) -> None: ...

    def update(self) -> None:
        """Called now and then, whether or not something has changed."""
        ...


class PlainReporter:
    """A line every ten seconds, and one at the end."""

    def __init__(self, tally: Tally, console: Console):
        self._tally, self._console = tally, console
        self._last, self._shown = time.monotonic(), -1

    def __enter__(self) -> "PlainReporter":
        return self

    def __exit__(self, *exception: object) -> None:
        if self._tally.done != self._shown and self._tally.done:
            self._print()

    def update(self) -> None:
        """Prints when enough time has passed."""
        if time.monotonic() - self._last >= PLAIN_INTERVAL_S:
            self._print()

    def _print(self) -> None:
        self._last, self._shown = time.monotonic(), self._tally.done
        self._console.print(self._tally.text(), highlight=False)


class LiveReporter:
    """A bar that is drawn in place."""

    def __init__(self, tally: Tally, console: Console):
        self._tally = tally
        self._progress = Progress(
            BarColumn(bar_width=30),
            TextColumn("{task.fields[text]}"),
            console=console,
            transient=False,
        )
        self._task: TaskID | None = None

    def __enter__(self) -> "LiveReporter":
        self._progress.start()
        self._task = self._progress.add_task(
            "", total=self._tally.total, text=Text(self._tally.text()).plain
        )
        return self

    def __exit__(self, *exception: object) -> None:
        self.update()
        self._progress.stop()

    def update(self) -> None:
        """Redraws."""
        if self._task is not None:
            self._progress.update(
                self._task, completed=self._tally.done, text=self._tally.text()
            )


def reporter(tally: Tally, console: Console) -> Reporter:
    """The reporter that suits the console."""
    kind = LiveReporter if console.is_terminal else PlainReporter
    return kind(tally, console)
