"""Fills the trace from a witness: uint32 [columns, rows], canonical residues.

Host code but for the permutations, which one compiled block fills. Nothing here
decides what is right: the rules are in ``air.py``, and a wrong cell is refused there.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from rollup.commitments.hashing.poseidon2 import traced_rounds
from rollup.commitments.hashing.poseidon2_constants import koalabear16
from rollup.stark.fields.field import KOALABEAR
from rollup.stark.prove.parallel import over_blocks
from rollup.stark.prove.trace_amounts import fill_amounts
from rollup.stark.prove.trace_builder import TraceBuilder
from rollup.stark.rules import layout as lay
from rollup.stark.rules.arithmetic import P
from rollup.stark.rules.layout import layout_for
from rollup.stark.rules.parameters import LIMB, ROWS, StarkParameters
from rollup.stark.rules.statement import PublicInputs
from rollup.stark.witness.witness import Witness

PERMUTATION_LANES = 4096


def _path_pairs(w: Witness, nodes: list, lanes, height: int) -> np.ndarray:
    """Compression inputs [16, K, 16] of one path."""
    out = np.zeros((16, len(lanes), ROWS), np.uint32)
    for level in range(height):
        node, sibling = nodes[level], w.siblings[level]
        right = w.bits[level].astype(bool)[None]
        left_first = np.concatenate([node, sibling])
        right_first = np.concatenate([sibling, node])
        out[:, :, level] = np.where(right, right_first, left_first)[:, lanes]
    return out


def _fill_paths(b: TraceBuilder) -> None:
    w, height = b.witness, b.parameters.height
    inputs = np.zeros((3, 16, len(b.lanes), ROWS), np.uint32)
    inputs[0] = _path_pairs(w, w.old_nodes, b.lanes, height)
    inputs[1] = _path_pairs(w, w.new_nodes, b.lanes, height)
    for row, pair in enumerate([*w.leaf_inputs0, *w.leaf_inputs1]):
        inputs[2, :, :, row] = pair[:, b.lanes]
    for slot in range(3):
        fill_permutations(
            b.cells[slot * lay.SLOT : (slot + 1) * lay.SLOT].reshape(lay.SLOT, -1),
            inputs[slot].reshape(16, -1),
        )
    for j in range(lay.DIGEST):
        b.held("leaf0", j, w.leaf0[j].astype(np.int64))
        b.held("leaf1", j, w.leaf1[j].astype(np.int64))
    partial_index = np.zeros(len(w.account), np.int64)
    for level in range(ROWS):
        b.cell("partial_index", level, partial_index)
        if level < height:
            b.cell("bit", level, w.bits[level])
            partial_index = partial_index + (w.bits[level] << level)


@partial(jax.jit)
def _permutation_block(states):
    """The 164 columns of a block of permutations, canonical."""
    _, first, middle, last = traced_rounds(states, koalabear16())
    lanes = states.shape[1]
    boxed = jnp.concatenate([first.reshape(64, lanes), middle, last.reshape(64, lanes)])
    return jnp.concatenate([states, KOALABEAR.mul(boxed, np.uint32(1))])


def fill_permutations(columns: np.ndarray, inputs: np.ndarray) -> None:
    """Writes the columns [164, n] of permutations with inputs [16, n] in place."""
    count = inputs.shape[1]
    block = min(PERMUTATION_LANES, count)

    def one(start: int) -> None:
        part = _permutation_block(jnp.asarray(inputs[:, start : start + block]))
        columns[:, start : start + block] = part

    over_blocks(one, range(0, count, block))


def _fill_roots_and_sums(b: TraceBuilder, public: PublicInputs) -> None:
    """Roots walk from update to update; sums are exclusive prefix sums by row."""
    w, height = b.witness, b.parameters.height
    level = height - 1
    after = _compressed_root(b, lay.NEW_PATH, level)
    current = np.asarray(public.old_root, np.uint32)
    roots = np.concatenate([current[:, None], after[:, : w.updates]], axis=1)
    slots = np.arange(len(b.lanes))
    before_slot = roots[:, np.minimum(slots, w.updates)]
    after_slot = roots[:, np.minimum(slots + 1, w.updates)]
    for j in range(lay.DIGEST):
        column = b.cells[b.layout.at("root", j)]
        column[:, :height] = before_slot[j][:, None]
        column[:, height:] = after_slot[j][:, None]
    active = (slots < w.updates).astype(np.int64)[:, None]
    gate = active * np.array(lay.only_rows(0))
    deposit = b.signed("collateral1") - b.signed("funded")
    funding = b.signed("funded") - b.signed("collateral0")
    for i in range(lay.AMOUNT_LIMBS):
        counted = active * np.array(lay.only_rows(i))
        _running(b, "sum_deposit", i, counted * deposit)
        _running(b, "sum_funding", i, counted * funding)
    for i in range(lay.ALLOWANCE_LIMBS):
        _running(b, "sum_allowance", i, gate * b.signed("allowance", i))
    for m in range(b.layout.markets):
        signs = [1 - 2 * b.signed(f"negative{s}", m) for s in "01"]
        for i in range(lay.POSITION_LIMBS):
            limbs = [b.signed(f"position{s}", 4 * m + i) for s in "01"]
            traded = gate * (signs[1] * limbs[1] - signs[0] * limbs[0])
            _running(b, "sum_position", 4 * m + i, traded)


def _running(b: TraceBuilder, name: str, i: int, steps: np.ndarray) -> None:
    flat = steps.reshape(-1)
    sums = np.concatenate([[0], np.cumsum(flat)[:-1]]) % P
    b.cells[b.layout.at(name, i)] = sums.reshape(steps.shape)


def _compressed_root(b: TraceBuilder, slot: int, level: int) -> np.ndarray:
    """Compression outputs [8, K] of one level of a path, from the trace's cells."""
    base = slot * lay.SLOT
    boxed = b.cells[base + lay.LAST + 48 : base + lay.SLOT, :, level].astype(np.int64)
    blocks = boxed.reshape(4, 4, -1)
    matrix = np.array(koalabear16().block, np.int64)
    mixed = np.einsum("ij,bjk->bik", matrix, blocks)
    state = (mixed + mixed.sum(axis=0, keepdims=True)).reshape(16, -1)
    inputs = b.cells[base : base + lay.DIGEST, :, level].astype(np.int64)
    return ((state[: lay.DIGEST] + inputs) % P).astype(np.uint32)


