"""One market's message block as a scan of dense array operations.

Each side is kept sorted from worst to best, as in `market.state.BookState`, and carries
the *running total* of its lots from the worst order on. Then

- what a taker within its limit may take is the total less one look-up,
- taking ``x`` lots, through however many orders, is ``minimum(running, total - x)``,
- resting or cancelling an order is one shift of the tail.

No loop over orders, no sort, no scatter. What is rare (an account that meets its own
order, replace, cancel-all) is done in the body of a `while_loop` that runs only in
steps where some lane needs it. Inside the scan prices are signed so that a higher
`key` is better on both sides: ticks for bids, minus ticks for asks.

The rules are those of `market.reference_book`.
"""

from functools import partial
from typing import NamedTuple

import jax.numpy as jnp
from jax import Array, lax

from market.book_messages import IMMEDIATE, Step, prepare
from market.orders import Flag, Kind, Status
from market.specs import SelfTrade


class Sides(NamedTuple):
    """The book inside the scan; entries from `count` on are stale, `running` flat."""

    running: Array  # int64 [2, C] lots of this order and of all worse ones
    key: Array  # int32 [2, C] signed price, higher is better
    owner: Array  # int32 [2, C] name of the order
    origin: Array  # int32 [2, C] whose loss and expiry: entry, or 2C + message
    count: Array  # int32 [2]


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
    cancelled: Array  # own resting lots that it takes off


def _shift_up(column: Array) -> Array:
    """Entry j becomes j + 1; the first becomes zero."""
    return jnp.pad(column[..., :-1], [(0, 0)] * (column.ndim - 1) + [(1, 0)])


def _shift_down(column: Array) -> Array:
    """Entry j + 1 becomes j; the last stays."""
    return jnp.concatenate([column[..., 1:], column[..., -1:]], axis=-1)


def _entries(sides: Sides) -> Array:
    return lax.broadcasted_iota(jnp.int32, sides.key.shape, 1)


def _resting(sides: Sides) -> Array:
    return _entries(sides) < sides.count[:, None]


def _lots(running: Array) -> Array:
    return running - _shift_up(running)


def _mine(sides: Sides, step: Step, slots: int) -> Array:
    """Resting orders of the message's account."""
    offset = sides.owner - step.first
    return _resting(sides) & (offset.astype(jnp.uint32) < slots)


def _look(sides: Sides, step: Step, slots: int) -> Found:
    """Finds the places of a message by one sum of packed counts."""
    capacity = sides.key.shape[1]
    bits = capacity.bit_length()
    word = jnp.int32 if 3 * bits < 32 else jnp.int64
    resting, entry = _resting(sides), _entries(sides)
    worse = resting & (sides.key < step.bound[:, None])
    named = resting & (sides.owner == step.name)
    met = _mine(sides, step, slots) & ~worse
    packed = worse.astype(word)
    packed += jnp.where(named, (entry + 1).astype(word) << bits, 0)
    packed += met.astype(word) << (2 * bits)
    total = packed.sum(axis=1, dtype=word)
    worse, named, met = (
        ((total >> (bits * part)) & ((1 << bits) - 1)).astype(jnp.int32)
        for part in range(3)
    )
    cancels = step.kind == Kind.CANCEL
    place = jnp.where(cancels, jnp.where(named > 0, named - 1, capacity), worse)
    return Found(place, *_totals_around(sides.running, place), named > 0, met)


def _totals_around(running: Array, place: Array) -> tuple[Array, Array]:
    """Running totals before and with the entry at ``place`` of each side."""
    capacity = running.shape[1]

    def at(index):
        index = jnp.clip(index, 0, capacity - 1)[:, None]
        found = jnp.take_along_axis(running, index, 1, mode="promise_in_bounds")
        return found[:, 0]

    return jnp.where(place > 0, at(place - 1), 0), at(place)


