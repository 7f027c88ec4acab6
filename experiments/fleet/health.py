"""Whether a cluster still answers, and which of its nodes live: asked all the time."""

import threading
import time
from collections.abc import Callable, Mapping

#: Seconds between two questions.
EVERY_S = 3.0


class Health:
    """Asks in a thread of its own, so that an answer that never comes is noticed."""

    def __init__(self, ask: Callable[[], Mapping[str, Mapping[str, float]]]):
        self._ask = ask
        self._answered = time.monotonic()
        self._over = threading.Event()
        self.nodes: frozenset[str] = frozenset(ask())
        threading.Thread(target=self._watch, daemon=True).start()

    @property
    def silent_s(self) -> float:
        """Seconds since the last answer."""
        return time.monotonic() - self._answered

    def _watch(self) -> None:
        while not self._over.wait(EVERY_S):
            try:
                self.nodes = frozenset(self._ask())
            except Exception:  # whatever it is: that was no answer
                continue
            self._answered = time.monotonic()

    def close(self) -> None:
        """Asks no more."""
        self._over.set()
