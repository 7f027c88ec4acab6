"""One market's message block as a native kernel: the sequential lowering of `match`.

The rules are those of `market.twin.messages`, message after message, on the ladder of
`market.kernels.ladder`.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numba import carray

from market.kernels import ladder as book
from market.native.ffi import (
    _pointer,
    answers_metadata_query,
    argument,
    inlined,
    kernel,
    register,
    result,
)
from market.types.limits import MAX_MESSAGE_VALUE
from market.types.orders import ALL_FLAGS, IMMEDIATE, Flag, Kind, Status
from market.types.specs import SelfTrade

ORDER, CANCEL, CANCEL_ALL = int(Kind.ORDER), int(Kind.CANCEL), int(Kind.CANCEL_ALL)
REPLACE, REDUCE, NO_KIND = int(Kind.REPLACE), int(Kind.REDUCE), int(Kind.NONE)
POST_ONLY, FOK, MARKET = int(Flag.POST_ONLY), int(Flag.FOK), int(Flag.MARKET)
REDUCE_ONLY = int(Flag.REDUCE_ONLY)
CANCEL_OLDEST = int(SelfTrade.CANCEL_OLDEST)
CANCEL_NEWEST = int(SelfTrade.CANCEL_NEWEST)

_NONE, _ACCEPTED = int(Status.NONE), int(Status.ACCEPTED)
_RESTING, _FILLED = int(Status.RESTING), int(Status.FILLED)
_PARTIAL = int(Status.PARTIAL)
_UNKNOWN_KIND = int(Status.UNKNOWN_KIND)
_UNKNOWN_ACCOUNT = int(Status.UNKNOWN_ACCOUNT)
_UNKNOWN_SLOT, _UNKNOWN_ORDER = int(Status.UNKNOWN_SLOT), int(Status.UNKNOWN_ORDER)
_BAD_SIDE, _BAD_LOTS = int(Status.BAD_SIDE), int(Status.BAD_LOTS)
_BAD_PRICE, _BAD_FLAGS = int(Status.BAD_PRICE), int(Status.BAD_FLAGS)
_EXPIRED, _SLOT_BUSY = int(Status.EXPIRED), int(Status.SLOT_BUSY)
_WOULD_TAKE, _CANNOT_FILL = int(Status.WOULD_TAKE), int(Status.CANNOT_FILL)
_BOOK_FULL, _SELF_TRADE = int(Status.BOOK_FULL), int(Status.SELF_TRADE)

#: Columns of a message's outcome, see `market.match.Fills`.
OUTCOMES = ("status", "lots", "quote", "trades", "rested", "cancelled")
#: Columns of the fill log.
LOG_WIDTH = 4

TARGET = "shakeout_book_match"
#: Numbers of operands and results: each Python int would be a type of its own to Numba.
_N = tuple(np.int64(number) for number in range(16))
_BEYOND = -MAX_MESSAGE_VALUE - 1  # a bound that every key is above


class Settings(NamedTuple):
    """What all messages of a block share."""

    block: int
    slots: int
    mode: int
    log: int  # address of the fill log
    keeps_log: int  # 0 or 1


class Done(NamedTuple):
    """What a message came to: the columns of `OUTCOMES`, and the log's rows in use."""

    status: int
    lots: int
    quote: int
    trades: int
    rested: int
    cancelled: int
    logged: int


class Taken(NamedTuple):
    """What an order took from the other side."""

    left: int  # lots neither filled nor decremented
    lots: int
    quote: int
    trades: int
    cancelled: int  # its own lots, by self-trade prevention
    stopped: bool  # by an order of its own
    logged: int


@kernel
def _invalid(side, ticks, lots, flags, expiry, block):
    """The first rule that the fields of an order break, as a status, or 0."""
    if side != 1 and side != -1:
        return _BAD_SIDE
    if lots < 1 or lots > MAX_MESSAGE_VALUE:
        return _BAD_LOTS
    if flags & MARKET == 0 and (ticks < 1 or ticks > MAX_MESSAGE_VALUE):
        return _BAD_PRICE
    immediate = flags & IMMEDIATE != 0
    if flags < 0 or flags > ALL_FLAGS or (flags & POST_ONLY != 0 and immediate):
        return _BAD_FLAGS
    if flags & REDUCE_ONLY != 0 and not immediate:
        return _BAD_FLAGS
    return _EXPIRED if 0 < expiry < block else 0


