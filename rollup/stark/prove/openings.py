"""Values outside the domain, and the DEEP combination that binds them to the columns.

Source: Ben-Sasson, Goldberg, Kopparty, Saraf, "DEEP-FRI", eprint 2019/336.
"""

import jax
import jax.numpy as jnp
import numpy as np

from rollup.stark.fields.field import KOALABEAR
from rollup.stark.fields.materialise import computed_once
from rollup.stark.fields.ntt import evaluate, interpolate, powers
from rollup.stark.prove.commitment import COLUMN_CHUNK
from rollup.stark.prove.constraints import QUOTIENT_COSETS, coset_points, coset_shift
from rollup.stark.prove.parallel import over_blocks
from rollup.stark.prove.sums import HALF, accumulate_chunked, finish, split_weights
from rollup.stark.rules.arithmetic import (
    BASIS,
    ONE,
    Ext,
    P,
    cofactor,
    minimal_polynomial,
    root_of_unity,
)
from rollup.stark.rules.arithmetic import powers as extension_powers
from rollup.stark.rules.parameters import BLOWUP, SHIFT, StarkParameters

LANES = 2048
ROW_BLOCK = 1 << 12
SUM_LANES = 128
COLUMN_BLOCK = 16


def _constants_m(value: Ext) -> np.ndarray:
    return KOALABEAR.constants_m(value.c)[:, None]


def inverse_gaps(point: Ext, xs: np.ndarray) -> np.ndarray:
    """1 / (x - point) for base-field x: uint32 [4, N], one base inversion each.

    The minimal polynomial m of the point has m(x) / (x - point) as a cubic in x.
    """
    m = minimal_polynomial(point)
    cubic = cofactor(m, point)
    coefficients = np.stack([np.array(c.c, np.uint32)[:, None] for c in cubic])
    return _gaps_in_blocks(xs, coefficients, np.array(m, np.uint32))


def _gaps_in_blocks(xs, cubic, quartic) -> np.ndarray:
    out = np.empty((4, len(xs)), np.uint32)
    size = min(ROW_BLOCK, len(xs))

    def one(start: int) -> None:
        part = slice(start, start + size)
        out[:, part] = _gaps_block(xs[part], cubic, quartic)

    over_blocks(one, range(0, len(xs), size))
    return out


@jax.jit
def _gaps_block(xs, cubic, quartic):
    field = KOALABEAR
    x_m = field.mul(xs, np.uint32(field.to_mont(field.r)))
    over = jnp.broadcast_to(cubic[3], (4, xs.shape[0]))
    for k in (2, 1, 0):
        over = field.add(field.mul(over, x_m[None]), cubic[k])
    under = jnp.broadcast_to(quartic[4], xs.shape)
    for k in (3, 2, 1, 0):
        under = field.add(field.mul(under, x_m), quartic[k])
    under_m = field.mul(under, np.uint32(field.to_mont(field.r)))
    return field.mul(over, field.inverse_m(under_m)[None])


@jax.jit
def _weighted_sums(columns, halves):
    """Sums over rows of columns [C, B] times halves [16, B]: uint64 [16, C].

    Rows are added up as SUM_LANES strands side by side, which vectorises; products
    stay below 2^47, so the whole block adds up unreduced.
    """
    count, rows = columns.shape
    steps = rows // SUM_LANES
    parts = columns.reshape(count, steps, SUM_LANES)
    weights = halves.reshape(16, steps, SUM_LANES)
    total = jnp.zeros((16, count, SUM_LANES), jnp.uint64)
    for k in range(steps):
        factor = weights[:, k, :].astype(jnp.uint64)[:, None]
        total = total + factor * parts[:, k].astype(jnp.uint64)[None]
    return computed_once(total).sum(axis=2)


def barycentric_weights(point: Ext, n: int) -> np.ndarray:
    """Weights uint32 [4, n]: a column's value at the point is their dot product."""
    omega = root_of_unity(n)
    xs = powers(KOALABEAR, omega, n)
    gaps = inverse_gaps(point, xs.astype(np.uint32)).astype(np.uint64)
    scaled = gaps * xs % np.uint64(P)
    factor = (ONE - point**n) * pow(n, -1, P)
    out = np.zeros((4, n), np.uint64)
    for k in range(4):
        basis = (BASIS[k] * factor).c
        for j in range(4):
            out[j] += scaled[k] * np.uint64(basis[j]) % np.uint64(P)
    return (out % np.uint64(P)).astype(np.uint32)


