"""The whole demo world: agent-decisions a second on one core, compilation, memory.

Runs one lane group of the demo's no-fault point for some blocks on one CPU core (or on
the GPU, if JAX has one) and prints one JSON line.

    python -m benchmarks.world [--lanes 16] [--blocks 300] [--policy fcfs]
"""

import argparse
import json
import os
import resource
import sys
import time


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--lanes", type=int, default=16)
    parser.add_argument("--blocks", type=int, default=300)
    parser.add_argument("--policy", default="fcfs")
    parser.add_argument("--repeats", type=int, default=3)
    return parser.parse_args(arguments)


def measure(options: argparse.Namespace) -> dict:
    """Compiles the demo world and times it; seconds are of this process's CPU too."""
    from experiments.fleet import environment

    environment.prepare()
    import jax
    import numpy as np

    from agents.run import simulate
    from experiments import config
    from experiments.build import worlds
    from market.native.jit import jit_step

    experiment = config.load(
        "demo",
        [
            "sweep={}",
            f"world.blocks={options.blocks}",
            f"sequencer.policy={options.policy}",
        ],
    )
    (world,) = worlds.build(experiment.configs)
    lanes = options.lanes
    params = jax.tree.map(
        lambda leaf: np.broadcast_to(leaf, (lanes, *np.shape(leaf))), world.params
    )
    arguments = (np.full(lanes, 7), np.arange(lanes), params)
    started = time.perf_counter()
    traced = jit_step(simulate, static_argnames="spec").trace(
        *arguments, spec=world.spec
    )
    trace_s = time.perf_counter() - started
    started = time.perf_counter()
    program = traced.lower().compile()
    compile_s = time.perf_counter() - started
    output = jax.block_until_ready(program(*arguments))
    walls, cpus = [], []
    for _ in range(options.repeats):
        wall, cpu = time.perf_counter(), time.process_time()
        output = jax.block_until_ready(program(*arguments))
        walls.append(time.perf_counter() - wall)
        cpus.append(time.process_time() - cpu)
    if np.any(output.status) or np.any(output.metrics["conservation_error"]):
        raise SystemExit("the benchmarked world is not sound")
    agents = sum(group.count for group in world.spec.groups)
    decisions = agents * lanes * options.blocks
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "benchmark": "world",
        "policy": options.policy,
        "agents": agents,
        "markets": len(world.spec.venue.markets),
        "lanes": lanes,
        "blocks": options.blocks,
        "decisions_per_s": round(decisions / min(walls)),
        "decisions_per_cpu_s": round(decisions / min(cpus)),
        "us_per_lane_block": round(min(walls) / lanes / options.blocks * 1e6, 1),
        "trace_s": round(trace_s, 2),
        "compile_s": round(compile_s, 2),
        "peak_memory_mb": peak // (1024 if sys.platform != "darwin" else 1024**2),
        "device": jax.devices()[0].device_kind,
        "cores": len(os.sched_getaffinity(0)),
    }


def main() -> None:
    options = parse(sys.argv[1:])
    if hasattr(os, "sched_setaffinity"):
        # One core: the figure is per core, whatever else the machine could do.
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    print(json.dumps(measure(options)), flush=True)


if __name__ == "__main__":
    main()
