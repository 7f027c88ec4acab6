"""Trees that are kept: openings, and updates of the touched leaves only.

A kept tree is one array of nodes in heap order: the root is node 1, the children of
node ``i`` are ``2i`` and ``2i + 1``, leaf ``k`` is node ``2**height + k``; node 0 is
unused and zero. Every function here is pure, vmappable over worlds, and costs its
number of leaves times the height, not the size of the tree.
"""

from functools import partial

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Int, UInt32

from rollup.commitments.merkle.nodes import BLAKE2S, NodeHash, hash_pairs
from rollup.commitments.merkle.tree import merkle_levels


def build_tree(
    leaves: UInt32[Array, "n w"], *, node_hash: NodeHash = BLAKE2S
) -> UInt32[Array, "nodes w"]:
    """All nodes of the tree over n leaves, in heap order [2 ** (height + 1), w]."""
    levels = merkle_levels(leaves, node_hash=node_hash)
    unused = jnp.zeros((1, node_hash.words), jnp.uint32)
    return jnp.concatenate([unused, *reversed(levels)])


def tree_height(nodes: UInt32[Array, "nodes w"]) -> int:
    """Height of a tree in heap order."""
    return nodes.shape[0].bit_length() - 2


def tree_root(nodes: UInt32[Array, "nodes w"]) -> UInt32[Array, " w"]:
    """Root of a tree in heap order."""
    return nodes[1]


def update_leaves(
    nodes: UInt32[Array, "nodes w"],
    indices: Int[Array, " k"],
    leaves: UInt32[Array, "k w"],
    live: Bool[Array, " k"] | None = None,
    *,
    node_hash: NodeHash = BLAKE2S,
) -> UInt32[Array, "nodes w"]:
    """The tree with k leaves replaced; ``k * height`` hashes.

    Args:
        nodes: a tree in heap order.
        indices: which leaves, in [0, 2**height); the live ones distinct. An index
            outside changes nothing.
        leaves: their new digests.
        live: entries to obey; all by default. The others change nothing.
        node_hash: the tree's hash.
    """
    height = tree_height(nodes)
    indices = jnp.asarray(indices)
    obeyed = (indices >= 0) & (indices < 1 << height)
    if live is not None:
        obeyed &= live
    nowhere = nodes.shape[0]

    def write(nodes, places, digests):
        return nodes.at[jnp.where(obeyed, places, nowhere)].set(digests, mode="drop")

    places = jnp.where(obeyed, indices, 0) + (1 << height)
    nodes = write(jnp.asarray(nodes, jnp.uint32), places, leaves)

    def climb(_, carry):
        nodes, places = carry
        parents = places >> 1
        pairs = jnp.concatenate([nodes[2 * parents], nodes[2 * parents + 1]], axis=1)
        return write(nodes, parents, hash_pairs(node_hash)(pairs)), parents

    return lax.fori_loop(0, height, climb, (nodes, places))[0]


def open_paths(
    nodes: UInt32[Array, "nodes w"], indices: Int[Array, " k"]
) -> UInt32[Array, "k height w"]:
    """Siblings of k leaves, from the leaf's own up to a child of the root."""
    height = tree_height(nodes)
    places = jnp.asarray(indices) + (1 << height)
    return nodes[(places[:, None] >> np.arange(height)) ^ 1]


def roots_of_paths(
    leaves: UInt32[Array, "k w"],
    indices: Int[Array, " k"],
    siblings: UInt32[Array, "k height w"],
    *,
    node_hash: NodeHash = BLAKE2S,
) -> UInt32[Array, "k w"]:
    """The roots that k openings lead to; an opening is right where it is *the* root.

    Only the low ``height`` bits of an index are looked at (signed or unsigned).
    """
    step = partial(_climb, pair=hash_pairs(node_hash))
    return lax.scan(
        step, (jnp.asarray(leaves), jnp.asarray(indices)), siblings.swapaxes(0, 1)
    )[0][0]


def _climb(carry, sibling, *, pair):
    """One level up: the node and its sibling in the order that the index says."""
    node, index = carry
    is_right = (index & 1).astype(bool)[:, None]
    left = jnp.where(is_right, sibling, node)
    right = jnp.where(is_right, node, sibling)
    return (pair(jnp.concatenate([left, right], axis=1)), index >> 1), None
