"""One market's message block as a scan of dense array operations.

Each message is one pass over the book of `market.arrays.sides`. What is rare (an
account that meets its own order, replace, reduce, cancel-all) is done in the body of a
`while_loop` that runs only in steps where some lane needs it.

The rules are those of `market.twin.messages`.
"""

from functools import partial
from typing import NamedTuple

import jax.numpy as jnp
from jax import Array, lax

from market.arrays.book import pad, shift
from market.arrays.lane import choose
from market.arrays.matching import check_book
from market.arrays.sides import (
    Found,
    Sides,
    Step,
    approach,
    bounds,
    compact,
    is_full,
    is_mine,
    is_resting,
    look,
    lots_of,
    meet,
    sides_of,
    sum_last,
    unhindered,
)
from market.types.limits import MAX_MESSAGE_VALUE
from market.types.orders import ALL_FLAGS, BUY, IMMEDIATE, SELL, Flag, Kind, Status
from market.types.specs import SelfTrade

_ALL_WORSE_THAN_NONE = -MAX_MESSAGE_VALUE - 1  # every order is at or above it


def _invalid(side, ticks, lots, flags, expiry, block) -> Array:
    """The first rule that the fields of an order break, as a status, or 0."""
    flagged = {flag: flags & flag != 0 for flag in Flag}
    immediate = flags & IMMEDIATE != 0
    bad_flags = (flags < 0) | (flags > ALL_FLAGS)
    bad_flags |= flagged[Flag.POST_ONLY] & immediate
    bad_flags |= flagged[Flag.REDUCE_ONLY] & ~immediate
    status = jnp.where((0 < expiry) & (expiry < block), Status.EXPIRED, 0)
    status = jnp.where(bad_flags, Status.BAD_FLAGS, status)
    bad_price = ~flagged[Flag.MARKET] & ((ticks < 1) | (ticks > MAX_MESSAGE_VALUE))
    status = jnp.where(bad_price, Status.BAD_PRICE, status)
    status = jnp.where((lots < 1) | (lots > MAX_MESSAGE_VALUE), Status.BAD_LOTS, status)
    return jnp.where((side != BUY) & (side != SELL), Status.BAD_SIDE, status)


