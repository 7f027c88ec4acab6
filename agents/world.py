"""The world: what a run is made of, as specs, numbers and state.

`agents.opening` draws a run, `agents.step` advances it by a block, `agents.run` scans
it and the Mesa model steps it; all of them hold these records.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
from jax import Array

from agents.family import GroupParams, GroupSpec
from agents.measure.accumulators import Measures
from agents.measure.contract import Metric
from agents.views import Trend
from market.prices import PriceParams, PriceSpec
from market.types.specs import VenueParams, VenueSpec
from market.types.state import ExchangeState
from rollup.chain import BlockOutcome, ChainParams, ChainSpec, ChainState
from rollup.faults.windows import FaultParams, FaultWindows


@dataclass(frozen=True)
class WorldSpec:
    """Everything that changes shapes or code of a run.

    Attributes:
        venue: the exchange.
        chain: the rollup.
        groups: who is there, in order of accounts; agents in plain Python last.
        prices: the price model.
        blocks: T, length of a run.
        block_us: length of a block in microseconds.
        reporters: N, oracle reporters.
        series_every: blocks between two samples of the time series.
        metrics: measured beside the lab's own.
    """

    venue: VenueSpec
    chain: ChainSpec
    groups: tuple[GroupSpec, ...]
    prices: PriceSpec
    blocks: int
    block_us: int
    reporters: int = 5
    series_every: int = 10
    metrics: tuple[Metric, ...] = ()

    @property
    def guests(self) -> tuple[GroupSpec, ...]:
        """The groups of agents in plain Python; their accounts follow each other."""
        return tuple(group for group in self.groups if group.family is None)

    @property
    def populations(self) -> tuple[GroupSpec, ...]:
        """The groups that decide as arrays."""
        return tuple(group for group in self.groups if group.family is not None)


@jax.tree_util.register_dataclass
@dataclass(frozen=True, kw_only=True)
class OracleParams:
    """Where oracle reports come from, int64 scalars."""

    delay_blocks: Array  # age of the outside price that reporters see
    noise_ppm: Array  # standard deviation of a reporter's error
    own_weight_ppm: Array  # weight of this venue's mid price in the index


@jax.tree_util.register_dataclass
@dataclass(frozen=True, kw_only=True)
class WorldParams:
    """Every number of a run; int64 leaves that may differ from lane to lane."""

    venue: VenueParams
    chain: ChainParams
    groups: dict[str, GroupParams]  # by name of the group
    prices: PriceParams
    oracle: OracleParams
    faults: FaultParams
    insurance: Array  # [1 + M] quanta in the funds at the start: shared, by market


@jax.tree_util.register_dataclass
@dataclass(frozen=True, kw_only=True)
class Setting:
    """What one run is given once: drawn before the first block, never changed."""

    key: Array
    path: Array  # [T, M] outside prices in ticks
    windows: FaultWindows
    group_of: Array  # [A] number of each account's group
    start: Array  # [A] first collateral


@jax.tree_util.register_dataclass
@dataclass(frozen=True, kw_only=True)
class World:
    """The state of a run between two blocks."""

    block: Array  # [] number of the next block
    exchange: ExchangeState
    chain: ChainState
    said: Array  # [M, N] ticks that each oracle reporter said last
    memories: dict[str, Any]  # by name of the group
    trends: dict[str, Trend]  # of the outside price as each group sees it
    measures: Measures
    kept: dict[str, Any]  # accumulators of the metrics that bring their own


class Block(NamedTuple):
    """What went into one block and what came out; enough to execute it again.

    Attributes:
        outcome: transactions, charges, receipts.
        reports: [M, N] oracle reports.
        seed_word: [] random word of the block.
    """

    outcome: BlockOutcome
    reports: Array
    seed_word: Array
