"""Runs of worlds with agents in plain Python: through Mesa, block by block.

Such a run cannot be one compiled program, for its agents are asked in every block. It
gives what a compiled run gives, in the same order, and is as reproducible.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from agents.run import RunOutput
from experiments.engine import World


def simulate_guests(runs: Sequence[int], seed: int, worlds: Sequence[World]) -> Any:
    """Run ``runs[i]`` of ``worlds[i]``, one after the other; NumPy, [R, ...].

    Args:
        runs: numbers of the runs.
        seed: seed of the experiment.
        worlds: one a run.
    """
    import jax

    outputs = [_run(run, seed, world) for run, world in zip(runs, worlds, strict=True)]
    return jax.tree.map(lambda *leaves: np.stack(leaves), *outputs)


def _run(run: int, seed: int, world: World) -> RunOutput:
    """One run of a world, sampled as a compiled run is."""
    import jax

    from agents.lab.model import LabModel

    spec = world.spec
    lab = LabModel(spec, world.params, seed=seed, run=run, guests=world.guests)
    rows = []
    while lab.steps < spec.blocks:
        lab.advance(min(spec.series_every, spec.blocks - lab.steps))
        rows.append(lab.sample())
    series = {name: np.stack([row[name] for row in rows]) for name in rows[0]}
    return jax.device_get(lab.result())._replace(series=series)
