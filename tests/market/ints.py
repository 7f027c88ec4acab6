"""Integers for property tests: of every length, and next to every power of two."""

import jax.numpy as jnp
from hypothesis import settings
from hypothesis import strategies as st

LANES = 16
EXACT = settings(max_examples=40, deadline=None)


def below(bits: int, least: int = 0) -> st.SearchStrategy[int]:
    """least <= n < 2**bits: all lengths alike, and the neighbours of powers of two."""
    edges = [edge for k in range(bits + 1) for edge in ((1 << k) - 1, 1 << k)]
    inside = sorted({e for e in edges if least <= e < 1 << bits})
    by_length = st.integers(0, bits - 1).flatmap(
        lambda k: st.integers(least, max((2 << k) - 1, least))
    )
    return st.one_of(st.sampled_from(inside), by_length)


def signed(bits: int) -> st.SearchStrategy[int]:
    """|n| < 2**bits."""
    return st.tuples(below(bits), st.sampled_from([1, -1])).map(lambda p: p[0] * p[1])


def lanes(strategy, size: int = LANES):
    """A list of one fixed length, so that a compiled function is compiled once."""
    return st.lists(strategy, min_size=size, max_size=size)


def array(numbers):
    """int64 array of plain ints."""
    return jnp.asarray(numbers, dtype=jnp.int64)
