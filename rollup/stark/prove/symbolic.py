"""Expands the rules of the trace into monomials, for evaluation on arrays.

A rule is a polynomial of degree at most three in the cells of two rows; the prover
needs only their combination by powers of one challenge. Expanding it symbolically
gives a table of monomials with extension coefficients, which one small compiled loop
evaluates whatever the rules are.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np

from rollup.stark.rules import layout as lay
from rollup.stark.rules.air import transition_rules
from rollup.stark.rules.arithmetic import Ext, powers
from rollup.stark.rules.bands import bands
from rollup.stark.rules.frame import Frame
from rollup.stark.rules.layout import Layout, layout_for, periodic_columns

#: Coefficients of the table are padded to a multiple of this many monomials.
TERM_CHUNK = 16
TERM_BUCKET = 256


class Monomials:
    """A polynomial: sorted variable tuples -> coefficient (int or ``Ext``)."""

    __slots__ = ("terms",)

    def __init__(self, terms: dict):
        self.terms = terms

    def __add__(self, other):
        terms = dict(self.terms)
        other_terms = other.terms if isinstance(other, Monomials) else {(): other}
        for key, value in other_terms.items():
            terms[key] = terms[key] + value if key in terms else value
        return Monomials(terms)

    __radd__ = __add__

    def __neg__(self):
        return self * -1

    def __sub__(self, other):
        return self + (other * -1)

    def __rsub__(self, other):
        return self * -1 + other

    def __mul__(self, other):
        if not isinstance(other, Monomials):
            return Monomials({k: v * other for k, v in self.terms.items()})
        terms = {}
        for k1, v1 in self.terms.items():
            for k2, v2 in other.terms.items():
                key = tuple(sorted(k1 + k2))
                value = v1 * v2
                terms[key] = terms[key] + value if key in terms else value
        return Monomials(terms)

    __rmul__ = __mul__

    @property
    def degree(self) -> int:
        """Largest number of variables in a term."""
        return max((len(k) for k in self.terms), default=0)


@dataclass(frozen=True)
class Variables:
    """Numbers of the variables that rules outside the permutations may use.

    Row 0 of an evaluation holds ones; then come the columns ``columns`` on this row,
    the same on the next, 24 compression outputs, the public columns ``names``
    (periodic ones, then bands), and the selectors of the first and last row.
    """

    columns: tuple[int, ...]
    names: tuple[str, ...]

    @property
    def outputs(self) -> int:
        """First compression output."""
        return 1 + 2 * len(self.columns)

    @property
    def periodic(self) -> int:
        """First public column."""
        return self.outputs + 3 * lay.DIGEST

    @property
    def selectors(self) -> int:
        """Selector of the first row; the last row's follows."""
        return self.periodic + len(self.names)


@cache
def variables_for(parameters_key, names: tuple[str, ...]) -> Variables:
    """Numbers the variables of M markets, given as ``parameters_key``."""
    layout = layout_for(parameters_key)
    inputs = [s * lay.SLOT + i for s in range(3) for i in range(16)]
    others = range(3 * lay.SLOT, layout.total)
    return Variables((*inputs, *others), names)


def _variable(index: int) -> Monomials:
    return Monomials({(index,): 1})


def symbolic_frame(parameters, public, lookup: Ext, claims) -> tuple[Frame, Variables]:
    """A frame whose cells are variables."""
    layout: Layout = layout_for(parameters.markets)
    names = (*periodic_columns(parameters), *bands(parameters, public)[0].rows)
    v = variables_for(parameters.markets, names)
    count = len(v.columns)
    cur: list = [None] * layout.total
    nxt: list = [None] * layout.total
    for i, column in enumerate(v.columns):
        cur[column] = _variable(1 + i)
        nxt[column] = _variable(1 + count + i)
    outs = [[_variable(v.outputs + 8 * s + j) for j in range(8)] for s in range(3)]
    frame = Frame(
        layout=layout,
        parameters=parameters,
        public=public,
        cur=cur,
        nxt=nxt,
        outs=outs,
        periodic={name: _variable(v.periodic + i) for i, name in enumerate(names)},
        first=_variable(v.selectors),
        last=_variable(v.selectors + 1),
        lookup=lookup,
        claims=claims,
    )
    return frame, v


def combine(rules: list[Monomials], weights: list[Ext]) -> dict:
    """Sum of weight times rule, as one table of monomials."""
    total: dict = {}
    for rule, weight in zip(rules, weights, strict=True):
        for key, value in rule.terms.items():
            term = weight * value
            total[key] = total[key] + term if key in total else term
    return total


def monomial_table(total: dict) -> tuple[np.ndarray, np.ndarray]:
    """Arrays of a combination: variables [T, 3] int32, coefficients [T, 4] int."""
    count = -(-len(total) // TERM_BUCKET) * TERM_BUCKET
    indices = np.zeros((count, 3), np.int32)
    coefficients = np.zeros((count, 4), np.uint64)
    for row, (key, value) in enumerate(sorted(total.items())):
        indices[row, : len(key)] = key
        coefficients[row] = value.c
    return indices, coefficients


def transition_table(parameters, public, lookup, claims, alpha: Ext, offset: int):
    """Monomials of all transition rules, weighted by alpha^offset, alpha^(offset+1)…

    Returns:
        (variables, indices, coefficients, number of rules).
    """
    frame, variables = symbolic_frame(parameters, public, lookup, claims)
    rules = transition_rules(frame)
    weights = powers(alpha, offset + len(rules))[offset:]
    return variables, *monomial_table(combine(rules, weights)), len(rules)
