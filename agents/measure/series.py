"""The time series of a run: levels as they are, counts as cumulative sums.

Sampled every so many blocks; because counts are cumulative, thinning loses nothing.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from agents.measure.measures import negative_equity, spread_and_depth
from agents.views import account_risk
from market.types.orders import Kind
from market.types.specs import VenueSpec
from rollup.settlement.pipeline import POSTED, PROVEN, SETTLED


class SeriesInfo(NamedTuple):
    """A time series: its unit, meaning, and whether it has one line a market."""

    unit: str
    meaning: str
    per_market: bool = False
    cumulative: bool = False


#: Every time series of a run, by name.
SERIES: dict[str, SeriesInfo] = {
    "fundamental": SeriesInfo("ticks", "outside price", per_market=True),
    "oracle": SeriesInfo("ticks", "oracle price", per_market=True),
    "mark": SeriesInfo("ticks", "mark price", per_market=True),
    "mid": SeriesInfo("ticks", "mid price, 0 without two sides", per_market=True),
    "spread_ppm": SeriesInfo("ppm", "quoted spread", per_market=True),
    "depth": SeriesInfo("quanta", "value within 1 % of the mid", per_market=True),
    "open_interest": SeriesInfo("quanta", "open interest", per_market=True),
    "volume": SeriesInfo("quanta", "traded value", cumulative=True),
    "liquidations": SeriesInfo("count", "liquidations", cumulative=True),
    "liquidated_notional": SeriesInfo("quanta", "liquidated value", cumulative=True),
    "deleveraged": SeriesInfo("count", "deleveragings", cumulative=True),
    "insurance": SeriesInfo("quanta", "insurance fund"),
    "bad_debt": SeriesInfo("quanta", "negative equity standing now"),
    "in_danger": SeriesInfo("count", "accounts that may be liquidated"),
    "mempool": SeriesInfo("count", "transactions waiting"),
    "inclusion_us": SeriesInfo("us", "mean time to execution in the block"),
    "batches_sealed": SeriesInfo("count", "batches sealed", cumulative=True),
    "batches_posted": SeriesInfo("count", "batches posted", cumulative=True),
    "batches_proven": SeriesInfo("count", "batches proven", cumulative=True),
    "batches_settled": SeriesInfo("count", "batches settled", cumulative=True),
    "halted": SeriesInfo("count", "blocks not made", cumulative=True),
}


def sample(world, price: Array, params, *, spec: VenueSpec) -> dict[str, Array]:
    """One row of every time series after a block, by the names of `SERIES`."""
    measures, state, chain = world.measures, world.exchange, world.chain
    multiplier = jnp.asarray(spec.multipliers, jnp.int64)
    risk = account_risk(state, params.venue, spec)
    spread, depth, mid = spread_and_depth(state, spec)
    longs = jnp.sum(jnp.maximum(state.position, 0), axis=0)
    return {
        "fundamental": price,
        "oracle": state.oracle,
        "mark": state.mark,
        "mid": mid,
        "spread_ppm": spread,
        "depth": depth,
        "open_interest": longs * state.oracle * multiplier,
        "volume": measures.traded_quote,
        "liquidations": measures.liquidations,
        "liquidated_notional": measures.liquidated_quote,
        "deleveraged": measures.deleveraged,
        "insurance": jnp.sum(state.insurance),
        "bad_debt": negative_equity(risk),
        "in_danger": jnp.sum(risk.in_danger()),
        "mempool": jnp.sum(chain.waiting.tx.kind != Kind.NONE),
        "inclusion_us": chain.inclusion_us,
        "batches_sealed": chain.batches.sealed,
        "batches_posted": chain.batches.done[POSTED],
        "batches_proven": chain.batches.done[PROVEN],
        "batches_settled": chain.batches.done[SETTLED],
        "halted": chain.halted,
    }
