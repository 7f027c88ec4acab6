"""A metric: one number of a finished run, and how it is found. The contract.

Most metrics are read off the state at the end of a run, or off the accumulators that
every run keeps (`agents.measure.accumulators`). One that has to watch every block has
an accumulator of its own: `init` makes it, `take` is shown each block, `read` finds it
in `Reading.kept`. Everything is an integer and pure, for it runs inside the compiled
step. Axes: `A` accounts, `G` groups, `M` markets.

A metric of the lab is one record in `agents.measure.metrics`. One from outside is named
by its import path in the config's `metrics`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import jax.numpy as jnp
from jax import Array

from agents.measure.accumulators import Measures
from agents.views import Risk
from market.types.specs import VenueSpec
from market.types.state import ExchangeState
from rollup.chain import BlockOutcome, ChainState

Unit = Literal["quanta", "count", "ppm", "us", "blocks", "ticks"]
Better = Literal["low", "high"]


class Seen(NamedTuple):
    """What an accumulator is shown after each block.

    Attributes:
        block: [] number of the block in time.
        before: the exchange before the block.
        after: the exchange after it.
        outcome: what the chain did: transactions in order, receipts, totals.
        chain: the chain after the block.
        risk: of all accounts before the block, at oracle prices.
        price: [M] outside price in ticks.
        group_of: [A] number of each account's group.
        venue: shapes of the venue.
    """

    block: Array
    before: ExchangeState
    after: ExchangeState
    outcome: BlockOutcome
    chain: ChainState
    risk: Risk
    price: Array
    group_of: Array
    venue: VenueSpec


class Reading(NamedTuple):
    """What a metric is read off at the end of a run.

    Attributes:
        measures: what every run accumulates.
        exchange: the exchange at the end.
        chain: the chain at the end.
        risk: of all accounts, at the last oracle prices.
        profit: [G] quanta that each group earned: its equity at the last oracle prices
            less what it brought in, withdrawals undone.
        insurance: [1 + M] quanta in the insurance funds at the start.
        venue: shapes of the venue.
        kept: the metric's own accumulator; None where it has none.
    """

    measures: Measures
    exchange: ExchangeState
    chain: ChainState
    risk: Risk
    profit: Array
    insurance: Array
    venue: VenueSpec
    kept: Any = None


@dataclass(frozen=True)
class Metric:
    """One number of a run; a column of its results.

    Attributes:
        name: of the column.
        unit: what it counts; quanta are shown as dollars.
        meaning: a few words without a full stop.
        better: which way is better for the venue's users; None where neither is.
        read: the number, an int64 scalar, at the end of a run.
        init: its accumulator before the first block, a pytree of integers.
        take: the accumulator after a block.
        label: what a report calls it; made from the name where it is empty.
    """

    name: str
    unit: Unit
    meaning: str
    better: Better | None
    read: Callable[[Reading], Array]
    init: Callable[[VenueSpec], Any] | None = None
    take: Callable[[Any, Seen], Any] | None = None
    label: str = ""


def opened(metrics: tuple[Metric, ...], venue: VenueSpec) -> dict[str, Any]:
    """The accumulators of the metrics that have one, by name."""
    return {each.name: each.init(venue) for each in metrics if each.init}


def taken(
    metrics: tuple[Metric, ...], kept: dict[str, Any], seen: Seen
) -> dict[str, Any]:
    """The accumulators after one more block."""
    return {
        each.name: each.take(kept[each.name], seen) if each.take else kept[each.name]
        for each in metrics
        if each.init
    }


def mean(total: Array, count: Array) -> Array:
    """A mean rounded down; 0 of nothing."""
    return total // jnp.maximum(count, 1)
