"""Everything that can be wrong with an experiment is found before anything is run."""

from dataclasses import dataclass

from experiments.config import Experiment
from experiments.config.errors import ConfigError, unknown
from experiments.engine import (
    DEFAULT_ENGINE,
    Engine,
    MetricLike,
    World,
    load_engine,
)
from experiments.results.columns import IDENTITY, kept, refuse_taken_names
from experiments.results.expressions import Kind, parse_check


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


def known_columns(prepared: Prepared) -> dict[str, Kind]:
    """The columns that a check of this experiment may name, and what each holds."""
    experiment = prepared.experiment
    kinds = dict.fromkeys((*IDENTITY, *prepared.metrics), Kind.NUMBER)
    kinds["state_root"] = Kind.TEXT
    for axis in experiment.axes:
        numeric = all(isinstance(p.axes[axis], int | float) for p in experiment.points)
        kinds[axis] = Kind.NUMBER if numeric else Kind.TEXT
    return kinds


def prepare(experiment: Experiment, engine_name: str = DEFAULT_ENGINE) -> Prepared:
    """Builds every world and looks at every column and check; nothing is computed.

    Raises:
        ConfigError: a point cannot be built, an axis has the name of another column,
            a metric is unknown, or a check makes no sense of the columns there will be.
    """
    engine = load_engine(engine_name)
    prepared = Prepared(experiment, engine, _build(experiment, engine))
    refuse_taken_names(
        experiment.axes, engine.metrics(prepared.worlds), _series(prepared)
    )
    columns = known_columns(prepared)
    for text in experiment.config.checks:
        parse_check(text, columns).rehearse(columns)
    asked = experiment.config.report.headline
    if asked is not None and asked not in prepared.metrics:
        raise ConfigError(
            f"report.headline: {unknown('metric', asked, prepared.metrics)}"
        )
    return prepared


def _series(prepared: Prepared) -> set[str]:
    """Names of the columns of the table of series."""
    names = set(prepared.engine.SERIES)
    for config in prepared.experiment.configs:
        markets = prepared.engine.layout(config).markets
        names |= {
            f"{name}.{market}"
            for name, info in prepared.engine.SERIES.items()
            if info.per_market
            for market in markets
        }
    return names


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
