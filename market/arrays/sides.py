"""The two sides of a book while orders meet it: looking and taking without a loop.

Each side is sorted from worst to best, and beside its orders stands the *running total*
of their lots from the worst on. Then

- what a taker within its limit may take is the total less one look-up,
- taking ``x`` lots, through however many orders, is ``minimum(running, total - x)``,
- resting or cancelling an order is one shift of the tail.

Prices are signed so that a higher `key` is better on both sides: ticks for bids, minus
ticks for asks. A block of the exchange and a message stream match with these same
functions. There is no such file in the other forms: they walk the orders one by one.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array, lax

from market.arrays.book import close_gaps
from market.types.orders import Kind
from market.types.specs import SelfTrade


class Sides(NamedTuple):
    """The two sides of a book; entries from `count` on are stale."""

    running: Array  # int64 [2, C + 1] lots of the orders worse than entry j
    key: Array  # int32 [2, C] signed price, higher is better
    owner: Array  # int32 [2, C] name of the order
    origin: Array  # int32 [2, C] whose other columns: entry, or 2C + message
    count: Array  # int32 [2]
    total: Array  # int64 [2] lots of the side


class Step(NamedTuple):
    """One message or order, prepared for its pass over the book."""

    kind: Array  # `Kind`, or NONE where there is nothing to do
    reason: Array  # status of what is not an order, or the rule that an order breaks
    own: Array  # side on which it would rest
    key: Array  # int32 signed limit on its own side, higher is better
    bound: Array  # int32 [2] resting orders with a lower key are worse than it
    lots: Array
    flags: Array
    first: Array  # int32 first order name of its account
    name: Array  # int32 order name
    origin: Array  # int32 entries of the book + number of the message


class Found(NamedTuple):
    """What one pass over the book says about a message, [2] each."""

    place: Array  # int32: where it would rest, or end taking; a cancel: its order
    before: Array  # running total of the orders worse than `place`
    at: Array  # running total with the order at `place`
    named: Array  # bool: an order of that name rests on this side
    met: Array  # int32: orders of its own account not worse than `place`


class Meeting(NamedTuple):
    """How far a taker may go."""

    volume: Array  # lots of others that it could take
    reach: Array  # lots it may consume, decremented ones included
    stopped: Array  # bool: its own order stands behind `reach`
    own_lots: Array  # of what it consumes: its own, decremented
    own_quote: Array
    own_trades: Array
    cancelled: Array  # [C] own resting lots that it takes off


def sides_of(ticks, lots, owner, count) -> Sides:
    """The sides of a book from its columns [2, C] and its counts [2]."""
    sign = jnp.array([[1], [-1]])
    return Sides(
        running_of(lots),
        (ticks * sign).astype(jnp.int32),
        owner.astype(jnp.int32),
        jnp.arange(ticks.size, dtype=jnp.int32).reshape(ticks.shape),
        count.astype(jnp.int32),
        lots.sum(axis=1),
    )


def bounds(buys: Array, key: Array, reach: Array) -> Array:
    """`Step.bound` of a limit ``key`` that takes down to ``reach``: int32 [..., 2]."""
    sides = jnp.stack([key, reach], axis=-1), jnp.stack([reach, key], axis=-1)
    return jnp.where(buys[..., None], *sides).astype(jnp.int32)


def is_resting(sides: Sides) -> Array:
    """Where orders rest: [2, C]."""
    return _entries(sides) < sides.count[:, None]


def lots_of(running: Array) -> Array:
    """Lots of each order [..., C] from the running total [..., C + 1]."""
    return running[..., 1:] - running[..., :-1]


def running_of(lots: Array) -> Array:
    """The running total [..., C + 1] of lots [..., C]."""
    edge = [(0, 0)] * (lots.ndim - 1)
    return jnp.pad(jnp.cumsum(lots, axis=-1), (*edge, (1, 0)))


def is_mine(sides: Sides, step: Step, slots: int) -> Array:
    """Resting orders of the message's account: [2, C]."""
    offset = sides.owner - step.first
    return is_resting(sides) & (offset.astype(jnp.uint32) < slots)


def taken_from(lots: Array, taken: Array) -> Array:
    """What ``taken`` lots take from each order of a side [C], the best first."""
    running = running_of(lots)
    return lots - lots_of(jnp.minimum(running, running[-1] - taken))


# --- finding -----------------------------------------------------------------------


