"""Where shards run: in this process, or on Ray workers.

A worker is an actor with a `Simulator`: it keeps the programs that it has compiled, so
it is given shards of those first. The driver keeps a bounded number of shards under
way, retries the shard of a worker that died, and reports one that fails by itself.
Shards are pure functions of their work, so a shard may run twice without harm.
"""

import traceback
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from experiments.config import plugins
from experiments.config.errors import ConfigError
from experiments.fleet import environment
from experiments.fleet.plan import Shard, Work
from experiments.fleet.simulate import ShardResult, Simulator
from shakeout.namesakes import ShadowedError, check_folder, check_packages

#: How often a shard is given to another worker after its worker died.
MAX_LOSSES = 2
#: Seconds between two looks at the clock while nothing finishes.
POLL_S = 0.5


class Failure(NamedTuple):
    """A shard that failed for good."""

    shard: Shard
    reason: str  # the traceback, or how the worker was lost


#: A result, a failure, or None where nothing has happened for a while.
Event = ShardResult | Failure | None


class Pool(Protocol):
    """Runs shards and yields what comes of them."""

    def run(
        self, shards: Sequence[Shard], work: Callable[[Shard], Work]
    ) -> Iterator[Event]:
        """Yields an event per shard, in order of completion, and None now and then."""
        ...

    def close(self) -> None:
        """Ends the workers."""
        ...


class LocalPool:
    """Runs one shard after the other in this process."""

    def __init__(self) -> None:
        self._simulator = Simulator()

    def run(self, shards, work):
        """Yields an event per shard."""
        for shard in shards:
            yield None
            try:
                yield self._simulator.run(work(shard))
            except Exception:  # a shard's failure is reported, the rest goes on
                yield Failure(shard, traceback.format_exc())

    def close(self) -> None:
        """Nothing to end."""


class Worker:
    """What runs inside a Ray actor."""

    def __init__(self) -> None:
        check_packages()
        plugins.look_where_told()
        self._simulator = Simulator()

    def run(self, work: Work) -> ShardResult:
        """Runs one shard."""
        return self._simulator.run(work)


@dataclass
class _Seat:
    """One worker as the driver sees it."""

    actor: Any
    compiled: set[int] = field(default_factory=set)


class RayPool:
    """Runs shards on Ray actors, one a core or one a GPU."""

    def __init__(self, workers: int, address: str | None = None, gpus: int = 0):
        import ray

        try:
            # Ray puts the current folder first in the path of its workers.
            check_folder(Path.cwd())
        except ShadowedError as error:
            raise ConfigError(str(error)) from None
        self._ray = ray
        self._connect(workers, address, gpus)
        variables = {**environment.of_worker(), **plugins.folders_of_worker()}
        options: dict[str, Any] = {
            "num_cpus": 1,
            "max_restarts": 0,
            "runtime_env": {"env_vars": variables},
        }
        if gpus:
            options["num_gpus"] = 1
        environment.listen_for_interrupts()
        self._actor_class = ray.remote(Worker).options(**options)
        self._seats = [_Seat(self._actor_class.remote()) for _ in range(workers)]

    def _connect(self, workers: int, address: str | None, gpus: int) -> None:
        quiet: dict[str, Any] = {
            "log_to_driver": False,
            "logging_level": "error",
            "configure_logging": True,
        }
        try:
            if address:
                self._ray.init(address=address, **quiet)
            else:
                self._ray.init(
                    num_cpus=workers,
                    num_gpus=gpus or None,
                    include_dashboard=False,
                    **quiet,
                )
        except (ConnectionError, RuntimeError, ValueError) as error:
            raise ConfigError(f"Ray at {address or 'this machine'}: {error}") from None

    def run(self, shards, work):
        """Yields an event per shard, in order of completion."""
        waiting = deque(shards)
        losses: dict[int, int] = {}
        underway: dict[Any, tuple[_Seat, Shard]] = {}
        idle = list(self._seats)
        while waiting or underway:
            while waiting and idle:
                seat = idle.pop()
                shard = _next_for(seat, waiting, underway.values())
                seat.compiled.add(shard.group)
                underway[seat.actor.run.remote(work(shard))] = (seat, shard)
            ready, _ = self._ray.wait(list(underway), num_returns=1, timeout=POLL_S)
            if not ready:
                yield None
                continue
            seat, shard = underway.pop(ready[0])
            event = self._collect(ready[0], shard)
            if isinstance(event, _Lost):
                seat = self._replace(seat)
                losses[shard.number] = losses.get(shard.number, 0) + 1
                if losses[shard.number] <= MAX_LOSSES:
                    waiting.appendleft(shard)
                    event = None
                else:
                    event = Failure(shard, event.reason)
            idle.append(seat)
            yield event

    def _collect(self, reference: Any, shard: Shard) -> "Event | _Lost":
        from ray import exceptions as errors

        try:
            return self._ray.get(reference)
        except errors.RayTaskError as error:
            return Failure(shard, str(error))
        except errors.RayError as error:
            return _Lost(f"the worker was lost: {error}")

    def _replace(self, seat: _Seat) -> _Seat:
        self._seats.remove(seat)
        fresh = _Seat(self._actor_class.remote())
        self._seats.append(fresh)
        return fresh

    def close(self) -> None:
        """Ends the actors, and the local Ray if this pool started it."""
        for seat in self._seats:
            self._ray.kill(seat.actor)
        self._ray.shutdown()


class _Lost(NamedTuple):
    """The worker died; the shard may be given to another."""

    reason: str


def _next_for(seat: _Seat, waiting: deque[Shard], underway) -> Shard:
    """Takes the shard that suits a worker best.

    First one whose program it has; then one of a program that nobody works on, so that
    workers compile different programs at the same time; then the first in line.
    """
    busy = {shard.group for _, shard in underway}
    for wanted in (lambda g: g in seat.compiled, lambda g: g not in busy):
        for shard in waiting:
            if wanted(shard.group):
                waiting.remove(shard)
                return shard
    return waiting.popleft()


def open_pool(workers: int, address: str | None, gpus: int) -> Pool:
    """The pool for so many workers; 0 stays in this process."""
    if workers == 0:
        return LocalPool()
    return RayPool(workers, address, min(gpus, workers))
