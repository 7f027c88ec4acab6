"""Blake2s-256 as a native CPU kernel: how `.blake2s` runs there.

A group of messages is turned word by word and compressed in one straight loop over
its lanes, which LLVM makes into vector instructions: the whole working state of
sixteen messages lives in registers. XLA cannot be told to do that: it has no fusion
with eight outputs on a CPU, and so keeps the state in memory from round to round.

Source: RFC 7693.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int64, UInt32
from numba import njit

from market.native.ffi import answers_metadata_query, argument, register, result

TARGET = "shakeout_blake2s"
#: Messages of a group: what is turned before it is compressed (an 8 KiB buffer).
LANES = 128
_word = np.uint32
_IV0, _IV1, _IV2, _IV3 = 0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A
_IV4, _IV5, _IV6, _IV7 = 0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19


@njit(forceinline=True)
def _rotate_right(x, bits):
    return _word(_word(x >> _word(bits)) | _word(x << _word(32 - bits)))


@njit(forceinline=True)
def _mix(a, b, c, d, x, y):
    """The function G. Numba widens sums to 64 bits: each is cut back to 32."""
    a = _word(a + b + x)
    d = _rotate_right(_word(d ^ a), 16)
    c = _word(c + d)
    b = _rotate_right(_word(b ^ c), 12)
    a = _word(a + b + y)
    d = _rotate_right(_word(d ^ a), 8)
    c = _word(c + d)
    b = _rotate_right(_word(b ^ c), 7)
    return a, b, c, d


@njit(forceinline=True)
def _round(v, a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p):  # noqa: E741
    """Columns, then diagonals, with the sixteen message words in the round's order."""
    v0, v1, v2, v3, v4, v5, v6, v7, v8, v9, v10, v11, v12, v13, v14, v15 = v
    v0, v4, v8, v12 = _mix(v0, v4, v8, v12, a, b)
    v1, v5, v9, v13 = _mix(v1, v5, v9, v13, c, d)
    v2, v6, v10, v14 = _mix(v2, v6, v10, v14, e, f)
    v3, v7, v11, v15 = _mix(v3, v7, v11, v15, g, h)
    v0, v5, v10, v15 = _mix(v0, v5, v10, v15, i, j)
    v1, v6, v11, v12 = _mix(v1, v6, v11, v12, k, l)
    v2, v7, v8, v13 = _mix(v2, v7, v8, v13, m, n)
    v3, v4, v9, v14 = _mix(v3, v4, v9, v14, o, p)
    return v0, v1, v2, v3, v4, v5, v6, v7, v8, v9, v10, v11, v12, v13, v14, v15


@njit(forceinline=True)
def _ten_rounds(v, m):
    """The rounds with the message schedule of the standard spelled out."""
    a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p = m  # noqa: E741
    v = _round(v, a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p)
    v = _round(v, o, k, e, i, j, p, n, g, b, m, a, c, l, h, f, d)
    v = _round(v, l, i, m, a, f, c, p, n, k, o, d, g, h, b, j, e)
    v = _round(v, h, j, d, b, n, m, l, o, c, g, f, k, e, a, p, i)
    v = _round(v, j, a, f, h, c, e, k, p, o, b, l, m, g, i, d, n)
    v = _round(v, c, m, g, k, a, l, i, d, e, n, h, f, p, o, b, j)
    v = _round(v, m, f, b, p, o, n, e, k, a, h, g, d, j, c, i, l)
    v = _round(v, n, l, h, o, m, b, d, j, f, a, p, e, i, g, c, k)
    v = _round(v, g, p, o, j, l, d, a, i, m, c, n, h, b, e, k, f)
    v = _round(v, k, c, i, e, h, g, b, f, p, l, j, o, d, m, n, a)
    return v


@njit
def _compress(h, m, counter, final):
    """The compression function on one group: h [8 x LANES], m [16 x LANES], flat.

    One straight body per lane, so that the loop over lanes becomes vectors.
    """
    n = LANES
    for at in range(n):
        message = (
            *(m[at], m[n + at], m[2 * n + at], m[3 * n + at]),
            *(m[4 * n + at], m[5 * n + at], m[6 * n + at], m[7 * n + at]),
            *(m[8 * n + at], m[9 * n + at], m[10 * n + at], m[11 * n + at]),
            *(m[12 * n + at], m[13 * n + at], m[14 * n + at], m[15 * n + at]),
        )
        state = (
            *(h[at], h[n + at], h[2 * n + at], h[3 * n + at]),
            *(h[4 * n + at], h[5 * n + at], h[6 * n + at], h[7 * n + at]),
            *(_word(_IV0), _word(_IV1), _word(_IV2), _word(_IV3)),
            *(_word(_word(_IV4) ^ counter), _word(_IV5)),
            *(_word(_word(_IV6) ^ final), _word(_IV7)),
        )
        v = _ten_rounds(state, message)
        h[at] ^= _word(v[0] ^ v[8])
        h[n + at] ^= _word(v[1] ^ v[9])
        h[2 * n + at] ^= _word(v[2] ^ v[10])
        h[3 * n + at] ^= _word(v[3] ^ v[11])
        h[4 * n + at] ^= _word(v[4] ^ v[12])
        h[5 * n + at] ^= _word(v[5] ^ v[13])
        h[6 * n + at] ^= _word(v[6] ^ v[14])
        h[7 * n + at] ^= _word(v[7] ^ v[15])


