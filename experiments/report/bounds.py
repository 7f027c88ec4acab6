"""Bounds of the lab that runs reached, and how the page tells of them.

A mempool has so many places, a block so much room, keepers are shown so many accounts.
Where one of these decided what became of a transaction or an account, a figure says as
much of the bound as of the market, so it is told wherever its effect is drawn.
"""

from typing import NamedTuple

import numpy as np

from experiments.report import formats
from experiments.report.rundir import RunDirectory


class Bound(NamedTuple):
    """A bound of the lab that may be reached, and how that is told.

    Attributes:
        column: counts how often it was reached, or what was lost by it.
        told: a sentence with `{count}` and, where it has a column, `{room}`.
        room: the column that holds the bound itself.
        panels: keys of the panels in which its effect shows; the first draws what has
            the room.
        measures: the metrics that it cuts short or moves.
    """

    column: str
    told: str
    room: str = ""
    panels: tuple[str, ...] = ()
    measures: tuple[str, ...] = ()


_INCLUSION = ("inclusion_p50_us", "inclusion_p95_us", "inclusion_p99_us")
BOUNDS = (
    Bound(
        "txs_full",
        "The mempool was full: {count} transactions found no room beside the {room} "
        "that wait, and were dropped (sequencer.queue)",
        "mempool_room",
        ("mempool", "inclusion"),
        ("mempool_max", "txs_dropped", *_INCLUSION),
    ),
    Bound(
        "blocks_filled",
        "{count} blocks carried all they may while others waited (sequencer.block_txs)",
        panels=("mempool", "inclusion"),
        measures=_INCLUSION,
    ),
    Bound(
        "danger_unlisted",
        "Keepers are shown 64 accounts in danger at a time; {count} times an account "
        "in danger was not among them for a block",
        panels=("in_danger", "liquidations"),
        measures=("danger_blocks_mean", "liquidations"),
    ),
    Bound(
        "seals_postponed",
        "{count} batches could not be sealed when due, for as many as there is room "
        "for waited to be settled",
        panels=("batches",),
        measures=("settle_delay_us", "withdrawal_delay_us", "batches_sealed"),
    ),
)


def column(directory: RunDirectory, name: str) -> np.ndarray:
    """The numbers of a column, one a run."""
    return directory.runs[name].to_numpy(np.float64)


def reached(
    directory: RunDirectory, panel: str | None = None, measure: str | None = None
) -> list[str]:
    """The bounds that were reached in some run: all, or those of a panel or measure."""
    told = []
    for bound in BOUNDS:
        if bound.column not in directory.runs:
            continue
        if panel is not None and panel not in bound.panels:
            continue
        if measure is not None and measure not in bound.measures:
            continue
        counts = column(directory, bound.column)
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
    low, high = (f(column(directory, name)) for f in (np.nanmin, np.nanmax))
    ends = [f"{int(end):,}" for end in dict.fromkeys((low, high))]
    return " to ".join(ends)


def full_points(directory: RunDirectory, panel: str) -> set[int]:
    """The points at which what a panel shows filled all its room in some run."""
    points = directory.runs["point"].to_numpy(np.int64)
    return {
        int(point)
        for bound in BOUNDS
        if bound.room and panel in bound.panels[:1] and bound.column in directory.runs
        for point in np.unique(points[column(directory, bound.column) > 0])
    }
