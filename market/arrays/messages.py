"""One market's message block as a scan of dense array operations.

Each side is kept sorted from worst to best, as in `market.types.state.BookState`, and
carries the *running total* of its lots from the worst order on. Then

- what a taker within its limit may take is the total less one look-up,
- taking ``x`` lots, through however many orders, is ``minimum(running, total - x)``,
- resting or cancelling an order is one shift of the tail.

No loop over orders, no sort, no scatter. What is rare (an account that meets its own
order, replace, cancel-all) is done in the body of a `while_loop` that runs only in
steps where some lane needs it. Inside the scan prices are signed so that a higher
`key` is better on both sides: ticks for bids, minus ticks for asks.

The rules are those of `market.twin.messages`.
"""

from functools import partial
from typing import NamedTuple

import jax.numpy as jnp
from jax import Array, lax

from market.types.messages import IMMEDIATE, Step, prepare
from market.types.orders import Flag, Kind, Status
from market.types.specs import SelfTrade


class Sides(NamedTuple):
    """The book inside the scan; entries from `count` on are stale."""

    running: Array  # int64 [2, C + 1] lots of the orders worse than entry j
    key: Array  # int32 [2, C] signed price, higher is better
    owner: Array  # int32 [2, C] name of the order
    origin: Array  # int32 [2, C] whose other columns: entry, or 2C + message
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
    """Sum over the last axis, halved until it is short.

    XLA's CPU compiler does not vectorise a long sum, but it does this one: 4 times
    faster over 256 entries.
    """
    while terms.shape[-1] > 32 and terms.shape[-1] % 2 == 0:
        half = terms.shape[-1] // 2
        terms = terms[..., :half] + terms[..., half:]
    return terms.sum(axis=-1, dtype=terms.dtype)


def _entries(sides: Sides) -> Array:
    return lax.broadcasted_iota(jnp.int32, sides.key.shape, 1)


def _resting(sides: Sides) -> Array:
    return _entries(sides) < sides.count[:, None]


def _lots(running: Array) -> Array:
    return running[..., 1:] - running[..., :-1]


def _running(lots: Array) -> Array:
    return jnp.pad(jnp.cumsum(lots, axis=1), ((0, 0), (1, 0)))


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
    last = running.shape[1] - 1

    def at(index):
        index = jnp.minimum(index, last)[:, None]
        found = jnp.take_along_axis(running, index, 1, mode="promise_in_bounds")
        return found[:, 0]

    return at(place), at(place + 1)


