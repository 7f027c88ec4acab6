"""Blake2s-256 in JAX is the Blake2s-256 of RFC 7693, for whole batches."""

import hashlib
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from market.native import platform
from rollup.commitments.hashing.batching import CPU_LANES, in_blocks
from rollup.commitments.hashing.blake2s import (
    blake2s,
    blake2s_columns,
    blake2s_int64,
    hash_columns,
)

SIXTY_FOUR = jax.jit(lambda words: blake2s(words, 64))


def words_of(messages: list[bytes]) -> np.ndarray:
    """Equally long messages as little-endian words, zero-filled to whole words."""
    length = len(messages[0])
    filled = b"".join(m.ljust(-(-length // 4) * 4, b"\0") for m in messages)
    return np.frombuffer(filled, "<u4").reshape(len(messages), -1)


def digests(array) -> list[bytes]:
    return [row.astype("<u4").tobytes() for row in np.asarray(array)]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.binary(min_size=64, max_size=64), min_size=7, max_size=7))
def test_a_64_byte_message_hashes_as_hashlib_does(messages):
    expected = [hashlib.blake2s(m).digest() for m in messages]
    assert digests(SIXTY_FOUR(words_of(messages))) == expected


@pytest.mark.parametrize("length", [0, 1, 3, 4, 63, 64, 65, 96, 127, 128, 129, 656])
def test_any_length_hashes_as_hashlib_does(length):
    rng = np.random.default_rng(length)
    messages = [rng.bytes(length) for _ in range(5)]
    expected = [hashlib.blake2s(m).digest() for m in messages]
    words = words_of(messages) if length else np.zeros((5, 0), np.uint32)
    assert digests(blake2s(words, length)) == expected


@pytest.mark.parametrize("person", [b"a", b"account1"])
def test_a_personalised_hash_is_hashlibs(person):
    messages = [np.random.default_rng(n).bytes(40) for n in range(3)]
    expected = [hashlib.blake2s(m, person=person).digest() for m in messages]
    assert digests(blake2s(words_of(messages), 40, person)) == expected


@pytest.mark.parametrize("count", [1, CPU_LANES, CPU_LANES + 1, 2 * CPU_LANES + 17])
def test_blocks_of_lanes_do_not_change_a_digest(count):
    messages = [n.to_bytes(8, "little") * 8 for n in range(count)]
    expected = [hashlib.blake2s(m).digest() for m in messages]
    assert digests(SIXTY_FOUR(words_of(messages))) == expected


@pytest.mark.parametrize("length", [0, 1, 63, 64, 65, 128, 132, 656])
def test_the_array_lowering_of_any_length_hashes_as_hashlib_does(length):
    messages = [np.random.default_rng(n).bytes(length) for n in range(5)]
    expected = [hashlib.blake2s(m, person=b"array").digest() for m in messages]
    words = words_of(messages) if length else np.zeros((5, 0), np.uint32)
    kernel = partial(hash_columns, length_bytes=length, person=b"array")
    assert digests(in_blocks(jnp.asarray(words), kernel=kernel, lanes=3)) == expected


@pytest.mark.parametrize("count", [1, 7, 8, 9, 24])
def test_int64_words_are_hashed_as_little_endian_on_either_lowering(count):
    words = np.random.default_rng(count).integers(-(2**63), 2**63 - 1, (70, count))
    messages = [row.astype("<i8").tobytes() for row in words]
    expected = [hashlib.blake2s(m, person=b"p").digest() for m in messages]
    assert digests(blake2s_int64(words, b"p")) == expected
    halves = words.astype("<i8").view("<u4").T
    kernel = partial(hash_columns, length_bytes=8 * count, person=b"p")
    assert digests(kernel(halves).T) == expected


@pytest.mark.parametrize(("length", "count"), [(4, 1), (64, 65), (200, 130), (656, 7)])
def test_messages_held_word_by_word_hash_the_same(length, count):
    messages = [np.random.default_rng(n).bytes(length) for n in range(count)]
    expected = [hashlib.blake2s(m, person=b"columns").digest() for m in messages]
    columns = words_of(messages).T
    assert digests(blake2s_columns(columns, length, b"columns").T) == expected
    twice = jax.vmap(lambda c: blake2s_columns(c, length, b"columns"))
    for world in twice(np.stack([columns, columns])):
        assert digests(world.T) == expected


@pytest.mark.parametrize("device, messages", [("cpu", 4), ("gpu", 5)])
def test_only_a_cpu_calls_the_native_kernel(monkeypatch, device, messages):
    # A shape of its own for each, so that no trace made for the other is used.
    monkeypatch.setattr(platform, "current_platform", lambda: device)
    program = jax.jit(lambda w: blake2s_int64(w, b"p"))
    text = program.lower(np.zeros((messages, 9), np.int64)).as_text()
    assert ("custom_call @shakeout" in text) == (device == "cpu")


def test_the_lowering_of_other_devices_gives_the_same_bits():
    words = np.random.default_rng(3).integers(0, 1 << 32, (300, 16), dtype=np.uint32)
    words = jnp.asarray(words)
    pair = partial(hash_columns, length_bytes=64)
    small = in_blocks(words, kernel=pair, lanes=64)
    large = in_blocks(words, kernel=pair, lanes=1 << 16)
    assert np.array_equal(small, large)
    assert np.array_equal(small, SIXTY_FOUR(words))


def test_vmap_over_worlds_is_one_long_batch():
    words = np.random.default_rng(4).integers(0, 1 << 32, (3, 5, 16), dtype=np.uint32)
    batched = jax.vmap(SIXTY_FOUR)(words)
    assert np.array_equal(batched.reshape(15, 8), SIXTY_FOUR(words.reshape(15, 16)))


@pytest.mark.parametrize("length", [60, 61, 68])
def test_a_length_that_the_words_do_not_hold_is_refused(length):
    if length == 61:  # the last word may be partly filled
        blake2s(np.zeros((1, 16), np.uint32), length)
        return
    with pytest.raises(ValueError, match="16 words do not hold"):
        blake2s(np.zeros((1, 16), np.uint32), length)


def test_a_long_personalisation_is_refused():
    with pytest.raises(ValueError, match="at most 8"):
        blake2s(np.zeros((1, 16), np.uint32), 64, b"ninebytes")
