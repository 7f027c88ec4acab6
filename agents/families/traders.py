"""Leveraged traders: drawn leverage, momentum and contrarian views, stops, top-ups.

A trader wakes now and then, picks a market, and moves its position towards the one
its view and its leverage ask for: at once by a bounded market order, or by a limit
order near the touch. Every block it minds its risk first: it tops up collateral when
it comes near liquidation and money is left outside, closes a position that lost more
than its stop, and takes free collateral home once it is flat.
"""

from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
from jax import Array

from agents.family import Family, GroupSpec, View
from agents.intents import chosen, lots_for, only, pick, stacked, transactions
from market.numbers.declared import duration, ratio, usd
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
#: A trader in need sells at most this far from the oracle price.
_FURTHEST_CLOSE_PPM = 50_000


@jax.tree_util.register_dataclass
@dataclass(frozen=True, kw_only=True)
class TraderParams:
    """Leveraged traders: momentum and contrarian views, stops, top-ups."""

    activity_ppm: Array = ratio(0.02, what="chance to reconsider in a block")
    leverage_ppm: Array = ratio(8, 0, 1000, what="median leverage")
    leverage_sigma_ppm: Array = ratio(0.6, 0, 3, what="sigma of its logarithm")
    max_leverage_ppm: Array = ratio(30, 1, 1000, what="largest leverage of any")
    momentum_ppm: Array = ratio(0.5, what="share that follows moves; others fade them")
    #: Against the trader's own whim.
    conviction_ppm: Array = ratio(0.6, 0, 100, what="weight of the market's move")
    long_bias_ppm: Array = ratio(0.25, -1, 1, what="adds to every whim")
    patient_ppm: Array = ratio(0.35, what="share of orders that rest")
    slippage_ppm: Array = ratio(0.003, what="furthest beyond the touch")
    stop_ppm: Array = ratio(0.06, 0, 10, what="median loss that triggers the stop")
    stop_sigma_ppm: Array = ratio(0.6, 0, 3, what="sigma of its logarithm")
    react_ppm: Array = ratio(0.4, what="chance a block to act on a stop or alarm")
    outside_ppm: Array = ratio(0.3, 0, 100, what="for top-ups, of first collateral")
    top_up_ppm: Array = ratio(0.1, 0, 100, what="one top-up, of first collateral")
    alarm_ppm: Array = ratio(1.4, 0, 100, what="of the maintenance requirement")
    go_home_ppm: Array = ratio(0.005, what="chance a block that a flat one leaves")
    fee_bid: Array = usd(0.2, 0, 2000, what="largest bid for priority")
    top_up_delay_us: Array = duration("15s", "0s", "1d", what="of a deposit")


@jax.tree_util.register_dataclass
@dataclass(frozen=True, kw_only=True)
class TraderMemory:
    """What each trader is and remembers; int64 [N]."""

    leverage_ppm: Array
    style: Array  # +1 follows moves, -1 fades them
    stop_ppm: Array
    outside: Array  # quanta left for top-ups
    top_up: Array  # quanta of one top-up
    waits_until: Array  # height before which a sent top-up is not repeated


def init(
    key: Array,
    params: TraderParams,
    collateral: Array,
    *,
    spec: GroupSpec,
    markets: int,
) -> TraderMemory:
    """Draws each trader's leverage, style, stop and money outside."""
    words = words_of(key, (spec.count, 3))
    leverage = log_normal(words[:, 0], params.leverage_ppm, params.leverage_sigma_ppm)
    follows = bernoulli_ppm(words[:, 1], params.momentum_ppm)
    return TraderMemory(
        leverage_ppm=jnp.clip(leverage, PPM, params.max_leverage_ppm),
        style=jnp.where(follows, 1, -1),
        stop_ppm=log_normal(words[:, 2], params.stop_ppm, params.stop_sigma_ppm),
        outside=ppm_floor(collateral, params.outside_ppm),
        top_up=ppm_floor(collateral, params.top_up_ppm),
        waits_until=jnp.zeros((spec.count,), jnp.int64),
    )


def act(key: Array, memory: TraderMemory, view: View, params: TraderParams, *, spec):
    """Minds risk first, trades second; transactions [N, 1]."""
    words = words_of(key, (view.members, 3))
    wakes, reacts = split_word(words[:, 0], _FIELD_BITS, _FIELD_BITS)
    which, whim = split_word(words[:, 1], _FIELD_BITS, _FIELD_BITS)
    patience, bid = split_word(words[:, 2], _FIELD_BITS, _FIELD_BITS)
    reacts = bernoulli_ppm(reacts, params.react_ppm, bits=_FIELD_BITS)
    wakes = bernoulli_ppm(wakes, params.activity_ppm, bits=_FIELD_BITS)
    market = uniform_int(which, view.price.shape[0], bits=_FIELD_BITS)
    alarm = _is_alarmed(memory, view, params) & reacts
    stop, stopped = _triggered_stop(memory, view)
    stopped &= reacts
    trade = _trade(memory, view, params, market, whim, patience, wakes)
    close = _close(view, stop)
    home, goes_home = _withdrawal(view, params, patience)
    top_up = jnp.minimum(memory.top_up, memory.outside)
    deposit = transactions(
        (view.members,),
        kind=Kind.DEPOSIT,
        lots=top_up,
        arrival_us=params.top_up_delay_us,
    )
    intent = _first_of(
        (alarm, deposit), (stopped, close), (goes_home, home), else_=trade
    )
    # A deposit is slow: the trader waits for it before it sends the next. It counts
    # blocks that were made, so that a halt does not make it send again.
    blocks_to_wait = params.top_up_delay_us // view.block_us + 2
    memory = replace(
        memory,
        outside=memory.outside - jnp.where(alarm, top_up, 0),
        waits_until=jnp.where(alarm, view.height + blocks_to_wait, memory.waits_until),
    )
    intent = replace(
        intent,
        account=view.accounts,
        fee_bid=uniform_int(bid, params.fee_bid + 1, bits=_FIELD_BITS),
    )
    return memory, stacked(intent)


