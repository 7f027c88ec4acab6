"""Which measures the page compares, which of them it draws, and who earned what."""

import numpy as np

from experiments.report.differences import Comparison
from experiments.report.rundir import RunDirectory
from experiments.report.vocabulary import MAIN_METRICS, Metric, is_aid, is_profit

MAX_MAIN = 9  # measures of `MAIN_METRICS` with a chart
MAX_FURTHEST = 6  # more of them: those that moved furthest for their size
#: Counts of what was turned away, by reason, kind or sender: in tables of their own.
REFUSED, TURNED_AWAY = "reject_", ("reject_", "full_", "refused_of_")


def moves(values: np.ndarray) -> bool:
    """Whether a column holds two different numbers."""
    finite = values[np.isfinite(values)]
    return len(finite) > 0 and bool(np.ptp(finite) > 0)


def compared(directory: RunDirectory) -> list[Metric]:
    """Measures that are not the same in every run, each once; the main ones first.

    The profit of a group that is its whole family is told by the family's. If nothing
    moves, all of them.
    """
    measures = [
        metric
        for name, metric in directory.metrics.items()
        if not is_aid(name) and not name.startswith(TURNED_AWAY)
    ]
    seen: set[bytes] = set()
    moving = []
    for metric in sorted(measures, key=lambda m: m.name.startswith("pnl_")):
        column = directory.runs[metric.name].to_numpy(np.float64)
        if moves(column) and column.tobytes() not in seen:
            moving.append(metric)
        seen.add(column.tobytes())
    return moving or measures


def charted(measures: list[Metric], comparisons: list[Comparison]) -> list[Metric]:
    """What is drawn: the main measures, and those that moved furthest for their size.

    Profits have a section of their own.
    """
    others = [m for m in measures if not is_profit(m.name)]
    main = [m for m in others if m.name in MAIN_METRICS][:MAX_MAIN]
    rest = [m for m in others if m not in main and not m.name.startswith("pnl_")]
    reach = {m.name: _reach(m.name, comparisons) for m in rest}
    rest.sort(key=lambda m: -reach[m.name])
    far = [m for m in rest if reach[m.name] > 0][:MAX_FURTHEST]
    return main + far or others[:MAX_MAIN] or measures[:MAX_MAIN]


def _reach(name: str, comparisons: list[Comparison]) -> float:
    """How far a measure moved for its size, 0 to 1, those beyond chance before others.

    From 214 to 7,465 is 0.97; of a measure that is near zero at both ends no step
    counts for more than a few of its units.
    """
    found = [row.differences.get(name) for c in comparisons for row in c.rows]
    return max(
        (
            abs(d.mean) / (max(abs(d.base), abs(d.other)) + 10 * d.resolution)
            + (1 if d.settled else 0)
            for d in found
            if d is not None and abs(d.mean) >= d.resolution and not d.still
        ),
        default=0.0,
    )


def profits(directory: RunDirectory) -> list[Metric]:
    """What each family that takes part, the venue and the sequencer earned."""
    return [
        metric
        for name, metric in directory.metrics.items()
        if is_profit(name) and np.any(directory.runs[name].to_numpy(np.float64) != 0)
    ]


def refused(directory: RunDirectory) -> list[Metric]:
    """Reasons of refusals that some run had, the most frequent first."""
    return _frequent(directory, (REFUSED,))


def turned_away(directory: RunDirectory) -> list[Metric]:
    """What found no room, by kind and sender, and whose messages were refused."""
    return _frequent(directory, TURNED_AWAY[1:])


def _frequent(directory: RunDirectory, prefixes: tuple[str, ...]) -> list[Metric]:
    totals = {
        name: float(np.nansum(directory.runs[name].to_numpy(np.float64)))
        for name in directory.metrics
        if name.startswith(prefixes)
    }
    names = sorted(totals, key=lambda name: -totals[name])
    return [directory.metrics[name] for name in names if totals[name] > 0]
