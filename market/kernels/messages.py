"""Matching alone: one market's stream of messages, as one XLA custom call on the CPU.

The rules are those of `market.twin.messages`, message after message, on the book and
the matching of `market.kernels.book`, which the exchange's block runs too.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from market.kernels.book import (
    ASKS,
    BIDS,
    BOOK,
    BOOK_FIELDS,
    EVENT,
    FILL,
    expire,
    find,
    remove,
    remove_range,
)
from market.kernels.engine import OK, Incoming, match, refusal
from market.native.ffi import (
    allocator,
    answers_metadata_query,
    argument_address,
    kernel,
    own_results,
    register,
    result_address,
    result_size,
)
from market.native.record import Record
from market.types.limits import MAX_MESSAGE_VALUE
from market.types.orders import ALL_FLAGS, IMMEDIATE, Flag, Kind, Status

ORDER, CANCEL, CANCEL_ALL = int(Kind.ORDER), int(Kind.CANCEL), int(Kind.CANCEL_ALL)
REPLACE, REDUCE, NO_KIND = int(Kind.REPLACE), int(Kind.REDUCE), int(Kind.NONE)
POST_ONLY, MARKET = int(Flag.POST_ONLY), int(Flag.MARKET)
REDUCE_ONLY = int(Flag.REDUCE_ONLY)

NONE, ACCEPTED, EXPIRED = int(Status.NONE), int(Status.ACCEPTED), int(Status.EXPIRED)
UNKNOWN_KIND, UNKNOWN_ACCOUNT = int(Status.UNKNOWN_KIND), int(Status.UNKNOWN_ACCOUNT)
UNKNOWN_SLOT, UNKNOWN_ORDER = int(Status.UNKNOWN_SLOT), int(Status.UNKNOWN_ORDER)
BAD_SIDE, BAD_LOTS = int(Status.BAD_SIDE), int(Status.BAD_LOTS)
BAD_PRICE, BAD_FLAGS = int(Status.BAD_PRICE), int(Status.BAD_FLAGS)
SLOT_BUSY = int(Status.SLOT_BUSY)

#: Columns of the messages, in the order of the operands after the book's: [B] each.
COLUMNS = ("kind", "account", "side", "ticks", "lots", "flags", "slot", "expiry_block")
#: Columns of a message's outcome, see `market.match.Fills`, after the results' book.
OUTCOMES = ("status", "lots", "quote", "trades", "rested", "cancelled")
LOG_FIELDS = ("message", "owner", "ticks", "lots")

_NOTHING = np.int64(0)

#: A fill in the log.
LOGGED = Record("Logged")
LOGGED.numbers(*LOG_FIELDS)

#: What a lane of the call works on.
STREAM = Record("Stream")
STREAM.numbers(
    "block",  # number of the block
    "slots",  # order slots of an account
    "mode",  # `SelfTrade`
    "messages",
    "log_rows",  # fills that the log has room for; 0 where none is kept
    "logged",  # fills in the log
)
FIRST_COLUMN = STREAM.words
_tx = STREAM.group("tx")
for _name in COLUMNS:
    _tx.array(_name, "messages")
FIRST_OUTCOME = STREAM.words
_outcomes = STREAM.group("outcomes")
for _name in OUTCOMES:
    _outcomes.array(_name, "messages")
SETTINGS, TOTALS, LOG = STREAM.words, STREAM.words + 1, STREAM.words + 2
STREAM.array("settings", 3)  # block, slots, mode
STREAM.array("totals", 2)  # lots that expired, fills in the log
STREAM.rows("log", LOGGED)
BOOK_WORD, EVENT_WORD = STREAM.words, STREAM.words + 1
STREAM.rows("book", BOOK)  # one
STREAM.rows("event", EVENT)  # as many as orders may rest, and one


class Done(NamedTuple):
    """What a message came to: the columns of `OUTCOMES`."""

    status: int
    lots: int
    quote: int
    trades: int
    rested: int
    cancelled: int


@kernel
def _without_fill(status, cancelled):
    """A message that traded nothing, and the lots that it took off."""
    return Done(status, 0, 0, 0, 0, cancelled)


@kernel
def _invalid(stream, index):
    """The first rule that the fields of an order break, as a status, or `OK`."""
    tx = stream.tx
    side, flags, lots = tx.side[index], tx.flags[index], tx.lots[index]
    ticks, expiry = tx.ticks[index], tx.expiry_block[index]
    if side != 1 and side != -1:
        return BAD_SIDE
    if lots < 1 or lots > MAX_MESSAGE_VALUE:
        return BAD_LOTS
    if flags & MARKET == 0 and (ticks < 1 or ticks > MAX_MESSAGE_VALUE):
        return BAD_PRICE
    immediate = flags & IMMEDIATE != 0
    if flags < 0 or flags > ALL_FLAGS or (flags & POST_ONLY != 0 and immediate):
        return BAD_FLAGS
    if flags & REDUCE_ONLY != 0 and not immediate:
        return BAD_FLAGS
    return EXPIRED if 0 < expiry < stream.block else OK


@kernel
def _removed(stream, count):
    """Lots of the orders that events say were taken off."""
    lots = 0
    for event in range(count):
        lots += stream.event[event].lots
    return lots


@kernel
def _fills(stream, message, count):
    """``(quote, trades, lots prevented)`` by the events; logs the fills."""
    quote, trades, prevented = 0, 0, 0
    for index in range(count):
        event = stream.event[index]
        if event.kind != FILL:
            prevented += event.lots
            continue
        quote += event.ticks * event.lots
        trades += 1
        if stream.log_rows > 0:
            fill = stream.log[stream.logged]
            fill.message, fill.owner = message, event.owner
            fill.ticks, fill.lots = event.ticks, event.lots
            stream.logged += 1
    return quote, trades, prevented


@kernel
def _order(stream, message, name, cancelled):
    """Runs one order with a valid name, after its replacement took lots off."""
    tx, book = stream.tx, stream.book[0]
    reason = _invalid(stream, message)
    if reason != OK:
        return _without_fill(reason, cancelled)
    if find(book, name)[1] >= 0:
        return _without_fill(SLOT_BUSY, cancelled)
    sign, limit, flags = tx.side[message], tx.ticks[message], tx.flags[message]
    if flags & MARKET != 0:
        limit = MAX_MESSAGE_VALUE if sign > 0 else 0
    first = tx.account[message] * stream.slots
    order = Incoming(
        sign,
        limit,
        tx.lots[message],
        flags,
        name,
        first,
        first + stream.slots,
        _NOTHING,
        tx.expiry_block[message],
        stream.block,
        stream.mode,
    )
    reason = refusal(book, order)
    if reason != OK:
        return _without_fill(reason, cancelled)
    done = match(book, order, stream.event)
    quote, trades, prevented = _fills(stream, message, done.events)
    cancelled += prevented
    return Done(done.status, done.filled, quote, trades, done.rested, cancelled)


@kernel
def _take_off(book, name):
    """Takes an order off, if there is one: ``(status, lots)``."""
    side, index = find(book, name)
    if index < 0:
        return UNKNOWN_ORDER, 0
    lots = book.lots[side, index]
    remove(book, side, index)
    return ACCEPTED, lots


@kernel
def _cancel_all(stream, first):
    """Takes every order of an account off; returns their lots."""
    lots, end = 0, first + stream.slots
    for side in (BIDS, ASKS):
        count = remove_range(stream.book[0], side, first, end, stream.event)
        lots += _removed(stream, count)
    return lots


@kernel
def _reduce(book, name, lots):
    """Takes lots off an order, the last one with it: ``(status, lots)``."""
    if lots < 1:
        return BAD_LOTS, 0
    side, index = find(book, name)
    if index < 0:
        return UNKNOWN_ORDER, 0
    there = book.lots[side, index]
    if lots > there:
        return BAD_LOTS, 0
    if lots == there:
        remove(book, side, index)
    else:
        book.lots[side, index] = there - lots
    return ACCEPTED, lots


@kernel
def run_message(stream, message):
    """Runs one message."""
    tx, slots, book = stream.tx, stream.slots, stream.book[0]
    kind, account, slot = tx.kind[message], tx.account[message], tx.slot[message]
    if kind == NO_KIND:
        return _without_fill(NONE, 0)
    if (kind < ORDER or kind > REPLACE) and kind != REDUCE:
        return _without_fill(UNKNOWN_KIND, 0)
    if account < 0 or account >= MAX_MESSAGE_VALUE // slots:
        return _without_fill(UNKNOWN_ACCOUNT, 0)
    first = account * slots
    if kind == CANCEL_ALL:
        return _without_fill(ACCEPTED, _cancel_all(stream, first))
    if slot < 0 or slot >= slots:
        return _without_fill(UNKNOWN_SLOT, 0)
    name, cancelled = first + slot, 0
    if kind == REDUCE:
        status, cancelled = _reduce(book, name, tx.lots[message])
        return _without_fill(status, cancelled)
    if kind != ORDER:
        status, cancelled = _take_off(book, name)
        if kind == CANCEL:
            return _without_fill(status, cancelled)
    return _order(stream, message, name, cancelled)


@kernel
def run_block(stream):
    """Runs all messages in order, after the orders whose last block is past left."""
    expired, outcomes = 0, stream.outcomes
    for side in (BIDS, ASKS):
        count = expire(stream.book[0], side, stream.block, stream.event)
        expired += _removed(stream, count)
    for message in range(stream.messages):
        done = run_message(stream, message)
        outcomes.status[message] = done.status
        outcomes.lots[message] = done.lots
        outcomes.quote[message] = done.quote
        outcomes.trades[message] = done.trades
        outcomes.rested[message] = done.rested
        outcomes.cancelled[message] = done.cancelled
    stream.totals[0], stream.totals[1] = expired, stream.logged
    for row in range(stream.logged, stream.log_rows):
        fill = stream.log[row]
        fill.message, fill.owner, fill.ticks, fill.lots = 0, 0, 0, 0


# --- the custom call ------------------------------------------------------------------

TARGET = "shakeout_book_match"
# Operands: the book, the columns, the settings. Results: the book, the outcomes, the
# log, the totals.
_BOOK_COUNT, _COLUMN_COUNT = np.int64(len(BOOK_FIELDS)), np.int64(len(COLUMNS))
_OUTCOME_COUNT = np.int64(len(OUTCOMES))
_SETTINGS = _BOOK_COUNT + _COLUMN_COUNT
_LOG, _TOTALS = _BOOK_COUNT + _OUTCOME_COUNT, _BOOK_COUNT + _OUTCOME_COUNT + 1
_STREAM_WORDS, _BOOK_WORDS, _EVENT_WORDS = STREAM.words, BOOK.words, EVENT.words
_LOG_WORDS, _CAPACITY_WORD = LOGGED.words, BOOK.places["capacity"].word
_stream_at = STREAM.at


@allocator
def _open_record(frame):
    """The words of a stream's record and its scratch: one book, and the events."""
    lanes = result_size(frame, _TOTALS) // 2
    capacity = result_size(frame, _NOTHING) // lanes // 2
    size = _STREAM_WORDS + _BOOK_WORDS + (2 * capacity + 1) * _EVENT_WORDS
    words = np.zeros(size, np.int64)
    book = words.ctypes.data + 8 * _STREAM_WORDS
    words[BOOK_WORD], words[EVENT_WORD] = book, book + 8 * _BOOK_WORDS
    words[_STREAM_WORDS + _CAPACITY_WORD] = capacity
    return words


