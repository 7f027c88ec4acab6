"""From points and seeds to shards: which runs go through the machine together.

Points of equal spec share one compiled program, so they are grouped; a shard is a row
of lanes of one group. Run ``k`` of every point carries the same run number, hence the
same draws. Which lane of which shard a run takes changes nothing in its result.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from experiments.engine import World

#: Lanes of a shard on a CPU: the state of so many runs stays in cache.
CPU_LANES = 16
#: Lanes of a shard on a GPU.
GPU_LANES = 1024


class Lane(NamedTuple):
    """One run: its point and its number there."""

    point: int
    run: int


@dataclass(frozen=True)
class Shard:
    """Runs that go through one compiled program together.

    Attributes:
        number: place in the plan.
        group: number of the compiled program it needs.
        lanes: its runs; at most ``width``.
        width: lanes that the program is compiled for.
    """

    number: int
    group: int
    lanes: tuple[Lane, ...]
    width: int


@dataclass(frozen=True)
class Work:
    """What a worker is sent: everything a shard needs.

    Attributes:
        shard: the runs.
        engine: import path of what runs them.
        seed: seed of the experiment.
        spec: of the compiled program.
        params: its numbers, plain arrays [width, ...].
        worlds: one a run where agents in plain Python take part; else empty.
    """

    shard: Shard
    engine: str
    seed: int
    spec: Any
    params: Any = field(repr=False)
    worlds: tuple[World, ...] = field(default=(), repr=False)


@dataclass(frozen=True)
class Plan:
    """All shards of an experiment that are still to be run."""

    shards: tuple[Shard, ...]
    groups: int
    width: int

    @property
    def runs(self) -> int:
        """Number of runs in all shards."""
        return sum(len(shard.lanes) for shard in self.shards)


def group_points(worlds: Sequence[World]) -> list[list[int]]:
    """Numbers of the points of each program, in order of first appearance.

    A program is a spec together with the shapes of its parameters.
    """
    import jax

    groups: dict[Any, list[int]] = {}
    for number, world in enumerate(worlds):
        leaves, structure = jax.tree.flatten(world.params)
        shapes = tuple(np.shape(leaf) for leaf in leaves)
        groups.setdefault((world.spec, structure, shapes), []).append(number)
    return list(groups.values())


def choose_width(
    asked: int | None, largest: int, total: int, workers: int, on_gpu: bool
) -> int:
    """Lanes of a shard: what was asked for, or what suits the machine.

    Never more than the largest group has runs left, and few enough that every worker
    gets a share.

    Args:
        asked: the config's `plan.lanes`.
        largest: runs of the largest group.
        total: runs in all.
        workers: processes that share them, 0 for this one alone.
        on_gpu: whether they run on a GPU.
    """
    if asked is not None:
        return max(1, min(asked, largest))
    share = -(-total // max(workers, 1))
    return max(1, min(GPU_LANES if on_gpu else CPU_LANES, largest, share))


def make_plan(
    worlds: Sequence[World],
    runs: int,
    done: Collection[tuple[int, int]] = (),
    *,
    lanes: int | None = None,
    workers: int = 0,
    on_gpu: bool = False,
) -> Plan:
    """Cuts everything that is not done yet into shards.

    Args:
        worlds: one per point.
        runs: seeds per point.
        done: (point, run) pairs that need no run.
        lanes: lanes asked for.
        workers: processes that share the work.
        on_gpu: whether they run on a GPU.
    """
    finished = set(done)
    left = [
        [
            Lane(point, run)
            for point in points
            for run in range(runs)
            if (point, run) not in finished
        ]
        for points in group_points(worlds)
    ]
    total = sum(map(len, left))
    width = choose_width(lanes, max(map(len, left)), total, workers, on_gpu)
    shards: list[Shard] = []
    for group, todo in enumerate(left):
        for start in range(0, len(todo), width):
            chunk = tuple(todo[start : start + width])
            shards.append(Shard(len(shards), group, chunk, width))
    return Plan(tuple(shards), sum(1 for todo in left if todo), width)


def stack(worlds: Sequence[World], shard: Shard) -> Any:
    """The parameters of a shard's lanes, int64 [width, ...] NumPy leaves.

    A shard that is not full repeats its last lane; `experiments.fleet.simulate` drops
    what the repeated lanes give.
    """
    import jax

    points = [lane.point for lane in shard.lanes]
    points += points[-1:] * (shard.width - len(points))
    trees = [worlds[point].params for point in points]
    return jax.tree.map(
        lambda *leaves: np.stack([np.asarray(x) for x in leaves]), *trees
    )


def work_of(worlds: Sequence[World], shard: Shard, engine: str, seed: int) -> Work:
    """What a worker needs to run the shard."""
    first = worlds[shard.lanes[0].point]
    own = tuple(worlds[lane.point] for lane in shard.lanes) if first.guests else ()
    return Work(shard, engine, seed, first.spec, stack(worlds, shard), own)
