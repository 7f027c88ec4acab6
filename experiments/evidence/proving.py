"""Proofs of a run's batches: made from the run, written beside the results.

The statement of a batch follows the accounts block by block
(`experiments.evidence.segments`): every account that a block touched is judged at that
block's prices.

The venue is laxer than the statement in one respect: it reserves an order's worst loss
at the oracle price of its admission, so a fill after the price has moved may leave its
maker below maintenance with a larger position. Such a batch has no proof. It is
reported with the account and the reason, never passed over.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments.engine import World
from experiments.results.store import write_json

FOLDER = "proofs"


@dataclass(frozen=True)
class BatchProof:
    """What came of proving one batch.

    Attributes:
        batch: its number in the run, from 0.
        updates: position updates in it.
        segments: stretches of it with prices of their own.
        allowance: quanta that accounts below their margin lost beyond the rule: gas
            and rounding.
        seconds: time of the prover, compilation apart where it had run before.
        data: the proof container; None where the batch cannot be proven.
        reason: why not; empty where there is a proof.
    """

    batch: int
    updates: int
    segments: int
    allowance: int
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
    from agents.lab.model import LabModel
    from experiments.evidence.segments import Ledger

    length = world.spec.chain.batch_blocks
    model = LabModel(world.spec, world.params, seed=seed, run=run)
    done = 0
    for batch in sorted(set(batches)):
        model.advance(batch * length - done)
        ledgers = [Ledger.of(model.world.exchange)]
        for _ in range(length):
            model.advance(1)
            ledgers.append(Ledger.of(model.world.exchange))
        done = (batch + 1) * length
        yield _prove(batch, ledgers, world)


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
        "segments": result.segments,
        "allowance": result.allowance,
        "seconds": round(result.seconds, 3),
        "bytes": len(result.data) if result.data is not None else 0,
        "reason": result.reason,
    }


def _prove(batch: int, ledgers: list, world: World) -> BatchProof:
    from experiments.evidence.segments import batch_updates, risk_of
    from rollup.stark.prove.prover import prove
    from rollup.stark.rules.parameters import StarkParameters
    from rollup.stark.verify.files import pack
    from rollup.stark.witness.batch import UnprovableBatchError

    venue = world.spec.venue
    risk = risk_of(venue, world.params.venue)
    updates, state = batch_updates(ledgers, venue.multipliers, risk, batch)
    old = ledgers[0].table
    count, parts = len(updates.account), len(state.segments)
    height = max(len(old.collateral) - 1, 1).bit_length()
    started = time.perf_counter()
    try:
        parameters = StarkParameters(
            markets=old.positions.shape[1], height=height
        ).for_updates(count)
        proven = prove(old, updates, state, parameters)
    except (UnprovableBatchError, ValueError) as problem:
        spent = time.perf_counter() - started
        return BatchProof(batch, count, parts, 0, spent, None, str(problem))
    data, spent = pack(proven.proof, proven.public), time.perf_counter() - started
    return BatchProof(batch, count, parts, proven.public.allowance, spent, data)
