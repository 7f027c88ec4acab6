"""The world: what a run is made of, as specs, numbers and state.

`agents.opening` draws a run, `agents.step` advances it by a block, `agents.run` scans
it and the Mesa model steps it; all of them hold these records.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import numpy as np
from jax import Array

from agents.family import GroupParams, GroupSpec
from agents.measure.accumulators import Measures
from agents.measure.contract import Metric
from agents.views import Trend
from market.prices import PriceParams, PriceSpec
from market.types.limits import MAX_AUCTION_LOTS, MAX_AUCTION_ORDERS, check_range
from market.types.specs import VenueParams, VenueSpec
from market.types.state import ExchangeState
from rollup.chain import BlockOutcome, ChainParams, ChainSpec, ChainState
from rollup.faults.windows import FaultParams, FaultWindows
from rollup.sequencing.contract import Mode

#: Longest run, in microseconds (8.9 years): arrivals a year later still rank.
MAX_RUN_US = 1 << 48


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

    def __post_init__(self) -> None:
        """Refuses shapes that do not fit into one another.

        Raises:
            ValueError: a number is out of range, the accounts are not the groups', or
                an auction could hold more orders than one sort key tells apart.
        """
        check_range("blocks", self.blocks, 1)
        check_range("block_us", self.block_us, 1)
        check_range("blocks * block_us", self.blocks * self.block_us, 1, MAX_RUN_US)
        check_range("reporters", self.reporters, 1)
        check_range("series_every", self.series_every, 1)
        first = 0
        for group in self.groups:
            if group.first != first:
                raise ValueError(
                    f"{group.name}: its accounts begin at {group.first}, not at {first}"
                )
            first += group.count
        check_range("accounts of all groups", first, 1, self.venue.accounts)
        if Mode.AUCTION in self.chain.scheme.modes:
            check_range(
                "2 * book_capacity + block_txs, orders of an auction",
                2 * self.venue.book_capacity + self.chain.block_txs,
                1,
                MAX_AUCTION_ORDERS,
            )

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


def check_lots(spec: WorldSpec, params: VenueParams) -> None:
    """Holds the largest auction of a world within exact arithmetic.

    Raises:
        ValueError: as many orders of the largest size as an auction may hold are more
            lots than it shares out exactly.
    """
    if Mode.AUCTION not in spec.chain.scheme.modes:
        return
    orders = 2 * spec.venue.book_capacity + spec.chain.block_txs
    largest = int(np.max(np.asarray(params.max_order_lots)))
    check_range(
        f"lots of {orders:,} orders of {largest:,} lots, as an auction may hold",
        orders * largest,
        0,
        MAX_AUCTION_LOTS,
    )


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
    heard_us: dict[str, Array]  # [N] when each member's last message arrived
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
