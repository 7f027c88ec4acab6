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
from market.kernels.book import EVENT_WIDTH
from market.kernels.clearing import ROWS as AUCTION_ROWS
from market.kernels.rounds import WIDTH as ROUND_WIDTH
from market.native import ffi as native
from market.native.ffi import (
    _pointer,
    allocator,
    answers_metadata_query,
    argument_address,
    kernel,
    result_address,
    result_size,
)

_TARGETS = {
    False: "shakeout_exchange_continuous_block",
    True: "shakeout_exchange_auction_block",
}

# Operands: static, block, seed, time; state; transactions; prices, parameters.
_STATIC, _BLOCK, _SEED, _NOW, _STATE = (np.int64(index) for index in range(5))
_TX = _STATE + len(lay.STATE_FIELDS)
_PRICE, _PREVIOUS, _PARAMS = (_TX + len(lay.TX_FIELDS) + i for i in range(3))
_STATE_COUNT, _TX_COUNT = len(lay.STATE_FIELDS), len(lay.TX_FIELDS)
_RECEIPTS = 3
_COLLATERAL = lay.STATE_FIELDS.index("collateral")


@allocator
def _open_table(frame):
    """The table with sizes and scratch, and the words of each result's lane."""
    static = carray(
        _pointer(argument_address(frame, _STATIC)), (lay.STATIC_WORDS,), np.int64
    )
    markets, capacity = static[lay.MARKETS], static[lay.CAPACITY]
    messages = static[lay.MESSAGES]
    scratch = np.empty(lay.SCRATCH_COUNT, np.int64)
    scratch[0], scratch[1] = markets, markets
    scratch[2] = (capacity + 1) * EVENT_WIDTH
    scratch[3], scratch[4] = messages, messages
    scratch[5] = messages * ROUND_WIDTH
    scratch[6] = AUCTION_ROWS * (2 * capacity + messages)
    scratch[7] = lay.SHARE_ROWS * static[lay.ACCOUNTS]
    scratch[8] = messages
    scratch[9] = markets + 1
    words = lay.TABLE_WORDS
    for size in scratch:
        words += size
    t = np.zeros(words, np.int64)
    # No slices: Numba would compile their error messages, which takes seconds.
    for word in range(lay.STATIC_WORDS):
        t[word] = static[word]
    address = t.ctypes.data + 8 * lay.TABLE_WORDS
    for index in range(len(scratch)):
        t[lay.UNIT + index] = address
        address += 8 * scratch[index]
    t[lay.MULTIPLIER] = argument_address(frame, _STATIC) + 8 * lay.STATIC_WORDS
    t[lay.ISOLATED] = t[lay.MULTIPLIER] + 8 * markets
    return t


@kernel
def _own_state(frame):
    """Makes the results hold the state, where XLA did not let them share buffers."""
    for index in range(_STATE_COUNT):
        source = argument_address(frame, _STATE + index)
        target = result_address(frame, index)
        if source != target:
            size = result_size(frame, index)
            old = carray(_pointer(source), (size,), np.int64)
            own = carray(_pointer(target), (size,), np.int64)
            for word in range(size):
                own[word] = old[word]


@kernel
def _word(address, index):
    return carray(_pointer(address), (index + 1,), np.int64)[index]


@kernel
def _enter_lane(frame, t, lane, lanes):
    """Points the table at the arrays of one lane."""
    for index in range(_STATE_COUNT):
        words = result_size(frame, index) // lanes
        t[lay.TICKS + index] = result_address(frame, index) + 8 * words * lane
    for index in range(_RECEIPTS):
        offset = 8 * t[lay.MESSAGES] * lane
        t[lay.STATUS + index] = result_address(frame, _STATE_COUNT + index) + offset
    markets = t[lay.MARKETS]
    offset = 8 * lay.INFO_ROWS * markets * lane
    t[lay.INFO] = result_address(frame, _STATE_COUNT + _RECEIPTS) + offset
    for index in range(_TX_COUNT):
        offset = 8 * t[lay.MESSAGES] * lane
        t[lay.TX_KIND + index] = argument_address(frame, _TX + index) + offset
    t[lay.PRICE] = argument_address(frame, _PRICE) + 8 * markets * lane
    t[lay.PREVIOUS_MARK] = argument_address(frame, _PREVIOUS) + 8 * markets * lane
    offset = 8 * lay.PARAM_ROWS * markets * lane
    t[lay.PARAMS] = argument_address(frame, _PARAMS) + offset
    for index, word in ((_BLOCK, lay.BLOCK), (_SEED, lay.SEED), (_NOW, lay.NOW)):
        t[word] = _word(argument_address(frame, index), lane)


@kernel
def _begin(frame, t):
    """Makes the results hold the state; the number of lanes."""
    _own_state(frame)
    return result_size(frame, _COLLATERAL) // t[lay.ACCOUNTS]


# The two handlers name their kernel, because a function in a closure would make the
# key of the disk cache different in each process.


def _continuous_handler(fingerprint: int):
    """The custom call; ``fingerprint`` is part of the compiled code's cache key."""

    def run_lanes(frame):
        if answers_metadata_query(frame):
            return 0 * fingerprint
        t = _open_table(frame)
        lanes = _begin(frame, t)
        for lane in range(lanes):
            _enter_lane(frame, t, lane, lanes)
            run_continuous_block(t)
        return 0

    return run_lanes


def _auction_handler(fingerprint: int):
    """The custom call of auction mode."""

    def run_lanes(frame):
        if answers_metadata_query(frame):
            return 0 * fingerprint
        t = _open_table(frame)
        lanes = _begin(frame, t)
        for lane in range(lanes):
            _enter_lane(frame, t, lane, lanes)
            run_auction_block(t)
        return 0

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
        static: host array of `layout.STATIC_WORDS` sizes, then M multipliers and M
            isolation flags.
        state: arrays in the order of `layout.STATE_FIELDS`.
        txs: arrays [B] in the order of `layout.TX_FIELDS`.
        prices: [M] ticks that margin is reckoned at, and [M] the mark of the block
            before.
        params: [P, M] in the order of `layout.PARAM_FIELDS`.
        block: [] index of the block.
        seed: [] non-negative random word.
        now_us: [] time of the block.

    Returns:
        ``(state, (status, filled_lots, filled_quote), info[INFO_ROWS, M])``.
    """
    like = [jax.ShapeDtypeStruct(x.shape, jnp.int64) for x in (*state, *txs[:3])]
    info = jax.ShapeDtypeStruct((lay.INFO_ROWS, prices[0].shape[0]), jnp.int64)
    call = jax.ffi.ffi_call(
        _target(bool(static[lay.AUCTION])),
        (*like, info),
        vmap_method="broadcast_all",
        input_output_aliases={_STATE + i: i for i in range(_STATE_COUNT)},
    )
    scalars = block, seed, now_us
    outputs = call(jnp.asarray(static), *scalars, *state, *txs, *prices, params)
    receipts = outputs[_STATE_COUNT : _STATE_COUNT + _RECEIPTS]
    return outputs[:_STATE_COUNT], receipts, outputs[-1]
