"""Transforms against galois, against python-flint and against plain evaluation."""

import flint
import galois
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rollup.stark.fields.field import KOALABEAR
from rollup.stark.fields.ntt import (
    evaluate,
    interpolate,
    low_degree_extension,
    ntt,
    powers,
)

FIELDS = pytest.mark.parametrize("field", [KOALABEAR], ids=["koala"])


def random_rows(field, count, n):
    rng = np.random.default_rng(n)
    return rng.integers(0, field.p, (count, n), dtype=np.uint32)


@FIELDS
@pytest.mark.parametrize("n", [2, 8, 256])
def test_transform_equals_galois(field, n):
    rows = random_rows(field, 2, n)
    got = np.asarray(jax.jit(ntt, static_argnums=1)(jnp.asarray(rows), field))
    for row, values in zip(rows, got, strict=True):
        peer = galois.ntt([int(v) for v in row], modulus=field.p)
        assert [int(v) for v in peer] == list(values)


@FIELDS
def test_inverse_transform_undoes_the_transform(field):
    rows = random_rows(field, 3, 512)
    values = jax.jit(ntt, static_argnums=1)(jnp.asarray(rows), field)
    assert (np.asarray(interpolate(values, field=field)) == rows).all()


@FIELDS
def test_coset_values_equal_evaluation_by_flint(field):
    n, cosets, shift = 16, 4, field.generator
    rows = random_rows(field, 2, n)
    got = np.asarray(evaluate(jnp.asarray(rows), cosets, shift, field))
    step, omega = field.root_of_unity(n * cosets), field.root_of_unity(n)
    for row, values in zip(rows, got, strict=True):
        poly = flint.nmod_poly([int(v) for v in row], field.p)
        for c in range(cosets):
            for i in range(n):
                x = shift * pow(step, c, field.p) * pow(omega, i, field.p)
                assert int(poly(x % field.p)) == values[c, i]


def test_extension_of_a_column_has_its_degree():
    """Three times as many values interpolate to the same n coefficients."""
    rows = random_rows(KOALABEAR, 1, 8)
    extended = np.asarray(low_degree_extension(jnp.asarray(rows), 4, 3))
    natural = extended[0].T.reshape(1, -1)
    on_large = np.asarray(interpolate(jnp.asarray(natural)))[0]
    assert not on_large[8:].any() and on_large[:8].any()


def test_powers_are_powers():
    p = KOALABEAR.p
    assert [int(v) for v in powers(KOALABEAR, 12345, 37)] == [
        pow(12345, i, p) for i in range(37)
    ]
