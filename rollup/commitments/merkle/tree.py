"""Dense Merkle trees: all nodes of many worlds' trees from one small loop.

The levels of all worlds lie one after the other in a single buffer, each world's
nodes side by side, so that node ``i`` of a level is the parent of nodes ``2i`` and
``2i + 1`` of the level below whatever the number of worlds. One loop walks over blocks
of parents; a block that reaches past the end of its level writes rubbish into the
place of the next level, which is written afterwards. So the hash is compiled once,
for one shape, however high the tree.

Source: the tree is the plain binary one, parent = H(left || right).
"""

from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, UInt32

from market.native.platform import by_platform
from rollup.commitments.hashing.batching import DEVICE_LANES
from rollup.commitments.merkle.nodes import BLAKE2S, NodeHash

#: The leaf of a place nobody holds, and what a tree is filled up with: all zero. No
#: preimage of it is known under any hash used here.
EMPTY_LEAF = np.zeros(8, np.uint32)
#: Parents per block on a CPU when the trees are small: fewer are wasted at the top.
_SMALL_LANES = 256


def height_of(leaves: int) -> int:
    """Height of the smallest tree with at least so many leaves; 0 for one leaf."""
    return max(leaves - 1, 0).bit_length()


def merkle_root(
    leaves: UInt32[Array, "n w"], *, node_hash: NodeHash = BLAKE2S
) -> UInt32[Array, " w"]:
    """Root of the tree over n leaves, filled up to a power of two by empty leaves.

    Vmappable over worlds: many trees are hashed as one. Integer-only, the same bits on
    every device and for every number of worlds.
    """
    return merkle_levels(leaves, node_hash=node_hash)[-1][0]


def merkle_levels(
    leaves: UInt32[Array, "n w"], *, node_hash: NodeHash = BLAKE2S
) -> tuple[UInt32[Array, "_ w"], ...]:
    """All levels of the tree, leaves first, the root last as [1, w].

    The leaves are filled up to the next power of two with empty leaves. Vmappable.
    """
    count, words = leaves.shape
    if count == 0 or words != node_hash.words:
        raise ValueError(
            f"{count} leaves of {words} words; a {node_hash.name} tree needs at least "
            f"one, of {node_hash.words} words"
        )
    height = height_of(count)
    full = jnp.pad(leaves, ((0, (1 << height) - count), (0, 0)))
    return _levels_of(node_hash, height, 0)(full)


@cache
def _levels_of(node_hash: NodeHash, height: int, axes: int):
    """Levels of trees of one height under ``axes`` axes of worlds.

    Vmap would give each step of the loop an axis more; instead it makes the forest
    longer.
    """
    fixed = {"node_hash": node_hash, "height": height}
    on_device = partial(_forest, **fixed, lanes=DEVICE_LANES, small=DEVICE_LANES)
    on_cpu = partial(_forest, **fixed, lanes=node_hash.cpu_lanes, small=_SMALL_LANES)
    if node_hash.pairs_on_cpu:
        on_cpu = partial(_forest_by_levels, node_hash.pairs_on_cpu, height)

    @jax.custom_batching.custom_vmap
    def levels(leaves):
        worlds = leaves.shape[:axes]
        forest = by_platform(
            leaves.reshape(-1, node_hash.words), cpu=on_cpu, default=on_device
        )
        return tuple(
            level.reshape(*worlds, 1 << (height - k), node_hash.words)
            for k, level in enumerate(forest)
        )

    @levels.def_vmap
    def _(axis_size, in_batched, leaves):
        batched = _levels_of(node_hash, height, axes + 1)(leaves)
        return batched, (True,) * (height + 1)

    return levels


def _forest(leaves, *, node_hash: NodeHash, height: int, lanes: int, small: int):
    """Levels [rows >> k, w] of a forest of trees of one height, k = 0 .. height."""
    rows, words = leaves.shape
    if height == 0 or rows == 0:
        return tuple(leaves[: rows >> k] for k in range(height + 1))
    lanes = min(lanes, max(rows // 32, min(small, rows // 2)))
    sources, targets, offsets = _jobs(rows, height, lanes)
    total = offsets[-1] + (rows >> height)
    nodes = jnp.pad(leaves, ((0, total - rows + 2 * lanes), (0, 0)))
    sources, targets = jnp.asarray(sources), jnp.asarray(targets)
    first_word = np.int32(0)

    def hash_block(job, nodes):
        start = (sources[job], first_word)
        pairs = lax.dynamic_slice(nodes, start, (2 * lanes, words))
        columns = lax.optimization_barrier(pairs.reshape(lanes, 2 * words).T)
        parents = node_hash.compress(columns).T
        return lax.dynamic_update_slice(nodes, parents, (targets[job], first_word))

    nodes = lax.fori_loop(0, len(sources), hash_block, nodes)
    return tuple(nodes[o : o + (rows >> k)] for k, o in enumerate(offsets))


def _forest_by_levels(hash_pairs, height: int, leaves):
    """The levels of `_forest` where one call hashes a whole level natively."""
    levels = [leaves]
    for _ in range(height):
        levels.append(hash_pairs(levels[-1].reshape(-1, 2 * leaves.shape[1])))
    return tuple(levels)


def _jobs(rows: int, height: int, lanes: int):
    """Where each block reads its children and writes its parents; level offsets."""
    sources, targets, offsets = [], [], [0]
    for level in range(height):
        children, parents = offsets[-1], offsets[-1] + (rows >> level)
        for start in range(0, rows >> (level + 1), lanes):
            sources.append(children + 2 * start)
            targets.append(parents + start)
        offsets.append(parents)
    return np.array(sources, np.int32), np.array(targets, np.int32), offsets
