"""The metrics of a run: the lab's, those of its people, and those from outside."""

from agents.measure.contract import Metric
from agents.measure.metrics import (
    caps,
    inclusion,
    losses,
    refusals,
    settlement,
    trading,
)
from agents.measure.metrics.profits import profits
from agents.world import WorldSpec

#: The metrics of every world by name, in the order of their columns.
METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        *losses.METRICS,
        *trading.METRICS,
        *inclusion.METRICS,
        *caps.METRICS,
        *settlement.METRICS,
        *refusals.METRICS,
    )
}


def metrics_of(spec: WorldSpec) -> dict[str, Metric]:
    """Every metric of a world by name: the lab's, its people's profits, its own.

    Raises:
        ValueError: two metrics have one name.
    """
    every = (
        *METRICS.values(),
        *profits(spec.groups),
        *caps.of_groups(spec.groups),
        *spec.metrics,
    )
    names = [metric.name for metric in every]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"two metrics are called {name}")
    return {metric.name: metric for metric in every}
