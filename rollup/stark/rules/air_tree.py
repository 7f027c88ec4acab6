"""Rules of the account tree: leaves, paths and roots.

Plain Python; the verifier imports it.
"""

from collections.abc import Iterator, Sequence

from rollup.stark.rules import layout as lay
from rollup.stark.rules.bands import index_places
from rollup.stark.rules.frame import Frame, signed_limb
from rollup.stark.rules.layout import DIGEST
from rollup.stark.rules.parameters import LIMB, ROWS


def _path_node(f: Frame, row: Sequence, slot: int, j: int, sibling: bool):
    """Element j of the path's own node, or of its sibling, in a slot's input."""
    bit = row[f.layout.at("bit")]
    left = row[slot * lay.SLOT + j]
    right = row[slot * lay.SLOT + DIGEST + j]
    return right - bit * (right - left) if sibling else left + bit * (right - left)


def path_rules(f: Frame) -> Iterator:
    """Both Merkle paths: same siblings, same bits, from the leaves to the roots."""
    p, moves = f.periodic, f.periodic["moves"]
    for slot, leaf in ((lay.OLD_PATH, "leaf0"), (lay.NEW_PATH, "leaf1")):
        for j in range(DIGEST):
            here = _path_node(f, f.cur, slot, j, sibling=False)
            above = _path_node(f, f.nxt, slot, j, sibling=False)
            yield f.row(0) * (here - f.c(leaf, j))
            yield p["link"] * (above - f.outs[slot][j])
    for j in range(DIGEST):
        old = _path_node(f, f.cur, lay.OLD_PATH, j, sibling=True)
        new = _path_node(f, f.cur, lay.NEW_PATH, j, sibling=True)
        yield p["level"] * (old - new)
    for j in range(DIGEST):
        root, moved = f.c("root", j), f.outs[lay.NEW_PATH][j]
        old, new = f.public.old_root[j], f.public.new_root[j]
        yield moves * (f.outs[lay.OLD_PATH][j] - root)
        change = moves * (moved - root) + f.last * (old - new)
        yield f.n("root", j) - root - change
        yield f.first * (root - old)
    partial, bit = f.c("partial_index"), f.c("bit")
    yield f.row(0) * partial
    yield p["not_last"] * (f.n("partial_index") - partial) - p["power_step"] * bit
    yield f.row(ROWS - 1) * (f.c("account") - partial) - p["power_last"] * bit


def leaf_elements(f: Frame, side: str) -> list:
    """The field elements that a leaf hashes, before padding.

    The funding indices of a new leaf are public: None stands for them here.
    """
    packed = [f.c(f"collateral{side}_packed", i) for i in range(3)]
    elements = [f.c("account"), *packed]
    for m in range(f.layout.markets):
        s = [signed_limb(f, side, m, i) for i in range(4)]
        elements += [s[0] + s[1] * LIMB, s[2] + s[3] * LIMB]
        if side == "0":
            elements += [f.c("index_packed", 3 * m + i) for i in range(3)]
        else:
            elements += [None] * 3
    return elements


def leaf_rules(f: Frame) -> Iterator:
    """The leaf slot hashes the old account, then the new one, block by block."""
    blocks = f.layout.leaf_blocks
    start = lay.SLOT * lay.LEAF
    initial = [lay.LEAF_TAG, f.layout.markets, 0, 0, 0, 0, 0, 0]
    for j in range(DIGEST):
        out = f.outs[lay.LEAF][j]
        yield f.periodic["leaf_start"] * (f.cur[start + j] - initial[j])
        yield f.periodic["leaf_chain"] * (f.nxt[start + j] - out)
        yield f.row(blocks - 1) * (out - f.c("leaf0", j))
        yield f.row(2 * blocks - 1) * (out - f.c("leaf1", j))
    for side, offset in (("0", 0), ("1", blocks)):
        elements = leaf_elements(f, side)
        elements += [0] * (blocks * DIGEST - len(elements))
        for k, element in enumerate(elements):
            cell, row = f.cur[start + DIGEST + k % DIGEST], f.row(offset + k // DIGEST)
            if element is not None:
                yield row * (cell - element)
    for j, places in index_places(f.layout.markets, blocks).items():
        cell = f.cur[start + DIGEST + j]
        here = sum((f.row(row) for row, _, _ in places), f.row(0) * 0)
        yield here * cell - f.periodic[f"new_leaf{j}"]
