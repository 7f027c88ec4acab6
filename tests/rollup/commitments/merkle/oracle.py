"""Trees by recursion over halves, in plain Python: what batched trees must equal."""

import hashlib

import numpy as np

EMPTY = bytes(32)


def blake2s_pair(left: bytes, right: bytes) -> bytes:
    return hashlib.blake2s(left + right).digest()


def as_bytes(digest) -> bytes:
    """The 32 bytes of a digest held as eight words."""
    return np.asarray(digest).astype("<u4").tobytes()


def as_words(digest: bytes) -> np.ndarray:
    return np.frombuffer(digest, "<u4").astype(np.uint32)


def random_digests(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(
        0, 1 << 32, (*shape, 8), dtype=np.uint32
    )


class SparseTree:
    """A tree of any height whose leaves are a dict; empty subtrees are not visited."""

    def __init__(self, height: int, leaves: dict[int, bytes], pair=blake2s_pair):
        self.height, self.leaves, self.pair = height, leaves, pair
        self.empty = [EMPTY]
        for _ in range(height):
            self.empty.append(pair(self.empty[-1], self.empty[-1]))

    def node(self, level: int, place: int, leaves: dict[int, bytes] | None = None):
        leaves = self.leaves if leaves is None else leaves
        inside = {k: v for k, v in leaves.items() if k >> level == place}
        if not inside:
            return self.empty[level]
        if level == 0:
            return inside[place]
        left = self.node(level - 1, 2 * place, inside)
        return self.pair(left, self.node(level - 1, 2 * place + 1, inside))

    def root(self) -> bytes:
        return self.node(self.height, 0)

    def path(self, index: int) -> list[bytes]:
        return [self.node(k, (index >> k) ^ 1) for k in range(self.height)]