@kernel
def _enter_lane(frame, words, number, lanes):
    """The record of lane ``number``, whose words are these."""
    stream = _stream_at(words.ctypes.data)
    words[SETTINGS] = argument_address(frame, _SETTINGS) + 8 * 3 * number
    words[TOTALS] = result_address(frame, _TOTALS) + 8 * 2 * number
    log_words = result_size(frame, _LOG) // lanes
    words[LOG] = result_address(frame, _LOG) + 8 * log_words * number
    settings = stream.settings
    stream.block, stream.slots, stream.mode = settings[0], settings[1], settings[2]
    stream.messages = result_size(frame, _BOOK_COUNT) // lanes
    stream.log_rows, stream.logged = log_words // _LOG_WORDS, 0
    for field in range(_BOOK_COUNT):
        offset = 8 * (result_size(frame, field) // lanes) * number
        words[_STREAM_WORDS + 1 + field] = result_address(frame, field) + offset
    offset = 8 * stream.messages * number
    for column in range(_COLUMN_COUNT):
        address = argument_address(frame, _BOOK_COUNT + column)
        words[FIRST_COLUMN + column] = address + offset
    for column in range(_OUTCOME_COUNT):
        address = result_address(frame, _BOOK_COUNT + column)
        words[FIRST_OUTCOME + column] = address + offset
    return stream


def _handler(fingerprint: int):
    """The custom call; ``fingerprint`` is part of the compiled code's cache key."""

    def run(frame):
        if answers_metadata_query(frame):
            return 0 * fingerprint
        own_results(frame, _NOTHING, _BOOK_COUNT)
        words = _open_record(frame)
        lanes = result_size(frame, _TOTALS) // 2
        for number in range(lanes):
            run_block(_enter_lane(frame, words, number, lanes))
        return 0 * words.shape[0]

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
        columns: the columns of the messages, each [B], in the order of `COLUMNS`.
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
    log_shape = (log_rows, len(LOG_FIELDS))
    shapes += [columns[0].shape] * len(OUTCOMES) + [log_shape, (2,)]
    call = jax.ffi.ffi_call(
        TARGET,
        [jax.ShapeDtypeStruct((1, *shape), jnp.int64) for shape in shapes],
        vmap_method="broadcast_all",
        input_output_aliases={i: i for i in range(len(fields))},
    )
    outputs = [output[0] for output in call(*(operand[None] for operand in operands))]
    books, messages = len(fields), len(OUTCOMES)
    return outputs[:books], outputs[books : books + messages], *outputs[-2:]
