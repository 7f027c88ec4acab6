"""Where shards run: in this process, or on Ray workers (`experiments.fleet.ray_pool`).

Shards are pure functions of their work, so a shard may run twice without harm; of what
comes of it, one result is kept.
"""

import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from typing import NamedTuple, Protocol

from experiments import interrupts
from experiments.fleet import environment
from experiments.fleet.plan import Shard, Work
from experiments.fleet.simulate import ShardResult, Simulator

#: Seconds between two looks at the clock while nothing finishes.
POLL_S = 0.25
#: Bytes of stack of the computing thread: compilers recurse deeply, and threads other
#: than the main one are given little on some systems.
STACK_BYTES = 64 << 20


class Failure(NamedTuple):
    """A shard that failed for good."""

    shard: Shard
    reason: str  # the traceback, or how the worker was lost


#: A result, a failure, or None where nothing has happened for a while.
Event = ShardResult | Failure | None


class Pool(Protocol):
    """Runs shards and yields what comes of them.

    Attributes:
        workers: processes that compute; 0 where it is this one.
        gpus: GPUs that they compute on.
        notice: what its user should know; empty if nothing.
    """

    workers: int
    gpus: int
    notice: str

    def run(
        self, shards: Sequence[Shard], work: Callable[[Shard], Work]
    ) -> Iterator[Event]:
        """Yields an event per shard, in order of completion, and None now and then."""
        ...

    def close(self) -> None:
        """Ends the workers."""
        ...


class LocalPool:
    """Runs one shard after the other in this process, in a thread of its own.

    The main thread waits in Python, so that it can act on a signal while native code
    compiles or computes.
    """

    def __init__(self) -> None:
        self.workers, self.gpus, self.notice = 0, environment.gpu_count(), ""
        self._simulator = Simulator()
        self._underway = False
        before = threading.stack_size(STACK_BYTES)
        self._thread = ThreadPoolExecutor(1, "shards")
        self._thread.submit(int).result()  # starts the thread
        threading.stack_size(before)

    def run(self, shards, work):
        """Yields an event per shard."""
        for shard in shards:
            future = self._thread.submit(self._simulator.run, work(shard))
            self._underway = True
            while not wait([future], POLL_S).done:
                yield None
            self._underway = False
            try:
                yield future.result()
            except Exception:  # a shard's failure is reported, the rest goes on
                yield Failure(shard, traceback.format_exc())

    def close(self) -> None:
        """Leaves a shard that is under way behind."""
        self._thread.shutdown(wait=False, cancel_futures=True)
        if self._underway:
            interrupts.abandon()


def choose_workers(asked: int | None, total: int) -> int:
    """Workers on this machine: as asked, else one a GPU, else one a core."""
    if asked is not None:
        return asked
    gpus = environment.gpu_count()
    if gpus:
        return gpus if gpus > 1 else 0
    useful = min(environment.core_count(), total)
    return useful if useful > 1 else 0


def open_pool(asked: int | None, total: int, address: str | None) -> Pool:
    """The pool for so many runs.

    Args:
        asked: workers; None chooses, 0 stays in this process.
        total: runs to be run.
        address: of a Ray cluster, which is then asked how many workers it has room for;
            None uses this machine, and Ray where that takes more than one process.

    Raises:
        ConfigError: the cluster does not answer, or no worker stands in time.
    """
    if asked == 0 or total == 0:
        return LocalPool()
    if not address:
        asked = choose_workers(asked, total)
    if asked == 0:
        return LocalPool()
    from experiments.fleet.ray_pool import RayPool

    return RayPool(asked, total, address or None)
