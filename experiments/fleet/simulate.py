"""Compiles a world once and runs shards of it."""

import resource
import sys
import time
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from experiments.engine import load_engine
from experiments.fleet.plan import Shard, Work


@dataclass(frozen=True)
class ShardResult:
    """What a shard gives, as NumPy arrays with one row per lane.

    Attributes:
        shard: what was run.
        metrics: name -> int64 [L].
        series: name -> int64 [L, S] or [L, S, M].
        state_root: uint32 [L, 8].
        status: int64 [L].
        compile_s: seconds spent on compilation for this shard; 0 where it was done.
        run_s: seconds of the run itself.
        device: what it ran on.
        peak_bytes: largest memory of the process so far.
    """

    shard: Shard
    metrics: dict[str, np.ndarray] = field(repr=False)
    series: dict[str, np.ndarray] = field(repr=False)
    state_root: np.ndarray = field(repr=False)
    status: np.ndarray = field(repr=False)
    compile_s: float
    run_s: float
    device: str
    peak_bytes: int


class Simulator:
    """Runs shards, and keeps the program of every spec that it has met."""

    def __init__(self) -> None:
        self._programs: dict[tuple, Any] = {}

    def run(self, work: Work) -> ShardResult:
        """Runs one shard; a pure function of ``work``."""
        import jax

        shard = work.shard
        if work.worlds:
            compile_s, started = 0.0, time.perf_counter()
            runs = [lane.run for lane in shard.lanes]
            engine = load_engine(work.engine)
            output = engine.simulate_guests(runs, work.seed, work.worlds)
        else:
            arguments = (_run_numbers(shard), np.int64(work.seed), work.params)
            program, compile_s = self._program(work, arguments)
            started = time.perf_counter()
            output = jax.device_get(program(*arguments))
        run_s = time.perf_counter() - started
        count = len(shard.lanes)
        return ShardResult(
            shard=shard,
            metrics={k: np.asarray(v)[:count] for k, v in output.metrics.items()},
            series={k: np.asarray(v)[:count] for k, v in output.series.items()},
            state_root=np.asarray(output.state_root)[:count],
            status=np.asarray(output.status)[:count],
            compile_s=compile_s,
            run_s=run_s,
            device=device_name(),
            peak_bytes=peak_bytes(),
        )

    def _program(self, work: Work, arguments: tuple) -> tuple[Any, float]:
        import jax

        from market.native.jit import jit_step

        shapes = tuple(leaf.shape for leaf in jax.tree.leaves(arguments))
        key = (work.engine, work.spec, shapes)
        if key in self._programs:
            return self._programs[key], 0.0
        started = time.perf_counter()
        simulate = partial(load_engine(work.engine).simulate, spec=work.spec)
        self._programs[key] = jit_step(simulate).lower(*arguments).compile()
        return self._programs[key], time.perf_counter() - started


def _run_numbers(shard: Shard) -> np.ndarray:
    """The run number of every lane, int64 [width]; padding repeats the last."""
    runs = [lane.run for lane in shard.lanes]
    runs += runs[-1:] * (shard.width - len(runs))
    return np.array(runs, np.int64)


def device_name() -> str:
    """The kind of device that JAX computes on."""
    import jax

    device = jax.devices()[0]
    return f"{device.platform}: {device.device_kind}"


def peak_bytes() -> int:
    """Largest resident memory of this process so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
