"""Proofs of a run's batches: made from the run, written beside the results.

The statement of a batch takes the account table at its start to the one at its end,
one update for every account that changed, judged at the oracle prices of its last
block. The insurance fund, the venue's fees and the residue of rounding are accounts
of the table too, so the net deposit of a batch is what really came in and went out.
Funding is settled by the venue as ordinary updates; the proof's own funding indices
stay zero.

A batch in which somebody who traded ends below maintenance at the last prices cannot
be proven: the lab's venue checks margins block by block, the proof once a batch. It
is reported with the prover's reason, never passed over; shorter batches
(`rollup.batch_blocks`) have fewer of them.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from experiments.engine import World
from experiments.store import write_json
from market.margin import maintenance_fraction_ppm

FOLDER = "proofs"


@dataclass(frozen=True)
class BatchProof:
    """What came of proving one batch.

    Attributes:
        batch: its number in the run, from 0.
        updates: position updates in it.
        seconds: time of the prover, compilation apart where it had run before.
        data: the proof container; None where the batch cannot be proven.
        reason: why not; empty where there is a proof.
    """

    batch: int
    updates: int
    seconds: float
    data: bytes | None
    reason: str = ""


def proof_path(run_dir: Path, point: int, run: int, batch: int) -> Path:
    """Where the proof of a batch lies."""
    return run_dir / FOLDER / f"{point}-{run}-{batch}.proof"


def batches_of(world: World) -> int:
    """Whole batches of a run."""
    return world.spec.blocks // world.spec.chain.batch_blocks


def prove_run(
    world: World, seed: int, run: int, batches: Sequence[int]
) -> Iterator[BatchProof]:
    """Runs a world again and proves the chosen batches on the way, in order."""
    from agents.model import LabModel

    length = world.spec.chain.batch_blocks
    model = LabModel(world.spec, world.params, seed=seed, run=run)
    done = 0
    for batch in sorted(set(batches)):
        model.advance(batch * length - done)
        before = _table(model)
        model.advance(length)
        done = (batch + 1) * length
        yield _prove(batch, before, _table(model), _venue(model, batch))


def keep_proofs(
    run_dir: Path,
    worlds: Sequence[World],
    seed: int,
    runs: Sequence[int],
    every: int,
) -> list[dict[str, Any]]:
    """Proves every ``every``-th batch of the chosen runs of all points.

    Proofs go to `proofs/POINT-RUN-BATCH.proof`, and what came of each batch to
    `proofs/proofs.json`. Proofs that lie there already are not made again.
    """
    folder = run_dir / FOLDER
    folder.mkdir(exist_ok=True)
    rows = []
    for point, world in enumerate(worlds):
        chosen = range(0, batches_of(world), every)
        for run in runs:
            missing = [
                b for b in chosen if not proof_path(run_dir, point, run, b).exists()
            ]
            for result in prove_run(world, seed, run, missing):
                rows.append(_keep(run_dir, point, run, result))
    write_json(folder / "proofs.json", rows)
    return rows


def _keep(run_dir: Path, point: int, run: int, result: BatchProof) -> dict[str, Any]:
    if result.data is not None:
        path = proof_path(run_dir, point, run, result.batch)
        partial = path.with_suffix(".tmp")
        partial.write_bytes(result.data)
        partial.replace(path)
    return {
        "point": point,
        "run": run,
        "batch": result.batch,
        "updates": result.updates,
        "seconds": round(result.seconds, 3),
        "bytes": len(result.data) if result.data is not None else 0,
        "reason": result.reason,
    }


def _table(model):
    """The account table of a model, the venue's own funds at its end."""
    from rollup.stark.accounts import AccountTable

    state = model.world.exchange
    funds = [int(state.insurance), int(state.fees), int(state.residue)]
    collateral = np.concatenate([np.asarray(state.collateral), np.array(funds)])
    held = np.asarray(state.position)
    positions = np.concatenate([held, np.zeros((len(funds), held.shape[1]), np.int64)])
    return AccountTable.of(collateral, positions, np.zeros_like(positions))


def _venue(model, batch: int):
    from rollup.stark.witness import VenueState

    numbers = model.params.venue
    risk = maintenance_fraction_ppm(
        np.asarray(numbers.initial_ppm), np.asarray(numbers.maintenance_fraction_ppm)
    )
    multipliers = model.spec.venue.multipliers
    return VenueState(
        prices=tuple(int(p) for p in model.snapshot.oracle),
        multipliers=multipliers,
        risk_ppm=tuple(int(r) for r in risk),
        funding_indices=(0,) * len(multipliers),
        batch=batch,
    )


def _prove(batch: int, before, after, venue) -> BatchProof:
    from rollup.stark.files import pack
    from rollup.stark.parameters import StarkParameters
    from rollup.stark.prover import prove
    from rollup.stark.witness import UnprovableBatchError, updates_between

    updates = updates_between(before, after)
    count = len(updates.account)
    height = max(len(before.collateral) - 1, 1).bit_length()
    started = time.perf_counter()
    try:
        parameters = StarkParameters(
            markets=before.positions.shape[1], height=height
        ).for_updates(count)
        proven = prove(before, updates, venue, parameters)
    except (UnprovableBatchError, ValueError) as problem:
        spent = time.perf_counter() - started
        return BatchProof(batch, count, spent, None, str(problem))
    data = pack(proven.proof, proven.public)
    return BatchProof(batch, count, time.perf_counter() - started, data)
