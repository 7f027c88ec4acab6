"""MEV searchers: snipe stale quotes, back-run, and sandwich where orders are visible.

A searcher sees the outside price early. It takes quotes that the outside price has
left behind, holds what it took until the book has caught up, and unwinds. Where the
ordering scheme shows waiting transactions it also picks a large taking order, buys in
front of it and offers what it bought just under where that order will have to trade.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jax import Array

from agents.family import Family, GroupSpec, Pending, View
from agents.intents import chosen, lots_for, only, pick, stacked, transactions
from market.numbers.declared import ratio, usd
from market.numbers.quantiles import log_normal
from market.numbers.randomness import (
    Stream,
    bernoulli_ppm,
    split_word,
    uniform_int,
    words_of,
)
from market.numbers.units import PPM, ppm_floor
from market.types.orders import Flag, Kind

_FIELD_BITS = 16


@jax.tree_util.register_dataclass
@dataclass(frozen=True, kw_only=True)
class SearcherParams:
    """Searchers: stale quotes, back-runs, sandwiches where the mempool is visible."""

    edge_ppm: Array = ratio(0.0012, what="median mispricing worth a trade")
    edge_sigma_ppm: Array = ratio(0.3, 0, 3, what="sigma of its logarithm")
    size_ppm: Array = ratio(0.5, 0, 100, what="largest trade, of equity")
    alert_ppm: Array = ratio(0.7, what="chance to act in a block")
    unwind_ppm: Array = ratio(0.3, what="chance a block to unwind")
    bid_share_ppm: Array = ratio(0.3, what="of the expected profit, for priority")
    victim_notional: Array = usd(20_000, what="worth a sandwich")
    sandwich_ppm: Array = ratio(0.5, what="chance to try one in a block")


@jax.tree_util.register_dataclass
@dataclass(frozen=True, kw_only=True)
class SearcherMemory:
    """What each searcher is; int64 [N]."""

    edge_ppm: Array


def init(
    key: Array,
    params: SearcherParams,
    collateral: Array,
    *,
    spec: GroupSpec,
    markets: int,
) -> SearcherMemory:
    """Draws each searcher's threshold."""
    words = words_of(key, (spec.count,))
    return SearcherMemory(
        edge_ppm=log_normal(words, params.edge_ppm, params.edge_sigma_ppm)
    )


def act(
    key: Array, memory: SearcherMemory, view: View, params: SearcherParams, *, spec
):
    """One opportunity a block, or the unwinding of the last; transactions [N, 2]."""
    words = words_of(key, (view.members, 2))
    alert, unwinds = split_word(words[:, 0], _FIELD_BITS, _FIELD_BITS)
    tries, taste = split_word(words[:, 1], _FIELD_BITS, _FIELD_BITS)
    alert = bernoulli_ppm(alert, params.alert_ppm, bits=_FIELD_BITS)
    unwinds = bernoulli_ppm(unwinds, params.unwind_ppm, bits=_FIELD_BITS)
    snipe, found = _snipe(memory, view, params)
    unwind, holds = _unwind(view)
    nothing = transactions((view.members,))
    plans = [(found & alert, snipe, nothing), (holds & unwinds, unwind, nothing)]
    if view.pending is not None:
        front, offer, seen = _sandwich(view, view.pending, params, taste)
        tries = bernoulli_ppm(tries, params.sandwich_ppm, bits=_FIELD_BITS)
        plans.insert(0, (seen & tries, front, offer))
    first, second = nothing, nothing
    for condition, one, other in reversed(plans):
        first = chosen(condition, one, first)
        second = chosen(condition, other, second)
    return memory, stacked(first, second)


