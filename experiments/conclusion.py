"""What is made of finished runs: final tables, checks, records, proofs, the report."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console

from experiments.evidence import records
from experiments.preparation import Prepared
from experiments.results import checks
from experiments.results.files import write_json
from experiments.results.leftovers import CHECKS
from experiments.results.store import COMPLETE, Kept, Store


@dataclass
class Summary:
    """What came of a run.

    Attributes:
        outcomes: of the checks.
        failures: of shards, in words, with point, runs and seed.
        interrupted: somebody pressed Ctrl-C.
        finished, total: runs on disk, and runs of the experiment.
    """

    outcomes: list[checks.Outcome] = field(default_factory=list)
    failures: list[dict[str, Any]] = field(default_factory=list)
    interrupted: bool = False
    finished: int = 0
    total: int = 0
    report: Path | None = None


def conclude(
    prepared: Prepared,
    store: Store,
    kept: Kept,
    manifest: dict[str, Any],
    summary: Summary,
    console: Console,
) -> None:
    """Final tables, checks, report and manifest, of whatever is on disk.

    The parts go when the manifest says that the experiment is complete, so that a
    process that is killed anywhere here leaves either the parts or the tables.
    """
    if kept.is_merged:
        summary.finished = len(kept.lanes)
    else:
        summary.finished = store.merge(manifest)
    complete = summary.finished == summary.total
    if complete and not summary.interrupted:
        config, identity = prepared.experiment.config, prepared.experiment.hash
        records.keep_records(
            store.path, prepared.worlds, config.seed, identity, config.record.runs
        )
        _prove(prepared, store, console)
        manifest["status"] = COMPLETE
    else:
        manifest["status"] = "interrupted" if summary.interrupted else "partial"
    manifest["failures"] = summary.failures
    store.write_manifest(manifest)
    if manifest["status"] == COMPLETE:
        store.drop_parts()
    if summary.finished:
        summary.outcomes = check(store, manifest)
    if summary.finished and not summary.interrupted:
        summary.report = write_report(store.path, console)


def _prove(prepared: Prepared, store: Store, console: Console) -> None:
    """Proves the batches that the config asks for, and says what came of them."""
    config = prepared.experiment.config
    if not config.rollup.prove:
        return
    from experiments.evidence.proving import keep_proofs

    rows = keep_proofs(
        store.path,
        prepared.worlds,
        config.seed,
        prepared.experiment.hash,
        config.rollup.prove_runs,
        config.rollup.prove_every,
    )
    for row in rows:
        if row["reason"]:
            place = f"point {row['point']}, run {row['run']}, batch {row['batch']}"
            console.print(f"no proof of {place}: {row['reason']}", highlight=False)
    proven = sum(1 for row in rows if not row["reason"])
    seconds = sum(row["seconds"] for row in rows)
    console.print(
        f"{proven} of {len(rows)} batches proven in {seconds:.1f} s: "
        f"{store.path / 'proofs'}",
        highlight=False,
    )


def check(
    store: Store, manifest: dict[str, Any], others: Sequence[str] = ()
) -> list[checks.Outcome]:
    """Evaluates the config's checks, or others, over the runs; writes checks.json."""
    labels = {point["point"]: point["label"] for point in manifest["points"]}
    texts: Sequence[str] = others or manifest["config"].get("checks", [])
    outcomes = checks.evaluate_checks(texts, store.runs().to_pandas(), labels)
    told = [outcome.as_json() for outcome in outcomes]
    identity = manifest["config_hash"]
    write_json(store.path / CHECKS, {"experiment": identity, "checks": told})
    return outcomes


def write_report(path: Path, console: Console) -> Path | None:
    """Writes the report; a report that cannot be made is no reason to lose a run."""
    from experiments.report import ReportError
    from experiments.report import write_report as write

    try:
        return write(path)
    except ReportError as error:
        console.print(f"no report: {error}", style="yellow", markup=False)
        return None
