"""Proofs of a run's batches: made from the run, written beside the results.

The statement of a batch follows the accounts block by block
(`experiments.evidence.segments`): every account that a block touched is judged at that
block's prices.

The venue is laxer than the statement in one respect: it reserves an order's worst loss
at the oracle price of its admission, so a fill after the price has moved may leave its
maker below maintenance with a larger position. Such a batch has no proof. It is
reported with the account and the reason, never passed over.
"""

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments.engine import World
from experiments.results import files
from rollup.stark.verify.files import Origin, ProofFileError, read_origin

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
    world: World, seed: int, origin: Origin, batches: Sequence[int]
) -> Iterator[BatchProof]:
    """Runs a world again and proves the chosen batches on the way, in order."""
    from agents.lab.model import LabModel
    from experiments.evidence.segments import Ledger

    length = world.spec.chain.batch_blocks
    model = LabModel(world.spec, world.params, seed=seed, run=origin.run)
    done = 0
    for batch in sorted(set(batches)):
        model.advance(batch * length - done)
        ledgers = [Ledger.of(model.world.exchange)]
        for _ in range(length):
            model.advance(1)
            ledgers.append(Ledger.of(model.world.exchange))
        done = (batch + 1) * length
        yield _prove(batch, ledgers, world, origin)


def keep_proofs(
    run_dir: Path,
    worlds: Sequence[World],
    seed: int,
    experiment: str,
    runs: Sequence[int],
    every: int,
) -> list[dict[str, Any]]:
    """Proves every ``every``-th batch of the chosen runs of all points.

    Proofs go to `proofs/POINT-RUN-BATCH.proof`, and what came of each batch to
    `proofs/proofs.json`. Proofs of this experiment that lie there already are not made
    again, and what was said of them stays.

    Returns:
        What came of each batch that was proven now.
    """
    folder = run_dir / FOLDER
    folder.mkdir(exist_ok=True)
    rows = []
    for point, world in enumerate(worlds):
        chosen = range(0, batches_of(world), every)
        for run in runs:
            origin = Origin(experiment, point, run)
            missing = [b for b in chosen if not _is_kept(run_dir, origin, b)]
            for result in prove_run(world, seed, origin, missing):
                rows.append(_keep(run_dir, origin, result))
                _tell(folder / "proofs.json", experiment, rows)
    _tell(folder / "proofs.json", experiment, rows)
    return rows


def _is_kept(run_dir: Path, origin: Origin, batch: int) -> bool:
    """Whether the proof of a batch lies there, made from this run."""
    try:
        path = proof_path(run_dir, origin.point, origin.run, batch)
        return read_origin(path) == origin
    except (OSError, ProofFileError):
        return False


def _tell(path: Path, experiment: str, rows: list[dict[str, Any]]) -> None:
    """Writes what came of each batch, today and earlier, in order."""
    told = {_place(row): row for row in _told(path, experiment)}
    told |= {_place(row): row for row in rows}
    batches = [told[place] for place in sorted(told)]
    files.write_json(path, {"experiment": experiment, "batches": batches})


def _told(path: Path, experiment: str) -> list[dict[str, Any]]:
    """What an earlier run of the experiment said; nothing where that is damaged."""
    try:
        document = json.loads(path.read_bytes())
        if document["experiment"] == experiment:
            return [row for row in document["batches"] if _place(row)]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        pass
    return []


def _place(row: dict[str, Any]) -> tuple[int, int, int]:
    return row["point"], row["run"], row["batch"]


def _keep(run_dir: Path, origin: Origin, result: BatchProof) -> dict[str, Any]:
    if result.data is not None:
        path = proof_path(run_dir, origin.point, origin.run, result.batch)
        files.write_bytes(path, result.data)
    return {
        "point": origin.point,
        "run": origin.run,
        "batch": result.batch,
        "updates": result.updates,
        "segments": result.segments,
        "allowance": result.allowance,
        "seconds": round(result.seconds, 3),
        "bytes": len(result.data) if result.data is not None else 0,
        "reason": result.reason,
    }


def _prove(batch: int, ledgers: list, world: World, origin: Origin) -> BatchProof:
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
    data = pack(proven.proof, proven.public, origin)
    spent = time.perf_counter() - started
    return BatchProof(batch, count, parts, proven.public.allowance, spent, data)
