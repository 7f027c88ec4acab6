"""The block of the exchange as one XLA custom call on the CPU.

All lanes of a call are run one after the other by `market.kernels.block`. The state
is changed in place: its operands share their buffers with the results, and XLA copies
beforehand what is still needed elsewhere, so to the caller the call is pure.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from numba import carray

from market.kernels import lane as lay
from market.kernels.block import run_auction_block, run_continuous_block
from market.kernels.book import BOOK, BOOK_FIELDS, EVENT
from market.native import ffi as native
from market.native.ffi import (
    _pointer,
    allocator,
    answers_metadata_query,
    argument_address,
    kernel,
    own_results,
    result_address,
    result_size,
)
from market.types import layout

_TARGETS = {
    False: "shakeout_exchange_continuous_block",
    True: "shakeout_exchange_auction_block",
}

# Operands: static, block, seed, time; state; transactions; prices, parameters.
_STATIC, _BLOCK, _SEED, _NOW, _STATE = (np.int64(index) for index in range(5))
_TX = _STATE + len(layout.STATE_FIELDS)
_PRICE, _PREVIOUS, _PARAMS = (_TX + len(layout.TX_FIELDS) + i for i in range(3))
_STATE_COUNT, _TX_COUNT = len(layout.STATE_FIELDS), len(layout.TX_FIELDS)
_RECEIPT_COUNT = len(lay.RECEIPT_FIELDS)
_BOOK_COUNT = len(BOOK_FIELDS)
_COLLATERAL = layout.STATE_FIELDS.index("collateral")
_STATIC_COUNT = len(layout.STATIC_FIELDS)
_IS_AUCTION = layout.STATIC_FIELDS.index("auction")

# Words of the records: Numba takes them as constants.
_LANE_WORDS, _BOOK_WORDS, _EVENT_WORDS = lay.LANE.words, BOOK.words, EVENT.words
_LIQUIDATION_WORDS, _WAITING_WORDS = lay.LIQUIDATION.words, lay.WAITING.words
_PRICE_WORD = lay.LANE.places["price"].word
_PREVIOUS_WORD = lay.LANE.places["previous_mark"].word
_MULTIPLIER_WORD = lay.LANE.places["multiplier"].word
_ISOLATED_WORD = lay.LANE.places["isolated"].word
_BOOKS_WORD = lay.LANE.places["book"].word
_TICKS_WORD = BOOK.places["ticks"].word
_lane_at = lay.LANE.at


@kernel
def _scratch_words(lane, sizes):
    """Words of each part of the scratch, in the order of `market.kernels.lane`."""
    sizes[0], sizes[1], sizes[2] = lane.markets, lane.markets, lane.funds
    sizes[3] = lane.messages * _LIQUIDATION_WORDS
    sizes[4] = lane.messages * _WAITING_WORDS
    sizes[5] = (lane.capacity + 1) * _EVENT_WORDS
    sizes[6] = lane.markets * _BOOK_WORDS
    sizes[7] = lay.AUCTION_ROWS * (2 * lane.capacity + lane.messages)
    sizes[8] = lay.SHARE_ROWS * lane.accounts
    total = 0
    for index in range(lay.SCRATCH_COUNT):
        total += sizes[index]
    return total


@allocator
def _open_record(frame):
    """The words of a lane's record and its scratch; what all lanes share is in them."""
    static = carray(
        _pointer(argument_address(frame, _STATIC)), (_STATIC_COUNT,), np.int64
    )
    words = np.zeros(_LANE_WORDS, np.int64)
    # No slices: Numba would compile their error messages, which takes seconds.
    for word in range(_STATIC_COUNT):
        words[word] = static[word]
    lane = _lane_at(words.ctypes.data)
    lane.funds = 1 + lane.markets
    sizes = np.empty(lay.SCRATCH_COUNT, np.int64)
    whole = np.zeros(_LANE_WORDS + _scratch_words(lane, sizes), np.int64)
    for word in range(_LANE_WORDS):
        whole[word] = words[word]
    address = whole.ctypes.data + 8 * _LANE_WORDS
    for index in range(lay.SCRATCH_COUNT):
        whole[lay.FIRST_SCRATCH + index] = address
        address += 8 * sizes[index]
    whole[_MULTIPLIER_WORD] = argument_address(frame, _STATIC) + 8 * _STATIC_COUNT
    whole[_ISOLATED_WORD] = whole[_MULTIPLIER_WORD] + 8 * lane.markets
    return whole


@kernel
def _word(address, index):
    return carray(_pointer(address), (index + 1,), np.int64)[index]


