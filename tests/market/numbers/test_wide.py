"""Wide products: equal to Python's own integers at every length and sign."""

import jax
import jax.numpy as jnp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.numbers import wide
from tests.market.forms.jaxprs import inexact_dtypes
from tests.market.ints import EXACT, array, below, lanes, signed

MUL_DIV = [wide.mul_div_floor, wide.mul_div_ceil, wide.mul_div_toward_zero]
COMPILED = {rule.__name__: jax.jit(rule) for rule in MUL_DIV}
compare_products = jax.jit(wide.compare_products)
quads = lanes(st.tuples(signed(63), signed(63), below(63, 1), signed(63)))


def columns(rows):
    return [array(column) for column in zip(*rows, strict=True)]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (wide.mul_div_floor, (-3, 2, -2, 3)),
        (wide.mul_div_ceil, (-2, 3, -2, 3)),
        (wide.mul_div_toward_zero, (-2, 2, -2, 3)),
    ],
)
def test_the_name_of_a_rounding_is_what_it_does(rule, expected):
    cases = [(-5, 1, 2), (5, 1, 2), (-4, 1, 2), (6, 1, 2)]
    assert tuple(rule(*case) for case in cases) == expected
    assert tuple(rule(*columns(cases)).tolist()) == expected


@pytest.mark.parametrize("rule", MUL_DIV)
@EXACT
@given(rows=quads)
def test_multiply_divide_is_exact_or_saturates(rule, rows):
    got = COMPILED[rule.__name__](*columns([row[:3] for row in rows])).tolist()
    for (a, b, d, _), value in zip(rows, got, strict=True):
        exact = rule(a, b, d)
        if abs(exact) < 1 << 63:
            assert value == exact
        else:
            assert abs(value) >= (1 << 63) - 1


@EXACT
@given(rows=quads)
def test_cross_products_compare_as_integers_do(rows):
    got = compare_products(*columns(rows)).tolist()
    for (a, b, c, d), value in zip(rows, got, strict=True):
        assert value == (a * b > c * d) - (a * b < c * d)


@EXACT
@given(rows=quads)
def test_equal_cross_products_compare_equal(rows):
    a, b, _, d = columns(rows)
    assert not compare_products(a, b, b, a).any()
    assert not compare_products(a, d, -a, -d).any()


def test_a_quotient_digit_may_be_guessed_two_too_large():
    a, b, d = 4611686020574871548, 4897718916567209945, 4611686020574871549
    assert int(wide.mul_div_floor(*array([a, b, d]))) == a * b // d


def test_negative_ratios_compare_by_cross_products_not_by_their_size():
    # -1/100 is the better ratio than -3/100, though 1 < 3.
    assert wide.compare_products(-1, 100, -3, 100) == 1
    assert int(compare_products(*array([-1, 100, -3, 100]))) == 1
    # One unit decides at the far end of 126 bits.
    top = (1 << 63) - 1
    assert int(compare_products(*array([-top, top, -top, top - 1]))) == -1


def test_the_most_negative_integer_has_a_magnitude():
    least = -(1 << 63)
    assert int(wide.mul_div_floor(*array([least, 1, 2]))) == least // 2
    assert int(compare_products(*array([least, least, least, 1]))) == 1


@EXACT
@given(lanes(st.tuples(below(62), below(42), below(42), below(62, 1))))
def test_a_small_term_is_added_before_the_division(rows):
    got = jax.jit(wide.mul_add_div_floor)(*columns(rows)).tolist()
    for (a, b, c, d), value in zip(rows, got, strict=True):
        if (a * b + c) // d < 1 << 62 and d + c < 1 << 63:
            assert value == (a * b + c) // d


def test_no_floating_point_and_no_overflow_trap_in_the_wide_products():
    xs = array([1, 2, 3])
    for rule in MUL_DIV:
        assert not inexact_dtypes(rule, xs, xs, xs)
    assert not inexact_dtypes(wide.compare_products, xs, xs, xs, xs)


def test_helpers_keep_plain_integers_of_any_size_plain():
    big = 1 << 100
    assert wide.select(True, big, 0) == big
    assert (wide.smaller(big, 1), wide.larger(big, 1)) == (1, big)
    assert wide.clamp(big, -1, 1) == 1
    assert wide.divide_toward_zero(-7, 2) == -3
    assert wide.divide_toward_zero(array([-7, 7]), 2).tolist() == [-3, 3]
    assert wide.divide_ceil(-7, 2) == -3
    assert wide.total([big, big]) == 2 * big
    assert jnp.array_equal(wide.total(array([[1, 2], [3, 4]])), array([3, 7]))
