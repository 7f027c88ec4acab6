"""The config of an experiment: its schema, how it is read, and its identity."""

# pyright: reportInvalidTypeForm=false

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    Field,
    StringConstraints,
    ValidationError,
    field_validator,
    model_validator,
)

from experiments.config import documents, plugin_sources, plugins, sweep
from experiments.config.chain import (
    Faults,
    NetworkConfig,
    RollupConfig,
    SequencerConfig,
)
from experiments.config.errors import ConfigError, explain, place, shown, unknown
from experiments.config.errors import Path as KeyPath
from experiments.config.populations import PopulationsConfig
from experiments.config.prices import CrashConfig, PricesConfig, ReplayConfig
from experiments.config.values import Section, whole, wrong_value
from experiments.config.world import OracleConfig, VenueConfig, WorldConfig

#: Raised when a run of the same config may give another result than before.
RESULTS_VERSION = 1
SCENARIOS = Path(__file__).parents[1] / "scenarios"


class RecordConfig(Section):
    """Which runs keep their transactions, to be replayed."""

    runs: Annotated[list[whole(0)], Field(max_length=1024)] = Field(
        default=[], description="numbers of runs, of every point"
    )


class PlanConfig(Section):
    """How an experiment is run, never what: results do not depend on it."""

    lanes: whole(1, 1 << 20) | None = Field(
        default=None, description="runs in one program"
    )
    workers: whole(0, 4096) | None = Field(
        default=None, description="0: in this process"
    )


class Config(Section):
    """An experiment: one world, varied by a sweep, repeated over seeds."""

    name: Annotated[
        str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")
    ] = Field(default="experiment", description="letters, digits, and . _ -")
    seed: whole(0, (1 << 31) - 1) = 0
    runs: whole(1, 10_000_000) = Field(
        default=16, description="seeds of each point, paired"
    )
    world: WorldConfig = WorldConfig()
    venue: VenueConfig = VenueConfig()
    populations: PopulationsConfig = PopulationsConfig()
    sequencer: SequencerConfig = SequencerConfig()
    rollup: RollupConfig = RollupConfig()
    prices: PricesConfig = CrashConfig()
    oracle: OracleConfig = OracleConfig()
    network: NetworkConfig = NetworkConfig()
    faults: Faults = Field(default=[], description="what fails, when and how badly")
    sweep: dict[str, list[Any]] = Field(
        default={},
        description="dotted key -> values, or own name -> [{name, set: {…}}]",
    )
    metrics: list[str] = Field(default=[], description="columns to keep; all if empty")
    checks: list[str] = Field(default=[], description="such as bad_debt <= 1e6")
    record: RecordConfig = RecordConfig()
    plan: PlanConfig = PlanConfig()

    @model_validator(mode="after")
    def _records_exist(self) -> "Config":
        for run in self.record.runs:
            if run >= self.runs:
                raise wrong_value(f"record.runs: {run} is not below runs = {self.runs}")
        return self

    @model_validator(mode="after")
    def _fault_markets_exist(self) -> "Config":
        for number, fault in enumerate(self.faults):
            for name in fault.markets:
                if name not in self.venue.markets:
                    message = unknown("market", name, self.venue.markets)
                    raise wrong_value(f"faults.{number}.markets: {message}")
        return self

    @model_validator(mode="after")
    def _vault_has_a_venue(self) -> "Config":
        if self.populations.vault.count and self.venue.preset != "hyperliquid":
            raise wrong_value(
                f"populations.vault.count: preset {self.venue.preset} has no vault; "
                "hyperliquid has"
            )
        return self

    def members(self, family: str) -> int:
        """How many members a family has; a vault only where the venue has one."""
        count = getattr(self.populations, family).count
        if count is None:
            return int(self.venue.preset == "hyperliquid")
        return count

    @property
    def participants(self) -> int:
        """Accounts of a run."""
        return sum(map(self.members, type(self.populations).model_fields))

    @field_validator("metrics", "checks")
    @classmethod
    def _once(cls, names: list[str]) -> list[str]:
        return list(dict.fromkeys(names))


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

        The plan is left out, and of a price file the content counts, not the name.
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
    """What decides the result of a point's runs, and how it is reported."""
    document = config.model_dump(mode="json", exclude={"plan", "sweep"})
    if isinstance(config.prices, ReplayConfig):
        document["prices"]["file"] = config.prices.sha256
    document["world"] = {
        "blocks": config.world.length,
        "block_us": config.world.block_us,
        "series_every": config.world.sampling,
    }
    return document


def find_config(name: str) -> Path:
    """The file of a config: a path, or the name of a ready scenario."""
    path = Path(name).expanduser()
    if path.is_file():
        return path
    ready = SCENARIOS / f"{name}.yaml"
    if ready.is_file() and "/" not in name:
        return ready
    if path.suffix in (".yaml", ".yml", ".json") or "/" in name:
        raise ConfigError(f"{name}: no such file")
    raise ConfigError(unknown("scenario", name, scenario_names()))


def scenario_names() -> list[str]:
    """Names of the ready scenarios."""
    return sorted(path.stem for path in SCENARIOS.glob("*.yaml"))


def load(name: str, overrides: Sequence[str] = ()) -> Experiment:
    """Reads a config file, applies ``KEY=VALUE`` overrides, and expands the sweep.

    Raises:
        ConfigError: anything is wrong with it; nothing has been computed then.
    """
    path = find_config(name)
    if path.parent != SCENARIOS:
        plugins.look_in(Path.cwd())
        plugins.look_in(path.parent)
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{name}: cannot be read ({error})") from None
    source = path.name
    document = documents.parse_yaml(text, source)
    if document is None:
        document = {}
    if not isinstance(document, dict):
        raise ConfigError(
            f"{source}: must map keys to values, not be {shown(document)}"
        )
    origins: dict[KeyPath, str] = {(): source}
    for key, line in documents.line_numbers(text).items():
        origins[key] = f"{source}:{line}"
    _resolve_price_file(document, path.parent)
    for override in overrides:
        document = _override(document, override, origins)
    return expand(document, origins)


def _resolve_price_file(document: dict, folder: Path) -> None:
    """A relative price file stands beside its config, if it is there."""
    prices = document.get("prices")
    if isinstance(prices, dict) and isinstance(prices.get("file"), str):
        beside = folder / prices["file"]
        if beside.is_file():
            prices["file"] = str(beside.resolve())


def _override(document: dict, override: str, origins: dict[KeyPath, str]) -> dict:
    key, equals, text = override.partition("=")
    if not equals or not key:
        raise ConfigError(f"--set {override}: must be KEY=VALUE")
    label = f"--set {override}"
    try:
        value = documents.parse_yaml(text, label)
        path = documents.parse_key(key)
        for known in [known for known in origins if known[: len(path)] == path]:
            del origins[known]
        origins[path] = label
        return documents.with_value(document, key, value)
    except ConfigError as error:
        raise ConfigError([f"--set: {problem}" for problem in error.problems]) from None


def expand(document: dict, origins: dict[KeyPath, str] | None = None) -> Experiment:
    """Validates a document and every point of its sweep."""
    origins = origins or {}
    config = validate(document, origins)
    try:
        points = sweep.expand(document)
    except ConfigError as error:
        where = place(("sweep",), origins)
        raise ConfigError([where + problem for problem in error.problems]) from None
    configs = [_point(point, origins) for point in points]
    return Experiment(config, tuple(points), tuple(configs))


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
    return validate(point.document, {**origins, **places})


def json_schema() -> dict[str, Any]:
    """The JSON Schema of a config."""
    return Config.model_json_schema(mode="validation")
