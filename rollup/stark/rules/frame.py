"""One point of the trace, as the rules see it, and the rules of the permutations.

Plain Python; the verifier imports it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rollup.commitments.hashing.poseidon2_constants import koalabear16
from rollup.stark.rules import layout as lay
from rollup.stark.rules.arithmetic import Ext
from rollup.stark.rules.layout import DIGEST, Layout
from rollup.stark.rules.parameters import StarkParameters
from rollup.stark.rules.statement import PublicInputs


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


def signed_limb(f: Frame, side: str, m: int, i: int):
    """Limb i of a position with the position's sign."""
    limb = f.c(f"position{side}", lay.POSITION_LIMBS * m + i)
    return limb - f.c(f"negative{side}", m) * limb * 2