def _compact(sides: Sides, keep: Array) -> Sides:
    """Closes the gaps of the orders that are not kept."""
    capacity = keep.shape[1]
    target = jnp.where(keep, jnp.cumsum(keep, axis=1) - 1, capacity)
    side = jnp.arange(2)[:, None]

    def move(column):
        moved = jnp.zeros_like(column)
        return moved.at[side, target].set(column, mode="drop")

    lots = move(jnp.where(keep, _lots(sides.running), 0))
    return Sides(
        jnp.cumsum(lots, axis=1),
        move(sides.key),
        move(sides.owner),
        move(sides.origin),
        keep.sum(axis=1, dtype=jnp.int32),
    )


def _once(needed, body, carry):
    """``body(carry)`` where needed; under `vmap` it runs only if some lane needs it."""
    outcome = lax.while_loop(
        lambda state: state[0],
        lambda state: (jnp.zeros_like(state[0]), body(state[1])),
        (needed, carry),
    )
    return outcome[1]


def _take_off(sides: Sides, step: Step, slots: int):
    """A replace's old order or all of the account's; (sides, found, lots)."""
    named = _resting(sides) & (sides.owner == step.name)
    every = step.kind == Kind.CANCEL_ALL
    gone = jnp.where(every, _mine(sides, step, slots), named)
    cancelled = jnp.where(gone, _lots(sides.running), 0).sum()
    sides = _compact(sides, _resting(sides) & ~gone)
    return sides, _look(sides, step, slots), cancelled


def _refusal(step: Step, busy, crossing, full, volume) -> Array:
    """The first rule about the book that an order breaks, or 0."""
    immediate = step.flags & IMMEDIATE != 0
    status = jnp.where(~immediate & full & (volume == 0), Status.BOOK_FULL, 0)
    kills = (step.flags & Flag.FOK != 0) & (volume < step.lots)
    status = jnp.where(kills, Status.CANNOT_FILL, status)
    takes = (step.flags & Flag.POST_ONLY != 0) & crossing
    status = jnp.where(takes, Status.WOULD_TAKE, status)
    return jnp.where(busy, Status.SLOT_BUSY, status)


def _meet(sides: Sides, step: Step, found: Found, slots: int, mode, refusal):
    """The rare case that a taker's own orders stand in its way; (sides, meeting)."""
    other = 1 - step.own
    running, key = sides.running[other], sides.key[other]
    entry = jnp.arange(running.shape[0], dtype=jnp.int32)
    mine = _mine(sides, step, slots)[other] & (entry >= found.place[other])
    lots, total = _lots(running), running[-1]
    available = total - found.before[other]
    nothing = jnp.zeros((), jnp.int64)
    no = jnp.zeros((), bool)
    if mode == SelfTrade.CANCEL_OLDEST:
        own_from_here = jnp.cumsum(jnp.where(mine, lots, 0)[::-1])[::-1]
        ahead = total - running - (own_from_here - jnp.where(mine, lots, 0))
        volume = available - own_from_here[0]
        accepted = refusal(volume) == 0
        gone = mine & (ahead < step.lots) & accepted
        cancelled = jnp.where(gone, lots, 0).sum()
        keep = _resting(sides) & ~(gone[None] & (jnp.arange(2) == other)[:, None])
        sides = _compact(sides, keep)
        return sides, Meeting(volume, volume, no, nothing, nothing, nothing, cancelled)
    first = jnp.where(mine, entry, -1).max()
    volume = total - running[first]
    if mode == SelfTrade.CANCEL_NEWEST:
        return sides, Meeting(volume, volume, ~no, nothing, nothing, nothing, nothing)
    consumed = lots - _lots(
        jnp.minimum(running, total - jnp.minimum(step.lots, available))
    )
    own = jnp.where(mine & (refusal(volume) == 0), consumed, 0)
    own_lots = own.sum()
    own_quote = (own * jnp.abs(key).astype(jnp.int64)).sum()
    own_trades = (own > 0).sum()
    return sides, Meeting(
        volume, available, no, own_lots, own_quote, own_trades, own_lots
    )