def _snipe(memory: SearcherMemory, view: View, params: SearcherParams):
    """Takes the quote that is furthest on the wrong side of the outside price."""
    cheap = jnp.where(view.ask > 0, view.price - view.ask, -view.price)
    dear = jnp.where(view.bid > 0, view.bid - view.price, -view.price)
    edge = jnp.maximum(cheap, dear) * PPM // view.price
    market = jnp.argmax(edge)
    buys = cheap[market] >= dear[market]
    price, multiplier = view.price[market], view.multiplier[market]
    budget = lots_for(
        ppm_floor(jnp.maximum(view.equity, 0), params.size_ppm), price, multiplier
    )
    least = price * memory.edge_ppm // (2 * PPM)
    limit = jnp.where(buys, price - least, price + least)
    # The other searchers see it too: what is bid is a share of what it may bring.
    gain = ppm_floor(budget * price * multiplier, edge[market])
    intent = transactions(
        (view.members,),
        kind=Kind.ORDER,
        account=view.accounts,
        market=market,
        side=jnp.where(buys, 1, -1),
        ticks=jnp.maximum(limit, 1),
        lots=budget,
        flags=Flag.IOC,
        fee_bid=ppm_floor(jnp.maximum(gain, 0), params.bid_share_ppm),
        expiry_block=view.height + 1,
    )
    return intent, (edge[market] >= memory.edge_ppm) & (budget > 0)


def _unwind(view: View):
    """Sells or buys back the largest position at the touch."""
    value = jnp.abs(view.position) * view.worth()
    market = jnp.argmax(value, axis=1)
    held = pick(view.position, market)
    intent = transactions(
        (view.members,),
        kind=Kind.ORDER,
        account=view.accounts,
        market=market,
        side=-jnp.sign(held),
        lots=jnp.abs(held),
        flags=Flag.MARKET | Flag.REDUCE_ONLY,
    )
    return intent, held != 0


def _sandwich(
    view: View,
    pending: Pending,
    params: SearcherParams,
    taste: Array,
):
    """Buys in front of a large visible taker and offers to it what was bought.

    Each searcher weighs the visible orders of others by its own taste, so that not all
    fall on one victim. It answers no sooner than the victim's order has arrived, and
    both answers are for this block alone: a late one lapses.
    """
    waiting = pending.txs
    market = jnp.clip(waiting.market, 0, view.price.shape[0] - 1)
    takes = (waiting.flags & (Flag.IOC | Flag.MARKET | Flag.FOK)) > 0
    notional = waiting.lots * view.worth()[market]
    places = (waiting.kind == Kind.ORDER) | (waiting.kind == Kind.REPLACE)
    worthy = places & takes & (notional >= params.victim_notional)
    appeal = jnp.where(worthy, (notional >> 16) + 1, 0)
    weight = appeal * (1 + (taste[:, None] * (1 + jnp.arange(appeal.shape[0])) & 7))
    weight = jnp.where(waiting.account == view.accounts[:, None], 0, weight)
    victim = jnp.argmax(weight, axis=1)
    seen = jnp.max(weight, axis=1) > 0
    market, side = market[victim], waiting.side[victim]
    touch = jnp.where(side > 0, view.ask[market], view.bid[market])
    budget = lots_for(
        ppm_floor(jnp.maximum(view.equity, 0), params.size_ppm),
        view.price[market],
        view.multiplier[market],
    )
    lots = jnp.minimum(waiting.lots[victim] // 2, budget)
    step = jnp.maximum(touch // 1_000, 2)
    bid = waiting.fee_bid[victim]
    shared = {
        "account": view.accounts,
        "market": market,
        "lots": lots,
        "arrival_us": jnp.maximum(waiting.arrival_us[victim] - view.now_us, 0),
        "expiry_block": view.height,
    }
    front = transactions(
        (view.members,),
        kind=Kind.ORDER,
        side=side,
        ticks=jnp.maximum(touch + side * (step // 2), 1),
        flags=Flag.IOC,
        fee_bid=bid + 2 + uniform_int(taste, 1_000, bits=_FIELD_BITS),
        **shared,
    )
    offer = transactions(
        (view.members,),
        kind=Kind.REPLACE,
        side=-side,
        ticks=jnp.maximum(touch + side * step, 1),
        slot=1,
        fee_bid=bid + 1,
        **shared,
    )
    good = seen & (touch > 0) & (lots > 0)
    return only(front, good), only(offer, good), good


FAMILY = Family(
    name="searchers",
    title="searcher",
    params=SearcherParams,
    init=init,
    act=act,
    intents=2,
    watches=True,
    stream=Stream.SEARCHERS,
    defaults={
        "count": 32,
        "collateral": 200_000,
        "collateral_spread": 0.3,
        "latency": "3ms",
        "think": "500ms",
    },
)
