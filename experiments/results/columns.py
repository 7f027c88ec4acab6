"""The columns of an experiment's results: which there are, and what none may be called.

Rows are told apart by columns of the lab's own, by the axes of the sweep, and carry the
metrics. No axis may have the name of another column, for one would replace the other.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence

from experiments.config.errors import ConfigError, unknown
from experiments.config.plugins import METRIC, is_path, resolve
from experiments.engine import MetricLike

#: Kept whatever is asked for: it has to be exactly zero.
EXACT = "conservation_error"
#: Columns that name a row of the table of runs.
IDENTITY = ("point", "run", "seed", "state_root", "status", EXACT)
#: Columns that name a row of the table of series.
SAMPLE = ("point", "run", "block", "time_s")


def kept(
    known: Mapping[str, MetricLike], named: Sequence[str]
) -> dict[str, MetricLike]:
    """The metrics that an experiment keeps, by name.

    All of them where the config names none of the lab's; else those that it names.
    Those that it names by import path are always kept.

    Args:
        known: every metric of its worlds.
        named: the config's `metrics`.

    Raises:
        ConfigError: a name is of no metric of these worlds.
    """
    ours = [name for name in named if not is_path(name)]
    for name in ours:
        if name not in known:
            raise ConfigError(f"metrics: {unknown('metric', name, known)}")
    if not ours:
        return dict(known)
    own = [resolve(name, METRIC).name for name in named if is_path(name)]
    wanted = {*ours, *own, EXACT}
    return {name: metric for name, metric in known.items() if name in wanted}


def refuse_taken_names(
    axes: Iterable[str], metrics: Collection[str], series: Iterable[str]
) -> None:
    """No axis of the sweep may be called like another column.

    Letters are compared without their case, as SQL does.

    Args:
        axes: names of the axes.
        metrics: every metric of the worlds, kept or not.
        series: names of their time series.

    Raises:
        ConfigError: names the axis and what the column is; or a metric from outside
            that is called like a column of the lab's own.
    """
    own = {_folded(name) for name in (*SAMPLE, *IDENTITY)}
    for name in metrics:
        if _folded(name) in own and name != EXACT:
            raise ConfigError(
                f"metrics: {name} is the name of a column of every table; "
                "call the metric something else"
            )
    taken = {_folded(name): f"the series {name}" for name in series}
    taken |= {_folded(name): f"the metric {name}" for name in metrics}
    taken |= {
        _folded(name): f"the column {name} of every table"
        for name in (*SAMPLE, *IDENTITY)
    }
    for axis in axes:
        if _folded(axis) in taken:
            raise ConfigError(
                f"sweep.{axis}: an axis becomes a column of the results, and "
                f"{taken[_folded(axis)]} has that name already; call the axis "
                "something else, such as "
                f"{axis.strip()}_case, with named variants"
            )
        taken[_folded(axis)] = f"the axis {axis}"


def _folded(name: str) -> str:
    return name.strip().casefold()
