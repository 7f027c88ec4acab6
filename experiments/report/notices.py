"""What a reader must know before trusting the page: alarms above, warnings beneath.

An alarm says that something is broken or absent. A warning says what the figures rest
on: few seeds, refusals, and every bound that was reached, with the key that moves it.
"""

import numpy as np

from experiments.report import formats
from experiments.report.bounds import column, reached
from experiments.report.curves import Curves
from experiments.report.rundir import RunDirectory
from experiments.report.vocabulary import humanise

#: Fewer seeds at a point, and an interval leans on its assumption of a bell curve.
FEW_SEEDS = 8
#: A share of refused transactions from which on the page says so.
_MANY_REFUSED = 0.1


def alarms(directory: RunDirectory) -> list[str]:
    """Failed checks, broken books, and what is absent."""
    manifest, runs = directory.manifest, directory.runs
    told = [
        f"Failed check: {check.get('message') or check.get('check')}."
        for check in directory.checks
        if not check.get("passed", True)
    ]
    if directory.worst_conservation_error:
        worst = runs.loc[runs["conservation_error"].abs().idxmax()]
        told.append(
            f"Money was created or lost: point {worst['point']}, run {worst['run']}."
        )
    flagged = (
        int(np.count_nonzero(runs["status"].to_numpy())) if "status" in runs else 0
    )
    if flagged:
        verb = "carries" if flagged == 1 else "carry"
        broke = f"{verb} a status flag: an invariant broke"
        told.append(f"{formats.plural(flagged, 'run')} {broke}.")
    if manifest.get("status", "complete") != "complete":
        told.append(f"The experiment is {manifest['status']}: some runs are absent.")
    if manifest.get("failures"):
        count = len(manifest["failures"])
        told.append(f"{formats.plural(count, 'shard')} failed; see the manifest.")
    return told


def warnings(directory: RunDirectory, curves: Curves) -> list[str]:
    """What the figures rest on, a sentence each."""
    return [
        *_few_seeds(directory),
        *(f"{text}." for text in reached(directory)),
        *_refusals(directory),
        *_left_out(curves),
    ]


def _few_seeds(directory: RunDirectory) -> list[str]:
    _, counts = np.unique(directory.runs["point"].to_numpy(), return_counts=True)
    seeds = int(counts.min())
    if seeds >= FEW_SEEDS or len(directory.runs) == 1:
        return []
    return [
        f"Only {formats.plural(seeds, 'seed')} a point: intervals are wide, and hold "
        "only if differences scatter like a bell curve, which so few cannot show. "
        f"Run {FEW_SEEDS} at least (runs: {FEW_SEEDS})."
    ]


def _refusals(directory: RunDirectory) -> list[str]:
    told = []
    refused, sent = (
        _total(directory, f"txs_{what}") for what in ("rejected", "entered")
    )
    if sent and refused / sent >= _MANY_REFUSED:
        told.append(
            f"The exchange refused {formats.significant(100 * refused / sent, 2)}"
            f"{formats.THIN}% of all transactions; the reasons stand below."
        )
    for name in _guests(directory):
        count = _total(directory, f"refused_of_{name}")
        if count:
            told.append(
                f"{formats.number(count, 'count')} transactions of {humanise(name)}, "
                "agents in plain Python, were refused: have they the money for what "
                "they send?"
            )
    return told


def _total(directory: RunDirectory, name: str) -> float:
    """The sum of a column over all runs; 0 where there is none of that name."""
    return float(np.nansum(column(directory, name))) if name in directory.runs else 0.0


def _guests(directory: RunDirectory) -> list[str]:
    """Groups of agents in plain Python."""
    groups = (directory.manifest.get("config") or {}).get("populations") or {}
    return [name for name, g in groups.items() if isinstance(g, dict) and "agent" in g]


def sampling(directory: RunDirectory, curves: Curves) -> str:
    """How often the series were sampled, and at how many of these times they are drawn.

    What happens between two of them, a peak for instance, is not seen.
    """
    manifest = directory.manifest
    every = int(manifest.get("series_every") or 0)
    if not every or not curves.sampled:
        return ""
    blocks = formats.plural(every, "block")
    text = f"Sampled every {blocks}" if every > 1 else "Sampled every block"
    drawn = max(len(times) for times in curves.times)
    if drawn < curves.sampled:
        text += f", drawn at {drawn:,} of {curves.sampled:,} times"
    return text + "; what happens between two samples is not drawn."


def _left_out(curves: Curves) -> list[str]:
    if not curves.left_out:
        return []
    kept = len(curves.values)
    return [
        f"Series are shown for {kept:,} of {kept + len(curves.left_out):,} points, "
        "evenly chosen, to keep the page small; all are in series.parquet."
    ]
