"""The proof object: one opening, or many that share their siblings, as bytes.

The binary form is documented in ``docs/proofs.md``; its reader and judge is
`rollup.commitments.merkle_verify`, which shares no code with this file.
"""

import struct
from dataclasses import dataclass

import numpy as np

from rollup.commitments.merkle.nodes import BLAKE2S, NodeHash

MAGIC = b"SHKM"
VERSION = 1
_HEADER = struct.Struct("<4sBBBBII")


@dataclass(frozen=True, kw_only=True)
class MerkleProof:
    """Openings of some leaves of one tree.

    Attributes:
        hash_ident: number of the tree's hash (`NodeHash.ident`).
        height: levels between a leaf and the root.
        indices: the opened leaves, strictly increasing.
        siblings: the digests that cannot be computed from the opened leaves, level by
            level from the leaves up, from left to right within a level.
    """

    hash_ident: int
    height: int
    indices: tuple[int, ...]
    siblings: tuple[bytes, ...]

    def to_bytes(self) -> bytes:
        """The binary form."""
        header = _HEADER.pack(
            *(MAGIC, VERSION, self.hash_ident, self.height, 0),
            *(len(self.indices), len(self.siblings)),
        )
        indices = struct.pack(f"<{len(self.indices)}Q", *self.indices)
        return header + indices + b"".join(self.siblings)


def prove(indices, paths, *, node_hash: NodeHash = BLAKE2S) -> MerkleProof:
    """One proof of several leaves from their single openings.

    Args:
        indices: the leaves' positions (keys), distinct, in any order; at least one.
        paths: their siblings, uint32 [k, height, w], as `open_paths` and
            `sparse_paths` give them.
        node_hash: the tree's hash.

    Raises:
        ValueError: no index, a repeated one, one beyond the tree, or paths of another
            number of leaves.
    """
    paths = np.asarray(paths).astype("<u4")
    places = [int(index) for index in np.asarray(indices)]
    height = paths.shape[1]
    if not places or len(places) != len(paths):
        raise ValueError(f"{len(places)} leaves with {len(paths)} openings")
    if len(set(places)) != len(places):
        raise ValueError("a leaf is named twice")
    if min(places) < 0 or max(places) >> height:
        raise ValueError(f"an index lies outside a tree of height {height}")
    siblings = _needed(dict(zip(places, paths, strict=True)), height)
    return MerkleProof(
        hash_ident=node_hash.ident,
        height=height,
        indices=tuple(sorted(places)),
        siblings=tuple(siblings),
    )


def _needed(path_of: dict, height: int) -> list[bytes]:
    """Siblings that are not themselves parents of opened leaves, in proof order."""
    siblings = []
    for level in range(height):
        for place in sorted(path_of):
            if place ^ 1 not in path_of:
                siblings.append(path_of[place][level].tobytes())
        path_of = {place >> 1: path for place, path in path_of.items()}
    return siblings
