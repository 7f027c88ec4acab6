"""Market makers: two-sided quotes around the outside price.

A maker leans its quotes against its inventory, widens them with the market's swings
and with the age of the oracle price, stops the side that would carry it past its
inventory limit, and leaves the market while its equity is low. It requotes one market
a block: the one whose quotes are furthest from where they should be.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jax import Array

from agents.family import (
    Endowment,
    FamilySpec,
    Latency,
    View,
    lots_for,
    only,
    pick,
    stacked,
    transactions,
)
from market.numbers.quantiles import log_normal
from market.numbers.randomness import Stream, bernoulli_ppm, draw_words
from market.numbers.units import PPM, ppm_floor
from market.types.orders import BUY, SELL, Kind

#: One quote on each side of one market a block.
INTENTS = 2


@jax.tree_util.register_dataclass
@dataclass(frozen=True, kw_only=True)
class MakerParams:
    """Numbers of the family; int64 scalars."""

    endowment: Endowment
    latency: Latency
    half_spread_ppm: Array  # median of the calm half spread
    diversity_ppm: Array  # sigma of its spread over makers
    size_ppm: Array  # notional of a quote, of the maker's equity
    inventory_ppm: Array  # inventory limit in one market, of the maker's equity
    skew_ppm: Array  # how far a full inventory moves the quotes
    swing_weight_ppm: Array  # half spread added per unit of swing
    stale_ppm: Array  # half spread added per second of oracle age beyond a block
    requote_ppm: Array  # requote when the fair price moved this much
    refresh_blocks: Array  # or when the quotes are this old
    quit_ppm: Array  # leave the market below this share of the first equity
    act_ppm: Array  # chance that a maker gets to act in a block


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
    spec: FamilySpec,
    markets: int,
) -> MakerMemory:
    """Draws the makers' own spreads."""
    words = draw_words(key, Stream.MAKERS, (spec.count,))
    zero = jnp.zeros((spec.count, markets), jnp.int64)
    return MakerMemory(
        half_spread_ppm=log_normal(words, params.half_spread_ppm, params.diversity_ppm),
        start=collateral,
        quoted=zero,
        quoted_height=zero,
    )


def act(key: Array, memory: MakerMemory, view: View, params: MakerParams, *, spec):
    """Requotes the most outdated market of each maker; transactions [N, 2]."""
    luck = bernoulli_ppm(draw_words(key, Stream.MAKERS, (spec.count,)), params.act_ppm)
    market = _most_outdated(memory, view, params)
    fair = view.price[market]
    move = jnp.abs(fair - pick(memory.quoted, market)) * PPM // fair
    age = view.height - pick(memory.quoted_height, market)
    due = (move >= params.requote_ppm) | (age >= params.refresh_blocks)
    quits = view.equity < ppm_floor(memory.start, params.quit_ppm)
    acts = luck & due
    intents = _quotes(memory, view, params, market, fair, quits, spec)
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


def _quotes(memory, view: View, params: MakerParams, market, fair, quits, spec):
    multiplier = view.multiplier[market]
    equity = jnp.maximum(view.equity, 0)
    limit = jnp.maximum(ppm_floor(equity, params.inventory_ppm), 1)
    held = pick(view.position, market) * fair * multiplier
    lean = jnp.clip(held, -limit, limit) // jnp.maximum(limit // PPM, 1)
    shift = -ppm_floor(lean, params.skew_ppm)
    # A price published in the last block is as fresh as any can be.
    stale_us = jnp.maximum(view.oracle_age_us - view.block_us, 0)
    half = (
        memory.half_spread_ppm
        + ppm_floor(view.swing_ppm[market], params.swing_weight_ppm)
        + ppm_floor(stale_us[market], params.stale_ppm)
    )
    size = lots_for(ppm_floor(equity, params.size_ppm), fair, multiplier)
    return stacked(
        *(
            _quote(
                view, side, market, fair, shift, half, held, limit, quits, size, spec
            )
            for side in (BUY, SELL)
        )
    )


def _quote(view, side, market, fair, shift, half, held, limit, quits, size, spec):
    """One side's quote, or its cancel where the maker does not want to quote it."""
    raw = fair * (PPM + shift - side * half)
    # Bids round down and asks up, so a quote is never closer than meant.
    ticks = raw // PPM if side == BUY else -(-raw // PPM)
    is_full = held >= limit if side == BUY else held <= -limit
    wanted = ~(quits | is_full) & (size > 0)
    return transactions(
        (spec.count,),
        kind=jnp.where(wanted, Kind.REPLACE, Kind.CANCEL),
        account=spec.first + jnp.arange(spec.count),
        market=market,
        side=side,
        ticks=jnp.maximum(ticks, 1),
        lots=size,
        slot=0 if side == BUY else 1,
    )
