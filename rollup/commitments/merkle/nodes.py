"""What a tree needs to know of its hash."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial

import numpy as np

from rollup.commitments.hashing import blake2s, keccak, reference
from rollup.commitments.hashing.batching import CPU_LANES, over_messages


@dataclass(frozen=True, kw_only=True)
class NodeHash:
    """A two-to-one hash of digests: all that the trees know of it.

    Attributes:
        name: its name in messages.
        ident: its number in the binary form of proofs (see ``docs/proofs.md``).
        words: 32-bit words of a digest, ``w``.
        compress: UInt32 [2w, L] -> UInt32 [w, L], the parents of L pairs held word by
            word, left child first; lanes never meet. Compiled once per block of lanes.
        compress_host: the same on two digests as little-endian bytes, plain Python;
            raises ValueError on bytes that are no digest.
        cpu_lanes: pairs that are best hashed together on a CPU.
        pairs_on_cpu: a faster lowering of the whole batch there, if there is one:
            UInt32 [N, 2w] -> UInt32 [N, w], equal to ``compress`` to the bit.
    """

    name: str
    ident: int
    words: int
    compress: Callable
    compress_host: Callable[[bytes, bytes], bytes]
    cpu_lanes: int = CPU_LANES
    pairs_on_cpu: Callable | None = None


#: Standard Blake2s-256 of the two digests, 64 bytes, unkeyed and unpersonalised.
BLAKE2S = NodeHash(
    name="blake2s",
    ident=1,
    words=8,
    compress=partial(blake2s.hash_columns, length_bytes=64),
    compress_host=lambda left, right: hashlib.blake2s(left + right).digest(),
    pairs_on_cpu=partial(blake2s.hash_on_cpu, length_bytes=64),
)
#: Keccak-256 of the two digests, 64 bytes: what a contract can check cheaply.
KECCAK256 = NodeHash(
    name="keccak256",
    ident=2,
    words=8,
    compress=partial(keccak.hash_columns, length_bytes=64),
    compress_host=lambda left, right: reference.keccak256(left + right),
)


@cache
def hash_pairs(node_hash: NodeHash) -> Callable:
    """The hash of pairs side by side, UInt32 [N, 2w] -> UInt32 [N, w], vmappable."""
    return over_messages(
        node_hash.compress, node_hash.cpu_lanes, node_hash.pairs_on_cpu
    )


@cache
def empty_subtrees(node_hash: NodeHash, height: int) -> np.ndarray:
    """Roots of trees of empty leaves of height 0 .. ``height``, uint32 [height+1, w].

    Computed once on the host.
    """
    digests = [bytes(4 * node_hash.words)]
    for _ in range(height):
        digests.append(node_hash.compress_host(digests[-1], digests[-1]))
    return np.array([np.frombuffer(d, "<u4") for d in digests], np.uint32)
