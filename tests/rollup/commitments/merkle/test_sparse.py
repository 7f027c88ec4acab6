"""Sparse trees equal the full tree of that height, empty leaves and all."""

from functools import partial

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rollup.commitments.merkle import (
    BLAKE2S,
    empty_subtrees,
    extended_root,
    merkle_root,
    roots_of_paths,
    sparse_paths,
    sparse_root,
)
from tests.rollup.commitments.merkle.oracle import SparseTree, as_bytes, random_digests

COUNT = 7
PATHS = {h: jax.jit(partial(sparse_paths, height=h)) for h in (4, 64)}
CLIMB = jax.jit(roots_of_paths)


def keys_below(bound: int):
    near = st.integers(0, 15)  # neighbours, so that pairs meet low in the tree
    far = st.integers(0, bound - 1) | st.just(bound - 1)
    keys = near | far if bound > 16 else near
    return st.lists(keys, min_size=COUNT, max_size=COUNT, unique=True)


@pytest.mark.parametrize("height", [4, 64])
def test_root_and_openings_equal_the_recursive_tree(height):
    @settings(max_examples=30, deadline=None)
    @given(
        keys=keys_below(1 << height),
        seed=st.integers(0, 1 << 30),
        live=st.lists(st.booleans(), min_size=COUNT, max_size=COUNT),
    )
    def holds(keys, seed, live):
        leaves, live = random_digests(seed, COUNT), np.array(live)
        held = {
            k: as_bytes(v) for k, v, on in zip(keys, leaves, live, strict=True) if on
        }
        oracle = SparseTree(height, held)
        root, paths = PATHS[height](np.array(keys, np.uint64), leaves, live)
        assert as_bytes(root) == oracle.root()
        for key, path, on in zip(keys, paths, live, strict=True):
            assert not on or list(map(as_bytes, path)) == oracle.path(key)

    holds()


def test_an_empty_tree_has_the_empty_root():
    keys, leaves = np.arange(3, dtype=np.uint64), random_digests(0, 3)
    root = sparse_root(keys, leaves, np.zeros(3, bool))
    assert np.array_equal(root, empty_subtrees(BLAKE2S, 64)[64])


def test_the_last_keys_of_a_full_height_tree_are_ordinary_keys():
    last = (1 << 64) - 1
    keys = np.array([5, last, last - 1], np.uint64)
    leaves, live = random_digests(1, 3), np.array([False, True, True])
    held = {last: as_bytes(leaves[1]), last - 1: as_bytes(leaves[2])}
    root = sparse_root(keys, leaves, live)
    assert as_bytes(root) == SparseTree(64, held).root()


def test_sparse_openings_lead_to_the_root():
    keys = np.array([3, 2, 1 << 63, 77, 78, 79, 1 << 40], np.uint64)
    leaves = random_digests(2, COUNT)
    root, paths = PATHS[64](keys, leaves, np.ones(COUNT, bool))
    assert {as_bytes(r) for r in CLIMB(leaves, keys, paths)} == {as_bytes(root)}


def test_worlds_have_the_sparse_roots_they_have_alone():
    rng = np.random.default_rng(3)
    keys = rng.integers(0, 1 << 63, (3, COUNT)).astype(np.uint64)
    leaves, live = random_digests(4, 3, COUNT), rng.integers(0, 2, (3, COUNT)) == 1
    together = jax.jit(jax.vmap(sparse_root))(keys, leaves, live)
    for world in range(3):
        alone = PATHS[64](keys[world], leaves[world], live[world])[0]
        assert np.array_equal(together[world], alone)


@pytest.mark.parametrize("count", [1, 5, 16])
def test_a_dense_beginning_extends_to_the_venues_height(count):
    leaves = random_digests(count, count)
    oracle = SparseTree(64, {k: as_bytes(leaf) for k, leaf in enumerate(leaves)})
    assert as_bytes(extended_root(leaves)) == oracle.root()


def test_an_extension_to_its_own_height_is_the_dense_root():
    leaves = random_digests(8, 16)
    assert np.array_equal(extended_root(leaves, 4), merkle_root(leaves))


@pytest.mark.parametrize("height", [3, 65])
def test_a_height_that_does_not_hold_the_leaves_is_refused(height):
    with pytest.raises(ValueError, match=f"height {height}"):
        extended_root(random_digests(8, 16), height)
