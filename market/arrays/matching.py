"""Orders and cancels in continuous matching; see `market.kernels.matching`."""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from market.arrays import sides as books
from market.arrays.admission import (
    breaks_isolation,
    can_afford,
    check_order,
    has_too_many,
    reducible_lots,
    worst_loss,
)
from market.arrays.book import Resting, insert, remove, resting_side, taken_side
from market.arrays.fills import (
    Sweep,
    Taker,
    apply_events,
    cancel_orders,
    reserve,
)
from market.arrays.lane import Env, Lane, Order, Outcome, choose, first_reason, when
from market.arrays.sides import Meeting, Sides, Step, taken_from
from market.types.orders import IMMEDIATE, Flag, Kind, Status
from market.types.specs import SelfTrade


class Name(NamedTuple):
    """What names an order, within bounds."""

    account: Array
    market: Array
    slot: Array


def place_of(lane: Lane, env: Env, name: Name):
    """``(found, side, index)`` of the order of that name."""
    market, capacity = name.market, lane.owner.shape[-1]
    owner = name.account * env.sizes.slots + name.slot
    place = jnp.arange(capacity)
    hit = (lane.owner[market] == owner) & (place < lane.count[market][:, None])
    flat = jnp.argmax(hit.reshape(-1))
    return hit.any(), flat // capacity, flat % capacity


def reduce(lane: Lane, env: Env, on, name: Name, lots, is_whole):
    """Takes lots off an order, which keeps its place: ``(lane, status)``.

    The last lot takes it away, and so does ``is_whole``: then it is a cancel.
    """
    market, (found, side, index) = name.market, place_of(lane, env, name)
    there = lane.lots[market, side, index]
    fits = (lots >= 1) & (lots <= there)
    gone = jnp.where(is_whole, there, jnp.where(fits, lots, 0))
    gone = jnp.where(on & found, gone, 0)
    loss = lane.loss[market, side, index]
    lane = reserve(lane, name.account, market, side, -gone, loss)
    lane = lane._replace(lots=lane.lots.at[market, side, index].add(-gone))
    lane = remove(lane, (gone == there) & (gone > 0), market, side, index)
    reason = first_reason(
        (~is_whole & (lots < 1), Status.BAD_LOTS),
        (~found, Status.UNKNOWN_ORDER),
        (~is_whole & ~fits, Status.BAD_LOTS),
    )
    return lane, jnp.where(reason == 0, int(Status.ACCEPTED), reason)


def cancel_all(lane: Lane, env: Env, on, account, market: Array | int = -1) -> Lane:
    """Takes the account's orders off one book, or off all where market is -1."""
    sizes = env.sizes
    who = on & (jnp.arange(sizes.accounts) == account)
    markets = (jnp.arange(sizes.markets) == market) | (market == -1)
    return cancel_orders(lane, env, who, markets)


def admit(lane: Lane, env: Env, order: Order):
    """Every check that an order meets before the book: ``(reason, order)``.

    The order has its limit in ticks and the lots that it may have.
    """
    reason, limit, lots = check_order(env, order)
    reduces = order.flags & Flag.REDUCE_ONLY != 0
    lots = jnp.where(reduces, reducible_lots(lane, order, lots), lots)
    keeps = order.flags & IMMEDIATE == 0
    name = Name(order.account, order.market, order.slot)
    reason = first_reason(
        (reason != 0, reason),
        (breaks_isolation(lane, env, order.account, order.market), Status.ISOLATED),
        (lots == 0, Status.WOULD_INCREASE),
        (place_of(lane, env, name)[0], Status.SLOT_BUSY),
        (keeps & has_too_many(lane, env, order), Status.TOO_MANY_ORDERS),
    )
    return reason, order._replace(ticks=limit, lots=lots)


def check_book(step: Step, crossing, full, volume) -> Array:
    """The first rule about the book that an order breaks, or 0.

    Args:
        step: the order.
        crossing: whether it would take.
        full: whether its own side has no room.
        volume: lots of others that it could take.
    """
    keeps = step.flags & IMMEDIATE == 0
    return first_reason(
        ((step.flags & Flag.POST_ONLY != 0) & crossing, Status.WOULD_TAKE),
        ((step.flags & Flag.FOK != 0) & (volume < step.lots), Status.CANNOT_FILL),
        (keeps & full & (volume == 0), Status.BOOK_FULL),
    )


def _sides_of(lane: Lane, market) -> Sides:
    """The sides of one market's book."""
    columns = (lane.ticks, lane.lots, lane.owner, lane.count)
    return books.sides_of(*(column[market] for column in columns))


