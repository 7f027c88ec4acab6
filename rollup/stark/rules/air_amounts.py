"""Rules of the amounts: limbs, funding, margin, and by which rule it is enough.

Wide arithmetic is in base 2^12, one limb a row; see docs/proofs.md.

Plain Python; the verifier imports it.
"""

from collections.abc import Callable, Iterator

from rollup.stark.rules import layout as lay
from rollup.stark.rules.frame import Frame, signed_limb
from rollup.stark.rules.parameters import LIMB
from rollup.stark.rules.statement import PPM


def cell_rules(f: Frame) -> Iterator:
    """Ties held limbs and packed leaf elements to range-checked cells."""
    for (side, i), (lane, r) in f.layout.position_cells.items():
        yield f.row(r) * (f.c(f"position{side}", i) - f.c(lane))
    packed = [(f"collateral{s}_packed", 0, f"collateral{s}") for s in "01"]
    packed += [("index_packed", 3 * m, f"index{m}") for m in range(f.layout.markets)]
    for name, base, lane in packed:
        for k in range(2):
            both = f.c(lane) + f.n(lane) * LIMB
            yield f.row(2 * k) * (f.c(name, base + k) - both)
        yield f.row(4) * (f.c(name, base + 2) - f.c(lane))
    for side in "01":
        for k in range(lay.VALUE_LIMBS):
            top = lay.TOP if k == lay.VALUE_LIMBS - 1 else 0
            held = f.c(f"value{side}_held", k)
            yield f.row(k) * (held - f.c(f"value{side}") + top)
        yield (1 - f.periodic["risk_rows"]) * f.c(f"risk{side}")
    for m in range(f.layout.markets):
        yield (1 - f.periodic["amount_rows"]) * f.c(f"index{m}")
    both = f.c("remainder") + f.n("remainder") * LIMB
    yield f.row(0) * (f.c("remainder_packed") - both)
    distance = LIMB**lay.REMAINDER_LIMBS - PPM
    yield f.row(lay.DISTANCE_ROW) * (f.c("remainder_packed") + distance - both)
    for i in range(lay.ALLOWANCE_LIMBS):
        yield f.row(lay.ALLOWANCE_ROW + i) * (f.c("allowance", i) - f.c("remainder"))


def delay_rules(f: Frame) -> Iterator:
    """Shift registers: what a lane held one, two, … rows above."""
    chains = [([f"index{m}"], "index_delay", 3 * m, 3) for m in range(f.layout.markets)]
    chains += [
        (["risk0"], "risk0_delay", 0, lay.VALUE_LIMBS - 1),
        (["risk1"], "risk1_delay", 0, lay.VALUE_LIMBS - 1),
    ]
    for (lane,), name, base, length in chains:
        source = f.c(lane)
        for i in range(length):
            yield f.n(name, base + i) - source
            source = f.c(name, base + i)
    yield f.n("funding_delay") - _unfunded(f)


def _carry(read: Callable, stream: str):
    return read(f"{stream}_u") + read(f"{stream}_v") * lay.CARRY_STEP - lay.CARRY_BIAS


def _stream(f: Frame, name: str, coefficient) -> Iterator:
    """One limb identity per row: coefficient + carry in = 2^12 * carry out."""
    yield coefficient + _carry(f.c, name) - _carry(f.n, name) * LIMB
    yield f.row(0) * _carry(f.c, name)


def _convolve(f: Frame, table: str, side: str, signed: bool):
    """Row k of sum over markets of position times a public number."""
    total = 0
    for m in range(f.layout.markets):
        for i in range(lay.POSITION_LIMBS):
            limb = (
                signed_limb(f, side, m, i)
                if signed
                else f.c(f"position{side}", lay.POSITION_LIMBS * m + i)
            )
            total = limb * f.periodic[f"{table}{m}_{i}"] + total
    return total


def _unfunded(f: Frame):
    """Limb of collateral before funding less collateral after it."""
    return f.periodic["amount_rows"] * (f.c("collateral0") - f.c("funded"))


