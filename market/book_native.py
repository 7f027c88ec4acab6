"""One market's message block as a native kernel: the sequential lowering of `match`.

The rules are those of `market.reference_book`, message after message, over the
primitives of `market.book_kernel`.
"""

import functools
import hashlib
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from numba import njit

from market import book_kernel as kernel
from market import native, orders
from market.book_kernel import ASKS, BIDS, Book
from market.book_messages import ALL_FLAGS, IMMEDIATE, LARGEST
from market.native import answers_metadata_query, argument, register, result
from market.orders import Flag, Kind, Status

ORDER, CANCEL, CANCEL_ALL = int(Kind.ORDER), int(Kind.CANCEL), int(Kind.CANCEL_ALL)
REPLACE, REDUCE, NO_KIND = int(Kind.REPLACE), int(Kind.REDUCE), int(Kind.NONE)
POST_ONLY, FOK, MARKET = int(Flag.POST_ONLY), int(Flag.FOK), int(Flag.MARKET)
REDUCE_ONLY = int(Flag.REDUCE_ONLY)

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

#: Columns of a message's outcome, see `market.book.Fills`.
STATUS, LOTS, QUOTE, TRADES, RESTED, CANCELLED = 0, 1, 2, 3, 4, 5
OUTCOME_WIDTH = 6
#: Columns of the fill log.
LOG_WIDTH = 4

TARGET = "shakeout_book_match"


@njit(forceinline=True)
def _invalid(side, ticks, lots, flags, expiry, block):
    """The first rule that the fields of an order break, as a status, or 0."""
    if side != 1 and side != -1:
        return _BAD_SIDE
    if lots < 1 or lots > LARGEST:
        return _BAD_LOTS
    if flags & MARKET == 0 and (ticks < 1 or ticks > LARGEST):
        return _BAD_PRICE
    immediate = flags & IMMEDIATE != 0
    if flags < 0 or flags > ALL_FLAGS or (flags & POST_ONLY != 0 and immediate):
        return _BAD_FLAGS
    if flags & REDUCE_ONLY != 0 and not immediate:
        return _BAD_FLAGS
    return _EXPIRED if 0 < expiry < block else 0


@njit(forceinline=True)
def _settle(events, rows, outcome, message, log, logged):
    """Adds event rows to a message's outcome and fills to the log."""
    for row in range(rows):
        lots = events[row, kernel.EVENT_LOTS]
        if events[row, kernel.EVENT_KIND] != kernel.FILL:
            outcome[CANCELLED] += lots
            continue
        ticks = events[row, kernel.EVENT_TICKS]
        outcome[LOTS] += lots
        outcome[QUOTE] += lots * ticks
        outcome[TRADES] += 1
        if log.shape[0] > 0:  # zero rows: no log is kept
            log[logged, 0] = message
            log[logged, 1] = events[row, kernel.EVENT_OWNER]
            log[logged, 2] = ticks
            log[logged, 3] = lots
            logged += 1
    return logged


@njit(forceinline=True)
def _order(
    book,
    key,
    first,
    end,
    sign,
    ticks,
    lots,
    flags,
    expiry,
    block,
    mode,
    events,
    outcome,
):
    """Takes and rests one valid order; returns its status and the event rows."""
    own, other = kernel.resting_side(sign), kernel.taken_side(sign)
    limit = ticks
    if flags & MARKET != 0:
        limit = LARGEST if sign > 0 else 0
    full = not kernel.has_room(book, own)
    immediate = flags & IMMEDIATE != 0
    rows, left, stopped = 0, lots, False
    if kernel.would_take(book, other, limit):
        if flags & POST_ONLY != 0:
            return _WOULD_TAKE, 0
        if flags & FOK != 0:
            if kernel.volume(book, other, limit, lots, first, end, mode) < lots:
                return _CANNOT_FILL, 0
        elif full and not immediate:
            if kernel.volume(book, other, limit, 1, first, end, mode) == 0:
                return _BOOK_FULL, 0
        left, rows, stopped = kernel.sweep(
            book, other, limit, lots, first, end, mode, events
        )
    elif flags & FOK != 0:
        return _CANNOT_FILL, 0
    elif full and not immediate:
        return _BOOK_FULL, 0
    if left == 0:
        for row in range(rows):
            if mode == kernel.DECREMENT and events[row, 0] == kernel.PREVENTED:
                return _PARTIAL, rows
        return _FILLED, rows
    if stopped:
        return (_PARTIAL if rows > 0 else _SELF_TRADE), rows
    if immediate or full:
        return _PARTIAL, rows
    kernel.insert(book, own, ticks, left, key, 0, expiry, block)
    outcome[RESTED] = left
    return _RESTING, rows


@njit(forceinline=True)
def _reduce(book, key, lots, outcome):
    """Takes lots off a resting order, which keeps its place."""
    if lots < 1:
        return _BAD_LOTS
    side, index = kernel.find(book, key)
    if index < 0:
        return _UNKNOWN_ORDER
    left = book.lots[side, index] - lots
    if left < 0:
        return _BAD_LOTS
    outcome[CANCELLED] = lots
    book.lots[side, index] = left
    if left == 0:
        kernel.remove(book, side, index)
    return _ACCEPTED


