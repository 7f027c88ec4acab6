"""The account tree that the proof is about: tables, leaves and Poseidon2 roots.

Every one of the 2^height leaves is an account; the ones a table does not reach are
empty accounts (no money, no positions, index 0). A leaf chains its elements, eight
at a time, through the 2-to-1 compression.
"""

from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np

from rollup.commitments.hashing.poseidon2 import compress
from rollup.stark.prove.parallel import over_blocks
from rollup.stark.rules.arithmetic import P
from rollup.stark.rules.layout import DIGEST, LEAF_TAG
from rollup.stark.rules.statement import AMOUNT_BOUND, POSITION_BOUND

#: Digests computed together; one compiled shape serves every size.
LANES = 4096
_HALF = np.int64((1 << 24) - 1)


@dataclass(frozen=True)
class AccountTable:
    """Accounts 0 … A-1.

    Attributes:
        collateral: int64 [A], quote quanta.
        positions: int64 [A, M], lots.
        indices: int64 [A, M], funding index each account last paid up to.
    """

    collateral: np.ndarray
    positions: np.ndarray
    indices: np.ndarray

    @classmethod
    def of(cls, collateral, positions, indices) -> "AccountTable":
        """Checks shapes and bounds.

        Raises:
            ValueError: shapes differ, or an amount is out of the provable range.
        """
        table = cls(
            *(np.asarray(x, np.int64) for x in (collateral, positions, indices))
        )
        shape = (*table.collateral.shape, table.positions.shape[-1])
        if table.positions.shape != shape or table.indices.shape != shape:
            raise ValueError("collateral [A], positions [A, M] and indices [A, M]")
        _bounded("collateral", table.collateral, AMOUNT_BOUND)
        _bounded("positions", table.positions, POSITION_BOUND)
        _bounded("indices", table.indices, AMOUNT_BOUND)
        return table

    def rows(self, accounts: np.ndarray) -> "AccountTable":
        """The named accounts, in that order."""
        return AccountTable(
            self.collateral[accounts], self.positions[accounts], self.indices[accounts]
        )

    def padded(self, count: int) -> "AccountTable":
        """The table with empty accounts up to ``count``.

        Raises:
            ValueError: the table has more accounts already.
        """
        missing = count - len(self.collateral)
        if missing < 0:
            raise ValueError(f"{len(self.collateral)} accounts; the tree holds {count}")
        pad = ((0, missing), (0, 0))
        return AccountTable(
            np.pad(self.collateral, pad[:1]),
            np.pad(self.positions, pad),
            np.pad(self.indices, pad),
        )


def _bounded(name: str, values: np.ndarray, bound: int) -> None:
    bad = (values >= bound) | (values <= -bound)
    if bad.any():
        raise ValueError(f"{name} of account row {np.argwhere(bad)[0][0]} out of range")


def compress_many(pairs: np.ndarray) -> np.ndarray:
    """Compresses uint32 [16, N] to [8, N] in blocks of one compiled shape."""
    count = pairs.shape[1]
    padded = np.pad(pairs, ((0, 0), (0, -count % LANES)))
    starts = range(0, padded.shape[1], LANES)
    parts = over_blocks(
        lambda i: np.asarray(compress(jnp.asarray(padded[:, i : i + LANES]))), starts
    )
    return np.concatenate(parts, axis=1)[:, :count]


def packed_amounts(values: np.ndarray) -> list[np.ndarray]:
    """Three elements (24, 24, 12 bits) of values biased by 2^59."""
    biased = values + np.int64(AMOUNT_BOUND)
    return [biased & _HALF, (biased >> 24) & _HALF, biased >> 48]


def packed_positions(values: np.ndarray) -> list[np.ndarray]:
    """Two signed 24-bit halves of each position, modulo p."""
    magnitude, sign = np.abs(values), np.sign(values)
    return [(sign * half) % P for half in (magnitude & _HALF, magnitude >> 24)]


def leaf_blocks(accounts: np.ndarray, table: AccountTable) -> np.ndarray:
    """Padded leaf elements uint32 [8 * blocks, N] of accounts numbered ``accounts``."""
    elements = [accounts, *packed_amounts(table.collateral)]
    for m in range(table.positions.shape[1]):
        elements += packed_positions(table.positions[:, m])
        elements += packed_amounts(table.indices[:, m])
    elements += [np.zeros_like(accounts)] * (-len(elements) % DIGEST)
    return np.stack(elements).astype(np.uint32)


def leaf_chain(blocks: np.ndarray, markets: int) -> list[np.ndarray]:
    """Inputs of every compression of the leaf hash, then the digest, as [16|8, N]."""
    state = np.zeros((DIGEST, blocks.shape[1]), np.uint32)
    state[0], state[1] = LEAF_TAG, markets
    inputs = []
    for start in range(0, blocks.shape[0], DIGEST):
        pair = np.concatenate([state, blocks[start : start + DIGEST]])
        inputs.append(pair)
        state = compress_many(pair)
    return [*inputs, state]


def leaf_digests(accounts: np.ndarray, table: AccountTable) -> np.ndarray:
    """Leaf digests uint32 [8, N]."""
    return leaf_chain(leaf_blocks(accounts, table), table.positions.shape[1])[-1]


def tree_levels(table: AccountTable, height: int) -> list[np.ndarray]:
    """All levels, leaves first: uint32 [8, 2^height], …, [8, 1]."""
    count = 1 << height
    level = leaf_digests(np.arange(count), table.padded(count))
    levels = [level]
    while level.shape[1] > 1:
        level = compress_many(np.concatenate([level[:, 0::2], level[:, 1::2]]))
        levels.append(level)
    return levels


def root_of(table: AccountTable, height: int) -> tuple[int, ...]:
    """The root that public inputs carry."""
    return tuple(int(v) for v in tree_levels(table, height)[-1][:, 0])
