"""Merkle trees over batches of worlds: roots, proofs, updates, sparse trees.

The verifier of proofs is not here: `rollup.merkle_verify` is plain Python and imports
nothing of this package.
"""

from rollup.merkle.leaves import ACCOUNT_PERSON, account_leaf
from rollup.merkle.nodes import BLAKE2S, NodeHash
from rollup.merkle.tree import EMPTY_LEAF, merkle_levels, merkle_root

__all__ = [
    "ACCOUNT_PERSON",
    "BLAKE2S",
    "EMPTY_LEAF",
    "NodeHash",
    "account_leaf",
    "merkle_levels",
    "merkle_root",
]
