"""Fills the columns of the amounts: limbs, held values, carries.

Host code on numpy; the rules that they have to keep are in ``air_amounts.py``.
"""

import numpy as np

from rollup.stark.prove.constraints import band_columns
from rollup.stark.prove.trace_builder import TraceBuilder, digits
from rollup.stark.rules import layout as lay
from rollup.stark.rules.arithmetic import P
from rollup.stark.rules.bands import bands
from rollup.stark.rules.layout import periodic_columns
from rollup.stark.rules.parameters import LIMB, LIMB_BITS, ROWS
from rollup.stark.rules.statement import AMOUNT_BOUND, PPM, PublicInputs


def fill_amounts(b: TraceBuilder, public: PublicInputs) -> None:
    """Every column of the amounts but the running sums."""
    _fill_money(b)
    _fill_positions(b)
    _fill_margin(b)
    _fill_delays(b)
    _fill_carries(b, public)


def _fill_money(b: TraceBuilder) -> None:
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


def coefficients(b: TraceBuilder, public: PublicInputs) -> dict[str, np.ndarray]:
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
    for name, coefficient in coefficients(b, public).items():
        carry = np.zeros(coefficient.shape[0], np.int64)
        u, v = np.empty_like(coefficient), np.empty_like(coefficient)
        for row in range(ROWS):
            shifted = carry + lay.CARRY_BIAS
            v[:, row] = np.clip(shifted // lay.CARRY_STEP, 0, LIMB - 1)
            u[:, row] = np.clip(shifted - lay.CARRY_STEP * v[:, row], 0, LIMB - 1)
            carry = (coefficient[:, row] + carry) >> LIMB_BITS
        b.cells[b.layout.at(f"{name}_u")] = u
        b.cells[b.layout.at(f"{name}_v")] = v