@kernel
def _volume(ladder, side, bound, enough, first, settings):
    """Lots of others that a taker could fill, counted up to ``enough``.

    Its own orders do not count, and end the count where prevention would stop it.
    """
    nodes, levels = book.nodes_of(ladder), book.levels_of(ladder)
    total, level = 0, book.sizes_of(ladder)[side, book.LEVELS] - 1
    while level >= 0 and levels[side, level, book.KEY] >= bound:
        node = levels[side, level, book.FIRST]
        while node >= 0:
            if first <= nodes[node, book.OWNER] < first + settings.slots:
                if settings.mode != CANCEL_OLDEST:
                    return total
            else:
                total += nodes[node, book.LOTS]
                if total >= enough:
                    return enough
            node = nodes[node, book.NEXT]
        level -= 1
    return total


@kernel
def _write_fill(settings, row, message, owner, ticks, lots):
    log = carray(_pointer(settings.log), (row + 1, LOG_WIDTH), np.int64)
    log[row, 0], log[row, 1] = message, owner
    log[row, 2], log[row, 3] = ticks, lots


@inlined
def _take(ladder, side, bound, lots, first, settings, message, logged):
    """Takes up to ``lots``, best first; prevention where it meets its own account."""
    nodes, mode = book.nodes_of(ladder), settings.mode
    left, filled, quote, trades, cancelled = lots, 0, 0, 0, 0
    while left > 0:
        node = book.first_within(ladder, side, bound)
        if node < 0:
            break
        there, owner = nodes[node, book.LOTS], nodes[node, book.OWNER]
        taken = min(left, there)
        if first <= owner < first + settings.slots:
            if mode == CANCEL_NEWEST:
                return Taken(left, filled, quote, trades, cancelled, True, logged)
            if mode == CANCEL_OLDEST:
                taken = there
            else:
                left -= taken
            cancelled += taken
        else:
            ticks = nodes[node, book.TICKS]
            left -= taken
            filled += taken
            quote += taken * ticks
            trades += 1
            if settings.keeps_log != 0:
                _write_fill(settings, logged, message, owner, ticks, taken)
                logged += 1
        if taken == there:
            book.remove(ladder, side, node)
        else:
            nodes[node, book.LOTS] = there - taken
    return Taken(left, filled, quote, trades, cancelled, False, logged)


@kernel
def _refusal(ladder, own, bound, lots, flags, first, settings):
    """The first rule about the book that an order breaks, or 0."""
    other, immediate = 1 - own, flags & IMMEDIATE != 0
    if flags & POST_ONLY != 0 and book.first_within(ladder, other, bound) >= 0:
        return _WOULD_TAKE
    if flags & FOK != 0:
        if _volume(ladder, other, bound, lots, first, settings) < lots:
            return _CANNOT_FILL
    if not immediate and not book.has_room(ladder, own):
        if _volume(ladder, other, bound, 1, first, settings) == 0:
            return _BOOK_FULL
    return 0


@kernel
def _without_fill(status, cancelled, logged):
    """A message that traded nothing, and the lots that it took off."""
    return Done(status, 0, 0, 0, 0, cancelled, logged)


@inlined
def _order(ladder, tx, name, first, settings, message, cancelled, logged):
    """Runs one order with valid names."""
    _, _, sign, ticks, lots, flags, _, expiry = tx
    reason = _invalid(sign, ticks, lots, flags, expiry, settings.block)
    if reason != 0:
        return _without_fill(reason, cancelled, logged)
    if book.find(ladder, name) >= 0:
        return _without_fill(_SLOT_BUSY, cancelled, logged)
    own = 0 if sign > 0 else 1
    bound = _BEYOND if flags & MARKET != 0 else book.key_of(1 - own, ticks)
    reason = _refusal(ladder, own, bound, lots, flags, first, settings)
    if reason != 0:
        return _without_fill(reason, cancelled, logged)
    drops = flags & IMMEDIATE != 0 or not book.has_room(ladder, own)
    left, filled, quote, trades, prevented, stopped, logged = _take(
        ladder, 1 - own, bound, lots, first, settings, message, logged
    )
    rested = 0
    if left == 0:
        status = _FILLED if filled == lots else _PARTIAL
    elif stopped:
        status = _PARTIAL if filled > 0 else _SELF_TRADE
    elif drops:
        status = _PARTIAL
    else:
        book.rest(ladder, own, ticks, left, name, expiry, settings.block)
        status, rested = _RESTING, left
    return Done(status, filled, quote, trades, rested, cancelled + prevented, logged)


