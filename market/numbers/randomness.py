"""Where every random bit comes from: one key a run, one stream a purpose.

A draw is named by (seed, run, block, stream) and by its place in the stream, so it
does not depend on what else is drawn, in which order, on how many lanes or on which
device. Adding an agent at the end of a family moves nobody else's draws, and two
ordering policies compared on one seed see the same prices and the same impulses.

Draw few, wide words and split them (`split_word`): making bits costs more than using
them. Distributions are in `market.numbers.quantiles`. No float appears anywhere.
"""

from enum import IntEnum
from hashlib import sha256
from math import prod

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int, UInt32

from market.numbers.units import INT, PPM

#: The block number of draws that belong to a run as a whole (populations, prices).
WHOLE_RUN = (1 << 32) - 1
#: Bits of one word.
WORD_BITS = 32


class Stream(IntEnum):
    """The streams of a block. A number, once given, is never given to another use.

    1, 7, 9, 11 and 14 to 16 have been given and are not drawn from any more.
    """

    ORACLE = 2
    MAKERS = 3
    TRADERS = 4
    SEARCHERS = 5
    LIQUIDATORS = 6
    NETWORK = 8
    FAULTS = 10
    DELEVERAGING = 12
    POPULATION = 13
    VAULT = 17
    PRICE_BARS = 32
    PRICE_BRIDGE = 33
    PRICE_EXTREMES = 34
    PRICE_DIFFUSION = 35
    PRICE_PEERS = 36
    #: The first of the ordering policies' own streams: policy ``i`` owns this plus i.
    POLICY = 64
    #: The first of the keys that tell groups of one family apart: its second group
    #: draws from the family's stream under this plus 1, its third under this plus 2.
    GROUP = 1 << 16
    #: The first of the streams of families from outside the lab; see `outside_stream`.
    OUTSIDE = 1 << 24


def run_key(seed: int | Array, run: int | Array) -> Array:
    """The key of one run of an experiment: ``fold_in(root(seed), run)``."""
    return jax.random.fold_in(jax.random.key(seed, impl="threefry2x32"), run)


def block_key(key: Array, block: int | Array) -> Array:
    """The key of one block of a run; `WHOLE_RUN` for draws made once a run."""
    return jax.random.fold_in(key, jnp.asarray(block, jnp.uint32))


def stream_key(key: Array, stream: int) -> Array:
    """The key of one stream of a block."""
    return jax.random.fold_in(key, int(stream))


def outside_stream(name: str) -> int:
    """The stream of a family from outside the lab, by the family's name.

    A number in ``[OUTSIDE, OUTSIDE + 2**24)``, where no stream of the lab lies, so that
    nobody has to register one. Two names that meet are refused where worlds are built.
    """
    return Stream.OUTSIDE + int.from_bytes(sha256(name.encode()).digest()[:3], "big")


def draw_words(key: Array, stream: int, shape: tuple[int, ...]) -> UInt32[Array, "..."]:
    """Independent uniform 32-bit words of one stream of a block.

    Args:
        key: key of a block (`block_key`).
        stream: a `Stream`, or an offset from one.
        shape: shape of the result.
    """
    return words_of(stream_key(key, stream), shape)


def words_of(key: Array, shape: tuple[int, ...]) -> UInt32[Array, "..."]:
    """Independent uniform 32-bit words of a stream whose key is at hand.

    The word at flat index i depends on nothing but the key and i, so a longer leading
    axis leaves the earlier words as they were, and a key is drawn from once. One cipher
    call makes 64 bits, of which both halves are used.

    Args:
        key: key of a stream (`stream_key`).
        shape: shape of the result.
    """
    count = prod(shape)
    wide = jax.random.bits(key, ((count + 1) // 2,), jnp.uint64)
    low = (wide & 0xFFFFFFFF).astype(jnp.uint32)
    high = (wide >> 32).astype(jnp.uint32)
    return jnp.stack([low, high], axis=-1).reshape(-1)[:count].reshape(shape)


def split_word(words: UInt32[Array, "..."], *widths: int) -> tuple[Array, ...]:
    """Disjoint fields of each word as int64, the first from the low bits.

    Args:
        words: uniform words.
        widths: bits of each field; together at most 32.

    Returns:
        One array per width, uniform over ``[0, 2**width)`` and independent.
    """
    if sum(widths) > WORD_BITS or min(widths) < 1:
        raise ValueError(f"fields of {widths} bits do not fit a 32-bit word")
    fields, offset = [], 0
    wide = words.astype(INT)
    for width in widths:
        fields.append((wide >> offset) & ((1 << width) - 1))
        offset += width
    return tuple(fields)


def uniform_int(
    words: Int[Array, "..."] | UInt32[Array, "..."], n, *, bits: int = WORD_BITS
) -> Int[Array, "..."]:
    """Uniform integers in ``[0, n)`` by multiply-high, for ``n <= 2**31``.

    Each outcome's probability is within ``2**-bits`` of ``1/n``.

    Args:
        words: uniform words, or fields of ``bits`` bits from `split_word`.
        n: the number of outcomes, at least 1; broadcast.
        bits: the width of ``words``.
    """
    return (words.astype(INT) * n) >> bits


def bernoulli_ppm(
    words: Int[Array, "..."] | UInt32[Array, "..."], chance_ppm, *, bits=WORD_BITS
) -> Bool[Array, "..."]:
    """True with probability ``chance_ppm`` parts per million, within ``2**-bits``."""
    return (words.astype(INT) * PPM) >> bits < chance_ppm
