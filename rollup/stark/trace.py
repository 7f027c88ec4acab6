"""Fills the trace from a witness: uint32 [columns, rows], canonical residues.

Host code but for the permutations, which one compiled block fills. Nothing here
decides what is right: the rules are in ``air.py``, and a wrong cell is refused there.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from rollup.field import KOALABEAR
from rollup.hashing.poseidon2 import traced_rounds
from rollup.hashing.poseidon2_constants import koalabear16
from rollup.stark import layout as lay
from rollup.stark.arithmetic import P
from rollup.stark.bands import bands
from rollup.stark.constraints import band_columns
from rollup.stark.layout import Layout, layout_for, periodic_columns
from rollup.stark.parallel import over_blocks
from rollup.stark.parameters import LIMB, LIMB_BITS, ROWS, StarkParameters
from rollup.stark.statement import AMOUNT_BOUND, PPM, PublicInputs
from rollup.stark.witness import Witness

PERMUTATION_LANES = 4096


class TraceBuilder:
    """Writes named columns of ``cells`` [columns, K, 16]."""

    def __init__(self, witness: Witness, parameters: StarkParameters):
        self.layout: Layout = layout_for(parameters.markets)
        self.parameters = parameters
        self.witness = witness
        shape = (self.layout.width, parameters.capacity, ROWS)
        self.cells = np.zeros(shape, np.uint32)
        #: lane of the witness that each update slot shows; idle beyond the batch
        self.lanes = np.minimum(np.arange(parameters.capacity), witness.updates)
        self.streams: dict[str, np.ndarray] = {}

    def held(self, name: str, i: int, values) -> None:
        """A value of each update on all its rows."""
        residues = np.asarray(np.asarray(values) % P).astype(np.uint32)
        self.cells[self.layout.at(name, i)] = residues[self.lanes][:, None]

    def lane(self, name: str, digits: np.ndarray) -> None:
        """Digits [U+1, count] of each update on its first rows."""
        count = digits.shape[1]
        self.cells[self.layout.at(name), :, :count] = digits[self.lanes]

    def cell(self, name: str, row: int, values) -> None:
        """One value of each update on one row."""
        self.cells[self.layout.at(name), :, row] = np.asarray(values)[self.lanes]

    def signed(self, name: str, i: int = 0) -> np.ndarray:
        """A column as int64 [K, 16]."""
        return self.cells[self.layout.at(name, i)].astype(np.int64)


def digits(values, count: int) -> np.ndarray:
    """Base-2^12 digits [N, count] (two's complement) of Python or numpy integers."""
    values = np.asarray(values)
    columns = [(values >> (LIMB_BITS * i)) & (LIMB - 1) for i in range(count)]
    return np.stack(columns, axis=1).astype(np.int64)


def _fill_amounts(b: TraceBuilder) -> None:
    w = b.witness
    amounts = {
        "collateral0": w.before.collateral,
        "funded": w.funded,
        "collateral1": w.after.collateral,
    }
    for m in range(b.layout.markets):
        amounts[f"index{m}"] = w.before.indices[:, m]
    for name, values in amounts.items():
        d = digits(values + np.int64(AMOUNT_BOUND), lay.AMOUNT_LIMBS)
        b.lane(name, d)
        packed = [d[:, 0] + LIMB * d[:, 1], d[:, 2] + LIMB * d[:, 3], d[:, 4]]
        for k, value in enumerate(packed):
            if name.startswith("index"):
                b.held("index_packed", 3 * int(name[5:]) + k, value)
            elif name != "funded":
                b.held(f"{name}_packed", k, value)
    distance = w.remainder + (LIMB**lay.REMAINDER_LIMBS - PPM)
    cells = [
        digits(w.remainder, lay.REMAINDER_LIMBS),
        digits(distance, lay.REMAINDER_LIMBS),
        digits(w.allowance, lay.ALLOWANCE_LIMBS),
    ]
    b.lane("remainder", np.concatenate(cells, axis=1))
    b.held("remainder_packed", 0, w.remainder)
    for i in range(lay.ALLOWANCE_LIMBS):
        b.held("allowance", i, cells[2][:, i])


def _fill_positions(b: TraceBuilder) -> None:
    w, count = b.witness, lay.POSITION_LIMBS
    sides = {"0": w.before.positions, "1": w.after.positions}
    held = {}
    for side, positions in sides.items():
        for m in range(b.layout.markets):
            b.held(f"negative{side}", m, (positions[:, m] < 0).astype(np.int64))
            d = digits(np.abs(positions[:, m]), count)
            for i in range(count):
                held[side, count * m + i] = d[:, i]
    for (side, i), (lane, row) in b.layout.position_cells.items():
        b.held(f"position{side}", i, held[side, i])
        b.cell(lane, row, held[side, i])
    lots0 = np.sum([held["0", i] for i in range(count * b.layout.markets)], axis=0)
    inverse = np.array([pow(int(v), -1, P) if v else 0 for v in lots0])
    b.held("inverse", 0, np.where(w.rule == 1, inverse, 0))


def _fill_margin(b: TraceBuilder) -> None:
    w = b.witness
    for side, value, risk in (("0", w.value0, w.risk0), ("1", w.value1, w.risk1)):
        top = LIMB ** (lay.VALUE_LIMBS - 1) * lay.TOP
        d = digits(value + top, lay.VALUE_LIMBS)
        b.lane(f"value{side}", d)
        d[:, -1] -= lay.TOP
        for i in range(lay.VALUE_LIMBS):
            b.held(f"value{side}_held", i, d[:, i])
        b.lane(f"risk{side}", digits(risk, lay.RISK_LIMBS))
    _fill_fall(b)
    b.lane("slack", digits(w.slack, ROWS))
    b.held("healthy", 0, (w.rule == 0).astype(np.int64))
    b.held("reducing", 0, (w.rule == 1).astype(np.int64))
    b.held("account", 0, w.account)


def _fill_fall(b: TraceBuilder) -> None:
    """By how much the requirement falls, where the rules ask; with its borrows."""
    w, count = b.witness, lay.RISK_LIMBS
    relevant = (w.rule > 0) & (w.risk1 <= w.risk0).astype(bool)
    before, after = (
        digits(np.where(relevant, r, 0), count) for r in (w.risk0, w.risk1)
    )
    borrow = np.zeros(len(w.rule), np.int64)
    for k in range(count):
        row = lay.FALL_ROW + k
        b.cell("borrow", row - 1, borrow)
        fall = before[:, k] - after[:, k] - borrow
        borrow = (fall < 0).astype(np.int64)
        b.cell("value0", row, fall + LIMB * borrow)


def _delayed(column: np.ndarray, rows: int) -> np.ndarray:
    """The column ``rows`` rows above, cyclically."""
    return np.roll(column.reshape(-1), rows).reshape(column.shape)


def _fill_delays(b: TraceBuilder) -> None:
    lanes = [(f"index{m}", "index_delay", 3 * m, 3) for m in range(b.layout.markets)]
    lanes += [(f"risk{s}", f"risk{s}_delay", 0, lay.VALUE_LIMBS - 1) for s in "01"]
    for lane, name, base, length in lanes:
        column = b.cells[b.layout.at(lane)]
        for i in range(length):
            b.cells[b.layout.at(name, base + i)] = _delayed(column, i + 1)
    change = b.signed("collateral0") - b.signed("funded")
    change[:, lay.AMOUNT_LIMBS :] = 0
    b.cells[b.layout.at("funding_delay")] = _delayed(change % P, 1)


def _coefficients(b: TraceBuilder, public: PublicInputs) -> dict[str, np.ndarray]:
    """Row coefficients of every limb identity, as int64 [K, 16]."""
    table = periodic_columns(b.parameters)
    p = {name: np.array(v, np.int64)[None] for name, v in table.items()}
    names = bands(b.parameters, public)[0].rows
    shape = (len(names), *b.cells.shape[1:])
    by_slot = band_columns(b.parameters, public).reshape(shape)
    p |= {
        name: column.astype(np.int64)
        for name, column in zip(names, by_slot, strict=True)
    }

    def lots(side: str, signed: bool):
        sign = 1 - 2 * b.signed("negative" + side, 0) if signed else 1
        for m in range(b.layout.markets):
            if signed:
                sign = 1 - 2 * b.signed("negative" + side, m)
            for i in range(lay.POSITION_LIMBS):
                yield m, i, sign * b.signed(f"position{side}", 4 * m + i)

    def centered(name: str, i: int = 0):
        values = b.signed(name, i)
        return np.where(values > P // 2, values - P, values)

    out = {}
    paid = np.zeros_like(b.signed("slack"))
    for m, i, limb in lots("0", True):
        cached = b.signed("index_delay", 3 * m + i - 1) if i else b.signed(f"index{m}")
        paid += limb * (p[f"index{m}_{i}"] - cached)
    remainder = p["remainder_rows"] * b.signed("remainder")
    low, high = lay.limbs(PPM, 2)
    change = p["amount_rows"] * (b.signed("collateral0") - b.signed("funded"))
    due = low * change + high * centered("funding_delay")
    out["funding"] = due - paid - remainder
    bias = p[f"row{lay.AMOUNT_LIMBS - 1}"] * lay.TOP
    sign = p[f"row{lay.VALUE_LIMBS - 1}"] * lay.TOP
    for side, lane in (("0", "funded"), ("1", "collateral1")):
        worth = sum(v * p[f"value{m}_{i}"] for m, i, v in lots(side, True))
        risk = sum(v * p[f"risk{m}_{i}"] for m, i, v in lots(side, False))
        value = p["value_rows"] * b.signed(f"value{side}") - sign
        collateral = p["amount_rows"] * b.signed(lane) - bias
        out[f"value{side}"] = collateral + worth - value
        if side == "1":
            for i in range(lay.ALLOWANCE_LIMBS):
                out["value1"] += p[f"row{i}"] * b.signed("allowance", i)
        out[f"risk{side}"] = risk - b.signed(f"risk{side}")
    scaled, cross = 0, 0
    for i in range(lay.VALUE_LIMBS):
        risks = [
            b.signed(f"risk{s}_delay", i - 1) if i else b.signed(f"risk{s}")
            for s in "01"
        ]
        v0, v1 = centered("value0_held", i), centered("value1_held", i)
        scaled = scaled + v1 * p[f"ppm{i}"]
        cross = cross + v1 * risks[0] - v0 * risks[1]
    gain = p["value_rows"] * (b.signed("value1") - b.signed("value0"))
    healthy, reducing = b.signed("healthy"), b.signed("reducing")
    chosen = healthy * (scaled - b.signed("risk1")) + reducing * cross
    chosen += (1 - healthy - reducing) * gain
    out["slack"] = chosen - b.signed("slack")
    return out


def _fill_carries(b: TraceBuilder, public: PublicInputs) -> None:
    for name, coefficient in _coefficients(b, public).items():
        carry = np.zeros(coefficient.shape[0], np.int64)
        u, v = np.empty_like(coefficient), np.empty_like(coefficient)
        for row in range(ROWS):
            shifted = carry + lay.CARRY_BIAS
            v[:, row] = np.clip(shifted // lay.CARRY_STEP, 0, LIMB - 1)
            u[:, row] = np.clip(shifted - lay.CARRY_STEP * v[:, row], 0, LIMB - 1)
            carry = (coefficient[:, row] + carry) >> LIMB_BITS
        b.cells[b.layout.at(f"{name}_u")] = u
        b.cells[b.layout.at(f"{name}_v")] = v


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
    _fill_amounts(b)
    _fill_positions(b)
    _fill_margin(b)
    _fill_delays(b)
    _fill_carries(b, public)
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
