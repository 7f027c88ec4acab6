"""Keccak-256 over batches of equally long messages: the hash of Ethereum's contracts.

This is the original Keccak padding (0x01), not SHA3-256's (0x06); the two differ on
every message. The 25 words of the state are rows of 64-bit lanes and a round is a
handful of array operations; the 24 rounds are one loop.

Source: FIPS 202 §3.2 (the permutation); the Keccak submission (the padding).
"""

from functools import cache, partial

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, UInt32

from market.numbers.precision import enable_exact_integers
from rollup.commitments.hashing.batching import over_messages
from rollup.commitments.hashing.reference import (
    KECCAK_RATE_BYTES,
    KECCAK_ROTATIONS,
    KECCAK_ROUND_CONSTANTS,
)

enable_exact_integers()  # the state is made of 64-bit words

ROUNDS = len(KECCAK_ROUND_CONSTANTS)
_RATE_WORDS = KECCAK_RATE_BYTES // 4
_ROWS = 25

#: Row 5y + x goes to row 5(2x + 3y mod 5) + y: here by target, which row comes there.
_PI = np.zeros(_ROWS, np.int32)
for _x in range(5):
    for _y in range(5):
        _PI[5 * ((2 * _x + 3 * _y) % 5) + _y] = 5 * _y + _x


def keccak256(words: UInt32[Array, "N W"], length_bytes: int) -> UInt32[Array, "N 8"]:
    """Keccak-256 digests of N messages of ``length_bytes`` bytes each.

    Args:
        words: the messages as little-endian 32-bit words; bytes of the last word
            beyond ``length_bytes`` must be zero.
        length_bytes: static length of every message.

    Returns:
        Digests as little-endian words: their bytes in memory are the digest.

    Raises:
        ValueError: the words do not hold exactly that many bytes.
    """
    if -(-length_bytes // 4) != words.shape[1]:
        raise ValueError(f"{words.shape[1]} words do not hold {length_bytes} bytes")
    return _digest(length_bytes)(jnp.asarray(words, jnp.uint32))


def hash_columns(
    columns: UInt32[Array, "W L"], length_bytes: int
) -> UInt32[Array, "8 L"]:
    """Digests of L messages held word by word: the kernel of one block of lanes."""
    columns = jnp.asarray(columns, jnp.uint32)
    width, lanes = columns.shape
    padding = _padding(length_bytes)
    filled = jnp.pad(columns, ((0, len(padding) - width), (0, 0))) ^ padding[:, None]
    blocks = len(padding) // _RATE_WORDS
    rate = _as_uint64(filled).reshape(blocks, _RATE_WORDS // 2, lanes)

    def absorb(state, block):
        state = state.at[: _RATE_WORDS // 2].set(state[: _RATE_WORDS // 2] ^ block)
        return permute(state), None

    state, _ = lax.scan(absorb, jnp.zeros((_ROWS, lanes), jnp.uint64), rate)
    digest = lax.bitcast_convert_type(state[:4], jnp.uint32)  # [4, L, 2]
    return digest.transpose(0, 2, 1).reshape(8, lanes)


def permute(state):
    """Keccak-f[1600] on rows of lanes, uint64 [25, L]; row 5y + x is lane (x, y).

    Turned and shuffled rows go to memory before they are used: fused into their users
    they cost a CPU several times as much.
    """
    turns = jnp.asarray(np.array(KECCAK_ROTATIONS, np.uint64).reshape(5, 5, 1))
    constants = jnp.asarray(np.array(KECCAK_ROUND_CONSTANTS, np.uint64))
    keep = lax.optimization_barrier

    def one_round(index, state):
        planes = state.reshape(5, 5, -1)
        column = keep(planes[0] ^ planes[1] ^ planes[2] ^ planes[3] ^ planes[4])
        mixed = _ahead(column, -1, 0) ^ _rotate_left(_ahead(column, 1, 0), np.uint64(1))
        turned = keep(_rotate_left(planes ^ keep(mixed), turns)).reshape(state.shape)
        moved = keep(jnp.concatenate([turned[row : row + 1] for row in _PI]))
        moved = moved.reshape(planes.shape)
        chosen = keep(moved ^ (~_ahead(moved, 1, 1) & _ahead(moved, 2, 1)))
        chosen = chosen.reshape(state.shape)
        return chosen.at[0].set(chosen[0] ^ constants[index])

    return lax.fori_loop(0, ROUNDS, one_round, state)


def _ahead(x, steps: int, axis: int):
    """Row ``i + steps`` at place i, cyclically."""
    return lax.optimization_barrier(jnp.roll(x, -steps, axis))


def _rotate_left(x, bits):
    """Left rotation by 0 to 63 bits; the two-step right shift is defined for 0."""
    return (x << bits) | ((x >> np.uint64(1)) >> (np.uint64(63) - bits))


def _as_uint64(words):
    """Pairs of rows, low half first, as rows of 64-bit words: [2k, L] -> [k, L]."""
    low, high = words[0::2].astype(jnp.uint64), words[1::2].astype(jnp.uint64)
    return low | (high << np.uint64(32))


def _padding(length_bytes: int) -> np.ndarray:
    """What is xored onto the zero-filled message: 0x01 after it, 0x80 at the end."""
    blocks = length_bytes // KECCAK_RATE_BYTES + 1
    padding = np.zeros(blocks * KECCAK_RATE_BYTES, np.uint8)
    padding[length_bytes] ^= 0x01
    padding[-1] ^= 0x80
    return padding.view("<u4")


@cache
def _digest(length_bytes: int):
    """The batched hash of one message length."""
    return over_messages(partial(hash_columns, length_bytes=length_bytes))