@kernel
def _take_off(ladder, node):
    """Takes an order off, if there is one; returns its lots."""
    if node < 0:
        return 0
    lots = book.nodes_of(ladder)[node, book.LOTS]
    book.remove(ladder, book.side_of(ladder, node), node)
    return lots


@kernel
def _cancel_all(ladder, first, end):
    """Takes every order of an account off; returns their lots."""
    nodes, cancelled = book.nodes_of(ladder), 0
    for node in range(nodes.shape[0]):
        if nodes[node, book.LOTS] > 0 and first <= nodes[node, book.OWNER] < end:
            cancelled += _take_off(ladder, node)
    return cancelled


@kernel
def _reduce(ladder, name, lots):
    """Takes lots off an order, the last one with it: ``(status, lots)``."""
    if lots < 1:
        return _BAD_LOTS, 0
    node, nodes = book.find(ladder, name), book.nodes_of(ladder)
    if node < 0:
        return _UNKNOWN_ORDER, 0
    there = nodes[node, book.LOTS]
    if lots > there:
        return _BAD_LOTS, 0
    if lots == there:
        return _ACCEPTED, _take_off(ladder, node)
    nodes[node, book.LOTS] = there - lots
    return _ACCEPTED, lots


@inlined
def _message(ladder, tx, settings, message, logged):
    """Runs one transaction."""
    kind, account, _, _, lots, _, slot, _ = tx
    slots = settings.slots
    if kind == NO_KIND:
        return _without_fill(_NONE, 0, logged)
    if (kind < ORDER or kind > REPLACE) and kind != REDUCE:
        return _without_fill(_UNKNOWN_KIND, 0, logged)
    if account < 0 or account >= MAX_MESSAGE_VALUE // slots:
        return _without_fill(_UNKNOWN_ACCOUNT, 0, logged)
    first = account * slots
    if kind == CANCEL_ALL:
        cancelled = _cancel_all(ladder, first, first + slots)
        return _without_fill(_ACCEPTED, cancelled, logged)
    if slot < 0 or slot >= slots:
        return _without_fill(_UNKNOWN_SLOT, 0, logged)
    name, cancelled = first + slot, 0
    if kind == REDUCE:
        status, cancelled = _reduce(ladder, name, lots)
        return _without_fill(status, cancelled, logged)
    if kind != ORDER:
        node = book.find(ladder, name)
        cancelled = _take_off(ladder, node)
        if kind == CANCEL:
            status = _ACCEPTED if node >= 0 else _UNKNOWN_ORDER
            return _without_fill(status, cancelled, logged)
    return _order(ladder, tx, name, first, settings, message, cancelled, logged)


@kernel
def run_block(ladder, columns, settings, outcomes):
    """Runs all messages in order; returns the rows of the log in use.

    Args:
        ladder: the book, changed in place.
        columns: eight arrays [B], as in `market.match`.
        settings: what they share.
        outcomes: six arrays [B] of `OUTCOMES`, overwritten.
    """
    kind, account, side, ticks, lots, flags, slot, expiry = columns
    status, filled, quote, trades, rested, cancelled = outcomes
    logged = 0
    for message in range(kind.shape[0]):
        tx = (
            kind[message],
            account[message],
            side[message],
            ticks[message],
            lots[message],
            flags[message],
            slot[message],
            expiry[message],
        )
        done = _message(ladder, tx, settings, message, logged)
        status[message], filled[message] = done.status, done.lots
        quote[message], trades[message] = done.quote, done.trades
        rested[message], cancelled[message] = done.rested, done.cancelled
        logged = done.logged
    return logged


