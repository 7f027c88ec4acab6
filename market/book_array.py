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
    """The book inside the scan; entries from `count` on are stale."""

    running: Array  # int64 [2, C] lots of this order and of all worse ones
    key: Array  # int32 [2, C] signed price, higher is better
    owner: Array  # int32 [2, C] name of the order
    origin: Array  # int32 [2, C] whose loss and expiry: entry, or 2C + message
    count: Array  # int32 [2]
    total: Array  # int64 [2] lots of the side


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
    """Entry j becomes j + 1; the first becomes zero. A pad, because it fuses."""
    return _padded(column, 1)


def _shift_down(column: Array) -> Array:
    """Entry j + 1 becomes j; the last becomes zero."""
    return _padded(column, -1)


def _padded(column: Array, by: int) -> Array:
    zero = jnp.zeros((), column.dtype)
    edges = [(0, 0, 0)] * (column.ndim - 1) + [(by, -by, 0)]
    return lax.pad(column, zero, edges)


def _sum(terms: Array) -> Array:
    """Sum over the last axis. On a CPU as a product with ones, which vectorises."""
    return lax.platform_dependent(
        terms,
        cpu=lambda terms: terms @ jnp.ones(terms.shape[-1], terms.dtype),
        default=lambda terms: terms.sum(axis=-1, dtype=terms.dtype),
    )


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
    counts = _sum(packed)
    worse, named, met = (
        ((counts >> (bits * part)) & ((1 << bits) - 1)).astype(jnp.int32)
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
        lots.sum(axis=1),
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
    named &= step.kind == Kind.REPLACE
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
    lots, total = _lots(running), sides.total[other]
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


def _rewrite(sides: Sides, taken_to, place, delta, inserts, step: Step) -> Sides:
    """Caps the running totals and shifts the tails from ``place`` [2] on."""
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
        shift(sides.key, step.key),
        shift(sides.owner, step.name),
        shift(sides.origin, step.origin),
        sides.count,
        sides.total,
    )


def _consume(sides: Sides, taken_to: Array) -> tuple[Array, Array, Array]:
    """Capping to ``taken_to`` [2]: (quote, orders touched, [2] orders left)."""
    running, capped = sides.running, jnp.minimum(sides.running, taken_to[:, None])
    resting = _resting(sides)
    consumed = jnp.where(resting, _lots(running) - _lots(capped), 0)
    quote = _sum(consumed * jnp.abs(sides.key).astype(jnp.int64)).sum()
    bits = running.shape[1].bit_length()
    counts = (resting & (running < taken_to[:, None])).astype(jnp.int32)
    counts += (resting & (running > taken_to[:, None])).astype(jnp.int32) << bits
    counts = _sum(counts)
    left = (counts & ((1 << bits) - 1)) + (taken_to > 0)
    return quote, (counts >> bits).sum(), left


class _Rare(NamedTuple):
    """What the rare cases change."""

    sides: Sides
    found: Found
    meeting: Meeting
    cleared: Array  # lots taken off by replace or cancel-all


def _approach(sides: Sides, step: Step, found: Found) -> tuple[Array, Array]:
    """Whether the message crosses, and the lots within its limit."""
    other = 1 - step.own
    crossing = found.place[other] < sides.count[other]
    available = sides.total[other] - found.before[other]
    return crossing, jnp.where(crossing, available, 0)


def _is_order(step: Step) -> Array:
    kinds = (step.kind == Kind.ORDER) | (step.kind == Kind.REPLACE)
    return kinds & (step.reason == 0)


def _refuses(sides: Sides, step: Step, found: Found):
    """The order's refusal as a function of the volume it finds."""
    crossing, _ = _approach(sides, step, found)
    full = sides.count[step.own] >= sides.key.shape[1]
    return partial(_refusal, step, found.named.any(), crossing, full)


def _rare(rare: _Rare, step: Step, slots: int, mode: SelfTrade) -> _Rare:
    """Takes off what the message replaces or clears, then meets own orders."""
    sides, found, cleared = _take_off(rare.sides, step, slots)
    available = _approach(sides, step, found)[1]
    meets = _is_order(step) & (found.met[1 - step.own] > 0)
    refusal = _refuses(sides, step, found)
    met_sides, meeting = _meet(sides, step, found, slots, mode, refusal)

    def choose(taken, other):
        return jnp.where(meets, taken, other)

    sides = Sides(*map(choose, met_sides, sides))
    meeting = Meeting(*map(choose, meeting, _unhindered(available)))
    return _Rare(sides, found, meeting, cleared)


def _unhindered(available: Array) -> Meeting:
    """The taker finds no order of its own."""
    zero = jnp.zeros((), jnp.int64)
    no = jnp.zeros((), bool)
    return Meeting(available, available, no, zero, zero, zero, zero)


def _step(carry, step: Step, *, slots: int, mode: SelfTrade, log: bool):
    """Executes one message; the outcome's columns as in `market.book_native`."""
    sides, rows, logged = carry
    found = _look(sides, step, slots)
    is_order, cancels = _is_order(step), step.kind == Kind.CANCEL
    own, other = step.own, 1 - step.own
    needed = (step.kind == Kind.REPLACE) & found.named.any()
    needed |= (step.kind == Kind.CANCEL_ALL) & (found.met.sum() > 0)
    needed |= is_order & (found.met[other] > 0)
    meeting = _unhindered(_approach(sides, step, found)[1])
    rare = _Rare(sides, found, meeting, jnp.zeros((), jnp.int64))
    body = partial(_rare, step=step, slots=slots, mode=mode)
    sides, found, meeting, cleared = _once(needed, body, rare)

    refused = _refuses(sides, step, found)(meeting.volume)
    goes = is_order & (refused == 0)
    taken = jnp.where(goes, jnp.minimum(step.lots, meeting.reach), 0)
    filled = taken - meeting.own_lots
    left = step.lots - taken
    stopped = meeting.stopped & (left > 0)
    full = sides.count[own] >= sides.key.shape[1]
    rests = goes & (left > 0) & ~stopped & ~full & (step.flags & IMMEDIATE == 0)
    hit = cancels & found.named
    status = _settled_status(step, left, filled, stopped, rests)
    status = jnp.where(refused != 0, refused, status)
    status = jnp.where(is_order, status, step.reason)
    status = jnp.where(cancels & ~hit.any(), Status.UNKNOWN_ORDER, status)

    side = jnp.arange(2)
    inserts = rests & (side == own)
    taken_to = sides.total - jnp.where(side == other, taken, 0)
    quote, trades, count = _consume(sides, taken_to)
    if log:
        rows, logged = _log(sides, step, taken_to, slots, rows, logged)
    rested = jnp.where(rests, left, 0)
    dropped = jnp.where(hit, found.at - found.before, 0)
    place = jnp.where(inserts | hit, found.place, sides.key.shape[1])
    delta = jnp.where(inserts, rested, -dropped)
    sides = _rewrite(sides, taken_to, place, delta, inserts, step)
    sides = sides._replace(
        count=count + inserts.astype(jnp.int32) - hit.astype(jnp.int32),
        total=taken_to + delta,
    )
    outcome = (
        status,
        filled,
        quote - meeting.own_quote,
        trades - meeting.own_trades,
        rested,
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
        lots.sum(axis=1),
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
