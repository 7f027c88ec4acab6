"""Field arithmetic against Python integers and an independent library."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import zk_dtypes
from hypothesis import given, settings
from hypothesis import strategies as st

from rollup.stark.fields.field import KOALABEAR, Field
from rollup.stark.rules import arithmetic
from rollup.stark.rules.arithmetic import Ext

FIELDS = pytest.mark.parametrize("field", [KOALABEAR], ids=["koala"])
COUNT = 32


def pairs(field: Field):
    edge = st.sampled_from([0, 1, 2, field.p - 1, field.p - 2, (field.p - 1) // 2])
    one = st.one_of(edge, st.integers(0, field.p - 1))
    return st.lists(st.tuples(one, one), min_size=COUNT, max_size=COUNT)


def arrays(values):
    a, b = zip(*values, strict=True)
    return jnp.asarray(a, jnp.uint32), jnp.asarray(b, jnp.uint32)


@FIELDS
def test_sums_differences_and_products_equal_python_integers(field):
    @settings(max_examples=40, deadline=None)
    @given(pairs(field))
    def check(values):
        a, b = arrays(values)
        p, inverse = field.p, pow(1 << 32, -1, field.p)
        assert list(field.add(a, b)) == [(x + y) % p for x, y in values]
        assert list(field.sub(a, b)) == [(x - y) % p for x, y in values]
        assert list(field.mul(a, b)) == [x * y * inverse % p for x, y in values]

    check()


@FIELDS
def test_inverse_times_value_is_one_and_zero_stays_zero(field):
    values = np.random.default_rng(0).integers(1, field.p, 64)
    a_m = jnp.asarray(field.constants_m(values))
    inverse = jax.jit(field.inverse_m)
    product = field.mul(field.mul(a_m, inverse(a_m)), np.uint32(1))
    assert (np.asarray(product) == 1).all()
    assert not np.asarray(inverse(jnp.zeros(64, jnp.uint32))).any()


@FIELDS
@pytest.mark.parametrize("bits", [32, 34, 37, 40])
def test_folding_is_exact_up_to_its_stated_bound(field, bits):
    rng = np.random.default_rng(bits)
    wide = rng.integers(0, 1 << bits, 1000, dtype=np.uint64)
    wide[:3] = (1 << bits) - 1, field.p, 2 * field.p - 1
    folded = np.asarray(field.fold(jnp.asarray(wide), bits))
    assert (folded == wide % np.uint64(field.p)).all()


@FIELDS
def test_montgomery_reduction_is_exact_at_its_upper_bound(field):
    wide = (field.p << 32) - 1
    got = int(field.reduce(jnp.asarray([wide], jnp.uint64))[0])
    assert got == wide * pow(1 << 32, -1, field.p) % field.p


@FIELDS
def test_generator_and_roots_have_their_full_order(field):
    p = field.p
    factors = {2, 127} if p == KOALABEAR.p else {2, 3, 5}
    assert all(pow(field.generator, (p - 1) // q, p) != 1 for q in factors)
    root = field.root_of_unity(1 << field.two_adicity)
    assert pow(root, 1 << (field.two_adicity - 1), p) == p - 1
    with pytest.raises(ValueError, match="no root"):
        field.root_of_unity(1 << (field.two_adicity + 1))
    with pytest.raises(ValueError, match="no root"):
        field.root_of_unity(12)


@FIELDS
def test_extension_polynomial_is_irreducible(field):
    """x^4 - w is irreducible iff w is no square, for p = 1 mod 4."""
    assert field.p % 4 == 1
    assert pow(field.nonresidue, (field.p - 1) // 2, field.p) == field.p - 1


def coordinates(value) -> list[int]:
    return [int(v) for v in str(value).strip("[]").split(",")]


def test_extension_products_equal_an_independent_library():
    field, peer = KOALABEAR, zk_dtypes.koalabearx4
    rng = np.random.default_rng(1)
    a, b = rng.integers(0, field.p, (2, 4, 50))
    b_m = jnp.asarray(field.constants_m(b))
    got = np.asarray(jax.jit(field.ext_mul)(jnp.asarray(a, jnp.uint32), b_m))
    for i in range(50):
        x, y = (peer(tuple(int(v) for v in z[:, i])) for z in (a, b))
        assert list(got[:, i]) == coordinates(x * y)


def test_plain_extension_equals_an_independent_library():
    rng = np.random.default_rng(2)
    for _ in range(50):
        a, b = ([int(v) for v in rng.integers(0, arithmetic.P, 4)] for _ in range(2))
        x, y = zk_dtypes.koalabearx4(tuple(a)), zk_dtypes.koalabearx4(tuple(b))
        assert list((Ext(a) * Ext(b)).c) == coordinates(x * y)
        assert list((Ext(a) + Ext(b)).c) == coordinates(x + y)
        assert list((Ext(a) - Ext(b)).c) == coordinates(x - y)
        assert list(Ext(a).inverse().c) == coordinates(zk_dtypes.koalabearx4(1) / x)


def test_plain_extension_inverts_and_raises_to_powers():
    rng = np.random.default_rng(3)
    for _ in range(20):
        a = Ext([int(v) for v in rng.integers(0, arithmetic.P, 4)])
        assert a * a.inverse() == arithmetic.ONE
        assert a.frobenius() == a**arithmetic.P
        assert a**5 == a * a * a * a * a
    with pytest.raises(ZeroDivisionError):
        arithmetic.ZERO.inverse()
