"""What the experiments ask of whatever runs worlds, and how its results are described.

The engine of the lab is `experiments.build.worlds`; tests put a small one in its place.
An engine is a module, named by its import path, so that a worker process can load it
too.
"""

import importlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, cast

import numpy as np

Unit = Literal["quanta", "count", "ppm", "us", "blocks", "ticks"]

#: The engine that runs the lab's own worlds.
DEFAULT_ENGINE = "experiments.build.worlds"


class MetricLike(Protocol):
    """What is known of a metric."""

    @property
    def unit(self) -> str:
        """What it counts."""
        ...

    @property
    def meaning(self) -> str:
        """A few words."""
        ...

    @property
    def better(self) -> str | None:
        """Which way is better: low, high or neither."""
        ...

    @property
    def label(self) -> str:
        """What a report calls it; empty: made from its name."""
        ...


class SeriesLike(Protocol):
    """What is known of a series."""

    unit: str
    meaning: str
    per_market: bool
    cumulative: bool


class RunOutputLike(Protocol):
    """What a batch of R runs gives.

    Attributes:
        metrics: name -> int64 [R].
        series: name -> int64 [R, S], or [R, S, M] where per market.
        state_root: uint32 [R, 8].
        status: int64 [R] bit field, 0 where nothing is wrong.
    """

    metrics: Mapping[str, Any]
    series: Mapping[str, Any]
    state_root: Any
    status: Any


@dataclass(frozen=True)
class World:
    """One point of a sweep, ready to run.

    Attributes:
        spec: static and hashable; points of equal spec share a compiled program.
        params: a pytree of int64 arrays, of equal shapes for equal specs.
        guests: its agents in plain Python; empty where all decide as arrays.
    """

    spec: Any
    params: Any = field(hash=False, compare=False)
    guests: tuple[Any, ...] = field(default=(), hash=False, compare=False)


@dataclass(frozen=True)
class Layout:
    """What turns the integers of a world into columns.

    Attributes:
        markets: names of the markets.
        tick_usd: dollars per tick, one a market.
        block_s: seconds of a block.
        blocks: length of a run; its last sample is taken there.
        series_every: blocks between two samples of a series.
    """

    markets: tuple[str, ...]
    tick_usd: tuple[float, ...]
    block_s: float
    blocks: int
    series_every: int


class Engine(Protocol):
    """A module that builds and runs worlds."""

    SERIES: Mapping[str, SeriesLike]

    def build(self, configs: Sequence[Any]) -> list[World]:
        """The world of every point; all points are built together."""
        ...

    def metrics(self, worlds: Sequence[World]) -> Mapping[str, MetricLike]:
        """Every metric of any of the worlds, in the order of their columns."""
        ...

    def layout(self, config: Any) -> Layout:
        """How to read the integers of a point's results."""
        ...

    def lane_bytes(self, world: World) -> int:
        """Bytes of memory that one run of a world takes, about."""
        ...

    def simulate(
        self, runs: Any, seed: Any, params: Any, *, spec: Any
    ) -> RunOutputLike:
        """Pure and traceable: runs [R] of the worlds ``params`` [R, ...]."""
        ...

    def simulate_guests(
        self, runs: Any, seed: Any, worlds: Sequence[World]
    ) -> RunOutputLike:
        """Runs [R] of worlds with agents in plain Python, one after the other."""
        ...

    def fault_windows(self, world: World, seed: int, runs: int) -> list[dict[str, Any]]:
        """The faults of the first runs of a point as they strike: run, kind, times."""
        ...

    def explain(self, status: int, block: int, run: int) -> str:
        """One sentence on a nonzero status, first seen in that block of that run."""
        ...


def engine_name() -> str:
    """The engine to use: the lab's own, or the one named in SHAKEOUT_ENGINE."""
    return os.environ.get("SHAKEOUT_ENGINE") or DEFAULT_ENGINE


def load_engine(name: str) -> Engine:
    """The engine of that import path."""
    return cast(Engine, importlib.import_module(name))


def root_text(words: np.ndarray) -> str:
    """A state root, uint32 [8], as 64 hex digits, each word little-endian."""
    return np.ascontiguousarray(words).astype("<u4").tobytes().hex()
