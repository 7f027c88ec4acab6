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
from rollup.stark.layout import DIGEST, Layout
from rollup.stark.parameters import LIMB, ROWS, StarkParameters
from rollup.stark.statement import PublicInputs


@dataclass(frozen=True)
class Frame:
    """Values at one point: columns here and one row on, selectors, challenges.

    Attributes:
        cur, nxt: all columns, in layout order.
        outs: compression outputs [3][8] of this row's three permutations.
        periodic: name -> value.
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
    flags = [("healthy", 0), ("reducing", 0), ("active", 0), ("bit", 0)]
    for m in range(f.layout.markets):
        flags += [("negative0", m), ("negative1", m), ("borrow", m)]
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
    p, last_level = f.periodic, f.row(f.parameters.height - 1)
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
    chosen = last_level * f.c("active")
    for j in range(DIGEST):
        root, moved = f.c("root", j), f.outs[lay.NEW_PATH][j]
        old, new = f.public.old_root[j], f.public.new_root[j]
        yield chosen * (f.outs[lay.OLD_PATH][j] - root)
        change = chosen * (moved - root) + f.last * (old - new)
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
    """The field elements that a leaf hashes, before padding."""
    packed = [f.c(f"collateral{side}_packed", i) for i in range(3)]
    elements = [f.c("account"), *packed]
    for m in range(f.layout.markets):
        s = [_signed(f, side, m, i) for i in range(4)]
        elements += [s[0] + s[1] * LIMB, s[2] + s[3] * LIMB]
        if side == "0":
            elements += [f.c("index_packed", 3 * m + i) for i in range(3)]
        else:
            elements += lay.new_index_elements(f.public, m)
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
            cell = f.cur[start + DIGEST + k % DIGEST]
            yield f.row(offset + k // DIGEST) * (cell - element)


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
    yield f.row(2) * (f.n("remainder") - f.c("remainder") * 16)


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
    change = f.c("collateral0") - f.c("funded")
    yield f.n("funding_delay", 0) - f.periodic["amount_rows"] * change
    yield f.n("funding_delay", 1) - f.c("funding_delay", 0)


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


def funding_rules(f: Frame) -> Iterator:
    """2^32 (before - after) = sum of index change times position + remainder.

    0 <= remainder < 2^32, so collateral after funding is rounded toward -infinity.
    """
    paid = 0
    for m in range(f.layout.markets):
        cached = [f.c(f"index{m}")] + [f.c("index_delay", 3 * m + i) for i in range(3)]
        for i in range(lay.POSITION_LIMBS):
            step = f.periodic[f"index{m}_{i}"] - cached[i]
            paid = _signed(f, "0", m, i) * step + paid
    remainder = f.periodic["remainder_rows"] * f.c("remainder")
    yield from _stream(f, "funding", f.c("funding_delay", 1) * 256 - paid - remainder)


def margin_rules(f: Frame) -> Iterator:
    """Total value and total risk before and after, in limbs."""
    p = f.periodic
    bias = f.row(4) * lay.TOP
    sign = f.row(lay.VALUE_LIMBS - 1) * lay.TOP
    for side, lane in (("0", "funded"), ("1", "collateral1")):
        value = p["value_rows"] * f.c(f"value{side}") - sign
        collateral = p["amount_rows"] * f.c(lane) - bias
        worth = _convolve(f, "value", side, signed=True)
        yield from _stream(f, f"value{side}", collateral + worth - value)
        risk = _convolve(f, "risk", side, signed=False) - f.c(f"risk{side}")
        yield from _stream(f, f"risk{side}", risk)


def acceptance_rules(f: Frame) -> Iterator:
    """Healthy, or reducing at no worse a ratio, or riskless and not poorer.

    The slack of the chosen inequality is written in unsigned limbs: it is >= 0.
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
    lots0 = sum(
        (f.c("position0", i) for i in range(4 * f.layout.markets)), f.c("position0") * 0
    )
    yield reducing * (lots0 * f.c("inverse") - 1)
    yield riskless * lots0


def holding_rules(f: Frame) -> Iterator:
    """Unless healthy: no position grows or changes its sign."""
    unhealthy = 1 - f.c("healthy")
    for m in range(f.layout.markets):
        b0 = [f.c("position0", 4 * m + i) for i in range(4)]
        b1 = [f.c("position1", 4 * m + i) for i in range(4)]
        flip = f.c("negative1", m) - f.c("negative0", m)
        yield unhealthy * flip * (b1[0] + b1[1] + b1[2] + b1[3])
        borrow = f.c("borrow", m)
        for half in range(2):
            lane, r = f.layout.drop_cells[2 * m + half]
            drop = f.c(lane) + f.n(lane) * LIMB
            before = b0[2 * half] + b0[2 * half + 1] * LIMB
            after = b1[2 * half] + b1[2 * half + 1] * LIMB
            carried = borrow * (LIMB * LIMB) if half == 0 else -borrow
            yield f.row(r) * unhealthy * (before - after + carried - drop)


def sum_rules(f: Frame) -> Iterator:
    """Running sums over active updates; the last row shows the claimed totals."""
    active, gate, claims = f.c("active"), f.c("gate"), list(f.claims)
    yield gate - f.row(0) * active
    steps = []
    for i in range(lay.AMOUNT_LIMBS):
        deposit = f.c("collateral1") - f.c("funded")
        steps.append(("sum_deposit", i, f.row(i) * active * deposit))
    for i in range(lay.AMOUNT_LIMBS):
        funding = f.c("funded") - f.c("collateral0")
        steps.append(("sum_funding", i, f.row(i) * active * funding))
    for m in range(f.layout.markets):
        for i in range(lay.POSITION_LIMBS):
            traded = _signed(f, "1", m, i) - _signed(f, "0", m, i)
            steps.append(("sum_position", 4 * m + i, gate * traded))
    steps.append(("count", 0, gate))
    totals = [*claims, f.public.updates]
    for (name, i, step), total in zip(steps, totals, strict=True):
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
    holding_rules,
    sum_rules,
    lookup_rules,
)


def transition_rules(f: Frame) -> list:
    """All rules outside the permutations, in their fixed order."""
    return [rule for group in GROUPS for rule in group(f)]
