"""Kept trees: openings lead to the root, updates touch only what they must."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rollup.commitments.merkle import (
    KECCAK256,
    NodeHash,
    build_tree,
    merkle_root,
    open_paths,
    roots_of_paths,
    tree_root,
    update_leaves,
)
from tests.rollup.commitments.merkle.oracle import SparseTree, as_bytes, random_digests

HEIGHT, TOUCHED = 5, 6
BUILD, UPDATE = jax.jit(build_tree), jax.jit(update_leaves)
OPEN, CLIMB = jax.jit(open_paths), jax.jit(roots_of_paths)


def oracle_of(leaves) -> SparseTree:
    return SparseTree(HEIGHT, {k: as_bytes(leaf) for k, leaf in enumerate(leaves)})


def _xor_and_turn(pairs):
    """A toy hash of two-word digests, to show that the trees know nothing of theirs."""
    left, right = pairs[:2], pairs[2:]
    return (left * np.uint32(5) + np.uint32(1)) ^ jnp.roll(right, 1, 0)


def _xor_and_turn_host(left: bytes, right: bytes) -> bytes:
    a, b = np.frombuffer(left, "<u4"), np.frombuffer(right, "<u4")
    return (((a * np.uint32(5)) + np.uint32(1)) ^ np.roll(b, 1)).astype("<u4").tobytes()


TOY = NodeHash(
    name="toy",
    ident=99,
    words=2,
    compress=_xor_and_turn,
    compress_host=_xor_and_turn_host,
)


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 1 << 30),
    touched=st.lists(
        st.integers(0, 31), min_size=TOUCHED, max_size=TOUCHED, unique=True
    ),
    live=st.lists(st.booleans(), min_size=TOUCHED, max_size=TOUCHED),
)
def test_an_update_of_touched_leaves_equals_building_anew(seed, touched, live):
    leaves, news = random_digests(seed, 32), random_digests(seed + 1, TOUCHED)
    nodes = UPDATE(BUILD(leaves), np.array(touched), news, np.array(live))
    changed = leaves.copy()
    for index, new, obeyed in zip(touched, news, live, strict=True):
        if obeyed:
            changed[index] = new
    assert np.array_equal(nodes, BUILD(changed))
    assert as_bytes(tree_root(nodes)) == oracle_of(changed).root()


def test_an_index_outside_the_tree_changes_nothing():
    nodes = BUILD(random_digests(0, 32))
    outside = np.array([-1, 32, 33, 1 << 40, -32, 64])
    assert np.array_equal(UPDATE(nodes, outside, random_digests(1, 6)), nodes)


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 1 << 30),
    indices=st.lists(st.integers(0, 31), min_size=TOUCHED, max_size=TOUCHED),
)
def test_openings_are_the_siblings_and_lead_to_the_root(seed, indices):
    leaves = random_digests(seed, 32)
    oracle = oracle_of(leaves)
    paths = OPEN(BUILD(leaves), np.array(indices))
    assert [list(map(as_bytes, p)) for p in paths] == list(map(oracle.path, indices))
    roots = CLIMB(leaves[np.array(indices)], np.array(indices), paths)
    assert {as_bytes(root) for root in roots} == {oracle.root()}


def test_a_wrong_leaf_index_or_sibling_leads_elsewhere():
    leaves = random_digests(3, 32)
    indices = np.arange(TOUCHED)
    paths = np.array(OPEN(BUILD(leaves), indices))
    root = np.asarray(merkle_root(leaves))
    bad_leaves = leaves[:TOUCHED] ^ np.eye(TOUCHED, 8, dtype=np.uint32)
    bad_paths = paths.copy()
    bad_paths[np.arange(TOUCHED), np.arange(TOUCHED) % HEIGHT, 7] ^= 1
    for roots in (
        CLIMB(bad_leaves, indices, paths),
        CLIMB(leaves[:TOUCHED], indices ^ 16, paths),
        CLIMB(leaves[:TOUCHED], indices, bad_paths),
    ):
        assert not (np.asarray(roots) == root).all(axis=1).any()


def test_worlds_are_updated_and_opened_apart():
    leaves, news = random_digests(4, 3, 32), random_digests(5, 3, TOUCHED)
    indices = np.random.default_rng(6).permuted(np.tile(np.arange(32), (3, 1)), axis=1)
    indices = indices[:, :TOUCHED]

    @jax.jit
    @jax.vmap
    def roots_after(leaves, indices, news):
        nodes = update_leaves(build_tree(leaves), indices, news)
        return roots_of_paths(news, indices, open_paths(nodes, indices))

    roots = roots_after(leaves, indices, news)
    for world in range(3):
        changed = leaves[world].copy()
        changed[indices[world]] = news[world]
        expected = oracle_of(changed).root()
        assert {as_bytes(root) for root in roots[world]} == {expected}


@pytest.mark.parametrize("node_hash", [KECCAK256, TOY], ids=lambda h: h.name)
def test_the_trees_serve_any_hash(node_hash):
    leaves = random_digests(7, 8)[:, : node_hash.words]
    oracle = SparseTree(
        3, {k: as_bytes(leaf) for k, leaf in enumerate(leaves)}, node_hash.compress_host
    )
    nodes = build_tree(leaves, node_hash=node_hash)
    assert as_bytes(merkle_root(leaves, node_hash=node_hash)) == oracle.root()
    indices = np.array([1, 6])
    paths = open_paths(nodes, indices)
    assert [list(map(as_bytes, p)) for p in paths] == [oracle.path(1), oracle.path(6)]
    nodes = update_leaves(nodes, indices, leaves[:2], node_hash=node_hash)
    oracle.leaves |= {1: as_bytes(leaves[0]), 6: as_bytes(leaves[1])}
    assert as_bytes(tree_root(nodes)) == oracle.root()
    roots = roots_of_paths(
        leaves[:2], indices, open_paths(nodes, indices), node_hash=node_hash
    )
    assert {as_bytes(root) for root in roots} == {oracle.root()}