def _settled_status(step: Step, left, filled, stopped, rests) -> Array:
    """What became of an order that was not refused."""
    immediate = jnp.where(rests, Status.RESTING, Status.PARTIAL)
    halted = jnp.where(filled > 0, Status.PARTIAL, Status.SELF_TRADE)
    whole = jnp.where(filled == step.lots, Status.FILLED, Status.PARTIAL)
    return jnp.where(left == 0, whole, jnp.where(stopped, halted, immediate))


def _rewrite(sides: Sides, taken_to, place, delta, inserts, new) -> Sides:
    """Caps the running totals and shifts the tails; `count` follows separately."""
    running = jnp.minimum(sides.running, taken_to[:, None])
    entry = _entries(sides)
    stays, inserts = entry < place[:, None], inserts[:, None]
    shifted = jnp.where(inserts, _shift_up(running), _shift_down(running))

    def shift(column, value):
        fresh = jnp.where(entry == place[:, None], value, _shift_up(column))
        moved = jnp.where(inserts, fresh, _shift_down(column))
        return jnp.where(stays, column, moved)

    return Sides(
        jnp.where(stays, running, shifted + delta[:, None]),
        shift(sides.key, new[0]),
        shift(sides.owner, new[1]),
        shift(sides.origin, new[2]),
        sides.count,
    )


def _consume(sides: Sides, taken_to: Array) -> tuple[Array, Array, Array]:
    """Capping to ``taken_to``: (quote, orders touched, orders left), summed or [2]."""
    running, capped = sides.running, jnp.minimum(sides.running, taken_to[:, None])
    consumed = _lots(running) - _lots(capped)
    ticks = jnp.abs(sides.key).astype(jnp.int64)
    resting = _resting(sides)
    quote = jnp.where(resting, consumed * ticks, 0).sum()
    capacity = running.shape[1]
    bits = capacity.bit_length()
    counts = (running < taken_to[:, None]).astype(jnp.int32)
    counts += (resting & (running > taken_to[:, None])).astype(jnp.int32) << bits
    counts = counts.sum(axis=1, dtype=jnp.int32)
    left = (counts & ((1 << bits) - 1)) + (taken_to > 0)
    return quote, (counts >> bits).sum(), left


def _step(carry, step: Step, *, slots: int, mode: SelfTrade, log: bool):
    """Executes one message; the outcome's columns as in `market.book_native`."""
    sides, rows, logged = carry
    zero = jnp.zeros((), jnp.int64)
    found = _look(sides, step, slots)
    replaces, cancels = step.kind == Kind.REPLACE, step.kind == Kind.CANCEL
    clears = (replaces & found.named.any()) | (
        (step.kind == Kind.CANCEL_ALL) & (found.met.sum() > 0)
    )
    sides, found, cleared = _once(
        clears,
        lambda state: _take_off(state[0], step, slots),
        (sides, found, zero),
    )
    own, other = step.own, 1 - step.own
    orders = ((step.kind == Kind.ORDER) | replaces) & (step.reason == 0)
    crossing = found.place[other] < sides.count[other]
    full = sides.count[own] >= sides.key.shape[1]
    refusal = partial(_refusal, step, found.named.any(), crossing, full)
    available = sides.running[other, -1] - found.before[other]
    available = jnp.where(crossing, available, 0)
    meeting = Meeting(available, available, jnp.zeros((), bool), zero, zero, zero, zero)
    sides, meeting = _once(
        orders & (found.met[other] > 0),
        lambda state: _meet(state[0], step, found, slots, mode, refusal),
        (sides, meeting),
    )
    refused = refusal(meeting.volume)
    goes = orders & (refused == 0)
    taken = jnp.where(goes, jnp.minimum(step.lots, meeting.reach), 0)
    filled = taken - meeting.own_lots
    left = step.lots - taken
    stopped = meeting.stopped & (left > 0)
    rests = goes & (left > 0) & ~stopped & ~full & (step.flags & IMMEDIATE == 0)
    status = _settled_status(step, left, filled, stopped, rests)
    status = jnp.where(orders & (refused != 0), refused, status)
    status = jnp.where(orders, status, step.reason)
    hit = cancels & found.named
    status = jnp.where(cancels & ~hit.any(), Status.UNKNOWN_ORDER, status)
    left = jnp.where(rests, left, 0)
    dropped = jnp.where(hit, found.at - found.before, 0)

    side = jnp.arange(2)
    inserts = rests & (side == own)
    taken_to = sides.running[:, -1] - jnp.where(side == other, taken, 0)
    place = jnp.where(inserts | hit, found.place, sides.key.shape[1])
    delta = jnp.where(inserts, left, -dropped)
    quote, trades, count = _consume(sides, taken_to)
    if log:
        rows, logged = _log(sides, step, taken_to, slots, rows, logged)
    new = (step.key, step.name, step.origin)
    sides = _rewrite(sides, taken_to, place, delta, inserts, new)
    count = count + inserts.astype(jnp.int32) - hit.astype(jnp.int32)
    sides = sides._replace(count=count)
    outcome = (
        status,
        filled,
        quote - meeting.own_quote,
        trades - meeting.own_trades,
        left,
        cleared + meeting.cancelled + dropped.sum(),
    )
    outcome = jnp.stack([jnp.asarray(value, jnp.int64) for value in outcome])
    return (sides, rows, logged), outcome


