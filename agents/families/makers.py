"""Market makers: two-sided quotes around the outside price.

A maker leans its quotes against its inventory, widens them with the market's swings
and with the age of the oracle price, stops the side that would carry it past its
inventory limit, and leaves the market while its equity is low. It requotes one market
a block: the one whose quotes are furthest from where they should be.
"""

from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from agents.family import Family, GroupSpec, View
from agents.intents import lots_for, only, pick, stacked, transactions
from market.numbers.declared import ratio, whole
from market.numbers.quantiles import log_normal
from market.numbers.randomness import Stream, bernoulli_ppm, words_of
from market.numbers.units import PPM, ppm_floor
from market.types.orders import BUY, SELL, Kind


@jax.tree_util.register_dataclass
@dataclass(frozen=True, kw_only=True)
class MakerParams:
    """Market makers: two-sided quotes around the outside price."""

    half_spread_ppm: Array = ratio(0.0003, 1e-6, 0.2, what="median, when calm")
    diversity_ppm: Array = ratio(0.3, 0, 3, what="sigma of the half spread over makers")
    size_ppm: Array = ratio(0.05, 0, 100, what="of a quote, of equity")
    inventory_ppm: Array = ratio(2, 0, 100, what="limit in a market, of equity")
    skew_ppm: Array = ratio(0.001, what="of quotes at a full inventory")
    swing_weight_ppm: Array = ratio(1.5, 0, 100, what="half spread per swing")
    #: Of the oracle's age beyond a block.
    stale_ppm: Array = ratio(0.0001, what="half spread per second of age")
    requote_ppm: Array = ratio(0.0002, what="move that makes it requote")
    refresh_blocks: Array = whole(15, 1, 1_000_000, what="age that does")
    quit_ppm: Array = ratio(0.4, what="leaves below this share of its equity")
    act_ppm: Array = ratio(0.9, what="chance to act in a block")


@jax.tree_util.register_dataclass
@dataclass(frozen=True, kw_only=True)
class MakerMemory:
    """What each maker remembers; int64."""

    half_spread_ppm: Array  # [N] its own calm half spread
    start: Array  # [N] first equity
    quoted: Array  # [N, M] fair price of its standing quotes, 0 without
    quoted_height: Array  # [N, M]


def init(
    key: Array,
    params: MakerParams,
    collateral: Array,
    *,
    spec: GroupSpec,
    markets: int,
) -> MakerMemory:
    """Draws the makers' own spreads."""
    words = words_of(key, (spec.count,))
    zero = jnp.zeros((spec.count, markets), jnp.int64)
    return MakerMemory(
        half_spread_ppm=log_normal(words, params.half_spread_ppm, params.diversity_ppm),
        start=collateral,
        quoted=zero,
        quoted_height=zero,
    )


def act(key: Array, memory: MakerMemory, view: View, params: MakerParams, *, spec):
    """Requotes the most outdated market of each maker; transactions [N, 2]."""
    luck = bernoulli_ppm(words_of(key, (view.members,)), params.act_ppm)
    market = _most_outdated(memory, view, params)
    fair = view.price[market]
    move = jnp.abs(fair - pick(memory.quoted, market)) * PPM // fair
    age = view.height - pick(memory.quoted_height, market)
    due = (move >= params.requote_ppm) | (age >= params.refresh_blocks)
    quits = view.equity < ppm_floor(memory.start, params.quit_ppm)
    acts = luck & due
    intents = _quotes(memory, view, params, market, fair, quits)
    chosen = jnp.arange(view.price.shape[0]) == market[:, None]
    done = chosen & acts[:, None]
    memory = MakerMemory(
        half_spread_ppm=memory.half_spread_ppm,
        start=memory.start,
        quoted=jnp.where(done, view.price, memory.quoted),
        quoted_height=jnp.where(done, view.height, memory.quoted_height),
    )
    return memory, only(intents, acts[:, None])


def _most_outdated(memory: MakerMemory, view: View, params: MakerParams) -> Array:
    """Each maker's market with the largest fair price move or the oldest quotes."""
    move = jnp.abs(view.price - memory.quoted) * PPM // view.price
    overdue = view.height - memory.quoted_height >= params.refresh_blocks
    return jnp.argmax(move + jnp.where(overdue, params.requote_ppm, 0), axis=1)


class _Plan(NamedTuple):
    """What each maker wants to quote in one market; arrays [N].

    Attributes:
        market: which.
        fair: ticks around which it quotes.
        shift_ppm: by how much its inventory moves both quotes.
        half_ppm: half spread.
        lots: of each quote.
        bids, asks: whether it wants to quote the side at all.
    """

    market: Array
    fair: Array
    shift_ppm: Array
    half_ppm: Array
    lots: Array
    bids: Array
    asks: Array


def _quotes(memory, view: View, params: MakerParams, market, fair, quits):
    multiplier = view.multiplier[market]
    equity = jnp.maximum(view.equity, 0)
    limit = jnp.maximum(ppm_floor(equity, params.inventory_ppm), 1)
    held = pick(view.position, market) * fair * multiplier
    lean = jnp.clip(held, -limit, limit) // jnp.maximum(limit // PPM, 1)
    # A price published in the last block is as fresh as any can be.
    stale_us = jnp.maximum(view.oracle_age_us - view.block_us, 0)
    half = (
        memory.half_spread_ppm
        + ppm_floor(view.swing_ppm[market], params.swing_weight_ppm)
        + ppm_floor(stale_us[market], params.stale_ppm)
    )
    lots = lots_for(ppm_floor(equity, params.size_ppm), fair, multiplier)
    stays = ~quits & (lots > 0)
    plan = _Plan(
        market=market,
        fair=fair,
        shift_ppm=-ppm_floor(lean, params.skew_ppm),
        half_ppm=half,
        lots=lots,
        bids=stays & (held < limit),
        asks=stays & (held > -limit),
    )
    return stacked(*(_quote(plan, side, view.accounts) for side in (BUY, SELL)))


def _quote(plan: _Plan, side: int, accounts: Array):
    """One side's quote, or its cancel where the maker does not want to quote it."""
    raw = plan.fair * (PPM + plan.shift_ppm - side * plan.half_ppm)
    # Bids round down and asks up, so a quote is never closer than meant.
    ticks = raw // PPM if side == BUY else -(-raw // PPM)
    wanted = plan.bids if side == BUY else plan.asks
    return transactions(
        accounts.shape,
        kind=jnp.where(wanted, Kind.REPLACE, Kind.CANCEL),
        account=accounts,
        market=plan.market,
        side=side,
        ticks=jnp.maximum(ticks, 1),
        lots=plan.lots,
        slot=0 if side == BUY else 1,
    )


FAMILY = Family(
    name="market_makers",
    title="maker",
    params=MakerParams,
    init=init,
    act=act,
    intents=2,
    stream=Stream.MAKERS,
    defaults={
        "count": 48,
        "collateral": 500_000,
        "collateral_spread": 0.5,
        "latency": "5ms",
        "think": "300ms",
    },
    is_welcome=True,
)
