"""The leaf of an account: the hash of its words."""

import jax.numpy as jnp
from jaxtyping import Array, Int64, UInt32

from market.numbers.units import INT
from rollup.commitments.hashing.blake2s import blake2s_int64

#: Leaves are hashed under a personalisation of their own, inner nodes under none: no
#: leaf can be taken for a node, whatever its words.
ACCOUNT_PERSON = b"account1"


def account_leaf(words: Int64[Array, "A W"]) -> UInt32[Array, "A 8"]:
    """Leaves of A accounts: Blake2s-256 of their W words, domain-separated.

    The hash is personalised by `ACCOUNT_PERSON`. A word is written as 8 bytes,
    little-endian, two's complement, so a leaf equals
    ``hashlib.blake2s(struct.pack("<Wq", *words), person=ACCOUNT_PERSON).digest()``.
    The number of words is bound by the hash through its byte counter. Vmappable.
    """
    return blake2s_int64(jnp.asarray(words, INT), ACCOUNT_PERSON)
