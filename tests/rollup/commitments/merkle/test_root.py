"""Roots of dense trees equal a recursive hashlib tree, alone and in batches."""

import hashlib
import itertools
import struct

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax import lax

from rollup.commitments.merkle import (
    ACCOUNT_PERSON,
    account_leaf,
    merkle_levels,
    merkle_root,
)
from rollup.commitments.merkle.nodes import BLAKE2S
from rollup.commitments.merkle.tree import _forest

LEAVES = jax.jit(account_leaf)
INT64 = st.integers(-(1 << 63), (1 << 63) - 1)


def root_by_hashlib(leaves: list[bytes]) -> bytes:
    """The tree by recursion over halves; missing leaves are zero."""
    size = 1
    while size < len(leaves):
        size *= 2

    def node(low: int, high: int) -> bytes:
        if high - low == 1:
            return leaves[low] if low < len(leaves) else bytes(32)
        middle = (low + high) // 2
        return hashlib.blake2s(node(low, middle) + node(middle, high)).digest()

    return node(0, size)


def leaf_by_hashlib(words) -> bytes:
    packed = struct.pack(f"<{len(words)}q", *map(int, words))
    return hashlib.blake2s(packed, person=ACCOUNT_PERSON).digest()


def random_leaves(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(
        0, 1 << 32, (*shape, 8), dtype=np.uint32
    )


def as_bytes(digest) -> bytes:
    return np.asarray(digest).astype("<u4").tobytes()


@pytest.mark.parametrize("count", [1, 2, 3, 5, 8, 100, 700, 1024])
def test_the_root_equals_a_recursive_hashlib_tree(count):
    leaves = random_leaves(count, count)
    expected = root_by_hashlib([as_bytes(leaf) for leaf in leaves])
    assert as_bytes(merkle_root(leaves)) == expected


@pytest.mark.parametrize("worlds", [1, 3, 16])
def test_many_worlds_at_once_have_the_roots_they_have_alone(worlds):
    leaves = random_leaves(worlds, worlds, 33)
    batched = jax.jit(jax.vmap(merkle_root))(leaves)
    alone = [root_by_hashlib([as_bytes(x) for x in world]) for world in leaves]
    assert [as_bytes(root) for root in batched] == alone


def test_two_axes_of_worlds_keep_their_order():
    leaves = random_leaves(9, 2, 3, 4)
    batched = jax.vmap(jax.vmap(merkle_root))(leaves)
    assert batched.shape == (2, 3, 8)
    assert as_bytes(batched[1, 2]) == root_by_hashlib(list(map(as_bytes, leaves[1, 2])))


def test_every_inner_node_is_the_hash_of_its_children():
    levels = jax.vmap(merkle_levels)(random_leaves(5, 2, 21))
    assert [level.shape[1] for level in levels] == [32, 16, 8, 4, 2, 1]
    for below, above in itertools.pairwise(levels):
        pairs = np.asarray(below).reshape(-1, 16)
        expected = [hashlib.blake2s(as_bytes(pair)).digest() for pair in pairs]
        assert list(map(as_bytes, np.asarray(above).reshape(-1, 8))) == expected


def test_the_lowering_of_other_devices_gives_the_same_levels():
    leaves = jnp.asarray(random_leaves(6, 96))
    for lanes in (2, 7, 48, 1 << 16):
        forest = _forest(leaves, node_hash=BLAKE2S, height=5, lanes=lanes, small=lanes)
        for world in range(3):
            one = leaves[32 * world : 32 * world + 32]
            expected = root_by_hashlib(list(map(as_bytes, one)))
            assert as_bytes(forest[-1][world]) == expected


@settings(max_examples=30, deadline=None)
@given(st.lists(st.lists(INT64, min_size=11, max_size=11), min_size=4, max_size=4))
def test_an_account_leaf_hashes_its_words_as_little_endian_int64(accounts):
    leaves = LEAVES(jnp.array(accounts, jnp.int64))
    assert list(map(as_bytes, leaves)) == list(map(leaf_by_hashlib, accounts))


def test_a_leaf_is_never_a_node_even_over_the_same_64_bytes():
    words = np.arange(8, dtype=np.int64)[None]
    node = hashlib.blake2s(words.astype("<i8").tobytes()).digest()
    assert as_bytes(account_leaf(words)[0]) != node


def _batched_roots(accounts):
    """Roots of every fourth block inside a scan, under an axis of worlds."""

    def block(words, index):
        words = words + index
        root = lax.cond(
            index % 4 == 3,
            lambda w: merkle_root(account_leaf(w)),
            lambda w: jnp.zeros(8, jnp.uint32),
            words,
        )
        return words, root

    return jax.vmap(lambda w: lax.scan(block, w, jnp.arange(8, dtype=jnp.int64)))(
        accounts
    )


def test_a_root_inside_a_conditional_of_a_vmapped_scan_is_the_root():
    accounts = np.random.default_rng(1).integers(-(2**62), 2**62, (3, 20, 5))
    final, roots = jax.jit(_batched_roots)(accounts)
    for world in range(3):
        leaves = [leaf_by_hashlib(words) for words in np.asarray(final[world])]
        assert as_bytes(roots[world, 7]) == root_by_hashlib(leaves)
    assert not roots[:, 4:7].any()


def test_no_operation_of_a_root_is_floating_point():
    jaxpr = jax.make_jaxpr(_batched_roots)(np.zeros((3, 20, 5), np.int64))
    kinds = {variable.aval.dtype.kind for variable in _variables(jaxpr.jaxpr)}
    assert kinds <= set("iub"), kinds


def _variables(jaxpr):
    for equation in jaxpr.eqns:
        yield from equation.outvars
        for value in equation.params.values():
            for inner in value if isinstance(value, (tuple, list)) else (value,):
                inner = getattr(inner, "jaxpr", inner)
                if hasattr(inner, "eqns"):
                    yield from _variables(inner)


def test_leaves_of_another_width_are_refused():
    with pytest.raises(ValueError, match="of 8 words"):
        merkle_root(np.zeros((4, 7), np.uint32))
