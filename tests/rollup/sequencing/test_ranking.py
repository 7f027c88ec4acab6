"""Rankings are stable, and those that are not among the ready come last."""

import jax
import jax.numpy as jnp
from hypothesis import given, settings
from hypothesis import strategies as st

from rollup.sequencing.ranking import LAST, by_key, sorted_positions

SIZE = 6
SORT = jax.jit(sorted_positions)
TWICE = jax.jit(
    lambda first, second, among: by_key(second, among, by_key(first, among))
)

keys = st.lists(
    st.one_of(st.integers(0, 3), st.integers(0, LAST - 1)), min_size=SIZE, max_size=SIZE
)


@given(keys)
@settings(max_examples=60, deadline=None)
def test_sorting_is_by_key_and_then_by_place(keys):
    expected = sorted(range(SIZE), key=lambda place: (keys[place], place))
    assert SORT(jnp.array(keys)).tolist() == expected


@given(keys, keys, st.lists(st.booleans(), min_size=SIZE, max_size=SIZE))
@settings(max_examples=60, deadline=None)
def test_a_later_key_is_laid_over_an_earlier_one(first, second, among):
    ranked = TWICE(jnp.array(first), jnp.array(second), jnp.array(among)).tolist()
    there = [place for place in range(SIZE) if among[place]]
    expected = sorted(there, key=lambda place: (second[place], first[place], place))
    assert ranked[: len(there)] == expected
    assert sorted(ranked) == list(range(SIZE))
