"""Products beyond 63 bits: 128-bit multiply-divide and signed cross products.

Every function takes plain Python ints (then Python's own big integers do the work, and
nothing can overflow) or int64 arrays (then 32-bit limbs do it, inside jit, with no
floating point). The two agree wherever the stated result fits 64 bits.

Source: the schoolbook product on 32-bit halves, and the two-digit division of Knuth,
"The Art of Computer Programming", volume 2, section 4.3.1, algorithm D.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

#: An int64 array, or a plain Python int of any size: as it comes in it goes out, which
#: no annotation says, hence Any.
IntLike = Any

INT64_MAX = (1 << 63) - 1
LOW_32 = np.uint64(0xFFFF_FFFF)
BITS_32 = np.uint64(32)


# --- one spelling for plain ints and for arrays -----------------------------------


def is_host(*values) -> bool:
    """Whether all values are plain ints or bools, so that Python does the sum."""
    return all(isinstance(v, int | np.integer | np.bool_) for v in values)


def select(condition, if_true, if_false):
    """``if_true`` where the condition holds; plain ints of any size stay plain."""
    if is_host(condition):
        return if_true if condition else if_false
    return jnp.where(condition, if_true, if_false)


def smaller(a: IntLike, b: IntLike) -> IntLike:
    """The smaller of two, for plain ints or elementwise."""
    return min(a, b) if is_host(a, b) else jnp.minimum(a, b)


def larger(a: IntLike, b: IntLike) -> IntLike:
    """The larger of two, for plain ints or elementwise."""
    return max(a, b) if is_host(a, b) else jnp.maximum(a, b)


def clamp(value: IntLike, low: IntLike, high: IntLike) -> IntLike:
    """``value`` held within [low, high]."""
    return smaller(larger(value, low), high)


def sign_of(value: IntLike) -> IntLike:
    """-1, 0 or 1."""
    return (value > 0) - (value < 0) if is_host(value) else jnp.sign(value)


def both(a, b):
    """Logical and, for plain bools or elementwise."""
    return bool(a) and bool(b) if is_host(a, b) else jnp.logical_and(a, b)


def either(a, b):
    """Logical or, for plain bools or elementwise."""
    return bool(a) or bool(b) if is_host(a, b) else jnp.logical_or(a, b)


def total(values) -> IntLike:
    """Sum of a list of plain ints, or of an array over its last axis."""
    if isinstance(values, list | tuple):
        return sum(values)
    return jnp.sum(values, axis=-1)


def divide_toward_zero(a: IntLike, d: IntLike) -> IntLike:
    """``a / d`` truncated toward zero, d > 0 (Go's ``Quo``; Python's // floors)."""
    if is_host(a, d):
        return -((-a) // d) if a < 0 else a // d
    return lax.div(*jnp.broadcast_arrays(jnp.asarray(a), jnp.asarray(d, jnp.int64)))


def divide_ceil(a: IntLike, d: IntLike) -> IntLike:
    """``a / d`` rounded toward plus infinity, d > 0."""
    return -((-a) // d)


# --- 128 bits ----------------------------------------------------------------------


def _magnitude(x) -> jax.Array:
    """Absolute value as uint64, right also for -2**63."""
    x = jnp.asarray(x, jnp.int64)
    bits = lax.bitcast_convert_type(x, jnp.uint64)
    return jnp.where(x < 0, jnp.uint64(0) - bits, bits)


def _multiply_unsigned(a, b) -> tuple[jax.Array, jax.Array]:
    """High and low 64 bits of the product of two uint64 arrays."""
    a_low, a_high = a & LOW_32, a >> BITS_32
    b_low, b_high = b & LOW_32, b >> BITS_32
    low, high = a_low * b_low, a_high * b_high
    cross_1, cross_2 = a_low * b_high, a_high * b_low
    middle = (low >> BITS_32) + (cross_1 & LOW_32) + (cross_2 & LOW_32)
    return (
        high + (cross_1 >> BITS_32) + (cross_2 >> BITS_32) + (middle >> BITS_32),
        (middle << BITS_32) | (low & LOW_32),
    )


def multiply(a, b) -> tuple[jax.Array, jax.Array]:
    """Signed 128-bit product of int64 arrays: (int64 high, uint64 low)."""
    a, b = jnp.asarray(a, jnp.int64), jnp.asarray(b, jnp.int64)
    a_bits = lax.bitcast_convert_type(a, jnp.uint64)
    b_bits = lax.bitcast_convert_type(b, jnp.uint64)
    high, low = _multiply_unsigned(*jnp.broadcast_arrays(a_bits, b_bits))
    # Reading a negative number as unsigned adds 2**64 to it: take that product back.
    zero = jnp.uint64(0)
    high = high - jnp.where(a < 0, b_bits, zero) - jnp.where(b < 0, a_bits, zero)
    return lax.bitcast_convert_type(high, jnp.int64), low


def _next_digit(high, low_digit, d, d_high, d_low):
    """One 32-bit quotient digit of (high:low_digit) / d, and the rest; d normalised.

    The guess from the leading digits is too large by two at most (Knuth's theorem B).
    """
    guess = high // d_high
    rest = high - guess * d_high
    for _ in range(2):
        too_large = (rest <= LOW_32) & (
            (guess > LOW_32) | (guess * d_low > ((rest << BITS_32) | low_digit))
        )
        guess = jnp.where(too_large, guess - np.uint64(1), guess)
        rest = jnp.where(too_large, rest + d_high, rest)
    return guess, ((high << BITS_32) | low_digit) - guess * d


def _divide_unsigned(high, low, d) -> tuple[jax.Array, jax.Array]:
    """Quotient and remainder of (high:low) / d for uint64 arrays with high < d."""
    shift = lax.clz(d)
    d = d << shift
    # ``low >> (64 - shift)`` in two steps, because a shift by 64 has no meaning.
    high = (high << shift) | ((low >> np.uint64(1)) >> (np.uint64(63) - shift))
    low = low << shift
    d_high, d_low = d >> BITS_32, d & LOW_32
    first, rest = _next_digit(high, low >> BITS_32, d, d_high, d_low)
    second, rest = _next_digit(rest, low & LOW_32, d, d_high, d_low)
    return (first << BITS_32) + second, rest >> shift


def _divide_product(a, b, d):
    """Sign, quotient and remainder of |a * b| / d; the quotient saturates at 2**63-1.

    A zero divisor is read as one: its lane is expected to be masked by the caller.
    """
    high, low = _multiply_unsigned(*jnp.broadcast_arrays(_magnitude(a), _magnitude(b)))
    d = jnp.broadcast_to(jnp.maximum(_magnitude(d), jnp.uint64(1)), high.shape)
    fits = high < d
    quotient, rest = _divide_unsigned(jnp.where(fits, high, jnp.uint64(0)), low, d)
    cap = jnp.uint64(INT64_MAX)
    quotient = jnp.where(fits & (quotient <= cap), quotient, cap)
    rest = jnp.where(fits, rest, jnp.uint64(0))
    negative = (jnp.asarray(a) < 0) ^ (jnp.asarray(b) < 0)
    return negative, quotient.astype(jnp.int64), rest.astype(jnp.int64)


def mul_div_floor(a: IntLike, b: IntLike, d: IntLike) -> IntLike:
    """``floor(a * b / d)`` with a 128-bit product, toward minus infinity.

    Args:
      a: any int64.
      b: any int64.
      d: positive int64.

    Returns:
      The quotient; on arrays it saturates at plus or minus 2**63-1.
    """
    if is_host(a, b, d):
        return (a * b) // d
    negative, quotient, rest = _divide_product(a, b, d)
    return jnp.where(negative, -quotient - (rest > 0), quotient)


def mul_div_ceil(a: IntLike, b: IntLike, d: IntLike) -> IntLike:
    """``ceil(a * b / d)`` with a 128-bit product, toward plus infinity; d > 0."""
    if is_host(a, b, d):
        return -((-a * b) // d)
    negative, quotient, rest = _divide_product(a, b, d)
    return jnp.where(negative, -quotient, quotient + (rest > 0))


def mul_div_toward_zero(a: IntLike, b: IntLike, d: IntLike) -> IntLike:
    """``a * b / d`` truncated toward zero with a 128-bit product; d > 0."""
    if is_host(a, b, d):
        return divide_toward_zero(a * b, d)
    negative, quotient, _ = _divide_product(a, b, d)
    return jnp.where(negative, -quotient, quotient)


def mul_div_rest(a: IntLike, b: IntLike, d: IntLike) -> tuple[IntLike, IntLike]:
    """Quotient and remainder of ``a * b / d`` for non-negative a, b and d > 0."""
    if is_host(a, b, d):
        return divmod(a * b, d)
    _, quotient, rest = _divide_product(a, b, d)
    return quotient, rest


def mul_add_div_floor(a: IntLike, b: IntLike, c: IntLike, d: IntLike) -> IntLike:
    """``floor((a * b + c) / d)`` for non-negative a, b, c and d > 0.

    On arrays the remainder of ``a * b / d`` plus ``c`` has to fit 63 bits.
    """
    quotient, rest = mul_div_rest(a, b, d)
    return quotient + (rest + c) // d


def compare_sum(a: IntLike, b: IntLike, c: IntLike, d: IntLike, e: IntLike) -> IntLike:
    """Sign of ``a * b + c - d * e``: -1, 0 or 1, exact for products within 2**126."""
    if is_host(a, b, c, d, e):
        return sign_of(a * b + c - d * e)
    high, low = multiply(a, b)
    c = jnp.asarray(c, jnp.int64)
    added = low + lax.bitcast_convert_type(c, jnp.uint64)
    high = high + (added < low) - (c < 0)
    return _compare(high, added, *multiply(d, e))


def compare_products(a: IntLike, b: IntLike, c: IntLike, d: IntLike) -> IntLike:
    """Sign of ``a * b - c * d``: -1, 0 or 1, exact for all int64.

    This is how two ratios are compared without dividing: ``a / d ? c / b`` for
    positive ``b`` and ``d``. With a negative denominator the answer would flip, so
    denominators here are requirements and risks, which never are.
    """
    if is_host(a, b, c, d):
        return sign_of(a * b - c * d)
    return _compare(*multiply(a, b), *multiply(c, d))


def _compare(left_high, left_low, right_high, right_low):
    """-1, 0 or 1 for two signed 128-bit numbers."""
    high = (left_high > right_high).astype(jnp.int64) - (left_high < right_high)
    low = (left_low > right_low).astype(jnp.int64) - (left_low < right_low)
    return jnp.where(high != 0, high, low)
