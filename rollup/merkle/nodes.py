"""What a tree needs to know of its hash."""

from collections.abc import Callable
from dataclasses import dataclass

from rollup.hashing.blake2s import hash_columns


@dataclass(frozen=True, kw_only=True)
class NodeHash:
    """A two-to-one hash of digests: all that the trees know of it.

    Attributes:
        name: its name in messages.
        ident: its number in the binary form of proofs (see ``docs/proofs.md``).
        words: 32-bit words of a digest, ``w``.
        compress: UInt32 [2w, L] -> UInt32 [w, L], the parents of L pairs held word by
            word, left child first; row-independent, compiled once per block of lanes.
        compress_host: the same on two digests as little-endian bytes, plain Python.
        cpu_lanes: pairs that are best hashed together on a CPU.
    """

    name: str
    ident: int
    words: int
    compress: Callable
    compress_host: Callable[[bytes, bytes], bytes]
    cpu_lanes: int = 1024


def _blake2s_pair(pairs):
    return hash_columns(pairs, 64)


def _blake2s_host(left: bytes, right: bytes) -> bytes:
    from hashlib import blake2s

    return blake2s(left + right).digest()


#: Standard Blake2s-256 of the two digests, 64 bytes, unkeyed and unpersonalised.
BLAKE2S = NodeHash(
    name="blake2s",
    ident=1,
    words=8,
    compress=_blake2s_pair,
    compress_host=_blake2s_host,
)
