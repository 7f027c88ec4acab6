"""People and a metric from outside the lab, as a user's own module would hold them."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jax import Array

from shakeout import (
    Family,
    Flag,
    Guest,
    Kind,
    Metric,
    bernoulli_ppm,
    lots_for,
    ratio,
    stacked,
    transactions,
    usd,
    words_of,
)


@jax.tree_util.register_dataclass
@dataclass(frozen=True, kw_only=True)
class BuyerParams:
    """Buyers: take some lots of the first market now and then."""

    activity_ppm: Array = ratio(0.5, what="chance to act in a block")
    order: Array = usd(2_000, 1, 1e6, what="notional of an order")


def init(key, params, collateral, *, spec, markets):
    return ()


def act(key, memory, view, params, *, spec):
    awake = bernoulli_ppm(words_of(key, (view.members,)), params.activity_ppm)
    order = transactions(
        (view.members,),
        kind=jnp.where(awake, Kind.ORDER, Kind.NONE),
        account=view.accounts,
        side=1,
        lots=lots_for(params.order, view.oracle[0], view.multiplier[0]),
        flags=Flag.MARKET,
    )
    return memory, stacked(order)


BUYERS = Family(
    name="buyers",
    title="buyer",
    params=BuyerParams,
    init=init,
    act=act,
    intents=1,
    defaults={"count": 2, "collateral": 50_000},
)

#: Blocks with a trade: a metric that has to watch every block.
BUSY_BLOCKS = Metric(
    name="busy_blocks",
    unit="blocks",
    meaning="blocks in which somebody traded",
    better=None,
    read=lambda run: run.kept,
    init=lambda venue: jnp.int64(0),
    take=lambda busy, seen: busy + (jnp.sum(seen.outcome.exchange.trades) > 0),
)


class Steady(Guest):
    """Buys some lots in every block up to one."""

    lots: int
    until: int = 5

    def step(self):
        if self.model.snapshot.block < self.until:
            self.buy(market=0, lots=self.lots)