def _log(sides: Sides, step: Step, taken_to, slots: int, rows, logged):
    """Appends the fills of one message, best first."""
    consumed = _lots(sides.running) - _lots(
        jnp.minimum(sides.running, taken_to[:, None])
    )
    fills = (consumed > 0) & ~_mine(sides, step, slots)
    order = jnp.cumsum(fills[:, ::-1], axis=1)[:, ::-1] - 1
    target = jnp.where(fills, logged + order, rows.shape[0])
    message = step.origin - sides.key.size
    columns = jnp.broadcast_arrays(message, sides.owner, jnp.abs(sides.key), consumed)
    columns = jnp.stack([column.astype(jnp.int64) for column in columns], axis=-1)
    return rows.at[target].set(columns, mode="drop"), logged + fills.sum()


def _load(fields, block) -> tuple[Sides, Array]:
    """The book for the scan, without expired orders; and the lots that expired."""
    ticks, lots, owner, _, expiry, count = fields
    sign = jnp.array([[1], [-1]])
    sides = Sides(
        jnp.cumsum(lots, axis=1),
        (ticks * sign).astype(jnp.int32),
        owner.astype(jnp.int32),
        jnp.arange(ticks.size, dtype=jnp.int32).reshape(ticks.shape),
        count.astype(jnp.int32),
    )
    past = _resting(sides) & (0 < expiry) & (expiry < block)
    expired = jnp.where(past, lots, 0).sum()
    return _compact(sides, _resting(sides) & ~past), expired


def _store(sides: Sides, fields, expiries: Array) -> list[Array]:
    """The book's six arrays, clear from `count` on."""
    resting = _resting(sides)
    loss = jnp.concatenate([fields[3].ravel(), jnp.zeros_like(expiries)])
    expiry = jnp.concatenate([fields[4].ravel(), expiries])
    columns = (
        jnp.abs(sides.key),
        _lots(sides.running),
        sides.owner,
        loss[sides.origin],
        expiry[sides.origin],
    )
    columns = [jnp.where(resting, column, 0).astype(jnp.int64) for column in columns]
    return [*columns, sides.count.astype(jnp.int64)]


def match_array(fields, columns, block, slots: int, mode: SelfTrade, log_rows: int):
    """The scan; operands and results as in `market.book_native.match_native`."""
    sides, expired = _load(fields, block)
    steps = prepare(columns, block, slots, sides.key.size)
    rows = jnp.zeros((log_rows, 4), jnp.int64)
    body = partial(_step, slots=slots, mode=SelfTrade(mode), log=log_rows > 0)
    carry = (sides, rows, jnp.zeros((), jnp.int64))
    (sides, rows, logged), outcomes = lax.scan(body, carry, steps)
    totals = jnp.stack([expired, logged])
    return _store(sides, fields, columns[7]), outcomes, rows, totals