def _step_of(env: Env, order: Order) -> Step:
    """An order, its limit in ticks, as the book takes it."""
    buys, ticks = order.sign > 0, order.ticks
    key = jnp.where(buys, ticks, -ticks)
    first = order.account * env.sizes.slots
    return Step(
        kind=jnp.full_like(ticks, Kind.ORDER),
        reason=jnp.zeros_like(ticks),
        own=resting_side(order.sign),
        key=key.astype(jnp.int32),
        bound=books.bounds(buys, key, -key),
        lots=order.lots,
        flags=order.flags,
        first=first.astype(jnp.int32),
        name=(first + order.slot).astype(jnp.int32),
        origin=jnp.zeros_like(ticks, jnp.int32),
    )


def place_order(lane: Lane, env: Env, on, order: Order) -> tuple[Lane, Outcome]:
    """Runs one order: admission, matching, resting."""
    reason, order = admit(lane, env, order)
    loss = worst_loss(env, order.market, order.sign, order.ticks)
    affordable = can_afford(lane, env, order, loss)
    sides, step = _sides_of(lane, order.market), _step_of(env, order)
    found = books.look(sides, step, env.sizes.slots)
    crossing, available = books.approach(sides, step, found)

    def refusal(volume):
        by_book = check_book(step, crossing, books.is_full(sides, step), volume)
        return first_reason(
            (~on, Status.REJECTED),
            (reason != 0, reason),
            (by_book != 0, by_book),
            (~affordable, Status.MARGIN),
        )

    meets = on & (found.met[1 - step.own] > 0)

    def meet(free):
        mode, slots = SelfTrade(env.sizes.self_trade), env.sizes.slots
        return choose(meets, books.meet(sides, step, found, slots, mode, refusal), free)

    meeting = when(meets, meet, books.unhindered(available, env.sizes.capacity))
    return _match(lane, env, order, loss, meeting, refusal(meeting.volume))


def _match(lane: Lane, env: Env, order: Order, loss, meeting: Meeting, reason):
    """Takes from the book, then rests or drops what is left of an accepted order."""
    market, goes = order.market, reason == 0
    taken = jnp.where(goes, jnp.minimum(order.lots, meeting.reach), 0)
    side, account = taken_side(order.sign), order.account
    there = lane.lots[market, side]
    others = lane.owner[market, side] // env.sizes.slots != account
    gone = meeting.cancelled + taken_from(there - meeting.cancelled, taken)
    taker = Taker(account, market, order.sign, env.param("taker_fee_ppm", market))
    lane, filled, quote = apply_events(lane, env, taker, Sweep(gone, others))
    left = order.lots - taken
    stopped = goes & meeting.stopped & (left > 0)
    rests = goes & (left > 0) & ~stopped & (order.flags & IMMEDIATE == 0)
    lane, rested = _rest(lane, env, rests, order._replace(lots=left), loss)
    counters = lane.counters.at[int(Status.BOOK_FULL)].add(rests & ~rested)
    halts = stopped & (filled > 0)
    lane = lane._replace(counters=counters.at[int(Status.SELF_TRADE)].add(halts))
    status = first_reason(
        (~goes, reason),
        (filled == order.lots, Status.FILLED),
        (stopped & (filled == 0), Status.SELF_TRADE),
        (rested, Status.RESTING),
        (goes, Status.PARTIAL),
    )
    return lane, Outcome(status, filled, quote)


def _rest(lane: Lane, env: Env, on, order: Order, loss):
    """Rests what is left where the side has room: ``(lane, rested)``."""
    name = order.account * env.sizes.slots + order.slot
    entry = Resting(order.ticks, order.lots, name, loss, order.expiry, env.block)
    lane, rested = insert(lane, on, order.market, order.sign, entry)
    kept, side = jnp.where(rested, order.lots, 0), resting_side(order.sign)
    return reserve(lane, order.account, order.market, side, kept, loss), rested


def take(lane: Lane, env: Env, on, taker: Taker, limit, lots):
    """Sends an order of an account that has none in the book: ``(lane, lots, quote)``.

    What is left of it is dropped.
    """
    there = in_reach(lane, taker, limit)
    gone = taken_from(there, jnp.where(on, jnp.minimum(lots, there.sum()), 0))
    return apply_events(lane, env, taker, Sweep(gone, gone > 0))


def in_reach(lane: Lane, taker: Taker, limit) -> Array:
    """Lots [C] of the orders of a side within a taker's limit."""
    market, side = taker.market, taken_side(taker.sign)
    within = taker.sign * (limit - lane.ticks[market, side]) >= 0
    present = jnp.arange(within.shape[0]) < lane.count[market, side]
    return jnp.where(within & present, lane.lots[market, side], 0)
