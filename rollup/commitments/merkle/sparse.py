"""Sparse trees: a venue's tree of height 64, of which a few leaves are not empty.

An empty subtree has a known root (`rollup.commitments.merkle.nodes.empty_subtrees`), so
a tree of any height costs its live leaves times its height. Leaves are named by keys:
unsigned 64-bit positions.
"""

from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, UInt32, UInt64

from rollup.commitments.merkle.nodes import (
    BLAKE2S,
    NodeHash,
    empty_subtrees,
    hash_pairs,
)
from rollup.commitments.merkle.tree import height_of, merkle_root

#: Height of the positions tree of a production venue (StarkEx-style).
VENUE_HEIGHT = 64
_LAST_KEY = np.uint64((1 << 64) - 1)


def extended_root(
    leaves: UInt32[Array, "n w"],
    height: int = VENUE_HEIGHT,
    *,
    node_hash: NodeHash = BLAKE2S,
) -> UInt32[Array, " w"]:
    """Root of the tree of ``height`` whose first n leaves are given, the rest empty."""
    dense = height_of(leaves.shape[0])
    if not dense <= height <= VENUE_HEIGHT:
        raise ValueError(f"{leaves.shape[0]} leaves in a tree of height {height}")
    empty = jnp.asarray(empty_subtrees(node_hash, height))

    def climb(level, node):
        pair = jnp.concatenate([node, empty[level]])[None]
        return hash_pairs(node_hash)(pair)[0]

    return lax.fori_loop(dense, height, climb, merkle_root(leaves, node_hash=node_hash))


def sparse_root(
    keys: UInt64[Array, " K"],
    leaves: UInt32[Array, "K w"],
    live: Bool[Array, " K"],
    height: int = VENUE_HEIGHT,
    *,
    node_hash: NodeHash = BLAKE2S,
) -> UInt32[Array, " w"]:
    """Root of the tree with the live leaves at their keys and empty ones elsewhere.

    The live keys must be distinct and below ``2**height``. Vmappable.
    """
    return _sparse(keys, leaves, live, height, node_hash, with_paths=False)[0]


def sparse_paths(
    keys: UInt64[Array, " K"],
    leaves: UInt32[Array, "K w"],
    live: Bool[Array, " K"],
    height: int = VENUE_HEIGHT,
    *,
    node_hash: NodeHash = BLAKE2S,
) -> tuple[UInt32[Array, " w"], UInt32[Array, "K height w"]]:
    """The root, and the siblings of every live leaf (of others: meaningless).

    As `sparse_root`; the openings are in the order of the keys given.
    """
    root, siblings = _sparse(keys, leaves, live, height, node_hash, with_paths=True)
    return root, jnp.swapaxes(siblings, 0, 1)


def _sparse(keys, leaves, live, height, node_hash, *, with_paths) -> tuple[Array, Any]:
    """Climbs all levels with the known nodes kept sorted by key and side by side."""
    if not 1 <= height <= VENUE_HEIGHT:
        raise ValueError(f"height {height}: a sparse tree has 1 to {VENUE_HEIGHT}")
    keys = jnp.where(live, jnp.asarray(keys, jnp.uint64), _LAST_KEY)
    order = jnp.lexsort((~live, keys))
    slot = jnp.zeros_like(order).at[order].set(jnp.arange(order.size))
    empty = jnp.asarray(empty_subtrees(node_hash, height))
    nodes = (keys[order], jnp.asarray(leaves, jnp.uint32)[order], live[order])

    def climb(carry, nothing):
        (keys, digests, live), slot = carry
        parents, siblings, place = _one_level(keys, digests, live, nothing, node_hash)
        return (parents, place[slot]), siblings[slot] if with_paths else None

    (nodes, _), siblings = lax.scan(climb, (nodes, slot), empty[:-1])
    _, digests, live = nodes
    return jnp.where(live[0], digests[0], empty[height]), siblings


def _one_level(keys, digests, live, nothing, node_hash):
    """Parents of sorted nodes, compacted; siblings; and where each node's parent went.

    Two live nodes with one parent lie side by side; the left one hashes the pair and
    the right one is dropped.
    """
    parent = keys >> 1
    leads = live[:-1] & live[1:] & (parent[:-1] == parent[1:])
    no = jnp.zeros(1, bool)
    is_left, is_right = jnp.append(leads, no), jnp.concatenate([no, leads])
    siblings = jnp.where(
        is_left[:, None],
        jnp.roll(digests, -1, 0),
        jnp.where(is_right[:, None], jnp.roll(digests, 1, 0), nothing),
    )
    odd = (keys & 1).astype(bool)[:, None]
    left, right = jnp.where(odd, siblings, digests), jnp.where(odd, digests, siblings)
    hashed = hash_pairs(node_hash)(jnp.concatenate([left, right], axis=1))
    kept = live & ~is_right
    place = jnp.cumsum(kept) - 1
    target = jnp.where(kept, place, keys.size)
    moved = (
        jnp.full_like(keys, _LAST_KEY).at[target].set(parent, mode="drop"),
        jnp.zeros_like(digests).at[target].set(hashed, mode="drop"),
        jnp.arange(keys.size) <= place[-1],
    )
    return moved, siblings, jnp.maximum(place, 0)