def _prepare(columns, block, slots: int, entries: int) -> Step:
    """Checks and encodes a block of messages.

    Args:
        columns: kind, account, side, ticks, lots, flags, slot and expiry, [B] each.
        block: [] number of the block.
        slots: order slots of an account.
        entries: orders that the book can hold on both sides.
    """
    kind, account, side, ticks, lots, flags, slot, expiry = columns
    reduces = kind == Kind.REDUCE
    known = ((kind >= Kind.ORDER) & (kind <= Kind.REPLACE)) | reduces
    clears = kind == Kind.CANCEL_ALL
    bad_slot = ~clears & ((slot < 0) | (slot >= slots))
    bad_account = (account < 0) | (account >= MAX_MESSAGE_VALUE // slots)
    orders = (kind == Kind.ORDER) | (kind == Kind.REPLACE)
    status = _invalid(side, ticks, lots, flags, expiry, block)
    bad_part = reduces & (lots < 1)
    status = jnp.where(orders, status, Status.ACCEPTED)
    status = jnp.where(bad_part, Status.BAD_LOTS, status)
    status = jnp.where(bad_slot, Status.UNKNOWN_SLOT, status)
    status = jnp.where(bad_account, Status.UNKNOWN_ACCOUNT, status)
    status = jnp.where(known, status, Status.UNKNOWN_KIND)
    status = jnp.where(kind == Kind.NONE, Status.NONE, status)
    acts = known & ~bad_account & ~bad_slot & ~bad_part
    buys = side == BUY
    ticks = jnp.clip(ticks, 0, MAX_MESSAGE_VALUE)
    key = jnp.where(buys, ticks, -ticks)
    reach = jnp.where(flags & Flag.MARKET != 0, -MAX_MESSAGE_VALUE, -key)
    bound = bounds(buys, key, reach)
    bound = jnp.where(clears[:, None], _ALL_WORSE_THAN_NONE, bound)
    first = jnp.where(acts, account, 0) * slots
    return Step(
        kind=jnp.where(acts, kind, Kind.NONE),
        reason=status,
        own=jnp.where(buys, 0, 1),
        key=key.astype(jnp.int32),
        bound=bound,
        lots=lots,
        flags=flags,
        first=first.astype(jnp.int32),
        name=(first + jnp.where(acts & ~clears, slot, 0)).astype(jnp.int32),
        origin=entries + jnp.arange(kind.shape[0], dtype=jnp.int32),
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
    lots, reduces = lots_of(sides.running), step.kind == Kind.REDUCE
    named = is_resting(sides) & (sides.owner == step.name)
    fits = step.lots <= jnp.where(named, lots, 0).sum()
    part = jnp.where(named & reduces & fits, step.lots, 0)
    gone = named & ((step.kind == Kind.REPLACE) | (part == lots))
    every = step.kind == Kind.CANCEL_ALL
    gone = jnp.where(every, is_mine(sides, step, slots), gone)
    cancelled = jnp.where(gone, lots, part).sum()
    sides = compact(sides, lots - part, is_resting(sides) & ~gone)
    status = jnp.where(fits, Status.ACCEPTED, Status.BAD_LOTS)
    return sides, look(sides, step, slots), cancelled, status


def _refusal(step: Step, busy, crossing, full, volume) -> Array:
    """The first rule about the book that an order breaks, or 0."""
    reason = check_book(step, crossing, full, volume)
    return jnp.where(busy, Status.SLOT_BUSY, reason)


def _status_of(step: Step, left, filled, stopped, rests) -> Array:
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
    delta: Array  # lots that the shift entries' running totals change by
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
    edge = lax.broadcasted_iota(jnp.int32, running.shape, 1)
    moved = jnp.where(inserts, pad(running, 1), pad(running, -1))
    moved = moved + decision.delta[:, None]
    key, owner, origin = (
        shift(column, place, inserts, value)
        for column, value in zip(sides[1:4], decision.new, strict=True)
    )
    return Sides(
        running=jnp.where(edge <= place, running, moved),
        key=key,
        owner=owner,
        origin=origin,
        count=sides.count,
        total=decision.taken_to + decision.delta,
    )


def _consume(sides: Sides, taken_to: Array) -> tuple[Array, Array, Array]:
    """Capping to ``taken_to`` [2]: (quote, orders touched, [2] orders left)."""
    cap = taken_to[:, None]
    before, through = sides.running[:, :-1], sides.running[:, 1:]
    resting = is_resting(sides)
    consumed = jnp.maximum(through - jnp.maximum(before, cap), 0)
    consumed = jnp.where(resting, consumed, 0)
    quote = sum_last(consumed * jnp.abs(sides.key).astype(jnp.int64)).sum()
    bits = sides.key.shape[1].bit_length()
    left = (resting & (before < cap)).astype(jnp.int32)
    touched = (resting & (through > cap)).astype(jnp.int32)
    counts = sum_last(left + (touched << bits))
    return quote, (counts >> bits).sum(), counts & ((1 << bits) - 1)


def _is_order(step: Step) -> Array:
    kinds = (step.kind == Kind.ORDER) | (step.kind == Kind.REPLACE)
    return kinds & (step.reason == 0)


def _refuses(sides: Sides, step: Step, found: Found):
    """The order's refusal as a function of the volume it finds."""
    crossing, _ = approach(sides, step, found)
    full = is_full(sides, step)
    return partial(_refusal, step, found.named.any(), crossing, full)


def _rare(state, step: Step, slots: int, mode: SelfTrade):
    """Takes off what the message replaces or clears, then meets own orders."""
    sides, found, cleared, reduced = _take_off(state[0], step, slots)
    meets = _is_order(step) & (found.met[1 - step.own] > 0)
    refusal = _refuses(sides, step, found)
    meeting = meet(sides, step, found, slots, mode, refusal)
    free = unhindered(approach(sides, step, found)[1], sides.key.shape[1])
    meeting = choose(meets, meeting, free)
    there = (jnp.arange(2) != step.own)[:, None] & (meeting.cancelled > 0)
    kept = compact(sides, lots_of(sides.running), is_resting(sides) & ~there)
    sides = choose(meets, kept, sides)
    decision = _decide(sides, step, found, meeting, cleared)
    status = jnp.where(step.kind == Kind.REDUCE, reduced, decision.status)
    return sides, decision._replace(status=status)


def _decide(sides: Sides, step: Step, found: Found, meeting, cleared) -> Decision:
    """What the message does, from what was found about it."""
    side, own = jnp.arange(2), step.own
    refused = _refuses(sides, step, found)(meeting.volume)
    goes = _is_order(step) & (refused == 0)
    taken = jnp.where(goes, jnp.minimum(step.lots, meeting.reach), 0)
    filled = taken - meeting.own_lots
    left = step.lots - taken
    stopped = meeting.stopped & (left > 0)
    full = is_full(sides, step)
    rests = goes & (left > 0) & ~stopped & ~full & (step.flags & IMMEDIATE == 0)
    hit = (step.kind == Kind.CANCEL) & found.named
    status = _status_of(step, left, filled, stopped, rests)
    status = jnp.where(refused != 0, refused, status)
    names = (step.kind == Kind.CANCEL) | (step.kind == Kind.REDUCE)
    missed = names & ~found.named.any()
    reason = jnp.where(missed, Status.UNKNOWN_ORDER, step.reason)
    status = jnp.where(_is_order(step), status, reason)
    inserts = rests & (side == own)
    rested = jnp.where(rests, left, 0)
    dropped = jnp.where(hit, found.at - found.before, 0)
    off = meeting.cancelled.sum() + meeting.own_lots
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
        cancelled=cleared + off + dropped.sum(),
        own_quote=meeting.own_quote,
        own_trades=meeting.own_trades,
    )


def _step(carry, step: Step, *, slots: int, mode: SelfTrade, log: bool):
    """Executes one message; the outcome's columns as in `market.kernels.messages`."""
    sides, rows, logged = carry
    found = look(sides, step, slots)
    changes = (step.kind == Kind.REPLACE) | (step.kind == Kind.REDUCE)
    needed = changes & found.named.any()
    needed |= (step.kind == Kind.CANCEL_ALL) & (found.met.sum() > 0)
    needed |= _is_order(step) & (found.met[1 - step.own] > 0)
    free = unhindered(approach(sides, step, found)[1], sides.key.shape[1])
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
    consumed = lots_of(sides.running) - lots_of(
        jnp.minimum(sides.running, taken_to[:, None])
    )
    fills = (consumed > 0) & ~is_mine(sides, step, slots)
    order = jnp.cumsum(fills[:, ::-1], axis=1)[:, ::-1] - 1
    target = jnp.where(fills, logged + order, rows.shape[0])
    message = step.origin - sides.key.size
    columns = jnp.broadcast_arrays(message, sides.owner, jnp.abs(sides.key), consumed)
    columns = jnp.stack([column.astype(jnp.int64) for column in columns], axis=-1)
    return rows.at[target].set(columns, mode="drop"), logged + fills.sum()


def _load(fields, block) -> tuple[Sides, Array]:
    """The book for the scan, without expired orders; and the lots that expired."""
    ticks, lots, owner, _, expiry, _, count = fields
    sides = sides_of(ticks, lots, owner, count)
    past = is_resting(sides) & (0 < expiry) & (expiry < block)
    expired = jnp.where(past, lots, 0).sum()
    return compact(sides, lots, is_resting(sides) & ~past), expired


def _store(sides: Sides, fields, expiries: Array, block: Array) -> list[Array]:
    """The book's seven arrays, clear from `count` on."""
    resting = is_resting(sides)
    new = (jnp.zeros_like(expiries), expiries, jnp.full_like(expiries, block))
    loss, expiry, came = (
        jnp.concatenate([old.ravel(), column])
        for old, column in zip(fields[3:6], new, strict=True)
    )
    columns = (
        jnp.abs(sides.key),
        lots_of(sides.running),
        sides.owner,
        loss[sides.origin],
        expiry[sides.origin],
        came[sides.origin],
    )
    columns = [jnp.where(resting, column, 0).astype(jnp.int64) for column in columns]
    return [*columns, sides.count.astype(jnp.int64)]


def run_block(fields, columns, block, slots: int, mode: SelfTrade, log_rows: int):
    """The scan; operands and results as in `market.kernels.messages.match_native`."""
    sides, expired = _load(fields, block)
    steps = _prepare(columns, block, slots, sides.key.size)
    rows = jnp.zeros((log_rows, 4), jnp.int64)
    body = partial(_step, slots=slots, mode=SelfTrade(mode), log=log_rows > 0)
    carry = (sides, rows, jnp.zeros((), jnp.int64))
    # Two messages a turn spare the copy from each turn's new arrays to the carry.
    (sides, rows, logged), outcomes = lax.scan(body, carry, steps, unroll=2)
    totals = jnp.stack([expired, logged])
    return _store(sides, fields, columns[7], block), outcomes, rows, totals
