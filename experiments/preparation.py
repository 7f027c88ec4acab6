"""Everything that can be wrong with an experiment is found before anything is run."""

from dataclasses import dataclass

from experiments.config import Experiment
from experiments.config.errors import ConfigError
from experiments.engine import (
    DEFAULT_ENGINE,
    Engine,
    MetricLike,
    World,
    load_engine,
)
from experiments.results import tables
from experiments.results.columns import kept
from experiments.results.expressions import parse_check


@dataclass(frozen=True)
class Prepared:
    """An experiment that is known to be runnable."""

    experiment: Experiment
    engine: Engine
    worlds: list[World]

    @property
    def metrics(self) -> dict[str, MetricLike]:
        """The metrics that it keeps, by name."""
        known = self.engine.metrics(self.worlds)
        return kept(known, self.experiment.config.metrics)


def known_columns(prepared: Prepared) -> list[str]:
    """Columns that a check of this experiment may name."""
    experiment = prepared.experiment
    numeric = [
        axis
        for axis in experiment.axes
        if all(isinstance(p.axes[axis], int | float) for p in experiment.points)
    ]
    return [*tables.IDENTITY, *numeric, *prepared.metrics]


def prepare(experiment: Experiment, engine_name: str = DEFAULT_ENGINE) -> Prepared:
    """Builds every world and looks at every check; nothing is computed.

    Raises:
        ConfigError: a point cannot be built, or a check or metric is unknown.
    """
    engine = load_engine(engine_name)
    prepared = Prepared(experiment, engine, _build(experiment, engine))
    columns = known_columns(prepared)
    for text in experiment.config.checks:
        parse_check(text, columns)
    return prepared


def _build(experiment: Experiment, engine: Engine) -> list[World]:
    try:
        return engine.build(experiment.configs)
    except ConfigError as error:
        if len(experiment.configs) == 1:
            raise
        _blame(experiment, engine, error)
        raise


def _blame(experiment: Experiment, engine: Engine, error: ConfigError) -> None:
    """Raises the error again with the first point that has it by itself."""
    for point, config in zip(experiment.points, experiment.configs, strict=True):
        try:
            engine.build([config])
        except ConfigError as alone:
            problems = [
                f"point {point.number} ({point.label}): {text}"
                for text in alone.problems
            ]
            raise ConfigError(problems) from error
