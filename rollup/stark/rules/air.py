"""The rules of the trace: what must vanish on every pair of neighbouring rows.

Written once over abstract elements (anything with + - * that mixes with ints and
``Ext``), so that the verifier evaluates it on extension elements and the prover
expands it symbolically. Rows are cyclic; every rule holds on all of them. No rule
has a degree above three. What each group enforces is told in docs/proofs.md; the
groups of the tree and of the amounts stand in modules of their own.

Plain Python; the verifier imports it.
"""

from collections.abc import Callable, Iterator

from rollup.stark.rules import layout as lay
from rollup.stark.rules.air_amounts import (
    acceptance_rules,
    cell_rules,
    delay_rules,
    funding_rules,
    margin_rules,
    requirement_rules,
)
from rollup.stark.rules.air_tree import leaf_rules, path_rules
from rollup.stark.rules.arithmetic import BASIS
from rollup.stark.rules.frame import Frame, signed_limb
from rollup.stark.rules.parameters import LIMB


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
            traded = signed_limb(f, "1", m, i) - signed_limb(f, "0", m, i)
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
