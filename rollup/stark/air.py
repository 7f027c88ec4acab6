"""The rules of the trace: what must vanish on every pair of neighbouring rows.

Written once over abstract elements (anything with + - * that mixes with ints and
``Ext``), so that the verifier evaluates it on extension elements and the prover
expands it symbolically. Rows are cyclic; every rule holds on all of them. No rule
has a degree above three. What each group enforces is told in docs/proofs.md.

Plain Python; the verifier imports it.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from rollup.hashing.poseidon2_constants import koalabear16
from rollup.stark import layout as lay
from rollup.stark.arithmetic import BASIS, Ext
from rollup.stark.bands import index_places
from rollup.stark.layout import DIGEST, Layout
from rollup.stark.parameters import LIMB, ROWS, StarkParameters
from rollup.stark.statement import PPM, PublicInputs


@dataclass(frozen=True)
class Frame:
    """Values at one point: columns here and one row on, selectors, challenges.

    Attributes:
        cur, nxt: all columns, in layout order.
        outs: compression outputs [3][8] of this row's three permutations.
        periodic: name -> value, of periodic columns and of bands.
        first, last: selectors of the first and the last row of the trace.
        lookup: the challenge of the look-up argument.
        claims: final sums that the proof states.
    """

    layout: Layout
    parameters: StarkParameters
    public: PublicInputs
    cur: Sequence
    nxt: Sequence
    outs: Sequence[Sequence]
    periodic: dict
    first: Any
    last: Any
    lookup: Ext
    claims: Sequence[int]

    def c(self, name: str, i: int = 0):
        """Column value on this row."""
        return self.cur[self.layout.at(name, i)]

    def n(self, name: str, i: int = 0):
        """Column value on the next row."""
        return self.nxt[self.layout.at(name, i)]

    def row(self, r: int):
        """Selector of row r of each update."""
        return self.periodic[f"row{r}"]


def _external(x: Sequence) -> list:
    """The Poseidon2 matrix of the full rounds, by additions."""
    mixed = []
    for b in range(0, 16, 4):
        x0, x1, x2, x3 = x[b : b + 4]
        t = x0 + x1 + x2 + x3
        mixed += [
            t + x0 + x1 + x1,
            t + x1 + x2 + x2,
            t + x2 + x3 + x3,
            t + x3 + x0 + x0,
        ]
    sums = [mixed[j] + mixed[4 + j] + mixed[8 + j] + mixed[12 + j] for j in range(4)]
    return [v + sums[i % 4] for i, v in enumerate(mixed)]


def permutation_rules(columns: Sequence) -> tuple[list, list]:
    """Rules of one permutation's 164 columns, and its compression output.

    Each committed S-box output equals the cube of what the layers before give.
    """
    instance = koalabear16()
    rules = []

    def full(x, constants, boxed):
        for value, constant, box in zip(x, constants, boxed, strict=True):
            y = value + constant
            rules.append(y * y * y - box)
        return _external(boxed)

    x = _external(columns[:16])
    for r in range(4):
        start = lay.FIRST + 16 * r
        x = full(x, instance.external[r], columns[start : start + 16])
    for r, constant in enumerate(instance.internal):
        box = columns[lay.PARTIAL + r]
        y = x[0] + constant
        rules.append(y * y * y - box)
        x = [box, *x[1:]]
        total = sum(x[1:], x[0])
        x = [v * d + total for v, d in zip(x, instance.diagonal, strict=True)]
    for r in range(4):
        start = lay.LAST + 16 * r
        x = full(x, instance.external[4 + r], columns[start : start + 16])
    return rules, [x[j] + columns[j] for j in range(DIGEST)]


def held_rules(f: Frame) -> Iterator:
    """Held columns do not change inside an update; flags are 0 or 1."""
    for i in range(f.layout.held_start, f.layout.held_end):
        yield f.periodic["not_last"] * (f.nxt[i] - f.cur[i])
    flags = [("healthy", 0), ("reducing", 0), ("bit", 0), ("borrow", 0)]
    for m in range(f.layout.markets):
        flags += [("negative0", m), ("negative1", m)]
    for name, i in flags:
        yield f.c(name, i) * f.c(name, i) - f.c(name, i)
    yield f.c("healthy") * f.c("reducing")


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


def _signed(f: Frame, side: str, m: int, i: int):
    """Limb i of a position with the position's sign."""
    limb = f.c(f"position{side}", lay.POSITION_LIMBS * m + i)
    return limb - f.c(f"negative{side}", m) * limb * 2


def leaf_elements(f: Frame, side: str) -> list:
    """The field elements that a leaf hashes, before padding.

    The funding indices of a new leaf are public: None stands for them here.
    """
    packed = [f.c(f"collateral{side}_packed", i) for i in range(3)]
    elements = [f.c("account"), *packed]
    for m in range(f.layout.markets):
        s = [_signed(f, side, m, i) for i in range(4)]
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
                _signed(f, side, m, i)
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
            paid = _signed(f, "0", m, i) * step + paid
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


def sum_rules(f: Frame) -> Iterator:
    """Running sums over active updates; the last row shows the claimed totals."""
    active = [f.periodic[f"active{r}"] for r in range(lay.AMOUNT_LIMBS)]
    steps = []
    for i in range(lay.AMOUNT_LIMBS):
        deposit = f.c("collateral1") - f.c("funded")
        steps.append(("sum_deposit", i, active[i] * deposit))
    for i in range(lay.AMOUNT_LIMBS):
        funding = f.c("funded") - f.c("collateral0")
        steps.append(("sum_funding", i, active[i] * funding))
    for i in range(lay.ALLOWANCE_LIMBS):
        steps.append(("sum_allowance", i, active[0] * f.c("allowance", i)))
    for m in range(f.layout.markets):
        for i in range(lay.POSITION_LIMBS):
            traded = _signed(f, "1", m, i) - _signed(f, "0", m, i)
            steps.append(("sum_position", 4 * m + i, active[0] * traded))
    for (name, i, step), total in zip(steps, f.claims, strict=True):
        yield f.n(name, i) - f.c(name, i) - step + f.last * total
        yield f.first * f.c(name, i)


def lookup_rules(f: Frame) -> Iterator:
    """Every lane cell is a row of the table 0 … 4095 (LogUp)."""
    alpha = f.lookup
    rise = f.n("table") - f.c("table") + f.last * (LIMB - 1)
    yield f.first * f.c("table")
    yield rise * rise - rise
    total = 0
    for k, pair in enumerate(f.layout.pairs):
        helper = _extension(f.c, "helper", 4 * k)
        if len(pair) == 2:
            a, b = f.c(pair[0]), f.c(pair[1])
            product = a * b - (a + b) * alpha + alpha * alpha
            yield helper * product + a + b - alpha * 2
        else:
            yield helper * (f.c(pair[0]) * -1 + alpha) - 1
        total = helper + total
    step = _extension(f.n, "running") - _extension(f.c, "running") - total
    yield step * (f.c("table") * -1 + alpha) + f.c("multiplicity")


def _extension(read: Callable, name: str, base: int = 0):
    """An extension value from its four coordinate columns."""
    value = read(name, base)
    for i in range(1, 4):
        value = read(name, base + i) * BASIS[i] + value
    return value


GROUPS = (
    held_rules,
    path_rules,
    leaf_rules,
    cell_rules,
    delay_rules,
    funding_rules,
    margin_rules,
    acceptance_rules,
    requirement_rules,
    sum_rules,
    lookup_rules,
)


def transition_rules(f: Frame) -> list:
    """All rules outside the permutations, in their fixed order."""
    return [rule for group in GROUPS for rule in group(f)]
