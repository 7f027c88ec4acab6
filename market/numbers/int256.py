"""Signed 256-bit integers for the cross products of StarkEx, on int64 arrays.

The formulas of :mod:`market.venues.starkex` are written with ordinary operators: on
plain ints Python's own integers run them, on arrays :class:`Int256` does, inside jit.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from market.numbers.wide import BITS_32, LOW_32, is_host

_LIMBS = 8


@jax.tree_util.register_pytree_node_class
class Int256:
    """A signed 256-bit integer array: eight 32-bit limbs in two's complement.

    Supports ``+ - *``, unary minus, the four order comparisons, ``abs``, ``sum`` over
    the last axis and ``>>`` by multiples of 32 (a floor). Arithmetic wraps at 256 bits.
    A formula written with these operators runs on plain ints unchanged.
    """

    # Lets ``array * Int256`` come to this class instead of being tried elementwise.
    __array_priority__ = 1000

    def __init__(self, limbs):
        self.limbs = tuple(limbs)

    @classmethod
    def of(cls, value) -> "Int256":
        """From an int64 array, or from a plain int of up to 256 bits."""
        if isinstance(value, Int256):
            return value
        if is_host(value):
            value = int(value)
            shifted = [(value >> (32 * i)) & 0xFFFF_FFFF for i in range(_LIMBS)]
            return cls(jnp.uint64(limb) for limb in shifted)
        value = jnp.asarray(value, jnp.int64)
        bits = lax.bitcast_convert_type(value, jnp.uint64)
        fill = jnp.where(value < 0, LOW_32, jnp.uint64(0))
        return cls((bits & LOW_32, bits >> BITS_32, *([fill] * (_LIMBS - 2))))

    def tree_flatten(self):
        """The limbs are the leaves."""
        return self.limbs, None

    @classmethod
    def tree_unflatten(cls, _, limbs):
        """Inverse of :meth:`tree_flatten`."""
        return cls(limbs)

    @classmethod
    def _carried(cls, columns) -> "Int256":
        """Passes what exceeds 32 bits of each column on to the next."""
        limbs, carry = [], jnp.uint64(0)
        for column in columns:
            column = column + carry
            limbs.append(column & LOW_32)
            carry = column >> BITS_32
        return cls(limbs)

    def __add__(self, other):
        other = Int256.of(other)
        pairs = zip(self.limbs, other.limbs, strict=True)
        return Int256._carried([a + b for a, b in pairs])

    __radd__ = __add__

    def __neg__(self):
        flipped = [limb ^ LOW_32 for limb in self.limbs]
        return Int256._carried([flipped[0] + np.uint64(1), *flipped[1:]])

    def __sub__(self, other):
        return self + (-Int256.of(other))

    def __rsub__(self, other):
        return Int256.of(other) - self

    def __mul__(self, other):
        other = Int256.of(other)
        columns = [jnp.uint64(0)] * _LIMBS
        for i, a in enumerate(self.limbs):
            for j, b in enumerate(other.limbs[: _LIMBS - i]):
                product = a * b
                columns[i + j] = columns[i + j] + (product & LOW_32)
                if i + j + 1 < _LIMBS:
                    columns[i + j + 1] = columns[i + j + 1] + (product >> BITS_32)
        return Int256._carried(columns)

    __rmul__ = __mul__

    def __rshift__(self, bits: int):
        """Division by 2**bits, floored; ``bits`` a multiple of 32."""
        if bits % 32:
            raise ValueError(f"Int256 shifts by multiples of 32 bits, not by {bits}")
        fill = jnp.where(self.is_negative(), LOW_32, jnp.uint64(0))
        kept = self.limbs[bits // 32 :]
        return Int256((*kept, *([fill] * (_LIMBS - len(kept)))))

    def __abs__(self):
        return self.where(self.is_negative(), -self, self)

    def is_negative(self) -> jax.Array:
        """Whether the sign bit is set."""
        return self.limbs[-1] >> np.uint64(31) != 0

    @staticmethod
    def where(condition, a, b) -> "Int256":
        """Limb by limb ``jnp.where``."""
        pairs = zip(Int256.of(a).limbs, Int256.of(b).limbs, strict=True)
        return Int256(jnp.where(condition, x, y) for x, y in pairs)

    def sum(self) -> "Int256":
        """Sum over the last axis (up to 2**31 terms), exact modulo 2**256."""
        return Int256._carried([jnp.sum(limb, axis=-1) for limb in self.limbs])

    def to_int64(self) -> jax.Array:
        """The low 64 bits as int64; right when the value fits."""
        bits = self.limbs[0] | (self.limbs[1] << BITS_32)
        return lax.bitcast_convert_type(bits, jnp.int64)

    def __lt__(self, other):
        # Flipping the sign bit turns the signed order into the unsigned one.
        flip = np.uint64(1 << 31)
        a, b = self.limbs, Int256.of(other).limbs
        lower, same = (a[-1] ^ flip) < (b[-1] ^ flip), a[-1] == b[-1]
        for x, y in zip(reversed(a[:-1]), reversed(b[:-1]), strict=True):
            lower = lower | (same & (x < y))
            same = same & (x == y)
        return lower

    def __gt__(self, other):
        return Int256.of(other) < self

    def __le__(self, other):
        return ~(self > other)

    def __ge__(self, other):
        return ~(self < other)


def widened(value):
    """Arrays as :class:`Int256`, plain ints as they are: both never overflow."""
    return value if is_host(value) else Int256.of(value)


def wide_total(values):
    """Sum of a list of plain ints, or of an Int256 over its last axis."""
    return sum(values) if isinstance(values, list | tuple) else values.sum()


def to_int_list(value: "Int256") -> list[int]:
    """Plain Python ints of an Int256 array, flattened (host only)."""
    limbs = [np.ravel(np.asarray(limb)) for limb in np.broadcast_arrays(*value.limbs)]
    numbers = []
    for digits in zip(*limbs, strict=True):
        number = sum(int(digit) << (32 * i) for i, digit in enumerate(digits))
        numbers.append(number - (1 << 256) if number >> 255 else number)
    return numbers
