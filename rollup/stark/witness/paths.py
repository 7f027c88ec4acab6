"""Merkle paths of updates in sequence, each in the tree as those before it left it."""

import numpy as np

from rollup.stark.witness.accounts import compress_many


def earlier_lane(keys: np.ndarray) -> np.ndarray:
    """For each lane, the last earlier lane with the same key, or -1."""
    order = np.argsort(keys, kind="stable")
    out = np.full(len(keys), -1)
    same = keys[order[1:]] == keys[order[:-1]]
    out[order[1:][same]] = order[:-1][same]
    return out


def earlier_sibling(keys: np.ndarray) -> np.ndarray:
    """For each lane, the last earlier lane whose key is the sibling's, or -1."""
    order = np.argsort(keys >> 1, kind="stable")
    parents, bits = keys[order] >> 1, keys[order] & 1
    places = np.arange(len(keys))
    starts = np.concatenate([[True], parents[1:] != parents[:-1]])
    start = np.maximum.accumulate(np.where(starts, places, 0))
    out = np.full(len(keys), -1)
    for bit in (0, 1):
        last = np.maximum.accumulate(np.where(bits == bit, places, -1))
        wanted = bits != bit
        found = wanted & (last >= start)
        out[order[found]] = order[last[found]]
    return out


def walk(levels, account, leaf0, leaf1):
    """Nodes, siblings and bits of every lane, level by level.

    A lane sees the tree as the lanes before it left it. The last lane is idle: it
    walks up from its own leaf beside empty siblings and touches nothing.
    """
    old_nodes, new_nodes, siblings, bits = [], [], [], []
    old, new, keys = leaf0, leaf1, account[:-1].copy()
    for level in levels[:-1]:
        count = len(keys)
        sibling = np.zeros_like(old)
        sibling[:, :count] = level[:, keys ^ 1]
        own, other = earlier_lane(keys), earlier_sibling(keys)
        sibling[:, :count][:, other >= 0] = new[:, other[other >= 0]]
        old = old.copy()
        if len(old_nodes):
            old[:, :count] = level[:, keys]
            old[:, :count][:, own >= 0] = new[:, own[own >= 0]]
        bit = np.append(keys & 1, 0)
        old_nodes.append(old)
        new_nodes.append(new)
        siblings.append(sibling)
        bits.append(bit)
        right = bit.astype(bool)
        stacked = []
        for node in (old, new):
            stacked.append(
                np.where(
                    right[None],
                    np.concatenate([sibling, node]),
                    np.concatenate([node, sibling]),
                )
            )
        both = compress_many(np.concatenate(stacked, axis=1))
        lanes = count + 1
        old, new, keys = both[:, :lanes], both[:, lanes:], keys >> 1
    root = new[:, -2] if len(account) > 1 else levels[-1][:, 0]
    return old_nodes, new_nodes, siblings, bits, tuple(int(v) for v in root)
