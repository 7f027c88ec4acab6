"""What a reader must know before trusting the page: alarms above, warnings beneath.

An alarm says that something is broken or absent. A warning says what the figures rest
on: few seeds, refusals, and every bound that was reached, with the key that moves it.
"""

from typing import Any, NamedTuple

import numpy as np

from experiments.report import formats
from experiments.report.curves import Curves
from experiments.report.rundir import RunDirectory
from experiments.report.vocabulary import humanise

#: Fewer seeds at a point, and an interval leans on its assumption of a bell curve.
FEW_SEEDS = 8
#: A share of refused transactions from which on the page says so.
_MANY_REFUSED = 0.1


class Bound(NamedTuple):
    """A bound of the lab that may be reached, and how that is told.

    Attributes:
        column: counts how often it was reached, or what was lost by it.
        told: a sentence with `{count}` and, where it has a column, `{room}`.
        room: the column that holds the bound itself.
        panels: keys of the panels in which its effect shows; the first draws what has
            the room.
    """

    column: str
    told: str
    room: str = ""
    panels: tuple[str, ...] = ()


BOUNDS = (
    Bound(
        "txs_full",
        "The mempool was full: {count} transactions found no room beside the {room} "
        "that wait, and were dropped (sequencer.queue)",
        "mempool_room",
        ("mempool", "inclusion"),
    ),
    Bound(
        "blocks_filled",
        "{count} blocks carried all they may while others waited (sequencer.block_txs)",
        panels=("mempool", "inclusion"),
    ),
    Bound(
        "danger_unlisted",
        "Keepers are shown 64 accounts in danger at a time; {count} times an account "
        "in danger was not among them for a block",
        panels=("in_danger", "liquidations"),
    ),
    Bound(
        "seals_postponed",
        "{count} batches could not be sealed when due, for as many as there is room "
        "for waited to be settled",
        panels=("batches",),
    ),
)


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
        *map(str, directory.manifest.get("warnings") or []),
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


def _column(directory: RunDirectory, name: str) -> np.ndarray:
    return directory.runs[name].to_numpy(np.float64)


def reached(directory: RunDirectory, panel: str | None = None) -> list[str]:
    """The bounds that were reached in some run: all, or those that show in a panel."""
    told = []
    for bound in BOUNDS:
        if bound.column not in directory.runs:
            continue
        if panel is not None and panel not in bound.panels:
            continue
        counts = _column(directory, bound.column)
        bound_in = int(np.count_nonzero(counts > 0))
        if bound_in:
            room = _rooms(directory, bound.room)
            count = formats.number(float(np.nansum(counts)), "count")
            extent = f"in {bound_in:,} of {formats.plural(len(counts), 'run')}"
            told.append(f"{bound.told.format(count=count, room=room)}, {extent}")
    return told


def _rooms(directory: RunDirectory, name: str) -> str:
    """The size of a bound, a range where points differ; empty where nobody says."""
    if name not in directory.runs:
        return ""
    low, high = (f(_column(directory, name)) for f in (np.nanmin, np.nanmax))
    ends = [f"{int(end):,}" for end in dict.fromkeys((low, high))]
    return " to ".join(ends)


def full_points(directory: RunDirectory, panel: str) -> set[int]:
    """The points at which what a panel shows filled all its room in some run."""
    points = directory.runs["point"].to_numpy(np.int64)
    return {
        int(point)
        for bound in BOUNDS
        if bound.room and panel in bound.panels[:1] and bound.column in directory.runs
        for point in np.unique(points[_column(directory, bound.column) > 0])
    }


def _refusals(directory: RunDirectory) -> list[str]:
    told = []
    runs: Any = directory.runs
    if "txs_rejected" in runs and "txs_entered" in runs:
        refused, sent = (
            float(np.nansum(_column(directory, name)))
            for name in ("txs_rejected", "txs_entered")
        )
        if sent and refused / sent >= _MANY_REFUSED:
            told.append(
                f"The exchange refused {formats.significant(100 * refused / sent, 2)}"
                f"{formats.THIN}% of all transactions; the reasons stand below."
            )
    for name in _guests(directory):
        column = f"refused_of_{name}"
        if column in runs and np.any(_column(directory, column) > 0):
            count = formats.number(
                float(np.nansum(_column(directory, column))), "count"
            )
            told.append(
                f"{count} transactions of the agents {humanise(name)} were refused: "
                "have they the money for what they send?"
            )
    return told


def _guests(directory: RunDirectory) -> list[str]:
    """Groups of agents in plain Python."""
    groups = (directory.manifest.get("config") or {}).get("populations") or {}
    return [name for name, g in groups.items() if isinstance(g, dict) and "agent" in g]


def _left_out(curves: Curves) -> list[str]:
    if not curves.left_out:
        return []
    kept = len(curves.values)
    return [
        f"Series are shown for {kept:,} of {kept + len(curves.left_out):,} points, "
        "evenly chosen, to keep the page small; all are in series.parquet."
    ]
