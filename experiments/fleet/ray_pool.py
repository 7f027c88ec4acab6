"""Shards on Ray workers: whoever is free is given the next one.

A worker is an actor; it keeps the programs that it has compiled, so it is given shards
of those first. It gets work once it has said that it stands, so a worker that cannot
be placed keeps nothing waiting. The shard of a worker that died goes to another; one
that fails by itself is reported. A cluster that falls silent, or that places no worker
any more, ends the run with what is finished.
"""

import contextlib
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from experiments.config import plugins
from experiments.config.errors import ConfigError
from experiments.fleet import connection, environment
from experiments.fleet.deadline import NoAnswerError, patient, within
from experiments.fleet.health import Health
from experiments.fleet.plan import Shard
from experiments.fleet.pool import POLL_S, Event, Failure
from experiments.fleet.simulate import ShardResult
from experiments.fleet.worker import Worker
from experiments.provenance import source_digest
from shakeout.namesakes import ShadowedError, check_folder

#: How often a shard is given to another worker after its worker died by itself.
MAX_LOSSES = 2
#: Beyond one each, workers that may fail to start before no more are started.
MAX_FALSE_STARTS = 3
#: Seconds until a cluster has placed a worker.
PLACE_S = 6.0
#: Seconds until a worker that has a place stands: its node may be busy.
START_S = 90.0
#: Seconds that a cluster may be silent, or without any worker.
SILENT_S, UNPLACED_S = 20.0, 60.0


@dataclass(eq=False)
class _Seat:
    """One worker as the driver sees it."""

    actor: Any
    node: str = ""
    compiled: set[int] = field(default_factory=set)


class _Lost(NamedTuple):
    """The worker died; the shard may be given to another."""

    reason: str


