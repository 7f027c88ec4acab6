"""A world of three numbers, so that the tests of orchestration take no time.

Each run draws a walk from its seed and run number alone, scaled by the config's taker
fee; so rows are exact, paired across points, and known in advance.
"""

import ctypes
import os
import time
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from experiments.config import plugins
from experiments.engine import Layout, World
from market.numbers.randomness import block_key, draw_words, run_key


class Info(NamedTuple):
    unit: str
    meaning: str
    better: str | None = None
    label: str = ""


class SeriesInfo(NamedTuple):
    unit: str
    meaning: str
    per_market: bool = False
    cumulative: bool = False


class Spec(NamedTuple):
    policy: Any  # a name, or a scheme of a test's own
    samples: int
    markets: int
    trouble: str


class Output(NamedTuple):
    metrics: dict
    series: dict
    state_root: jax.Array
    status: jax.Array


METRICS = {
    "conservation_error": Info("quanta", "always zero here", "low"),
    "bad_debt": Info("quanta", "fee times a draw", "low"),
    "liquidations": Info("count", "a draw"),
    "inclusion_p95_us": Info("us", "a draw"),
}
SERIES = {
    "mark": SeriesInfo("ticks", "a walk", per_market=True),
    "insurance": SeriesInfo("quanta", "a walk"),
    "liquidations": SeriesInfo("count", "a count", cumulative=True),
}


def build(configs):
    worlds = []
    for config in configs:
        # What is to go wrong is told by the environment, as no config should.
        trouble = os.environ.get("TOY_TROUBLE", "")
        policy = config.sequencer.policy
        if trouble and not trouble.endswith(f"@{policy}"):
            trouble = ""
        blocks = config.world.length
        samples = blocks // config.world.sampling
        if plugins.is_path(policy):
            policy = plugins.resolve(policy, plugins.SCHEME)
        spec = Spec(policy, samples, len(config.venue.markets), trouble)
        faults = sum(fault.duration for fault in config.faults)
        numbers = np.array([config.venue.taker_fee or 0, faults], np.int64)
        worlds.append(World(spec, {"numbers": numbers}))
    return worlds


def metrics(worlds):
    return METRICS


def layout(config):
    return Layout(
        tuple(config.venue.markets),
        (0.5,) * len(config.venue.markets),
        config.world.block_us / 1e6,
        config.world.length,
        config.world.sampling,
    )


def lane_bytes(world):
    return 1_000


def simulate(runs, seed, params, *, spec):
    _make_trouble(spec.trouble)

    if spec.trouble.startswith("slow:"):
        seconds = float(spec.trouble.split("@")[0].removeprefix("slow:"))
        jax.debug.callback(lambda: time.sleep(seconds))

    def one(run, numbers):
        key = block_key(run_key(seed, run), 0)
        draws = draw_words(key, 1, (spec.samples + 8,)).astype(jnp.int64)
        debt = (draws[0] % 1000) * numbers[0] + numbers[1] // 1000
        walk = 1 + jnp.cumsum(draws[8:] % 7)
        metrics = {
            "conservation_error": jnp.zeros((), jnp.int64),
            "bad_debt": debt,
            "liquidations": draws[1] % 100,
            "inclusion_p95_us": draws[2] % 1_000_000,
        }
        series = {
            "mark": walk[:, None] * jnp.arange(1, spec.markets + 1),
            "insurance": walk * 1_000_000,
            "liquidations": walk,
        }
        root = (draws[:8] ^ numbers[0]).astype(jnp.uint32)
        return Output(metrics, series, root, jnp.zeros((), jnp.int64))

    return jax.vmap(one)(runs, params["numbers"])


def _make_trouble(trouble):
    """What goes wrong: `KIND@POLICY`.

    `raise`, `interrupt`, `die`, `die-once:FILE`, `sleep:SECONDS` while compiling,
    `native` for ever, and `slow:SECONDS` in every shard.
    """
    kind = trouble.split("@")[0]
    if kind == "raise":
        raise ValueError("the toy was told to fail")
    if kind == "interrupt":
        raise KeyboardInterrupt
    if kind.startswith("sleep:"):
        time.sleep(float(kind.removeprefix("sleep:")))
    if kind == "native":
        _stay_in_native_code()
    if kind == "die":
        os._exit(7)
    if kind.startswith("die-once:"):
        marker = Path(kind.removeprefix("die-once:"))
        if not marker.exists():
            marker.touch()
            os._exit(7)


def _stay_in_native_code():
    """Sorts for ever, comparing in Python: an exception there is lost.

    Compilers call back into Python like that.
    """
    kind = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
    compare = kind(lambda a, b: time.sleep(0.01) or 0)
    count = 1_000_000
    ctypes.CDLL(None).qsort((ctypes.c_int * count)(), count, 4, compare)


def explain(status, block, run):
    return "sound"


def fault_windows(world, seed, runs):
    return [
        {"run": run, "kind": "toy", "start_us": 0, "end_us": 1} for run in range(runs)
    ]
