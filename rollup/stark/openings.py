"""Values outside the domain, and the DEEP combination that binds them to the columns.

Source: Ben-Sasson, Goldberg, Kopparty, Saraf, "DEEP-FRI", eprint 2019/336.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from rollup.field import KOALABEAR
from rollup.ntt import intt, powers
from rollup.stark.arithmetic import BASIS, ONE, Ext, P, root_of_unity
from rollup.stark.arithmetic import powers as extension_powers
from rollup.stark.constraints import coset_points, inverse_of
from rollup.stark.parallel import over_blocks
from rollup.stark.parameters import BLOWUP, SHIFT, StarkParameters
from rollup.stark.sums import HALF, accumulate_chunked, finish, split_weights

LANES = 2048
ROW_BLOCK = 1 << 14


def _constants_m(value: Ext) -> np.ndarray:
    return KOALABEAR.constants_m(value.c)[:, None]


def minimal_polynomial(point: Ext) -> list[int]:
    """Coefficients of the monic quartic over the base field that vanishes there."""
    poly = [ONE]
    for k in range(4):
        root = point.frobenius(k)
        shifted = [Ext((0, 0, 0, 0)), *poly]
        scaled = [c * root for c in poly] + [Ext((0, 0, 0, 0))]
        poly = [a - b for a, b in zip(shifted, scaled, strict=True)]
    return [c.c[0] for c in poly]


def inverse_gaps(point: Ext, xs: np.ndarray) -> np.ndarray:
    """1 / (x - point) for base-field x: uint32 [4, N], one base inversion each.

    The minimal polynomial m of the point has m(x) / (x - point) as a cubic in x.
    """
    m = minimal_polynomial(point)
    cubic = [ONE]
    for k in range(3, 0, -1):
        cubic.insert(0, cubic[0] * point + m[k])
    coefficients = np.stack([np.array(c.c, np.uint32)[:, None] for c in cubic])
    return _gaps_in_blocks(xs, coefficients, np.array(m, np.uint32))


def _gaps_in_blocks(xs, cubic, quartic) -> np.ndarray:
    out = np.empty((4, len(xs)), np.uint32)
    size = min(ROW_BLOCK // 4, len(xs))

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
    """Sums over rows of columns [C, B] times halves [16, B]: uint64 [C, 16]."""
    wide = columns.astype(jnp.uint64)
    return jnp.stack([(wide * h[None, :]).sum(axis=1) for h in halves], axis=1)


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
    ).astype(np.uint64)
    halves = np.concatenate([weights & HALF, weights >> np.uint64(16)])
    block, chunk = min(ROW_BLOCK, n), 32
    out = np.zeros((-(-count // chunk) * chunk, 16), np.uint64)

    def one(start: int) -> None:
        part = columns[start : start + chunk]
        part = np.pad(part, ((0, chunk - part.shape[0]), (0, 0)))
        total = np.zeros((chunk, 16), np.uint64)
        for row in range(0, n, block):
            span = slice(row, row + block)
            sums = np.asarray(_weighted_sums(part[:, span], halves[:, span]))
            total += sums % np.uint64(P)
        out[start : start + chunk] = total % np.uint64(P)

    over_blocks(one, range(0, count, chunk))
    joined = (out[:, :8] + (out[:, 8:] << np.uint64(16))) % np.uint64(P)
    rows = joined[:count].tolist()
    return [[Ext(row[4 * k : 4 * k + 4]) for row in rows] for k in range(len(points))]


@partial(jax.jit, static_argnames=("n",))
def _split_quotient(values, n: int):
    """Evaluations [4, 2n] on SHIFT times the 2n-th roots to chunks [8, 4, n]."""
    from rollup.ntt import coset_values, powers_m

    field = KOALABEAR
    unshift = powers_m(field, pow(SHIFT, -1, P), 2 * n)
    coefficients = field.mul(intt(values), jnp.asarray(unshift)[None])
    chunks = coefficients.reshape(4, 2, n).transpose(1, 0, 2).reshape(8, n)
    return coset_values(chunks, BLOWUP, SHIFT)


def quotient_columns(values: np.ndarray) -> np.ndarray:
    """The two halves of the quotient, extended: uint32 [8, 4, n] from [4, 2, n]."""
    n = values.shape[2]
    interleaved = values.transpose(0, 2, 1).reshape(4, 2 * n)
    return np.asarray(_split_quotient(interleaved, n))


@jax.jit
def _deep_block(rows, quotient, gaps, halves, quotient_halves, shifts_m, weights_m):
    """The DEEP combination [4, B] from rows [columns, B]."""
    field, lanes = KOALABEAR, rows.shape[1]
    zero = jnp.zeros((8, lanes), jnp.uint64)
    combined = finish(accumulate_chunked(zero, rows, halves))
    split = finish(accumulate_chunked(zero, quotient, quotient_halves))
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