@njit(forceinline=True)
def _message(book, tx, block, slots, mode, events, outcome):
    """Executes one transaction row; returns its status and the event rows."""
    kind, account, side, ticks, lots, flags, slot, expiry = tx
    if kind == NO_KIND:
        return _NONE, 0
    if (kind < ORDER or kind > REPLACE) and kind != REDUCE:
        return _UNKNOWN_KIND, 0
    if account < 0 or account >= LARGEST // slots:
        return _UNKNOWN_ACCOUNT, 0
    first = account * slots
    end = first + slots
    if kind == CANCEL_ALL:
        rows = kernel.remove_range(book, BIDS, first, end, events, 0)
        return _ACCEPTED, kernel.remove_range(book, ASKS, first, end, events, rows)
    if slot < 0 or slot >= slots:
        return _UNKNOWN_SLOT, 0
    key = first + slot
    if kind == REDUCE:
        return _reduce(book, key, lots, outcome), 0
    if kind != ORDER:
        where, index = kernel.find(book, key)
        if index >= 0:
            outcome[CANCELLED] += book.lots[where, index]
            kernel.remove(book, where, index)
        if kind == CANCEL:
            return (_ACCEPTED if index >= 0 else _UNKNOWN_ORDER), 0
    reason = _invalid(side, ticks, lots, flags, expiry, block)
    if reason != 0:
        return reason, 0
    if kind == ORDER and kernel.find(book, key)[1] >= 0:
        return _SLOT_BUSY, 0
    return _order(
        book,
        key,
        first,
        end,
        side,
        ticks,
        lots,
        flags,
        expiry,
        block,
        mode,
        events,
        outcome,
    )


@njit
def run_block(book, txs, block, slots, mode, events, outcomes, log):
    """Runs all rows of ``txs`` in order; returns (lots expired, fills logged)."""
    expired, logged = 0, 0
    for side in (BIDS, ASKS):
        for row in range(kernel.expire(book, side, block, events, 0)):
            expired += events[row, kernel.EVENT_LOTS]
    for message in range(outcomes.shape[0]):
        outcome = outcomes[message]
        for column in range(OUTCOME_WIDTH):
            outcome[column] = 0
        tx = (
            txs[0, message],
            txs[1, message],
            txs[2, message],
            txs[3, message],
            txs[4, message],
            txs[5, message],
            txs[6, message],
            txs[7, message],
        )
        status, rows = _message(book, tx, block, slots, mode, events, outcome)
        outcome[STATUS] = status
        logged = _settle(events, rows, outcome, message, log, logged)
    return expired, logged


@njit
def _copy(source, target):
    for word in range(source.shape[0]):
        target[word] = source[word]


@njit
def _run_lane(book_in, count_in, columns, settings, book_out, count, rows, log, totals):
    """One lane of the custom call; operands as in `match_native`, flattened."""
    _copy(book_in, book_out)
    _copy(count_in, count)
    capacity = book_out.shape[0] // (6 * 2)
    sides = book_out.reshape((6, 2, capacity))
    book = Book(sides[0], sides[1], sides[2], sides[3], sides[4], sides[5], count)
    events = np.empty((2 * capacity + 1, kernel.EVENT_WIDTH), np.int64)
    txs = columns.reshape((8, columns.shape[0] // 8))
    outcomes = rows.reshape((txs.shape[1], OUTCOME_WIDTH))
    fills = log.reshape((log.shape[0] // LOG_WIDTH, LOG_WIDTH))
    block, slots, mode = settings[0], settings[1], settings[2]
    totals[0], totals[1] = run_block(
        book, txs, block, slots, mode, events, outcomes, fills
    )
    for word in range(totals[1] * LOG_WIDTH, log.shape[0]):
        log[word] = 0


def _handler(fingerprint: int):
    """The custom call; ``fingerprint`` is part of the compiled code's cache key."""

    def run(frame):
        if answers_metadata_query(frame):
            return 0 * fingerprint
        books, counts = argument(frame, 0), argument(frame, 1)
        columns, settings = argument(frame, 2), argument(frame, 3)
        books_out, counts_out = result(frame, 0), result(frame, 1)
        rows, log, totals = result(frame, 2), result(frame, 3), result(frame, 4)
        for lane in range(books.shape[0]):
            _run_lane(
                books[lane],
                counts[lane],
                columns[lane],
                settings[lane],
                books_out[lane],
                counts_out[lane],
                rows[lane],
                log[lane],
                totals[lane],
            )
        return 0

    return run


def fingerprint_of(*modules) -> int:
    """A number that changes with the source of any of these modules.

    Numba's disk cache notices a changed caller but not a changed callee.
    """
    sources = (Path(module.__file__).read_bytes() for module in modules)
    return int.from_bytes(hashlib.sha256(b"".join(sources)).digest()[:7], "big")


@functools.cache
def _register() -> None:
    register(TARGET, _handler(fingerprint_of(kernel, native, orders)))


def match_native(fields, columns, block, slots, mode, log_rows):
    """The custom call.

    Args:
        fields: the seven arrays of a one-market `BookState`, [2, C] and [2].
        columns: the eight columns of the messages, each [B].
        block: [] number of the block.
        slots: order slots of an account.
        mode: `SelfTrade`.
        log_rows: rows of the fill log, 0 for none.

    Returns:
        ``(fields, outcomes [B, 6], log [log_rows, 4], totals [2])``.
    """
    _register()
    messages = columns[0].shape[0]
    settings = jnp.stack(
        [jnp.asarray(value, jnp.int64) for value in (block, slots, mode)]
    )
    operands = [jnp.stack(fields[:6]), fields[6], jnp.stack(columns), settings]
    shapes = [operands[0].shape, (2,)]
    shapes += [(messages, OUTCOME_WIDTH), (log_rows, LOG_WIDTH), (2,)]
    call = jax.ffi.ffi_call(
        TARGET,
        [jax.ShapeDtypeStruct((1, *shape), jnp.int64) for shape in shapes],
        vmap_method="broadcast_all",
    )
    outputs = [output[0] for output in call(*(operand[None] for operand in operands))]
    return [*outputs[0], outputs[1]], *outputs[2:]