def _compact(sides: Sides, lots: Array, keep: Array) -> Sides:
    """Closes the gaps of the orders that are not kept, and sets the others' lots."""
    capacity = keep.shape[1]
    target = jnp.where(keep, jnp.cumsum(keep, axis=1) - 1, capacity)
    side = jnp.arange(2)[:, None]

    def move(column):
        moved = jnp.zeros_like(column)
        return moved.at[side, target].set(column, mode="drop")

    lots = move(jnp.where(keep, lots, 0))
    return Sides(
        _running(lots),
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
    """A replace's old order, a part of one, or all of the account's.

    Returns:
        ``(sides, found, lots, status)``: the status is a reduction's.
    """
    lots, reduces = _lots(sides.running), step.kind == Kind.REDUCE
    named = _resting(sides) & (sides.owner == step.name)
    fits = step.lots <= jnp.where(named, lots, 0).sum()
    part = jnp.where(named & reduces & fits, step.lots, 0)
    gone = named & ((step.kind == Kind.REPLACE) | (part == lots))
    every = step.kind == Kind.CANCEL_ALL
    gone = jnp.where(every, _mine(sides, step, slots), gone)
    cancelled = jnp.where(gone, lots, part).sum()
    sides = _compact(sides, lots - part, _resting(sides) & ~gone)
    status = jnp.where(fits, Status.ACCEPTED, Status.BAD_LOTS)
    return sides, _look(sides, step, slots), cancelled, status


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
    lots, total = _lots(running), sides.total[other]
    entry = jnp.arange(lots.shape[0], dtype=jnp.int32)
    mine = _mine(sides, step, slots)[other] & (entry >= found.place[other])
    available = total - found.before[other]
    nothing = jnp.zeros((), jnp.int64)
    no = jnp.zeros((), bool)
    if mode == SelfTrade.CANCEL_OLDEST:
        own_from_here = jnp.cumsum(jnp.where(mine, lots, 0)[::-1])[::-1]
        ahead = total - running[1:] - (own_from_here - jnp.where(mine, lots, 0))
        volume = available - own_from_here[0]
        accepted = refusal(volume) == 0
        gone = mine & (ahead < step.lots) & accepted
        cancelled = jnp.where(gone, lots, 0).sum()
        keep = _resting(sides) & ~(gone[None] & (jnp.arange(2) == other)[:, None])
        sides = _compact(sides, _lots(sides.running), keep)
        return sides, Meeting(volume, volume, no, nothing, nothing, nothing, cancelled)
    first = jnp.where(mine, entry, -1).max()
    volume = total - running[first + 1]
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


class Decision(NamedTuple):
    """What a message does to the book, [2] a side, and its outcome.

    It is carried through the loop of the rare cases, so that it is computed once and
    stored: XLA would else repeat it for each entry of each array that depends on it.
    """

    taken_to: Array  # lots that the side keeps after the taking
    place: Array  # from where the side shifts; C where it does not
    delta: Array  # lots that the shifted entries' running totals change by
    inserts: Array  # bool: it shifts up, else down
    change: Array  # int32 orders that come or go by the shift
    new: Array  # int32 [3] key, owner and origin of the order that rests
    status: Array
    filled: Array
    rested: Array
    cancelled: Array
    own_quote: Array
    own_trades: Array


def _rewrite(sides: Sides, decision: Decision) -> Sides:
    """Caps the running totals and shifts the tails; `count` follows separately."""
    running = jnp.minimum(sides.running, decision.taken_to[:, None])
    place, inserts = decision.place[:, None], decision.inserts[:, None]
    entry, edge = (
        lax.broadcasted_iota(jnp.int32, column.shape, 1)
        for column in (sides.key, running)
    )
    stays, fresh = entry < place, (entry == place) & inserts
    shifted = jnp.where(inserts, _shift_up(running), _shift_down(running))
    shifted = shifted + decision.delta[:, None]

    def shift(column, value):
        moved = jnp.where(inserts, _shift_up(column), _shift_down(column))
        return jnp.where(stays, column, jnp.where(fresh, value, moved))

    return Sides(
        jnp.where(edge <= place, running, shifted),
        shift(sides.key, decision.new[0]),
        shift(sides.owner, decision.new[1]),
        shift(sides.origin, decision.new[2]),
        sides.count,
        decision.taken_to + decision.delta,
    )


def _consume(sides: Sides, taken_to: Array) -> tuple[Array, Array, Array]:
    """Capping to ``taken_to`` [2]: (quote, orders touched, [2] orders left)."""
    cap = taken_to[:, None]
    before, through = sides.running[:, :-1], sides.running[:, 1:]
    resting = _resting(sides)
    consumed = jnp.maximum(through - jnp.maximum(before, cap), 0)
    consumed = jnp.where(resting, consumed, 0)
    quote = _sum(consumed * jnp.abs(sides.key).astype(jnp.int64)).sum()
    bits = sides.key.shape[1].bit_length()
    left = (resting & (before < cap)).astype(jnp.int32)
    touched = (resting & (through > cap)).astype(jnp.int32)
    counts = _sum(left + (touched << bits))
    return quote, (counts >> bits).sum(), counts & ((1 << bits) - 1)


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


def _rare(state, step: Step, slots: int, mode: SelfTrade):
    """Takes off what the message replaces or clears, then meets own orders."""
    sides, found, cleared, reduced = _take_off(state[0], step, slots)
    meets = _is_order(step) & (found.met[1 - step.own] > 0)
    refusal = _refuses(sides, step, found)
    met_sides, meeting = _meet(sides, step, found, slots, mode, refusal)

    def choose(taken, other):
        return jnp.where(meets, taken, other)

    decided = Sides(*map(choose, met_sides, sides))
    free = _unhindered(_approach(sides, step, found)[1])
    meeting = Meeting(*map(choose, meeting, free))
    decision = _decide(decided, step, found, meeting, cleared)
    status = jnp.where(step.kind == Kind.REDUCE, reduced, decision.status)
    return decided, decision._replace(status=status)


def _unhindered(available: Array) -> Meeting:
    """The taker finds no order of its own."""
    zero = jnp.zeros((), jnp.int64)
    no = jnp.zeros((), bool)
    return Meeting(available, available, no, zero, zero, zero, zero)


def _decide(sides: Sides, step: Step, found: Found, meeting, cleared) -> Decision:
    """What the message does, from what was found about it."""
    side, own = jnp.arange(2), step.own
    refused = _refuses(sides, step, found)(meeting.volume)
    goes = _is_order(step) & (refused == 0)
    taken = jnp.where(goes, jnp.minimum(step.lots, meeting.reach), 0)
    filled = taken - meeting.own_lots
    left = step.lots - taken
    stopped = meeting.stopped & (left > 0)
    full = sides.count[own] >= sides.key.shape[1]
    rests = goes & (left > 0) & ~stopped & ~full & (step.flags & IMMEDIATE == 0)
    hit = (step.kind == Kind.CANCEL) & found.named
    status = _settled_status(step, left, filled, stopped, rests)
    status = jnp.where(refused != 0, refused, status)
    names = (step.kind == Kind.CANCEL) | (step.kind == Kind.REDUCE)
    missed = names & ~found.named.any()
    reason = jnp.where(missed, Status.UNKNOWN_ORDER, step.reason)
    status = jnp.where(_is_order(step), status, reason)
    inserts = rests & (side == own)
    rested = jnp.where(rests, left, 0)
    dropped = jnp.where(hit, found.at - found.before, 0)
    return Decision(
        taken_to=sides.total - jnp.where(side != own, taken, 0),
        place=jnp.where(inserts | hit, found.place, sides.key.shape[1]),
        delta=jnp.where(inserts, rested, -dropped),
        inserts=inserts,
        change=inserts.astype(jnp.int32) - hit.astype(jnp.int32),
        new=jnp.stack([step.key, step.name, step.origin]),
        status=jnp.asarray(status, jnp.int64),
        filled=filled,
        rested=rested,
        cancelled=cleared + meeting.cancelled + dropped.sum(),
        own_quote=meeting.own_quote,
        own_trades=meeting.own_trades,
    )


def _step(carry, step: Step, *, slots: int, mode: SelfTrade, log: bool):
    """Executes one message; the outcome's columns as in `market.kernels.messages`."""
    sides, rows, logged = carry
    found = _look(sides, step, slots)
    changes = (step.kind == Kind.REPLACE) | (step.kind == Kind.REDUCE)
    needed = changes & found.named.any()
    needed |= (step.kind == Kind.CANCEL_ALL) & (found.met.sum() > 0)
    needed |= _is_order(step) & (found.met[1 - step.own] > 0)
    free = _unhindered(_approach(sides, step, found)[1])
    decision = _decide(sides, step, found, free, jnp.zeros((), jnp.int64))
    body = partial(_rare, step=step, slots=slots, mode=mode)
    sides, decision = _once(needed, body, (sides, decision))
    quote, trades, count = _consume(sides, decision.taken_to)
    if log:
        rows, logged = _log(sides, step, decision.taken_to, slots, rows, logged)
    sides = _rewrite(sides, decision)
    sides = sides._replace(count=count + decision.change)
    outcome = (
        decision.status,
        decision.filled,
        quote - decision.own_quote,
        trades - decision.own_trades,
        decision.rested,
        decision.cancelled,
    )
    outcome = [jnp.asarray(value, jnp.int64) for value in outcome]
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
    ticks, lots, owner, _, expiry, _, count = fields
    sign = jnp.array([[1], [-1]])
    sides = Sides(
        _running(lots),
        (ticks * sign).astype(jnp.int32),
        owner.astype(jnp.int32),
        jnp.arange(ticks.size, dtype=jnp.int32).reshape(ticks.shape),
        count.astype(jnp.int32),
        lots.sum(axis=1),
    )
    past = _resting(sides) & (0 < expiry) & (expiry < block)
    expired = jnp.where(past, lots, 0).sum()
    return _compact(sides, lots, _resting(sides) & ~past), expired


def _store(sides: Sides, fields, expiries: Array, block: Array) -> list[Array]:
    """The book's seven arrays, clear from `count` on."""
    resting = _resting(sides)
    new = (jnp.zeros_like(expiries), expiries, jnp.full_like(expiries, block))
    loss, expiry, batch = (
        jnp.concatenate([old.ravel(), column])
        for old, column in zip(fields[3:6], new, strict=True)
    )
    columns = (
        jnp.abs(sides.key),
        _lots(sides.running),
        sides.owner,
        loss[sides.origin],
        expiry[sides.origin],
        batch[sides.origin],
    )
    columns = [jnp.where(resting, column, 0).astype(jnp.int64) for column in columns]
    return [*columns, sides.count.astype(jnp.int64)]


def match_array(fields, columns, block, slots: int, mode: SelfTrade, log_rows: int):
    """The scan; operands and results as in `market.kernels.messages.match_native`."""
    sides, expired = _load(fields, block)
    steps = prepare(columns, block, slots, sides.key.size)
    rows = jnp.zeros((log_rows, 4), jnp.int64)
    body = partial(_step, slots=slots, mode=SelfTrade(mode), log=log_rows > 0)
    carry = (sides, rows, jnp.zeros((), jnp.int64))
    # Two messages a turn spare the copy from each turn's new arrays to the carry.
    (sides, rows, logged), outcomes = lax.scan(body, carry, steps, unroll=2)
    totals = jnp.stack([expired, logged])
    return _store(sides, fields, columns[7], block), outcomes, rows, totals
