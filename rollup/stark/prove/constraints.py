"""Evaluates the combined rules on the quotient domain, block by block.

The permutations' rules are evaluated directly, on whole rows of lanes; all other
rules through their table of monomials (``symbolic.py``).
"""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from rollup.commitments.hashing.poseidon2 import external_layer, internal_layer
from rollup.commitments.hashing.poseidon2_constants import koalabear16
from rollup.stark.fields.field import KOALABEAR
from rollup.stark.fields.materialise import computed_once
from rollup.stark.fields.ntt import powers
from rollup.stark.prove.commitment import extend
from rollup.stark.prove.parallel import over_blocks
from rollup.stark.prove.sums import (
    accumulate,
    accumulate_chunked,
    finish,
    split_weights,
)
from rollup.stark.prove.symbolic import TERM_CHUNK, transition_table
from rollup.stark.rules import layout as lay
from rollup.stark.rules.arithmetic import Ext, P, root_of_unity
from rollup.stark.rules.arithmetic import powers as extension_powers
from rollup.stark.rules.bands import bands
from rollup.stark.rules.layout import periodic_columns
from rollup.stark.rules.parameters import ROWS, SHIFT, StarkParameters

LANES = 1024
PERMUTATION_RULES = 148
QUOTIENT_COSETS = (0, 2)
_R2 = np.uint64(KOALABEAR.to_mont(KOALABEAR.r))
_R3 = np.uint32(KOALABEAR.to_mont(KOALABEAR.to_mont(KOALABEAR.r)))


def _cube(x):
    """x^3, canonical."""
    field = KOALABEAR
    return field.mul(field.mul(field.mul(x, x), x), _R3)


def permutation_block(columns):
    """Rules [148, B] and outputs [8, B] of one slot's columns [164, B], canonical."""
    instance, field = koalabear16(), KOALABEAR
    lanes = columns.shape[1]
    external = jnp.asarray(np.array(instance.external, np.uint32))[:, :, None]
    internal = jnp.asarray(np.array(instance.internal, np.uint32))
    first = columns[lay.FIRST : lay.PARTIAL].reshape(4, 16, lanes)
    last = columns[lay.LAST :].reshape(4, 16, lanes)
    states = jnp.concatenate([columns[None, :16], first, last])
    side_by_side = states.transpose(1, 0, 2).reshape(16, -1)
    mixed = external_layer(computed_once(side_by_side), instance)
    mixed = mixed.reshape(16, 9, lanes).transpose(1, 0, 2)
    mixed = computed_once(mixed)
    partial_columns = columns[lay.PARTIAL : lay.LAST]

    def partial_round(x, this):
        box, constant = this
        first, rest = x
        rule = field.sub(_cube(field.add(first, constant)), box[None])
        return internal_layer(box[None], rest, instance), rule[0]

    start = (mixed[4][:1], mixed[4][1:])
    x, partial_rules = lax.scan(partial_round, start, (partial_columns, internal))
    inputs = jnp.concatenate([mixed[:4], jnp.concatenate(x)[None], mixed[5:8]])
    boxes = jnp.concatenate([first, last])
    full = field.sub(_cube(field.add(inputs, external)), boxes)
    rules = jnp.concatenate(
        [full[:4].reshape(64, lanes), partial_rules, full[4:].reshape(64, lanes)]
    )
    outs = field.add(mixed[8, :8], columns[:8])
    return rules, outs


@jax.jit
def _rules_block(here, after, periodic, by_row, table, term_halves, slot_halves):
    """Combined rules [4, B] from all columns here and one row on [total, B].

    ``periodic`` is the same for every block, ``by_row`` (bands and selectors) is not.
    """
    field, lanes = KOALABEAR, here.shape[1]
    slots = here[: 3 * lay.SLOT].reshape(3, lay.SLOT, lanes)
    total = jnp.zeros((8, lanes), jnp.uint64)

    def one_slot(carry, this):
        columns, halves = this
        rules, outs = permutation_block(columns)
        rules = computed_once(rules)
        return accumulate_chunked(carry, rules, halves), outs

    total, outs = lax.scan(one_slot, total, (slots, slot_halves))

    def used(rows):
        inputs = [rows[s * lay.SLOT : s * lay.SLOT + 16] for s in range(3)]
        return [*inputs, rows[3 * lay.SLOT :]]

    ones = jnp.ones((1, lanes), jnp.uint32)
    cells = jnp.concatenate(
        [ones, *used(here), *used(after), outs.reshape(24, lanes), periodic, by_row]
    )
    cells = computed_once(cells)

    def terms(carry, this):
        indices, halves = this
        product = field.mul(
            field.mul(cells[indices[:, 0]], cells[indices[:, 1]]), cells[indices[:, 2]]
        )
        product = computed_once(product)
        return accumulate(carry, product, halves), None

    parts = (
        table.reshape(-1, TERM_CHUNK, 3),
        term_halves.reshape(-1, TERM_CHUNK, 8),
    )
    total = lax.scan(terms, total, parts)[0]
    return finish(total)


def _dft16(values: list[int], root: int) -> list[int]:
    return [
        sum(v * pow(root, i * k % ROWS, P) for i, v in enumerate(values)) % P
        for k in range(ROWS)
    ]


def band_columns(parameters: StarkParameters, public) -> np.ndarray:
    """The columns of the bands on the trace's rows: uint32 [names, rows]."""
    found = bands(parameters, public)
    parts = [
        np.tile(np.array([*band.rows.values()], np.uint32), (1, band.end - band.start))
        for band in found
    ]
    return np.concatenate(parts, axis=1)


