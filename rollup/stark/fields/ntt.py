"""Number-theoretic transforms of many polynomials at once, in natural order.

Stockham's form: no bit reversal, each stage reads and writes contiguous halves.
Coefficients and values are canonical residues; only the twiddles are in Montgomery
form, so nothing is converted. Coset values come as an array ``[C, cosets, n]``: point
``(c, i)`` is ``shift * root_{cosets * n}^c * root_n^i``.

Source: Stockham 1966; the order of the points is that of ``galois.ntt``.
"""

from functools import lru_cache, partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, UInt32

from rollup.stark.fields.field import KOALABEAR, Field


def powers(field: Field, base: int, count: int) -> np.ndarray:
    """1, base, base^2, … as canonical uint64 on the host, by doubling."""
    out = np.ones(1, np.uint64)
    step = base % field.p
    while len(out) < count:
        out = np.concatenate([out, out * np.uint64(step) % np.uint64(field.p)])
        step = step * step % field.p
    return out[:count]


@lru_cache(maxsize=64)
def powers_m(field: Field, base: int, count: int, scale: int = 1) -> np.ndarray:
    """Powers of base, times scale, in Montgomery form: uint32 [count]."""
    plain = powers(field, base, count)
    factor = np.uint64(field.to_mont(scale))
    return (plain * factor % np.uint64(field.p)).astype(np.uint32)


def _stages(field: Field, x: UInt32[Array, "C n"], root: int) -> UInt32[Array, "C n"]:
    """Decimation in frequency over log2(n) stages, autosorted."""
    lanes, n = x.shape
    size, stride = n, 1
    while size > 1:
        half = size // 2
        twiddle = powers_m(field, pow(root, stride, field.p), half)
        parts = x.reshape(lanes, 2, half, stride)
        low, high = parts[:, 0], parts[:, 1]
        total = field.add(low, high)
        turned = field.mul(field.sub(low, high), jnp.asarray(twiddle)[None, :, None])
        x = jnp.stack([total, turned], axis=2).reshape(lanes, n)
        size, stride = half, stride * 2
    return x


def ntt(coefficients: UInt32[Array, "C n"], field: Field = KOALABEAR):
    """Values of each polynomial at 1, w, w^2, … for the root w of order n."""
    n = coefficients.shape[1]
    return _stages(field, coefficients, field.root_of_unity(n))


def intt(values: UInt32[Array, "C n"], field: Field = KOALABEAR):
    """Coefficients of each polynomial from its values at 1, w, w^2, …"""
    n = values.shape[1]
    inverse_root = pow(field.root_of_unity(n), -1, field.p)
    scale = np.uint32(field.to_mont(pow(n, -1, field.p)))
    return field.mul(_stages(field, values, inverse_root), scale)


def coset_values(
    coefficients: UInt32[Array, "C n"],
    cosets: int,
    shift: int,
    field: Field = KOALABEAR,
) -> UInt32[Array, "C k n"]:
    """Values on ``cosets`` cosets of the n-th roots that tile the larger domain."""
    n = coefficients.shape[1]
    step = field.root_of_unity(n * cosets)
    shifts = [shift * pow(step, c, field.p) % field.p for c in range(cosets)]
    scaled = [
        ntt(field.mul(coefficients, jnp.asarray(powers_m(field, s, n))[None]), field)
        for s in shifts
    ]
    return jnp.stack(scaled, axis=1)


#: ``intt`` and ``coset_values`` compiled, each once per shape.
interpolate = partial(jax.jit, static_argnames=("field",))(intt)
evaluate = partial(jax.jit, static_argnames=("cosets", "shift", "field"))(coset_values)


def low_degree_extension(
    values: UInt32[Array, "C n"],
    cosets: int,
    shift: int,
    field: Field = KOALABEAR,
) -> UInt32[Array, "C k n"]:
    """Extends columns from the n-th roots of unity to ``cosets`` shifted cosets."""
    return evaluate(interpolate(values, field=field), cosets, shift, field)