def _fill_lookup(b: TraceBuilder) -> None:
    flat_table = np.minimum(np.arange(b.parameters.rows), LIMB - 1)
    b.cells[b.layout.at("table")] = flat_table.reshape(-1, ROWS)
    first = b.layout.at(b.layout.lanes[0])
    used = b.cells[first : first + len(b.layout.lanes)]
    counts = np.bincount(used.reshape(-1), minlength=LIMB)[:LIMB]
    multiplicity = np.zeros(b.parameters.rows, np.uint32)
    multiplicity[:LIMB] = counts
    b.cells[b.layout.at("multiplicity")] = multiplicity.reshape(-1, ROWS)


def build_trace(
    witness: Witness, public: PublicInputs, parameters: StarkParameters
) -> np.ndarray:
    """The base trace, uint32 [width, rows]."""
    b = TraceBuilder(witness, parameters)
    fill_amounts(b, public)
    _fill_paths(b)
    _fill_roots_and_sums(b, public)
    _fill_lookup(b)
    return b.cells.reshape(b.layout.width, -1)


def claimed_sums(trace: np.ndarray, public: PublicInputs, markets: int) -> list[int]:
    """The sums that the proof states: what the last row's running sums end at.

    No sum moves on the very last row, whose selectors are zero for all of them.
    """
    layout = layout_for(markets)
    start = layout.at("sum_deposit")
    return [int(v) for v in trace[start : start + layout.claims, -1]]