@njit
def _load(m, words, first, lanes, width, start, message_step, word_step):
    """Turns one 16-word block of a group; what lies beyond a message is zero."""
    present = min(16, width - start)
    if present < 16:
        m[:] = 0
    for word in range(present):
        base = first * message_step + (start + word) * word_step
        for lane in range(lanes):
            m[word * LANES + lane] = words[base + lane * message_step]


@njit
def _store(h, digests, first, lanes, message_step, word_step):
    """Turns a group's digests back."""
    for word in range(8):
        base = first * message_step + word * word_step
        for lane in range(lanes):
            digests[base + lane * message_step] = h[word * LANES + lane]


@njit
def _hash_all(words, width, digests, initial, length, by_columns):
    """All messages, flat: [N x width] -> [N x 8], or [width x N] -> [8 x N]."""
    m = np.zeros(16 * LANES, np.uint32)
    h = np.empty(8 * LANES, np.uint32)
    count = digests.size // 8
    for first in range(0, count, LANES):
        lanes = min(LANES, count - first)
        for word in range(8):
            h[word * LANES : (word + 1) * LANES] = initial[word]
        for start in range(0, width, 16):
            done = min(length, 4 * (start + 16))
            final = _word(0xFFFFFFFF) if start + 16 >= width else _word(0)
            if by_columns:
                _load(m, words, first, lanes, width, start, 1, count)
            else:
                _load(m, words, first, lanes, width, start, width, 1)
            _compress(h, m, _word(done), final)
        if by_columns:
            _store(h, digests, first, lanes, 1, count)
        else:
            _store(h, digests, first, lanes, 8, 1)


@njit
def _as_uint32(buffer, size):
    """The first ``size`` 32-bit words of a buffer, flat.

    `market.native.ffi` shows every buffer as 64-bit words and takes their number from
    the shape; of a 32-bit buffer only the first half of that view is its own.
    """
    return buffer.reshape(buffer.size).view(np.uint32)[:size]


def _handler(fingerprint: int):
    """The custom call; ``fingerprint`` is part of the compiled code's cache key."""

    def run(frame):
        if answers_metadata_query(frame):
            return 0 * fingerprint
        words, settings, digests = (
            argument(frame, 0),
            argument(frame, 1),
            result(frame, 0),
        )
        by_columns = settings[0, 2] == 1
        size = words.size * settings[0, 1]
        count = digests.size // 8
        _hash_all(
            _as_uint32(words, size),
            size // max(count, 1),
            _as_uint32(digests, digests.size),
            settings[0, 3:].view(np.uint32),
            settings[0, 0],
            by_columns,
        )
        return 0

    return run


def hash_messages(
    words: UInt32[Array, "N W"] | Int64[Array, "N K"],
    length_bytes: int,
    initial: np.ndarray,
) -> UInt32[Array, "N 8"]:
    """Digests of N messages of ``length_bytes`` bytes, on a CPU only.

    Args:
        words: the messages as little-endian words of 32 or 64 bits, the fewest that
            hold them and at least one; bytes beyond the length must be zero.
        length_bytes: static length of every message.
        initial: the chaining value of the hash, uint32 [8].
    """
    return _call(words, (words.shape[0], 8), length_bytes, initial, by_columns=False)


def hash_message_columns(
    columns: UInt32[Array, "W L"], length_bytes: int, initial: np.ndarray
) -> UInt32[Array, "8 L"]:
    """As `hash_messages`, for L messages held word by word."""
    return _call(columns, (8, columns.shape[1]), length_bytes, initial, by_columns=True)


def _call(words, shape, length_bytes: int, initial: np.ndarray, *, by_columns: bool):
    halves = words.dtype.itemsize // 4
    layout = [length_bytes, halves, int(by_columns)]
    settings = np.array([[*layout, *initial.view(np.int64)]], np.int64)
    _register()
    target = jax.ffi.ffi_call(TARGET, jax.ShapeDtypeStruct(shape, jnp.uint32))
    return target(words, settings)


@functools.cache
def _register() -> None:
    """Compiles (or loads from the cache) and registers the kernel, once."""
    register(TARGET, _handler, __name__)
