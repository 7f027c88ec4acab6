"""Blake2s-256 over batches of equally long messages, equal to ``hashlib.blake2s``.

Two lowerings, equal to the bit. On a CPU the native kernel of `blake2s_native`.
Elsewhere integer array operations: the sixteen words of the working state are held as
four rows of lanes, so that one operation does a quarter of a round for every message,
and ten rounds are one loop, not a straight line: unrolled, XLA recomputes the whole
hash for each output word.

Source: RFC 7693 (Blake2s, parameters digest length 32, fanout 1, depth 1).
"""

from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Int64, UInt32

from market.native.platform import by_platform
from market.numbers.precision import enable_exact_integers
from rollup.commitments.hashing.batching import over_messages
from rollup.commitments.hashing.blake2s_native import (
    hash_message_columns,
    hash_messages,
)

enable_exact_integers()  # the native kernel takes its length as one 64-bit word

#: Initial vector, the same as SHA-256's.
IV = (
    *(0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A),
    *(0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19),
)
#: Which message word each step of each round takes.
SIGMA = (
    (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15),
    (14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3),
    (11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4),
    (7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8),
    (9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13),
    (2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9),
    (12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11),
    (13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10),
    (6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5),
    (10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0),
)
ROUNDS = len(SIGMA)
DIGEST_WORDS = 8
BLOCK_WORDS = 16
BLOCK_BYTES = 64
#: Parameter word 0: 32-byte digest, no key, fanout 1, depth 1.
_PARAMETERS = 0x01010020


