"""Which metrics of an experiment become columns of its results."""

from collections.abc import Mapping, Sequence

from experiments.config.errors import ConfigError, unknown
from experiments.config.plugins import METRIC, is_path, resolve
from experiments.engine import MetricLike

#: Kept whatever is asked for: it has to be exactly zero.
EXACT = "conservation_error"


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