def values_at(columns: np.ndarray, points: list[Ext]) -> list[list[Ext]]:
    """Values at up to two points of columns [C, n] given on the n-th roots of unity."""
    count, n = columns.shape
    weights = np.concatenate(
        [barycentric_weights(point, n) for point in points]
        + [np.zeros((4, n), np.uint32)] * (2 - len(points))
    )
    halves = np.concatenate([weights & np.uint32(HALF), weights >> np.uint32(16)])
    block, chunk = min(ROW_BLOCK, n), COLUMN_BLOCK
    out = np.zeros((-(-count // chunk) * chunk, 16), np.uint64)

    def one(start: int) -> None:
        part = columns[start : start + chunk]
        part = np.pad(part, ((0, chunk - part.shape[0]), (0, 0)))
        total = np.zeros((chunk, 16), np.uint64)
        for row in range(0, n, block):
            span = slice(row, row + block)
            sums = np.asarray(_weighted_sums(part[:, span], halves[:, span]))
            total += sums.T % np.uint64(P)
        out[start : start + chunk] = total % np.uint64(P)

    over_blocks(one, range(0, count, chunk))
    joined = (out[:, :8] + (out[:, 8:] << np.uint64(16))) % np.uint64(P)
    rows = joined[:count].tolist()
    return [[Ext(row[4 * k : 4 * k + 4]) for row in rows] for k in range(len(points))]


def quotient_columns(values: np.ndarray, parameters: StarkParameters) -> np.ndarray:
    """The two halves of the quotient, extended: uint32 [8, 4, n] from [4, 2, n].

    On a coset x^n is a constant k, so Q0 + x^n Q1 is there the polynomial Q0 + k Q1
    of degree below n: interpolated on two cosets, two equations for Q0 and Q1.
    """
    n, p = parameters.rows, np.uint64(P)
    padded = np.zeros((COLUMN_CHUNK, n), np.uint32)
    padded[:8] = values.transpose(1, 0, 2).reshape(8, n)
    both = np.asarray(interpolate(jnp.asarray(padded))).astype(np.uint64)
    polynomials, constants = [], []
    for place, coset in enumerate(QUOTIENT_COSETS):
        shift = coset_shift(parameters, coset)
        unshift = powers(KOALABEAR, pow(shift, -1, P), n)
        polynomials.append(both[4 * place : 4 * place + 4] * unshift[None] % p)
        constants.append(pow(shift, n, P))
    a, b = polynomials
    scale = np.uint64(pow(constants[0] - constants[1], -1, P))
    high = (a + p - b) % p * scale % p
    low = (a + p - high * np.uint64(constants[0]) % p) % p
    padded[:4], padded[4:8] = low, high
    return np.asarray(evaluate(jnp.asarray(padded), BLOWUP, SHIFT))[:8]


@jax.jit
def _deep_block(rows, quotient, gaps, halves, quotient_halves, shifts_m, weights_m):
    """The DEEP combination [4, B] from rows [columns, B]."""
    field, lanes = KOALABEAR, rows.shape[1]
    zero = jnp.zeros((8, lanes), jnp.uint64)
    combined = computed_once(finish(accumulate_chunked(zero, rows, halves)))
    split = computed_once(finish(accumulate_chunked(zero, quotient, quotient_halves)))
    here, after, split_here = shifts_m
    over_next = field.ext_mul(field.sub(combined, after), weights_m[0])
    part = field.ext_mul(field.sub(split, split_here), weights_m[1])
    over_z = field.add(field.sub(combined, here), part)
    r2 = np.uint32(field.to_mont(field.r))
    first = field.mul(field.ext_mul(over_z, gaps[0]), r2)
    second = field.mul(field.ext_mul(over_next, gaps[1]), r2)
    return field.add(first, second)


def deep_values(
    base: np.ndarray,
    aux: np.ndarray,
    quotient: np.ndarray,
    opened: tuple[list[Ext], list[Ext], list[Ext]],
    point: Ext,
    batch: Ext,
    parameters: StarkParameters,
) -> np.ndarray:
    """The DEEP combination on the evaluation domain: uint32 [4, 4n], natural order."""
    count = base.shape[0] + aux.shape[0]
    weights = extension_powers(batch, 2 * count + 1)
    columns = weights[:count]

    def total(values):
        out = Ext((0, 0, 0, 0))
        for w, v in zip(columns, values, strict=False):
            out = out + w * v
        return np.array(out.c, np.uint32)[:, None]

    shifts = tuple(total(values) for values in opened)
    factors = tuple(_constants_m(weights[k * count]) for k in (1, 2))
    halves = jnp.asarray(split_weights(columns))
    quotient_halves = jnp.asarray(split_weights(weights[:8]))
    n = parameters.rows
    lanes = min(LANES, n)
    out = np.empty((4, n, BLOWUP), np.uint32)
    points = (point, point * root_of_unity(n))
    gaps = [
        [inverse_gaps(p, coset_points(parameters, c)) for p in points]
        for c in range(BLOWUP)
    ]

    def one(place) -> None:
        coset, start = place
        span = slice(start, start + lanes)
        rows = np.concatenate([base[:, coset, span], aux[:, coset, span]])
        value = _deep_block(
            rows,
            quotient[:, coset, span],
            np.stack([g[:, span] for g in gaps[coset]]),
            halves,
            quotient_halves,
            shifts,
            factors,
        )
        out[:, span, coset] = value

    over_blocks(one, [(c, s) for c in range(BLOWUP) for s in range(0, n, lanes)])
    return out.reshape(4, -1)
