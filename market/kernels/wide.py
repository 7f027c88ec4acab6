"""Exact products for the sequential kernels: ppm, 128-bit multiply-divide, compare.

The same functions for plain ints and arrays, with their mathematics:
`market.numbers.wide` and `market.numbers.units`.
"""

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from market.native.ffi import kernel

_PPM = 1_000_000
_ONE, _TOP = np.uint64(1), np.uint64(63)
_ZERO, _NOTHING = np.uint64(0), np.int64(0)


@intrinsic
def _high_product(typingctx, a, b):
    """The upper 64 bits of the unsigned 128-bit product of two uint64."""
    signature = types.uint64(types.uint64, types.uint64)

    def codegen(context, builder, signature, args):
        wide = ir.IntType(128)
        a, b = (builder.zext(arg, wide) for arg in args)
        shifted = builder.lshr(builder.mul(a, b), ir.Constant(wide, 64))
        return builder.trunc(shifted, ir.IntType(64))

    return signature, codegen


@kernel
def ppm_floor(amount, rate_ppm):
    """``floor(amount * rate / 1e6)`` without the wide product."""
    quotient = amount // _PPM
    return quotient * rate_ppm + (amount - quotient * _PPM) * rate_ppm // _PPM


@kernel
def ppm_ceil(amount, rate_ppm):
    """``ceil(amount * rate / 1e6)`` without the wide product."""
    return -ppm_floor(-amount, rate_ppm)


@kernel
def _long_division(high, low, d):
    """(high:low) / d bit by bit, high < d < 2**63; rare, so short rather than fast."""
    quotient, rest = _ZERO, high
    for _ in range(64):
        rest = (rest << _ONE) | (low >> _TOP)
        low = low << _ONE
        quotient = quotient << _ONE
        if rest >= d:
            rest -= d
            quotient |= _ONE
    return quotient, rest


@kernel
def mul_div_rest(a, b, d):
    """Quotient and remainder of ``a * b / d``, all non-negative, d > 0.

    The caller's bounds make the quotient fit 63 bits.
    """
    x, y, z = np.uint64(a), np.uint64(b), np.uint64(d)
    high, low = _high_product(x, y), x * y
    if high == _ZERO:
        quotient = low // z
        return np.int64(quotient), np.int64(low - quotient * z)
    quotient, rest = _long_division(high, low, z)
    return np.int64(quotient), np.int64(rest)


@kernel
def mul_div_floor(a, b, d):
    """``floor(a * b / d)`` for any a, non-negative b and d > 0."""
    quotient, rest = mul_div_rest(abs(a), b, d)
    if a >= 0:
        return quotient
    return -quotient - (1 if rest > 0 else 0)


@kernel
def mul_add_div_floor(a, b, c, d):
    """``floor((a * b + c) / d)`` for non-negative a, b, c and d > 0."""
    quotient, rest = mul_div_rest(a, b, d)
    return quotient + (rest + c) // d


@kernel
def _signed_product(a, b):
    """Signed high and unsigned low half of ``a * b``."""
    x, y = np.uint64(a), np.uint64(b)
    high = np.int64(_high_product(x, y))
    # A negative number read as unsigned is 2**64 too large: take that product back.
    if a < 0:
        high -= b
    if b < 0:
        high -= a
    return high, x * y


@kernel
def at_least(a, b, c, d):
    """Whether ``a * b >= c * d``, exact for all int64."""
    return at_least_sum(a, b, _NOTHING, c, d)


@kernel
def at_least_sum(a, b, c, d, e):
    """Whether ``a * b + c >= d * e``, exact for products within 2**126."""
    left_high, low = _signed_product(a, b)
    right_high, right_low = _signed_product(d, e)
    left_low = low + np.uint64(c)
    if left_low < low:
        left_high += 1
    if c < 0:
        left_high -= 1
    if left_high != right_high:
        return left_high > right_high
    return left_low >= right_low


@kernel
def mul_div_capped(a, b, d, cap):
    """``min(floor(a * b / d), cap)``, all non-negative; d below one counts as one."""
    x, y, z = np.uint64(a), np.uint64(b), np.uint64(max(d, 1))
    high, low = _high_product(x, y), x * y
    if high >= z:
        return cap
    quotient = low // z if high == _ZERO else _long_division(high, low, z)[0]
    return np.int64(min(quotient, np.uint64(cap)))
