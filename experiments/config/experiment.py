"""An experiment: a config, the points of its sweep, and its identity."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pydantic import ValidationError

from experiments.config import (
    contradictions,
    documents,
    labels,
    plugin_sources,
    plugins,
    sweep,
)
from experiments.config.errors import ConfigError, dotted, explain, place
from experiments.config.errors import Path as KeyPath
from experiments.config.prices import ReplayConfig
from experiments.config.schema import Config

#: Raised when a run of the same config may give another result than before.
RESULTS_VERSION = 1
#: Sections that decide no result: how runs are computed, what they are asked when they
#: are there (a corrected check needs no new run) and how that is told, and the sweep,
#: whose points count.
NOT_IDENTITY = {"plan", "checks", "report", "sweep"}


@dataclass(frozen=True)
class Experiment:
    """A validated config with its sweep expanded.

    Attributes:
        config: the base, with the sweep as written.
        points: what varies.
        configs: one per point, complete.
    """

    config: Config
    points: tuple[sweep.Point, ...]
    configs: tuple[Config, ...]

    @property
    def axes(self) -> list[str]:
        """Names of the sweep's axes."""
        return list(self.points[0].axes)

    @cached_property
    def hash(self) -> str:
        """SHA-256 of everything that decides a result, in canonical JSON.

        Left out are the plan, and what is asked of results that are there already
        (`NOT_IDENTITY`). Of a price file the content counts, not the name.
        """
        identity = {
            "results_version": RESULTS_VERSION,
            "points": [identity_of(config) for config in self.configs],
            "axes": [point.axes for point in self.points],
        }
        if self.plugins:
            identity["plugins"] = self.plugins
        text = json.dumps(identity, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    @cached_property
    def plugins(self) -> dict[str, dict[str, str]]:
        """The import paths named, each with SHA-256 of its sources by module.

        Raises:
            ConfigError: a source has changed since this process imported it.
        """
        named = {path for config in self.configs for path in plugins.paths_in(config)}
        try:
            return {
                str(path): plugin_sources.hashes_of(path.module)
                for path in sorted(named)
            }
        except plugins.PluginError as error:
            raise ConfigError(str(error)) from None

    def as_document(self) -> dict[str, Any]:
        """The config as it can be read again, every default written out."""
        return self.config.model_dump(mode="json", exclude_none=True)


def identity_of(config: Config) -> dict[str, Any]:
    """What decides the result of a point's runs, and which of it is kept."""
    document = config.model_dump(mode="json", exclude=NOT_IDENTITY)
    if isinstance(config.prices, ReplayConfig):
        document["prices"]["file"] = config.prices.sha256
    # What it says of proving times stands in their own keys.
    document["rollup"]["proving_law"] = None
    # The order of groups decides accounts, and canonical JSON would lose it.
    document["populations"] = list(document["populations"].items())
    document["world"] = {
        "blocks": config.world.length,
        "block_us": config.world.block_us,
        "series_every": config.world.sampling,
    }
    return document


def expand(document: dict, origins: dict[KeyPath, str] | None = None) -> Experiment:
    """Validates a document and every point of its sweep."""
    origins = origins or {}
    config = validate(document, origins)
    where = place(("sweep",), origins)
    try:
        axes = sweep.axes_of(document)
        _refuse_too_many(config, sweep.count_of(axes))
        labels.refuse_conflicts(axes)
        points = sweep.expand(document, axes)
    except ConfigError as error:
        raise ConfigError([where + problem for problem in error.problems]) from None
    configs = [_point(point, origins) for point in points]
    try:
        labels.refuse_untrue(points, configs)
        labels.refuse_equal(points, map(identity_of, configs))
    except ConfigError as error:
        raise ConfigError([where + problem for problem in error.problems]) from None
    return Experiment(config, tuple(points), tuple(configs))


def _refuse_too_many(config: Config, points: int) -> None:
    """Refuses a sweep whose points alone would fill the memory, before any is made."""
    bounds = config.plan
    if points > bounds.most_points:
        raise ConfigError(
            f"{points:,} points; plan.most_points = {bounds.most_points:,} are "
            "allowed: fewer values, or raise it if this is meant"
        )
    if points * config.runs > bounds.most_runs:
        raise ConfigError(
            f"{points:,} points x {config.runs:,} runs are {points * config.runs:,}; "
            f"plan.most_runs = {bounds.most_runs:,} are allowed: fewer runs, or raise "
            "it if this is meant"
        )


def validate(document: dict, origins: dict[KeyPath, str]) -> Config:
    """The document as a config."""
    try:
        return Config.model_validate(document)
    except ValidationError as error:
        raise explain(error, Config, origins) from None


def _point(point: sweep.Point, origins: dict[KeyPath, str]) -> Config:
    """The config of a point; its errors are told at the axis that brought them."""
    moved = {
        documents.parse_key(str(key)): setting.axis
        for setting in point.settings
        for key, _ in setting.overrides
    }
    places = {}
    for path, axis in moved.items():
        where = place(("sweep", axis), origins).removesuffix(": ")
        places[path] = f"{where}: sweep.{axis}" if where else f"sweep.{axis}"
    origins = {**origins, **places}
    config = validate(point.document, origins)
    _refuse_contradictions(config, origins, list(moved))
    return config


def _refuse_contradictions(
    config: Config, origins: dict[KeyPath, str], swept: Sequence[KeyPath]
) -> None:
    """Refuses what a point says in vain (`experiments.config.contradictions`)."""
    problems = [
        f"{place(problem.key, origins)}{dotted(problem.key)} = {problem.text}"
        for problem in contradictions.problems_of(config)
        if not (problem.idle and any(problem.key[: len(p)] == p for p in swept))
    ]
    if problems:
        raise ConfigError(problems)