@kernel
def _enter_books(frame, words, lane, number, lanes):
    """Points the books of all markets at the columns of lane ``number``."""
    stride = lane.markets * _BOOK_WORDS
    books = carray(_pointer(words[_BOOKS_WORD]), (stride,), np.int64)
    for field in range(_BOOK_COUNT):
        size = result_size(frame, field) // lanes
        first = result_address(frame, field) + 8 * size * number
        for market in range(lane.markets):
            place = market * _BOOK_WORDS + _TICKS_WORD + field
            books[place] = first + 8 * (size // lane.markets) * market
    for market in range(lane.markets):
        lane.book[market].capacity = lane.capacity


@kernel
def _enter_lane(frame, words, number, lanes):
    """The record of lane ``number``, whose words are these."""
    lane = _lane_at(words.ctypes.data)
    _enter_books(frame, words, lane, number, lanes)
    for field in range(_BOOK_COUNT, _STATE_COUNT):
        offset = 8 * (result_size(frame, field) // lanes) * number
        place = lay.FIRST_STATE + field - _BOOK_COUNT
        words[place] = result_address(frame, field) + offset
    offset = 8 * lane.messages * number
    for field in range(_RECEIPT_COUNT):
        address = result_address(frame, _STATE_COUNT + field)
        words[lay.FIRST_RECEIPT + field] = address + offset
    for field in range(_TX_COUNT):
        words[lay.FIRST_TX + field] = argument_address(frame, _TX + field) + offset
    offset = 8 * lane.markets * number
    words[_PRICE_WORD] = argument_address(frame, _PRICE) + offset
    words[_PREVIOUS_WORD] = argument_address(frame, _PREVIOUS) + offset
    words[lay.PARAMS] = argument_address(frame, _PARAMS) + lay.PARAM_ROWS * offset
    info = result_address(frame, _STATE_COUNT + _RECEIPT_COUNT)
    words[lay.INFO] = info + lay.INFO_ROWS * offset
    lane.block = _word(argument_address(frame, _BLOCK), number)
    lane.seed = _word(argument_address(frame, _SEED), number)
    lane.now_us = _word(argument_address(frame, _NOW), number)
    return lane


@kernel
def _begin(frame, words):
    """Makes the results hold the state; the number of lanes."""
    own_results(frame, _STATE, _STATE_COUNT)
    return result_size(frame, _COLLATERAL) // _lane_at(words.ctypes.data).accounts


# The two handlers name their kernel, because a function in a closure would make the
# key of the disk cache different in each process.


def _continuous_handler(fingerprint: int):
    """The custom call; ``fingerprint`` is part of the compiled code's cache key."""

    def run_lanes(frame):
        if answers_metadata_query(frame):
            return 0 * fingerprint
        words = _open_record(frame)
        lanes = _begin(frame, words)
        for number in range(lanes):
            run_continuous_block(_enter_lane(frame, words, number, lanes))
        return 0 * words.shape[0]

    return run_lanes


def _auction_handler(fingerprint: int):
    """The custom call of auction mode."""

    def run_lanes(frame):
        if answers_metadata_query(frame):
            return 0 * fingerprint
        words = _open_record(frame)
        lanes = _begin(frame, words)
        for number in range(lanes):
            run_auction_block(_enter_lane(frame, words, number, lanes))
        return 0 * words.shape[0]

    return run_lanes


@functools.cache
def _target(auction: bool) -> str:
    """Compiles a mode's kernel, or loads it from the disk cache, on first use."""
    handler = _auction_handler if auction else _continuous_handler
    native.register(_TARGETS[auction], handler, __name__)
    return _TARGETS[auction]


def run(static, state, txs, prices, params, block, seed, now_us):
    """One block, by the sequential kernel.

    Args:
        static: host array of the numbers of `layout.STATIC_FIELDS`, then M multipliers
            and M isolation flags.
        state: arrays in the order of `layout.STATE_FIELDS`.
        txs: arrays [B] in the order of `layout.TX_FIELDS`.
        prices: [M] ticks that margin is reckoned at, and [M] the mark of the block
            before.
        params: [P, M] in the order of `layout.PARAM_FIELDS`.
        block: [] index of the block.
        seed: [] non-negative random word.
        now_us: [] time of the block.

    Returns:
        ``(state, receipts, info)``, in the order of `layout.STATE_FIELDS`,
        `lane.RECEIPT_FIELDS` and, [INFO_ROWS, M], `lane.INFO_FIELDS`.
    """
    like = [
        jax.ShapeDtypeStruct(x.shape, jnp.int64)
        for x in (*state, *txs[:_RECEIPT_COUNT])
    ]
    info = jax.ShapeDtypeStruct((lay.INFO_ROWS, prices[0].shape[0]), jnp.int64)
    call = jax.ffi.ffi_call(
        _target(bool(static[_IS_AUCTION])),
        (*like, info),
        vmap_method="broadcast_all",
        input_output_aliases={_STATE + i: i for i in range(_STATE_COUNT)},
    )
    scalars = block, seed, now_us
    outputs = call(jnp.asarray(static), *scalars, *state, *txs, *prices, params)
    receipts = outputs[_STATE_COUNT : _STATE_COUNT + _RECEIPT_COUNT]
    return outputs[:_STATE_COUNT], receipts, outputs[-1]