def periodic_on_coset(parameters: StarkParameters, shift: int) -> np.ndarray:
    """Values uint32 [names, 16] of the periodic columns along a coset of the rows."""
    omega = root_of_unity(ROWS)
    step, inverse = pow(shift, parameters.rows // ROWS, P), pow(ROWS, -1, P)
    out = []
    for values in periodic_columns(parameters).values():
        coefficients = _dft16(values, pow(omega, -1, P))
        scaled = [
            c * inverse % P * pow(step, k, P) % P for k, c in enumerate(coefficients)
        ]
        out.append(_dft16(scaled, omega))
    return np.array(out, np.uint32)


@jax.jit
def inverse_of(values):
    """1 / value, canonical, elementwise."""
    field = KOALABEAR
    as_m = field.mul(values, np.uint32(_R2))
    return field.mul(field.inverse_m(as_m), np.uint32(1))


def coset_shift(parameters: StarkParameters, coset: int) -> int:
    """The factor of a coset of the evaluation domain."""
    return SHIFT * pow(root_of_unity(parameters.domain), coset, P) % P


def coset_points(parameters: StarkParameters, coset: int) -> np.ndarray:
    """The points of a coset, canonical uint32 [rows]."""
    n = parameters.rows
    xs = powers(KOALABEAR, root_of_unity(n), n)
    shift = np.uint64(coset_shift(parameters, coset))
    return (xs * shift % np.uint64(P)).astype(np.uint32)


def _selectors(parameters: StarkParameters, coset: int) -> np.ndarray:
    """Selectors of the first and the last row along a coset, uint32 [2, rows]."""
    n = parameters.rows
    xs = coset_points(parameters, coset).astype(np.uint64)
    vanishing = pow(coset_shift(parameters, coset), n, P) - 1
    scale = vanishing * pow(n, -1, P) % P
    out = []
    for point in (1, pow(root_of_unity(n), -1, P)):
        gap = ((xs + np.uint64(P - point)) % np.uint64(P)).astype(np.uint32)
        inverse = np.asarray(inverse_of(gap)).astype(np.uint64)
        out.append(inverse * np.uint64(scale * point % P) % np.uint64(P))
    return np.array(out, np.uint32)


class RuleEvaluator:
    """Evaluates the combination of all rules at points of one coset.

    Args:
        parameters, public, lookup, claims: as in the proof.
        alpha: the challenge whose powers weigh the rules.
    """

    def __init__(self, parameters, public, lookup: Ext, claims, alpha: Ext):
        offset = 3 * PERMUTATION_RULES
        _, table, coefficients, _ = transition_table(
            parameters, public, lookup, claims, alpha, offset
        )
        slots = split_weights(extension_powers(alpha, offset))
        self.parameters = parameters
        self.bands = band_columns(parameters, public)
        self._constants = (
            jnp.asarray(table),
            jnp.asarray(split_weights(coefficients * _R2 % np.uint64(P))),
            jnp.asarray(slots.reshape(3, PERMUTATION_RULES, 8)),
        )

    def on_coset(self, base, aux, shift: int, by_row) -> np.ndarray:
        """Combined rules uint32 [4, rows] from columns [C, rows] on a coset.

        Args:
            base: columns of the first commitment.
            aux: columns of the second.
            shift: factor of the coset.
            by_row: bands and the selectors of the first and the last row.
        """
        n = self.parameters.rows
        lanes = min(LANES, n)
        periodic = periodic_on_coset(self.parameters, shift)
        periodic = jnp.asarray(np.tile(periodic, (1, lanes // ROWS)))
        out = np.empty((4, n), np.uint32)

        def window(first: int) -> np.ndarray:
            last = first + lanes
            parts = (
                [slice(first, last)] if last <= n else [slice(first, n), slice(0, 1)]
            )
            return np.concatenate(
                [np.concatenate([c[:, s] for s in parts], axis=1) for c in (base, aux)]
            )

        def one(start: int) -> None:
            span = slice(start, start + lanes)
            out[:, span] = _rules_block(
                window(start),
                window(start + 1),
                periodic,
                by_row[:, span],
                *self._constants,
            )

        over_blocks(one, range(0, n, lanes))
        return out


def quotient_values(
    base: np.ndarray, aux: np.ndarray, evaluator: RuleEvaluator
) -> np.ndarray:
    """Combined rules over x^n - 1, on cosets 0 and 2: uint32 [4, 2, rows]."""
    parameters = evaluator.parameters
    found = extend(evaluator.bands)
    out = []
    for coset in QUOTIENT_COSETS:
        shift = coset_shift(parameters, coset)
        inverse = np.uint64(pow(pow(shift, parameters.rows, P) - 1, -1, P))
        by_row = np.concatenate([found[:, coset], _selectors(parameters, coset)])
        values = evaluator.on_coset(base[:, coset], aux[:, coset], shift, by_row)
        out.append(values.astype(np.uint64) * inverse % np.uint64(P))
    return np.stack(out, axis=1).astype(np.uint32)


def broken_rows(trace: np.ndarray, aux: np.ndarray, evaluator: RuleEvaluator):
    """Rows of an unextended trace where some rule does not hold (but for luck)."""
    selectors = np.zeros((2, trace.shape[1]), np.uint32)
    selectors[0, 0] = selectors[1, -1] = 1
    by_row = np.concatenate([evaluator.bands, selectors])
    values = evaluator.on_coset(trace, aux, 1, by_row)
    return np.flatnonzero(values.any(axis=0))
