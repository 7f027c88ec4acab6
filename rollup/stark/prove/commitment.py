"""Extends columns to the evaluation domain and commits to their rows.

Evaluations are held coset by coset, uint32 [columns, 4, rows]: coset c, entry r is
the point SHIFT * w_{4n}^c * w_n^r. A leaf is one point's values in all columns; leaf
number c * rows + r. Trees are Blake2s-256 under personalisations for leaves and
nodes, so that ``hashlib`` can check them.
"""

import hashlib
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from rollup.commitments.hashing.blake2s import blake2s_columns
from rollup.stark.fields.ntt import low_degree_extension
from rollup.stark.prove.parallel import over_blocks
from rollup.stark.rules.parameters import BLOWUP, SHIFT
from rollup.stark.verify.verifier import LEAF_PERSON, NODE_PERSON

COLUMN_CHUNK = 8
LEAF_LANES = 1024
NODE_LANES = 2048
#: Below this many nodes the host's hashlib is quicker than a compiled call.
HOST_NODES = 4096


def extend(columns: np.ndarray) -> np.ndarray:
    """Low-degree extension of uint32 [C, n] to [C, 4, n], in chunks of columns."""
    count, n = columns.shape
    out = np.empty((count, BLOWUP, n), np.uint32)

    def one(start: int) -> None:
        part = columns[start : start + COLUMN_CHUNK]
        missing = COLUMN_CHUNK - part.shape[0]
        padded = np.pad(part, ((0, missing), (0, 0))) if missing else part
        values = low_degree_extension(jnp.asarray(padded), BLOWUP, SHIFT)
        out[start : start + COLUMN_CHUNK] = np.asarray(values)[: part.shape[0]]

    over_blocks(one, range(0, count, COLUMN_CHUNK))
    return out


@partial(jax.jit, static_argnames=("person",))
def _hash_block(words, person: bytes):
    return blake2s_columns(words, 4 * words.shape[0], person)


def hash_leaves(values: np.ndarray, person: bytes, lanes: int) -> np.ndarray:
    """Digests [8, L] of columns of words [W, L], ``lanes`` at a time."""
    count = values.shape[1]
    out = np.empty((8, count), np.uint32)
    lanes = min(lanes, count)

    def one(start: int) -> None:
        block = np.ascontiguousarray(values[:, start : start + lanes])
        out[:, start : start + lanes] = _hash_block(block, person)

    over_blocks(one, range(0, count, lanes))
    return out


class Tree:
    """A Merkle tree over leaves given as columns of words [W, L].

    Attributes:
        levels: bytes of each level, leaves first, 32 bytes a node.
    """

    def __init__(self, words: np.ndarray):
        if words.shape[1] <= LEAF_LANES:
            self.levels = [b"".join(_hash_on_host(words))]
            digests = np.empty((8, words.shape[1]), np.uint32)
        else:
            digests = hash_leaves(words, LEAF_PERSON, LEAF_LANES)
            self.levels = [_to_bytes(digests)]
        while digests.shape[1] > HOST_NODES:
            pairs = np.concatenate([digests[:, 0::2], digests[:, 1::2]])
            digests = hash_leaves(pairs, NODE_PERSON, NODE_LANES)
            self.levels.append(_to_bytes(digests))
        while len(self.levels[-1]) > 32:
            below = self.levels[-1]
            pairs = (below[i : i + 64] for i in range(0, len(below), 64))
            self.levels.append(b"".join(_hash_node(pair) for pair in pairs))

    @property
    def root(self) -> bytes:
        """The commitment."""
        return self.levels[-1]

    def path(self, index: int) -> list[bytes]:
        """Siblings from the leaf up."""
        out = []
        for level in self.levels[:-1]:
            sibling = index ^ 1
            out.append(level[32 * sibling : 32 * sibling + 32])
            index >>= 1
        return out


def _hash_on_host(words: np.ndarray):
    rows = np.ascontiguousarray(words.T).astype("<u4")
    return (hashlib.blake2s(r.tobytes(), person=LEAF_PERSON).digest() for r in rows)


def _hash_node(pair: bytes) -> bytes:
    return hashlib.blake2s(pair, person=NODE_PERSON).digest()


def _to_bytes(digests: np.ndarray) -> bytes:
    return np.ascontiguousarray(digests.T).astype("<u4").tobytes()