def look(sides: Sides, step: Step, slots: int) -> Found:
    """Finds the places of a message by one sum of packed counts."""
    capacity = sides.key.shape[1]
    bits = capacity.bit_length()
    word = jnp.int32 if 3 * bits < 32 else jnp.int64
    resting, entry = is_resting(sides), _entries(sides)
    worse = resting & (sides.key < step.bound[:, None])
    named = resting & (sides.owner == step.name)
    met = is_mine(sides, step, slots) & ~worse
    packed = worse.astype(word)
    packed += jnp.where(named, (entry + 1).astype(word) << bits, 0)
    packed += met.astype(word) << (2 * bits)
    counts = sum_last(packed)
    worse, named, met = (
        ((counts >> (bits * part)) & ((1 << bits) - 1)).astype(jnp.int32)
        for part in range(3)
    )
    cancels = step.kind == Kind.CANCEL
    place = jnp.where(cancels, jnp.where(named > 0, named - 1, capacity), worse)
    return Found(place, *_totals_around(sides.running, place), named > 0, met)


def _entries(sides: Sides) -> Array:
    return lax.broadcasted_iota(jnp.int32, sides.key.shape, 1)


def _totals_around(running: Array, place: Array) -> tuple[Array, Array]:
    """Running totals before and with the entry at ``place`` of each side."""
    last = running.shape[1] - 1

    def at(index):
        index = jnp.minimum(index, last)[:, None]
        found = jnp.take_along_axis(running, index, 1, mode="promise_in_bounds")
        return found[:, 0]

    return at(place), at(place + 1)


def sum_last(terms: Array) -> Array:
    """Sum over the last axis, halved until it is short.

    XLA's CPU compiler does not vectorise a long sum, but it does this one: 4 times
    faster over 256 entries.
    """
    while terms.shape[-1] > 32 and terms.shape[-1] % 2 == 0:
        half = terms.shape[-1] // 2
        terms = terms[..., :half] + terms[..., half:]
    return terms.sum(axis=-1, dtype=terms.dtype)


# --- taking ------------------------------------------------------------------------


def approach(sides: Sides, step: Step, found: Found) -> tuple[Array, Array]:
    """Whether the message crosses, and the lots within its limit."""
    other = 1 - step.own
    crossing = found.place[other] < sides.count[other]
    available = sides.total[other] - found.before[other]
    return crossing, jnp.where(crossing, available, 0)


def unhindered(available: Array, capacity: int) -> Meeting:
    """The taker finds no order of its own."""
    zero = jnp.zeros((), jnp.int64)
    no = jnp.zeros((), bool)
    none = jnp.zeros(capacity, jnp.int64)
    return Meeting(available, available, no, zero, zero, zero, none)


def meet(sides: Sides, step: Step, found: Found, slots: int, mode, refusal) -> Meeting:
    """How far a taker goes whose own orders stand in its way; that is rare.

    Args:
        sides: the book.
        step: the taker.
        found: its places.
        slots: order slots of an account.
        mode: self-trade prevention.
        refusal: the reason why it is refused, given the volume that it finds, or 0;
            what is refused takes nothing off.
    """
    other = 1 - step.own
    running, key = sides.running[other], sides.key[other]
    lots, total = lots_of(running), sides.total[other]
    entry = jnp.arange(lots.shape[0], dtype=jnp.int32)
    mine = is_mine(sides, step, slots)[other] & (entry >= found.place[other])
    available = total - found.before[other]
    free = unhindered(available, lots.shape[0])
    if mode == SelfTrade.CANCEL_OLDEST:
        own = jnp.where(mine, lots, 0)
        own_from_here = jnp.cumsum(own[::-1])[::-1]
        ahead = total - running[1:] - (own_from_here - own)
        volume = available - own_from_here[0]
        gone = (ahead < step.lots) & (refusal(volume) == 0)
        cancelled = jnp.where(gone, own, 0)
        return free._replace(volume=volume, reach=volume, cancelled=cancelled)
    first = jnp.where(mine, entry, -1).max()
    volume = total - running[first + 1]
    if mode == SelfTrade.CANCEL_NEWEST:
        return free._replace(volume=volume, reach=volume, stopped=~free.stopped)
    kept = total - jnp.minimum(step.lots, available)
    consumed = lots - lots_of(jnp.minimum(running, kept))
    own = jnp.where(mine & (refusal(volume) == 0), consumed, 0)
    return free._replace(
        volume=volume,
        own_lots=own.sum(),
        own_quote=(own * jnp.abs(key).astype(jnp.int64)).sum(),
        own_trades=(own > 0).sum(),
    )


def is_full(sides: Sides, step: Step) -> Array:
    """Whether the side on which the order would rest has no room."""
    return sides.count[step.own] >= sides.key.shape[1]


def compact(sides: Sides, lots: Array, keep: Array) -> Sides:
    """Closes the gaps of the orders that are not kept, and sets the others' lots."""
    lots = jnp.where(keep, lots, 0)
    lots, key, owner, origin = close_gaps(keep, lots, *sides[1:4])
    count = keep.sum(axis=1, dtype=jnp.int32)
    return Sides(running_of(lots), key, owner, origin, count, lots.sum(axis=1))