def blake2s(
    words: UInt32[Array, "N W"], length_bytes: int, person: bytes = b""
) -> UInt32[Array, "N 8"]:
    """Blake2s-256 digests of N messages of ``length_bytes`` bytes each.

    Args:
        words: the messages as little-endian 32-bit words; bytes of the last word
            beyond ``length_bytes`` must be zero.
        length_bytes: static length of every message, at most ``4 * W``.
        person: personalisation of up to 8 bytes, as in ``hashlib.blake2s``; digests
            under different personalisations belong to unrelated hash functions.

    Returns:
        Digests as little-endian words, equal to
        ``hashlib.blake2s(message, person=person).digest()``.

    Raises:
        ValueError: the words do not hold exactly that many bytes, or ``person`` is
            too long.
    """
    if -(-length_bytes // 4) != words.shape[1]:
        raise ValueError(f"{words.shape[1]} words do not hold {length_bytes} bytes")
    return _digest(length_bytes, bytes(person))(jnp.asarray(words, jnp.uint32))


def blake2s_int64(
    words: Int64[Array, "N K"], person: bytes = b""
) -> UInt32[Array, "N 8"]:
    """Digests of N messages of K 64-bit words each, little-endian, K at least one."""
    return _int64_digest(words.shape[1], bytes(person))(jnp.asarray(words, jnp.int64))


def blake2s_columns(
    columns: UInt32[Array, "W L"], length_bytes: int, person: bytes = b""
) -> UInt32[Array, "8 L"]:
    """As `blake2s`, for L messages held word by word; vmappable.

    On a CPU the native kernel; elsewhere all lanes at once.
    """
    if -(-length_bytes // 4) != columns.shape[0] or not length_bytes:
        raise ValueError(f"{columns.shape[0]} words do not hold {length_bytes} bytes")
    return _columns_digest(length_bytes, bytes(person))(columns)


def hash_columns(
    columns: UInt32[Array, "W L"], length_bytes: int, person: bytes = b""
) -> UInt32[Array, "8 L"]:
    """Digests of L messages held word by word: the array kernel, on any device.

    Without blocking of lanes; one loop over message blocks, whatever the length.
    """
    columns = jnp.asarray(columns, jnp.uint32)
    blocks = max(1, -(-length_bytes // BLOCK_BYTES))
    missing = blocks * BLOCK_WORDS - columns.shape[0]
    padded = jnp.pad(columns, ((0, missing), (0, 0))) if missing else columns
    counters, finals = _block_marks(blocks, length_bytes)
    state = jnp.broadcast_to(
        jnp.asarray(_initial_state(person))[:, None], (DIGEST_WORDS, columns.shape[1])
    )
    if blocks == 1:
        return _compress(state, padded, counters[0], finals[0])
    counters, finals = jnp.asarray(counters), jnp.asarray(finals)

    def absorb(block, state):
        message = lax.dynamic_slice_in_dim(padded, block * BLOCK_WORDS, BLOCK_WORDS)
        return _compress(state, message, counters[block], finals[block])

    return lax.fori_loop(0, blocks, absorb, state)


def _initial_state(person: bytes) -> np.ndarray:
    """The chaining value before the first block, as uint32 [8]."""
    if len(person) > 8:
        raise ValueError(f"personalisation of {len(person)} bytes; at most 8")
    state = np.array(IV, np.uint32)
    state[0] ^= np.uint32(_PARAMETERS)
    state[6:] ^= np.frombuffer(person.ljust(8, b"\0"), "<u4")
    return state


def _block_marks(blocks: int, length_bytes: int) -> tuple[np.ndarray, np.ndarray]:
    """Byte counter after each block, and the flag that marks the last one."""
    counters = np.minimum(np.arange(1, blocks + 1) * BLOCK_BYTES, length_bytes)
    finals = np.zeros(blocks, np.uint32)
    finals[-1] = 0xFFFFFFFF
    return counters.astype(np.uint32), finals


#: Message rows in the order a round takes them: first and second words of the four
#: columns, then of the four diagonals.
_SCHEDULE = np.array(
    [[*s[0:8:2], *s[1:8:2], *s[8::2], *s[9::2]] for s in SIGMA], np.int32
)


def _compress(state, message, counter, final):
    """The compression function F on rows of lanes: [8, L], [16, L] -> [8, L]."""
    lanes = message.shape[1]
    marks = jnp.zeros(4, jnp.uint32).at[0].set(counter).at[2].set(final)
    low, high = (jnp.asarray(np.array(half, np.uint32)) for half in (IV[:4], IV[4:]))
    schedule = jnp.asarray(_SCHEDULE)

    def one_round(index, rows):
        words = lax.optimization_barrier(message[schedule[index]])
        rows = _quarter_rounds(rows, words[0:4], words[4:8])
        rows = _quarter_rounds(_rotate_rows(rows, 1), words[8:12], words[12:16])
        return _rotate_rows(rows, -1)

    def full(row):
        return jnp.broadcast_to(row[:, None], (4, lanes))

    rows = (state[:4], state[4:], full(low), full(high ^ marks))
    a, b, c, d = lax.fori_loop(0, ROUNDS, one_round, rows)
    return state ^ jnp.concatenate([a ^ c, b ^ d])


def _quarter_rounds(rows, first, second):
    """The mixing function G on four columns (or diagonals) at once: rows [4, L].

    Every step is forced to memory: the four rows are outputs of the loop, and fused
    lazily each would be recomputed from the start.
    """
    a, b, c, d = rows
    keep = lax.optimization_barrier
    for word, turn_d, turn_b in ((first, 16, 12), (second, 8, 7)):
        a = keep(a + b + word)
        d = keep(_rotate_right(d ^ a, turn_d))
        c = keep(c + d)
        b = keep(_rotate_right(b ^ c, turn_b))
    return a, b, c, d


def _rotate_right(x, bits: int):
    return (x >> np.uint32(bits)) | (x << np.uint32(32 - bits))


def _rotate_rows(rows, sign: int):
    """Turns columns into diagonals (sign 1) or back (sign -1)."""
    a, b, c, d = rows
    turned = (jnp.roll(x, -sign * k, 0) for k, x in ((1, b), (2, c), (3, d)))
    return a, *lax.optimization_barrier(tuple(turned))


def hash_on_cpu(
    words: UInt32[Array, "N W"] | Int64[Array, "N K"],
    *,
    length_bytes: int,
    person: bytes = b"",
) -> UInt32[Array, "N 8"]:
    """The same digests by the native kernel; `length_bytes` of 1 or more."""
    return hash_messages(words, length_bytes, _initial_state(person))


@cache
def _digest(length_bytes: int, person: bytes):
    """The batched hash of one message length."""
    fixed = {"length_bytes": length_bytes, "person": person}
    on_cpu = partial(hash_on_cpu, **fixed) if length_bytes else None
    return over_messages(partial(hash_columns, **fixed), on_cpu=on_cpu)


@cache
def _int64_digest(count: int, person: bytes):
    """The batched hash of messages of ``count`` 64-bit words."""
    fixed = {"length_bytes": 8 * count, "person": person}

    def kernel(columns):
        halves = lax.bitcast_convert_type(columns, jnp.uint32)  # [K, L, 2], low first
        words = halves.transpose(0, 2, 1).reshape(2 * count, -1)
        return hash_columns(words, **fixed)

    return over_messages(kernel, on_cpu=partial(hash_on_cpu, **fixed))


@cache
def _columns_digest(length_bytes: int, person: bytes):
    """The hash of messages held word by word; vmap only adds lanes."""
    initial = _initial_state(person)

    @jax.custom_batching.custom_vmap
    def digest(columns):
        return by_platform(
            jnp.asarray(columns, jnp.uint32),
            cpu=lambda c: hash_message_columns(c, length_bytes, initial),
            default=partial(hash_columns, length_bytes=length_bytes, person=person),
        )

    @digest.def_vmap
    def _(axis_size, in_batched, columns):
        worlds, width, lanes = columns.shape
        flat = digest(columns.swapaxes(0, 1).reshape(width, worlds * lanes))
        return flat.reshape(DIGEST_WORDS, worlds, lanes).swapaxes(0, 1), True

    return digest
