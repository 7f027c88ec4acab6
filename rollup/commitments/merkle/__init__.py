"""Merkle trees over batches of worlds: roots, proofs, updates, sparse trees.

The verifier of proofs is not here: `rollup.commitments.merkle_verify` is plain Python
and imports nothing of this package.
"""

from rollup.commitments.merkle.leaves import ACCOUNT_PERSON, account_leaf
from rollup.commitments.merkle.nodes import (
    BLAKE2S,
    KECCAK256,
    NodeHash,
    empty_subtrees,
    hash_pairs,
)
from rollup.commitments.merkle.paths import (
    build_tree,
    open_paths,
    roots_of_paths,
    tree_height,
    tree_root,
    update_leaves,
)
from rollup.commitments.merkle.proof import MerkleProof, prove
from rollup.commitments.merkle.sparse import (
    VENUE_HEIGHT,
    extended_root,
    sparse_paths,
    sparse_root,
)
from rollup.commitments.merkle.tree import (
    EMPTY_LEAF,
    height_of,
    merkle_levels,
    merkle_root,
)

__all__ = [
    "ACCOUNT_PERSON",
    "BLAKE2S",
    "EMPTY_LEAF",
    "KECCAK256",
    "VENUE_HEIGHT",
    "MerkleProof",
    "NodeHash",
    "account_leaf",
    "build_tree",
    "empty_subtrees",
    "extended_root",
    "hash_pairs",
    "height_of",
    "merkle_levels",
    "merkle_root",
    "open_paths",
    "prove",
    "roots_of_paths",
    "sparse_paths",
    "sparse_root",
    "tree_height",
    "tree_root",
    "update_leaves",
]
