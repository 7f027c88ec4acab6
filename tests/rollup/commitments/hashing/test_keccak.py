"""Keccak-256 in JAX and in plain Python is the Keccak-256 of Ethereum."""

import hashlib

import jax
import numpy as np
import pytest
from Crypto.Hash import keccak as oracle
from hypothesis import given, settings
from hypothesis import strategies as st

from rollup.commitments.hashing.keccak import keccak256
from rollup.commitments.hashing.reference import keccak256 as reference

EMPTY = "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"
TRANSFER_EVENT = "ddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"


def by_pycryptodome(message: bytes) -> bytes:
    return oracle.new(digest_bits=256, data=message).digest()


def by_jax(messages: list[bytes]) -> list[bytes]:
    length = len(messages[0])
    width = -(-length // 4)
    filled = b"".join(m.ljust(4 * width, b"\0") for m in messages)
    words = np.frombuffer(filled, "<u4").reshape(len(messages), width)
    return [np.asarray(d).astype("<u4").tobytes() for d in keccak256(words, length)]


def test_published_digests():
    assert reference(b"").hex() == EMPTY
    assert reference(b"Transfer(address,address,uint256)").hex() == TRANSFER_EVENT
    assert by_jax([b"Transfer(address,address,uint256)"])[0].hex() == TRANSFER_EVENT
    assert by_jax([b""])[0].hex() == EMPTY


def test_it_is_not_sha3():
    assert reference(b"abc") != hashlib.sha3_256(b"abc").digest()


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=700))
def test_the_reference_equals_pycryptodome(message):
    assert reference(message) == by_pycryptodome(message)


@pytest.mark.parametrize("length", [1, 31, 64, 135, 136, 137, 271, 272, 300])
def test_the_batched_hash_equals_pycryptodome(length):
    rng = np.random.default_rng(length)
    messages = [rng.bytes(length) for _ in range(6)]
    assert by_jax(messages) == list(map(by_pycryptodome, messages))


def test_a_batch_of_many_blocks_and_worlds_equals_the_single_hashes():
    words = np.random.default_rng(0).integers(0, 1 << 32, (3, 700, 8), dtype=np.uint32)
    batched = jax.jit(jax.vmap(lambda w: keccak256(w, 32)))(words)
    assert batched.shape == (3, 700, 8)
    for world, index in ((0, 0), (1, 350), (2, 699)):
        expected = by_pycryptodome(words[world, index].tobytes())
        assert np.asarray(batched[world, index]).tobytes() == expected


def test_words_of_another_length_are_refused():
    with pytest.raises(ValueError, match="2 words do not hold"):
        keccak256(np.zeros((1, 2), np.uint32), 9)