class RayPool:
    """Runs shards on Ray actors, one a core or one a GPU."""

    def __init__(self, asked: int | None, total: int, address: str | None = None):
        """Starts the workers and waits for the first of them.

        Args:
            asked: workers; None: as many as the cluster has room for.
            total: runs that they share.
            address: of a Ray cluster; None starts one on this machine, where `asked`
                says how large it is.

        Raises:
            ConfigError: the cluster does not answer, or no worker stands in time.
        """
        import ray

        try:
            # Ray puts the current folder first in the path of its workers.
            check_folder(Path.cwd())
        except ShadowedError as error:
            raise ConfigError(str(error)) from None
        self._ray, self._address = ray, address
        self._seats: list[_Seat] = []
        self._idle: list[_Seat] = []
        self._starting: dict[Any, _Seat] = {}
        self._underway: dict[Any, tuple[_Seat, Shard]] = {}
        self._false_starts, self._last_problem = 0, ""
        self._stack, self._health = contextlib.ExitStack(), None
        try:
            self._connect(asked, total)
            self._start()
        except BaseException:
            self.close()
            raise

    def _connect(self, asked: int | None, total: int) -> None:
        """Joins or starts the cluster, and settles how many workers there are."""
        self.notice, self.gpus = "", 0
        if self._address is None:
            self.workers = total if asked is None else asked
            self.gpus = min(environment.gpu_count(), self.workers)
            cluster = connection.started(self.workers, self.gpus)
        else:
            cluster = connection.joined(self._address)
        self._stack.enter_context(cluster)
        try:
            nodes = connection.living_nodes()
        except NoAnswerError as error:
            raise ConfigError(f"{self._where}: {error}") from None
        if self._address is not None:
            self._take_capacity(nodes, asked, total)
        self._health = Health(connection.living_nodes)

    def _take_capacity(self, nodes, asked: int | None, total: int) -> None:
        """As many workers as asked for and as the nodes have room for."""
        kind = "CPU"
        if environment.supports_gpus() and _room(nodes, "GPU"):
            kind = "GPU"
        capacity = _room(nodes, kind)
        if not capacity:
            raise ConfigError(f"{self._where}: its {len(nodes)} nodes have no {kind}")
        self.workers = min(capacity, total if asked is None else asked)
        if asked is not None and asked > capacity:
            self.notice = (
                f"{capacity} workers instead of {asked}: the cluster has {capacity} "
                f"{kind}s on {len(nodes)} nodes"
            )
        if kind == "GPU":
            self.gpus = self.workers

    @property
    def _where(self) -> str:
        return f"--ray-address {self._address}" if self._address else "Ray"

    # --- workers ------------------------------------------------------------------

    def _start(self) -> None:
        """Starts the workers and waits for the first of them.

        Raises:
            ConfigError: none stands in time, or one cannot.
        """
        variables = {**environment.of_worker(), **plugins.folders_of_worker()}
        options: dict[str, Any] = {
            "num_cpus": 1,
            "max_restarts": 0,
            "runtime_env": {"env_vars": variables},
        }
        if self.gpus:
            options["num_gpus"] = 1
        self._actor_class = self._ray.remote(Worker).options(**options)
        free = self._free_cpus()
        for _ in range(self.workers):
            self._add()
        began, is_placed = time.monotonic(), self._address is None
        limit = patient(PLACE_S)
        while not self._idle:
            waited = time.monotonic() - began
            if not is_placed and waited > limit:
                is_placed = self._free_cpus() < free
            if waited > (START_S if is_placed else limit):
                raise ConfigError(f"{self._where}: {self._no_worker()}")
            if not self._starting:
                raise ConfigError(f"{self._where}: {self._last_problem}")
            found, _ = self._ray.wait(list(self._starting), timeout=POLL_S)
            for reference in found:
                if refusal := self._welcome(reference):
                    raise ConfigError(f"{self._where}: {refusal}")

    def _free_cpus(self) -> int:
        """CPUs that nobody holds, as the cluster's nodes report them.

        Raises:
            ConfigError: the cluster does not say.
        """
        try:
            free = within(patient(connection.QUESTION_S), self._ray.available_resources)
        except NoAnswerError as error:
            raise ConfigError(f"{self._where}: {error}") from None
        return int(free.get("CPU", 0))

    def _no_worker(self) -> str:
        problem = self._last_problem or "no worker could be placed"
        with contextlib.suppress(ConfigError):
            cpus = self._free_cpus()
            problem += f": {len(self._nodes)} nodes live, {cpus} CPUs are free"
        return problem + "; look at `ray status`, or try again later"

    @property
    def _nodes(self) -> frozenset[str]:
        return self._health.nodes if self._health else frozenset()

    def _add(self) -> None:
        seat = _Seat(self._actor_class.remote())
        self._seats.append(seat)
        self._starting[seat.actor.ready.remote()] = seat

    def _welcome(self, reference: Any) -> str:
        """Gives a worker that stands its seat, or starts another in its place.

        Returns:
            What would be wrong with any worker there; empty where it stands, or died.
        """
        seat = self._starting.pop(reference)
        about, refusal = self._collect(reference), ""
        if isinstance(about, _Lost):
            problem = about.reason
        elif isinstance(about, str):
            problem = refusal = f"a worker cannot start: {about.strip()}"
        elif about.sources != source_digest():
            problem = refusal = (
                f"the worker on {about.host} has other sources of the lab than this "
                "machine; install the same version there"
            )
        else:
            self._false_starts, self._last_problem = 0, ""
            seat.node = about.node
            seat.actor.prepare.remote()  # an actor does one thing after the other
            self._idle.append(seat)
            return ""
        self._false_starts, self._last_problem = self._false_starts + 1, problem
        self._dismiss(seat)
        return refusal

    def _dismiss(self, seat: _Seat) -> None:
        """Takes a worker from the list, and starts another in its place."""
        self._seats.remove(seat)
        with contextlib.suppress(Exception):  # it is dead already, or out of reach
            self._ray.kill(seat.actor)
        if self._false_starts < MAX_FALSE_STARTS + self.workers:
            self._add()

    def _collect(self, reference: Any) -> Any:
        """What a worker gave: its answer, the text of its error, or `_Lost`."""
        from ray import exceptions as errors

        try:
            return self._ray.get(reference, timeout=UNPLACED_S)
        except errors.RayTaskError as error:
            return str(error)
        except errors.RayError as error:
            return _Lost(f"the worker was lost: {error}")

    # --- shards -------------------------------------------------------------------

    def run(self, shards, work) -> Iterator[Event]:
        """Yields an event per shard, in order of completion."""
        waiting = deque(shards)
        losses: dict[int, int] = {}
        moved = time.monotonic()
        while waiting or self._underway:
            while waiting and self._idle:
                seat = self._idle.pop()
                busy = {shard.group for _, shard in self._underway.values()}
                shard = _next_for(seat, waiting, busy)
                seat.compiled.add(shard.group)
                reference = seat.actor.run.remote(work(shard))
                self._underway[reference] = (seat, shard)
            if self._underway:
                moved = time.monotonic()
            trouble = self._trouble(time.monotonic() - moved)
            if trouble:
                left = [*waiting, *(shard for _, shard in self._underway.values())]
                self._underway.clear()
                yield from (Failure(shard, trouble) for shard in left)
                return
            references = [*self._underway, *self._starting]
            found, _ = self._ray.wait(references, num_returns=1, timeout=POLL_S)
            if not found:
                yield None
            elif found[0] in self._starting:
                self._welcome(found[0])
                yield None
            else:
                yield self._settle(found[0], waiting, losses)

    def _settle(
        self, reference: Any, waiting: deque[Shard], losses: dict[int, int]
    ) -> Event:
        """What came of a shard; None where it goes to another worker."""
        seat, shard = self._underway.pop(reference)
        event = self._collect(reference)
        if not isinstance(event, _Lost):
            self._idle.append(seat)
            return event if isinstance(event, ShardResult) else Failure(shard, event)
        # A shard is not to blame for the end of a node.
        by_itself = seat.node in self._nodes_now()
        self._dismiss(seat)
        losses[shard.number] = losses.get(shard.number, 0) + by_itself
        if losses[shard.number] > MAX_LOSSES:
            return Failure(shard, event.reason)
        waiting.appendleft(shard)
        return None

    def _nodes_now(self) -> frozenset[str]:
        with contextlib.suppress(NoAnswerError):
            return frozenset(connection.living_nodes())
        return self._nodes

    def _trouble(self, unplaced_s: float) -> str:
        """Why the rest cannot be run; empty where it can."""
        silent = self._health.silent_s if self._health else 0.0
        if silent > SILENT_S:
            return f"{self._where}: the cluster has not answered for {silent:.0f} s"
        if not self._seats:
            return f"{self._where}: {self._last_problem or 'all workers were lost'}"
        if unplaced_s > UNPLACED_S:
            return f"{self._where}: {self._no_worker()}"
        return ""

    def close(self) -> None:
        """Ends the actors, and the local Ray if this pool started it."""
        if self._health:
            self._health.close()
        with contextlib.suppress(NoAnswerError, Exception):
            within(connection.LEAVE_S, self._kill)
        self._stack.close()

    def _kill(self) -> None:
        for seat in self._seats:
            self._ray.kill(seat.actor)


def _room(nodes: dict[str, dict[str, float]], kind: str) -> int:
    """Workers of one CPU or GPU each that the nodes have room for."""
    return sum(int(resources.get(kind, 0)) for resources in nodes.values())


def _next_for(seat: _Seat, waiting: deque[Shard], busy: set[int]) -> Shard:
    """Takes the shard that suits a worker best.

    First one whose program it has; then one of a program that nobody works on, so that
    workers compile different programs at the same time; then the first in line.
    """
    for wanted in (lambda g: g in seat.compiled, lambda g: g not in busy):
        for shard in waiting:
            if wanted(shard.group):
                waiting.remove(shard)
                return shard
    return waiting.popleft()
