"""Liquidators: keepers with limited capital that race for accounts in danger.

Each block a liquidator picks an account from the danger list, bids for its position
at a discount as far as its own margin allows, and sends the liquidation; the first to
be sequenced earns the venue's reward. What it took over it unwinds when no one is in
danger. A liquidator without capital left still sends liquidations but backs no one.

On StarkEx no book is asked: whoever sends the liquidation takes the position over, at
the venue's price, and sends it for as much as its own margin carries, or not at all.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jax import Array

from agents.family import Family, GroupSpec, View
from agents.intents import chosen, lots_for, only, pick, stacked, transactions
from market.numbers.declared import ratio, usd
from market.numbers.randomness import (
    Stream,
    bernoulli_ppm,
    split_word,
    uniform_int,
    words_of,
)
from market.numbers.units import PPM, ppm_floor
from market.types.orders import Flag, Kind
from market.types.specs import Liquidation

_FIELD_BITS = 16


@jax.tree_util.register_dataclass
@dataclass(frozen=True, kw_only=True)
class LiquidatorParams:
    """Liquidators with limited capital that race for accounts in danger."""

    alert_ppm: Array = ratio(0.8, what="chance to act in a block")
    discount_ppm: Array = ratio(0.01, what="of its bid to the oracle price")
    leverage_ppm: Array = ratio(4, 0, 1000, what="largest position, of equity")
    unwind_ppm: Array = ratio(0.2, what="chance a block to unwind")
    fee_bid: Array = usd(2, 0, 2000, what="largest bid for priority")


def init(
    key: Array,
    params: LiquidatorParams,
    collateral: Array,
    *,
    spec: GroupSpec,
    markets: int,
) -> tuple[()]:
    """Liquidators differ by their luck alone and remember nothing."""
    return ()


def act(key: Array, memory: tuple[()], view: View, params: LiquidatorParams, *, spec):
    """Backs and sends one liquidation each, or unwinds; transactions [N, 2]."""
    words = words_of(key, (view.members, 2))
    alert, unwinds = split_word(words[:, 0], _FIELD_BITS, _FIELD_BITS)
    choice, luck = split_word(words[:, 1], _FIELD_BITS, _FIELD_BITS)
    alert = bernoulli_ppm(alert, params.alert_ppm, bits=_FIELD_BITS)
    unwinds = bernoulli_ppm(unwinds, params.unwind_ppm, bits=_FIELD_BITS)
    count = jnp.sum(view.danger >= 0)
    # The worst accounts are at the head of the list; most look there first.
    place = uniform_int(choice, jnp.maximum(count, 1), bits=_FIELD_BITS)
    place = jnp.where(luck & 1, place, place // 4)
    target = view.danger[place]
    takes_over = spec.liquidation == Liquidation.TAKEOVER
    room = _room(view, params, place)
    hunts = alert & (target >= 0) & ((room > 0) if takes_over else True)
    bid = uniform_int(luck, params.fee_bid + 1, bits=_FIELD_BITS)
    backing = _backing(view, params, place, room, bid)
    liquidation = transactions(
        (view.members,),
        kind=Kind.LIQUIDATE,
        account=view.accounts,
        market=view.danger_market[place],
        side=1,
        lots=room if takes_over else 0,
        slot=jnp.maximum(target, 0),
        fee_bid=bid,
        expiry_block=view.height + 3,
    )
    unwind, holds = _unwind(view)
    first = chosen(
        hunts,
        only(backing, jnp.asarray(not takes_over)),
        only(unwind, unwinds & holds),
    )
    return memory, stacked(first, only(liquidation, hunts))


def _room(view: View, params: LiquidatorParams, place: Array) -> Array:
    """Lots of the endangered position that the liquidator's capital carries; [N]."""
    market, lots = view.danger_market[place], view.danger_lots[place]
    capital = ppm_floor(jnp.maximum(view.equity, 0), params.leverage_ppm)
    carried = jnp.sum(jnp.abs(view.position) * view.worth(), axis=1)
    free = lots_for(capital - carried, view.oracle[market], view.multiplier[market])
    return jnp.minimum(jnp.abs(lots), free)


def _backing(view: View, params: LiquidatorParams, place, wanted, bid):
    """A bid (or offer) for the endangered position, within the liquidator's capital."""
    market, lots = view.danger_market[place], view.danger_lots[place]
    side, oracle = jnp.where(lots > 0, 1, -1), view.oracle[market]
    ticks = oracle - side * (oracle * params.discount_ppm // PPM)
    return only(
        transactions(
            (view.members,),
            kind=Kind.REPLACE,
            account=view.accounts,
            market=market,
            side=side,
            ticks=jnp.maximum(ticks, 1),
            lots=wanted,
            slot=0,
            fee_bid=bid + 1,
            expiry_block=view.height + 2,
        ),
        wanted > 0,
    )


def _unwind(view: View):
    """Closes half of the largest position at the market."""
    market = jnp.argmax(jnp.abs(view.position) * view.worth(), axis=1)
    held = pick(view.position, market)
    intent = transactions(
        (view.members,),
        kind=Kind.ORDER,
        account=view.accounts,
        market=market,
        side=-jnp.sign(held),
        lots=(jnp.abs(held) + 1) // 2,
        flags=Flag.MARKET | Flag.REDUCE_ONLY,
        slot=1,
    )
    return intent, held != 0


FAMILY = Family(
    name="liquidators",
    title="liquidator",
    params=LiquidatorParams,
    init=init,
    act=act,
    intents=2,
    stream=Stream.LIQUIDATORS,
    defaults={
        "count": 20,
        "collateral": 300_000,
        "collateral_spread": 0.5,
        "latency": "10ms",
        "think": "500ms",
    },
)
