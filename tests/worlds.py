"""Small worlds from friendly numbers, and runs of them that tests look into.

Programs are compiled once a process: all worlds here have the same shapes, whatever
their numbers, and differ in code by their ordering scheme alone.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np

from agents import run as runs
from agents.world import Setting, World, WorldParams, WorldSpec
from experiments.build.worlds import build
from experiments.config import Config
from rollup.sequencing.fcfs import FCFS
from rollup.sequencing.stateless import Stateless

#: Places for faults in every small world, used or not.
FAULT_SLOTS = 2
BLOCKS = 80
SEED = 7

SMALL = {
    "world": {"blocks": BLOCKS, "block_ms": 1000, "series_every": 10},
    "venue": {
        "book_capacity": 64,
        "insurance": 20_000,
        "funding": {"interval": "40s", "sample": "20s", "default_rate": 0.0001},
    },
    "populations": {
        "market_makers": {"count": 8},
        "leveraged_traders": {"count": 40, "activity": 0.2, "go_home": 0.2},
        "searchers": {"count": 4},
        "liquidators": {"count": 4},
    },
    "sequencer": {"queue": 256, "block_txs": 96},
    "rollup": {"batch_blocks": 10, "posting": "3s", "proving": "5s", "settling": "2s"},
}
_FULLEST = {"kind": "prover_delay", "start": "0s", "duration": "0s"}


def merged(base: dict, changes: dict) -> dict:
    """The document with the keys of another laid over it."""
    result = dict(base)
    for key, value in changes.items():
        both = isinstance(value, dict) and isinstance(result.get(key), dict)
        result[key] = merged(result[key], value) if both else value
    return result


def small(
    policy: str = "fcfs", faults: Sequence[dict] = (), **changes
) -> tuple[WorldSpec, WorldParams]:
    """A world of 56 accounts in a crash of 80 seconds, with changes to its config."""
    document = merged(SMALL, {"sequencer": {"policy": policy}, "faults": [*faults]})
    document = merged(document, changes)
    fullest = merged(document, {"faults": [_FULLEST] * FAULT_SLOTS})
    world = build([Config.model_validate(each) for each in (document, fullest)])[0]
    return world.spec, world.params


def begin(
    spec: WorldSpec, params: WorldParams, seed: int = SEED, run: int = 0
) -> tuple[Setting, World]:
    """A run before its first block; a scheme without a state plays no part in it."""
    if isinstance(spec.chain.scheme, Stateless):
        spec = replace(spec, chain=replace(spec.chain, scheme=FCFS))
    return runs.start(jnp.int64(seed), jnp.int64(run), params, spec=spec)


class Watched:
    """A run without guests, advanced from outside and looked into between blocks."""

    def __init__(self, spec: WorldSpec, params: WorldParams, run: int = 0):
        self.spec, self.params = spec, params
        self.setting, self.world = begin(spec, params, run=run)

    def advance(self, blocks: int = 1) -> World:
        self.world = runs.advance(
            self.world,
            self.setting,
            None,
            self.params,
            jnp.int64(blocks),
            spec=self.spec,
        )
        return self.world

    @property
    def root(self) -> str:
        return root_text(ROOT(self.world))

    @property
    def counters(self) -> np.ndarray:
        """Outcomes so far, by `market.types.orders.Status`."""
        return np.asarray(self.world.exchange.counters)

    def rows(self, group: str) -> slice:
        """The accounts of a group."""
        return next(each.rows for each in self.spec.groups if each.name == group)


ROOT = jax.jit(runs.root_of)


@cache
def watched(policy: str = "fcfs", blocks: int = BLOCKS) -> Watched:
    """The plain small world after so many blocks; not to be advanced further."""
    run = Watched(*small(policy))
    run.advance(blocks)
    return run


def root_text(words) -> str:
    """A state root as 64 hex digits, words little-endian."""
    return np.asarray(words).astype("<u4").tobytes().hex()


def lanes(params: Sequence[WorldParams]) -> WorldParams:
    """Parameters of several worlds of one shape, side by side."""
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *params)
