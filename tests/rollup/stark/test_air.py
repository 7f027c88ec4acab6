"""The rules: an honest trace keeps them all, and a wrong cell breaks one."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rollup.stark.prove.constraints import PERMUTATION_RULES, permutation_block
from rollup.stark.prove.symbolic import symbolic_frame, transition_table
from rollup.stark.prove.trace import claimed_sums
from rollup.stark.rules import layout as lay
from rollup.stark.rules.air import transition_rules
from rollup.stark.rules.arithmetic import ZERO, Ext, P, powers
from rollup.stark.rules.bands import bands
from rollup.stark.rules.frame import Frame, permutation_rules
from rollup.stark.rules.layout import layout_for, periodic_columns
from tests.rollup.stark.conftest import ALPHA, LOOKUP

LAYOUT = layout_for(3)


def test_an_honest_trace_keeps_every_rule(honest):
    assert not len(honest.broken(honest.trace))


@pytest.mark.parametrize("seed", range(4))
def test_any_wrong_cell_breaks_a_rule(honest, seed):
    """Cells anywhere: hashes, limbs, carries, held values, sums, look-up columns."""
    rng = np.random.default_rng(seed)
    for column in rng.integers(LAYOUT.width, size=5):
        trace = honest.trace.copy()
        row = rng.integers(trace.shape[1])
        trace[column, row] = (int(trace[column, row]) + int(rng.integers(2, P))) % P
        assert len(honest.broken(trace)), (column, row)


NAMES = [name for name in LAYOUT.columns if name not in ("helper", "running")]


def test_a_wrong_cell_in_each_named_column_breaks_a_rule(honest):
    rng = np.random.default_rng(9)
    for name in NAMES:
        start, count = LAYOUT.columns[name]
        trace = honest.trace.copy()
        column, row = start + rng.integers(count), rng.integers(trace.shape[1])
        trace[column, row] = (int(trace[column, row]) + int(rng.integers(2, P))) % P
        assert len(honest.broken(trace)), name


def test_no_rule_has_a_degree_above_three(honest):
    p = honest.parameters
    claims = claimed_sums(honest.trace, honest.public, p.markets)
    frame, _ = symbolic_frame(p, honest.public, LOOKUP, claims)
    degrees = [rule.degree for rule in transition_rules(frame)]
    assert max(degrees) == 3 and min(degrees) >= 1


def test_compiled_permutation_rules_equal_the_plain_ones():
    columns = np.random.default_rng(0).integers(0, P, (lay.SLOT, 16), dtype=np.uint32)
    rules, outs = jax.jit(permutation_block)(jnp.asarray(columns))
    for k in range(columns.shape[1]):
        plain, out = permutation_rules([int(v) for v in columns[:, k]])
        assert [v % P for v in plain] == list(np.asarray(rules)[:, k])
        assert [v % P for v in out] == list(np.asarray(outs)[:, k])
        assert len(plain) == PERMUTATION_RULES


def random_extension(rng) -> Ext:
    return Ext([int(v) for v in rng.integers(0, P, 4)])


def test_monomials_combine_to_what_the_rules_give(honest):
    """At a random point of the extension, where the verifier evaluates."""
    rng, p = np.random.default_rng(5), honest.parameters
    claims = claimed_sums(honest.trace, honest.public, p.markets)
    variables, indices, coefficients, count = transition_table(
        p, honest.public, LOOKUP, claims, ALPHA, 3
    )
    cur, nxt = ([random_extension(rng) for _ in range(LAYOUT.total)] for _ in range(2))
    outs = [[random_extension(rng) for _ in range(8)] for _ in range(3)]
    names = (*periodic_columns(p), *bands(p, honest.public)[0].rows)
    periodic = {name: random_extension(rng) for name in names}
    first, last = random_extension(rng), random_extension(rng)
    frame = Frame(
        LAYOUT, p, honest.public, cur, nxt, outs, periodic, first, last, LOOKUP, claims
    )
    rules = transition_rules(frame)
    assert len(rules) == count
    weights = powers(ALPHA, 3 + count)[3:]
    expected = sum((r * w for r, w in zip(rules, weights, strict=True)), ZERO)
    cells = [Ext((1, 0, 0, 0))]
    cells += [cur[c] for c in variables.columns] + [nxt[c] for c in variables.columns]
    cells += [v for out in outs for v in out] + list(periodic.values()) + [first, last]
    total = ZERO
    for (a, b, c), weight in zip(indices.tolist(), coefficients.tolist(), strict=True):
        if any(weight):
            total = total + cells[a] * cells[b] * cells[c] * Ext(weight)
    assert total == expected


@pytest.mark.parametrize("markets", range(1, 5))
def test_every_layout_has_a_cell_for_every_held_limb(markets):
    layout = layout_for(markets)
    assert len(layout.position_cells) == 8 * markets
    assert len(set(layout.position_cells.values())) == 8 * markets
    assert 2 * layout.leaf_blocks <= 16


@pytest.mark.parametrize("markets", range(1, 5))
def test_limb_identities_cannot_wrap_around_the_field(markets):
    """The largest coefficient, carries included, stays below half the prime."""
    limb = (1 << 12) - 1
    products = max(lay.POSITION_LIMBS * markets, 2 * lay.VALUE_LIMBS) * limb * limb
    others = 1024 * limb
    carries = lay.CARRY_BIAS * (1 + (1 << 12))
    assert products + others + carries < P // 2
    assert (products + others) // limb < lay.CARRY_BIAS