def _first_of(*choices, else_):
    """The first choice whose condition holds, member by member."""
    intent = else_
    for condition, choice in reversed(choices):
        intent = chosen(condition, choice, intent)
    return intent


def _is_alarmed(memory: TraderMemory, view: View, params: TraderParams) -> Array:
    threshold = ppm_floor(view.maintenance, params.alarm_ppm)
    near = (view.maintenance > 0) & (view.equity < threshold)
    return near & (memory.outside > 0) & (view.height >= memory.waits_until)


def _triggered_stop(memory: TraderMemory, view: View) -> tuple[Array, Array]:
    """The market of each trader's worst loss, and whether it is past the stop."""
    value = view.position * view.reference() * view.multiplier
    loss = view.cost - value
    worst = jnp.argmax(loss, axis=1)
    cost = jnp.abs(pick(view.cost, worst))
    return worst, pick(loss, worst) > ppm_floor(cost, memory.stop_ppm)


def _close(view: View, market: Array):
    """A reduce-only order for the whole position, as cheap as the account can afford.

    The venue lets an account in need reduce only at prices that do not worsen its
    margin ratio; the trader goes to nine tenths of that, and never past five percent.
    """
    held = pick(view.position, market)
    side = -jnp.sign(held)
    oracle = view.oracle[market]
    exposure = jnp.sum(jnp.abs(view.position) * view.worth(), axis=1)
    bearable = jnp.maximum(view.equity, 0) * 900 // jnp.maximum(exposure // 1_000, 1)
    give = jnp.minimum(bearable, _FURTHEST_CLOSE_PPM)
    return only(
        transactions(
            (view.members,),
            kind=Kind.ORDER,
            market=market,
            side=side,
            ticks=jnp.maximum(oracle + side * (oracle * give // PPM), 1),
            lots=jnp.abs(held),
            flags=Flag.IOC | Flag.REDUCE_ONLY,
            slot=1,
            expiry_block=view.height + 10,
        ),
        held != 0,
    )


def _withdrawal(view: View, params: TraderParams, patience):
    flat = jnp.all(view.position == 0, axis=1) & jnp.all(
        view.open_lots == 0, axis=(1, 2)
    )
    leaves = bernoulli_ppm(patience, params.go_home_ppm, bits=_FIELD_BITS)
    half = view.equity // 2
    intent = transactions((view.members,), kind=Kind.WITHDRAW, lots=half)
    return intent, flat & leaves & (half > 0)


def _trade(memory, view: View, params, market, whim, patience, wakes):
    """An order towards the position that view and leverage ask for."""
    multiplier = view.multiplier[market]
    own = (whim << 1) * PPM // (1 << _FIELD_BITS) - PPM + params.long_bias_ppm
    move = view.change_ppm[market] * 1_000
    pull = memory.style * jnp.clip(move, -PPM, PPM)
    opinion = jnp.clip(own + ppm_floor(pull, params.conviction_ppm), -PPM, PPM)
    equity = jnp.maximum(view.equity, 0)
    # The chosen leverage is shared by the markets of the venue.
    share = ppm_floor(equity // view.price.shape[0], memory.leverage_ppm)
    exposure = ppm_floor(share, opinion)
    reference = view.reference()[market]
    target = jnp.sign(exposure) * lots_for(jnp.abs(exposure), reference, multiplier)
    change = target - pick(view.position, market)
    side = jnp.sign(change)
    patient = bernoulli_ppm(patience, params.patient_ppm, bits=_FIELD_BITS)
    touch = jnp.where(side > 0, view.ask[market], view.bid[market])
    touch = jnp.where(touch > 0, touch, reference)
    far = touch + side * (touch * params.slippage_ppm // PPM)
    near = reference - side * (reference * params.slippage_ppm // (8 * PPM))
    return only(
        transactions(
            (view.members,),
            # Whatever rests of an earlier plan goes: the new one counts from scratch.
            kind=Kind.REPLACE,
            market=market,
            side=side,
            ticks=jnp.maximum(jnp.where(patient, near, far), 1),
            lots=jnp.abs(change),
            flags=jnp.where(patient, 0, Flag.IOC),
            slot=0,
            expiry_block=view.height + jnp.where(patient, 60, 10),
        ),
        wakes & (change != 0),
    )


FAMILY = Family(
    name="leveraged_traders",
    title="trader",
    params=TraderParams,
    init=init,
    act=act,
    intents=1,
    stream=Stream.TRADERS,
    defaults={
        "count": 900,
        "collateral": 10_000,
        "collateral_spread": 1,
        "latency": "80ms",
        "think": "900ms",
        "data_blocks": 1,
    },
    is_welcome=True,
)