@kernel
def _six(arrays, lane):
    """One lane of six arrays."""
    a, b, c, d, e, f = arrays
    return a[lane], b[lane], c[lane], d[lane], e[lane], f[lane]


@kernel
def _run_lane(ladder, before, columns, settings, after, outcomes, log, totals):
    """One lane of the custom call; operands as in `match_native`, flattened."""
    block, slots, mode = settings[0], settings[1], settings[2]
    keeps_log = 1 if log.shape[0] > 0 else 0
    shared = Settings(block, slots, mode, log.ctypes.data, keeps_log)
    totals[0] = book.load(ladder, *before, block)
    totals[1] = run_block(ladder, columns, shared, outcomes)
    book.store(ladder, *after)
    log[totals[1] * LOG_WIDTH :] = 0


def _handler(fingerprint: int):
    """The custom call; ``fingerprint`` is part of the compiled code's cache key."""

    def run(frame):
        if answers_metadata_query(frame):
            return 0 * fingerprint
        before = (
            argument(frame, _N[0]),
            argument(frame, _N[1]),
            argument(frame, _N[2]),
            argument(frame, _N[3]),
            argument(frame, _N[4]),
            argument(frame, _N[5]),
        )
        after = (
            result(frame, _N[0]),
            result(frame, _N[1]),
            result(frame, _N[2]),
            result(frame, _N[3]),
            result(frame, _N[4]),
            result(frame, _N[5]),
        )
        outcomes = (
            result(frame, _N[7]),
            result(frame, _N[8]),
            result(frame, _N[9]),
            result(frame, _N[10]),
            result(frame, _N[11]),
            result(frame, _N[12]),
        )
        count, count_after = argument(frame, _N[6]), result(frame, _N[6])
        kind, account = argument(frame, _N[7]), argument(frame, _N[8])
        side, ticks = argument(frame, _N[9]), argument(frame, _N[10])
        lots, flags = argument(frame, _N[11]), argument(frame, _N[12])
        slot, expiry = argument(frame, _N[13]), argument(frame, _N[14])
        settings, log = argument(frame, _N[15]), result(frame, _N[13])
        totals = result(frame, _N[14])
        capacity = before[0].shape[1] // 2
        scratch = np.empty(book.scratch_words(capacity), np.int64)
        ladder = book.ladder_in(scratch, capacity)
        for lane in range(totals.shape[0]):
            columns = (
                kind[lane],
                account[lane],
                side[lane],
                ticks[lane],
                lots[lane],
                flags[lane],
                slot[lane],
                expiry[lane],
            )
            _run_lane(
                ladder,
                (*_six(before, lane), count[lane]),
                columns,
                settings[lane],
                (*_six(after, lane), count_after[lane]),
                _six(outcomes, lane),
                log[lane],
                totals[lane],
            )
        return 0 * scratch.shape[0]

    return run


@functools.cache
def _register() -> None:
    register(TARGET, _handler, __name__)


def match_native(fields, columns, block, slots, mode, log_rows):
    """The custom call.

    Every column is an operand or a result of its own: stacking them would cost more
    memory traffic than the matching.

    Args:
        fields: the seven arrays of a one-market `BookState`, [2, C] and [2].
        columns: the eight columns of the messages, each [B].
        block: [] number of the block.
        slots: order slots of an account.
        mode: `SelfTrade`.
        log_rows: rows of the fill log, 0 for none.

    Returns:
        ``(fields, outcomes, log [log_rows, 4], totals [2])``, the outcomes being the
        six columns of `OUTCOMES`, each [B].
    """
    _register()
    settings = jnp.stack(
        [jnp.asarray(value, jnp.int64) for value in (block, slots, mode)]
    )
    operands = [*fields, *columns, settings]
    shapes = [field.shape for field in fields]
    shapes += [columns[0].shape] * len(OUTCOMES) + [(log_rows, LOG_WIDTH), (2,)]
    call = jax.ffi.ffi_call(
        TARGET,
        [jax.ShapeDtypeStruct((1, *shape), jnp.int64) for shape in shapes],
        vmap_method="broadcast_all",
    )
    outputs = [output[0] for output in call(*(operand[None] for operand in operands))]
    return outputs[:7], outputs[7:13], *outputs[13:]
