"""The schema of a config: its sections, and what must hold between them."""

# pyright: reportInvalidTypeForm=false

from typing import Annotated, Any

from pydantic import Field, StringConstraints, field_validator, model_validator

from experiments.config.chain import RollupConfig
from experiments.config.errors import unknown
from experiments.config.faults import Faults
from experiments.config.groups import Group, GuestGroup
from experiments.config.plugins import METRIC, own_path
from experiments.config.populations import Populations
from experiments.config.prices import CrashConfig, PricesConfig
from experiments.config.sequencer import SequencerConfig
from experiments.config.values import Section, whole, wrong_value
from experiments.config.world import OracleConfig, VenueConfig, WorldConfig

#: Presets whose venue has a vault.
WITH_VAULT = ("hyperliquid",)


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
    most_points: whole(1, 10_000_000) = Field(
        default=10_000,
        description="a larger sweep is refused: each point takes some 30 ms and 40 kB "
        "before the start",
    )
    most_runs: whole(1, 1_000_000_000) = Field(
        default=1_000_000, description="more runs of all points together are refused"
    )


class ReportConfig(Section):
    """How the report tells what was found: results do not depend on it."""

    headline: str | None = Field(
        default=None,
        description="measure that the headline is about; the first loss that moved "
        "where not given",
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
    populations: Populations = Field(default={}, description="who takes part")
    sequencer: SequencerConfig = SequencerConfig()
    rollup: RollupConfig = RollupConfig()
    prices: PricesConfig = CrashConfig()
    oracle: OracleConfig = OracleConfig()
    faults: Faults = Field(default=[], description="what fails, when and how badly")
    sweep: dict[str, list[Any]] = Field(
        default={},
        description="dotted key -> values, or own name -> [{name, set: {…}}]",
    )
    metrics: list[own_path(METRIC)] = Field(
        default=[], description="columns to keep; all if empty"
    )
    checks: list[str] = Field(default=[], description="such as bad_debt <= 1e6")
    report: ReportConfig = ReportConfig()
    record: RecordConfig = RecordConfig()
    plan: PlanConfig = PlanConfig()

    @model_validator(mode="after")
    def _records_exist(self) -> "Config":
        for run in self.record.runs:
            if run >= self.runs:
                raise wrong_value(f"record.runs: {run} is not below runs = {self.runs}")
        return self

    @model_validator(mode="after")
    def _guests_are_not_recorded(self) -> "Config":
        if self.guests and (self.record.runs or self.rollup.prove):
            key = "record.runs" if self.record.runs else "rollup.prove"
            raise wrong_value(
                f"{key}: a run with agents in plain Python ({', '.join(self.guests)}) "
                "keeps no record of its transactions yet"
            )
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
    def _fault_targets_exist(self) -> "Config":
        names = {*self.populations, *(g.of.name for g in self.families.values())}
        for number, fault in enumerate(self.faults):
            for place, name in enumerate(fault.targets):
                if name not in names:
                    message = unknown("group or family", name, names)
                    raise wrong_value(f"faults.{number}.targets.{place}: {message}")
        return self

    @model_validator(mode="after")
    def _vault_has_a_venue(self) -> "Config":
        for name, group in self.families.items():
            if group.of.is_backstop and group.count and not self._has_vault:
                raise wrong_value(
                    f"populations.{name}.count: preset {self.venue.preset} has no "
                    "vault; hyperliquid has"
                )
        return self

    @property
    def families(self) -> dict[str, Group]:
        """The groups that decide as arrays, by name."""
        return {n: g for n, g in self.populations.items() if isinstance(g, Group)}

    @property
    def guests(self) -> dict[str, GuestGroup]:
        """The groups of agents in plain Python, by name."""
        return {n: g for n, g in self.populations.items() if isinstance(g, GuestGroup)}

    @property
    def _has_vault(self) -> bool:
        return self.venue.preset in WITH_VAULT

    def members(self, group: str) -> int:
        """How many members a group has; a backstop only where the venue has a vault."""
        count = self.populations[group].count
        return int(self._has_vault) if count is None else count

    @property
    def participants(self) -> int:
        """Accounts of a run."""
        return sum(map(self.members, self.populations))

    @field_validator("metrics", "checks")
    @classmethod
    def _once(cls, names: list[str]) -> list[str]:
        return list(dict.fromkeys(names))


def json_schema() -> dict[str, Any]:
    """The JSON Schema of a config."""
    return Config.model_json_schema(mode="validation")