def funding_rules(f: Frame) -> Iterator:
    """10^6 (before - after) = sum of index change times position + remainder.

    0 <= remainder < 10^6, so collateral after funding is rounded toward -infinity.
    """
    paid = 0
    for m in range(f.layout.markets):
        cached = [f.c(f"index{m}")] + [f.c("index_delay", 3 * m + i) for i in range(3)]
        for i in range(lay.POSITION_LIMBS):
            step = f.periodic[f"index{m}_{i}"] - cached[i]
            paid = signed_limb(f, "0", m, i) * step + paid
    remainder = f.periodic["remainder_rows"] * f.c("remainder")
    low, high = lay.limbs(PPM, 2)
    due = _unfunded(f) * low + f.c("funding_delay") * high
    yield from _stream(f, "funding", due - paid - remainder)


def margin_rules(f: Frame) -> Iterator:
    """Total value and total risk before and after, in limbs.

    The value after counts in what this update is allowed beyond the margin rule.
    """
    p = f.periodic
    bias = f.row(lay.AMOUNT_LIMBS - 1) * lay.TOP
    allowed = [f.row(i) * f.c("allowance", i) for i in range(lay.ALLOWANCE_LIMBS)]
    sign = f.row(lay.VALUE_LIMBS - 1) * lay.TOP
    for side, lane in (("0", "funded"), ("1", "collateral1")):
        value = p["value_rows"] * f.c(f"value{side}") - sign
        collateral = p["amount_rows"] * f.c(lane) - bias
        worth = _convolve(f, "value", side, signed=True)
        if side == "1":
            worth = worth + sum(allowed[1:], allowed[0])
        yield from _stream(f, f"value{side}", collateral + worth - value)
        risk = _convolve(f, "risk", side, signed=False) - f.c(f"risk{side}")
        yield from _stream(f, f"risk{side}", risk)


def acceptance_rules(f: Frame) -> Iterator:
    """Healthy, or reducing at no worse a ratio, or without a position and not poorer.

    The slack of the chosen inequality is written in unsigned limbs: it is >= 0. A
    healthy account is allowed nothing: it has to have its margin.
    """
    healthy, reducing = f.c("healthy"), f.c("reducing")
    riskless = 1 - healthy - reducing
    value0, value1 = f.c("value0"), f.c("value1")
    scaled, cross = 0, 0
    for i in range(lay.VALUE_LIMBS):
        risk0 = f.c("risk0_delay", i - 1) if i else f.c("risk0")
        risk1 = f.c("risk1_delay", i - 1) if i else f.c("risk1")
        scaled = f.c("value1_held", i) * f.periodic[f"ppm{i}"] + scaled
        cross = f.c("value1_held", i) * risk0 - f.c("value0_held", i) * risk1 + cross
    gain = f.periodic["value_rows"] * (value1 - value0)
    chosen = healthy * (scaled - f.c("risk1")) + reducing * cross + riskless * gain
    yield from _stream(f, "slack", chosen - f.c("slack"))
    lots0, lots1 = (
        sum((f.c(name, i) for i in range(1, 4 * f.layout.markets)), f.c(name))
        for name in ("position0", "position1")
    )
    yield reducing * (lots0 * f.c("inverse") - 1)
    yield riskless * lots1
    for i in range(lay.ALLOWANCE_LIMBS):
        yield healthy * f.c("allowance", i)


def requirement_rules(f: Frame) -> Iterator:
    """Unless healthy: the requirement does not grow.

    Its fall, risk before less risk after, is written in unsigned limbs with borrows.
    The shift registers hold what the risks were one row fewer above than their length.
    """
    borrow, delay = f.c("borrow"), lay.VALUE_LIMBS - 2
    fall = f.c("risk0_delay", delay) - f.c("risk1_delay", delay) - borrow
    shown = f.n("value0") - f.n("borrow") * LIMB
    yield f.periodic["fall_rows"] * (1 - f.c("healthy")) * (fall - shown)
    for row in (lay.FALL_ROW - 1, lay.FALL_ROW - 1 + lay.RISK_LIMBS):
        yield f.row(row) * borrow
