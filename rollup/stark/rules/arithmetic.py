"""KoalaBear and its quartic extension on Python integers: what the verifier needs.

No JAX, no numpy. Elements of the base field are plain ints below ``P``; elements of
F_p[X]/(X^4 - 3) are ``Ext``, which also accepts ints on either side.
"""

from collections.abc import Sequence

from rollup.commitments.hashing.poseidon2_constants import KOALABEAR_P

P = KOALABEAR_P
W = 3
GENERATOR = 3
TWO_ADICITY = 24
#: Products of ``POWER^k``: the Frobenius map scales coefficient k by this power.
_FROBENIUS = pow(W, (P - 1) // 4, P)


class Ext:
    """An element a + bX + cX^2 + dX^3 of the quartic extension."""

    __slots__ = ("c",)

    def __init__(self, coefficients: Sequence[int]):
        self.c = tuple(coefficients)

    def __add__(self, other):
        a = self.c
        if isinstance(other, Ext):
            b = other.c
            return Ext(
                (
                    (a[0] + b[0]) % P,
                    (a[1] + b[1]) % P,
                    (a[2] + b[2]) % P,
                    (a[3] + b[3]) % P,
                )
            )
        return Ext(((a[0] + other) % P, a[1], a[2], a[3]))

    __radd__ = __add__

    def __neg__(self):
        return Ext(tuple(-x % P for x in self.c))

    def __sub__(self, other):
        a = self.c
        if isinstance(other, Ext):
            b = other.c
            return Ext(
                (
                    (a[0] - b[0]) % P,
                    (a[1] - b[1]) % P,
                    (a[2] - b[2]) % P,
                    (a[3] - b[3]) % P,
                )
            )
        return Ext(((a[0] - other) % P, a[1], a[2], a[3]))

    def __rsub__(self, other):
        return -self + other

    def __mul__(self, other):
        a0, a1, a2, a3 = self.c
        if not isinstance(other, Ext):
            return Ext((a0 * other % P, a1 * other % P, a2 * other % P, a3 * other % P))
        b0, b1, b2, b3 = other.c
        return Ext(
            (
                (a0 * b0 + W * (a1 * b3 + a2 * b2 + a3 * b1)) % P,
                (a0 * b1 + a1 * b0 + W * (a2 * b3 + a3 * b2)) % P,
                (a0 * b2 + a1 * b1 + a2 * b0 + W * a3 * b3) % P,
                (a0 * b3 + a1 * b2 + a2 * b1 + a3 * b0) % P,
            )
        )

    __rmul__ = __mul__

    def __pow__(self, exponent: int):
        result, base = ONE, self
        while exponent:
            if exponent & 1:
                result = result * base
            base = base * base
            exponent >>= 1
        return result

    def __eq__(self, other):
        return isinstance(other, Ext) and self.c == other.c

    def __hash__(self):
        return hash(self.c)

    def __repr__(self):
        return f"Ext{self.c}"

    def frobenius(self, times: int = 1) -> "Ext":
        """The p-th power, ``times`` times."""
        z = pow(_FROBENIUS, times, P)
        return Ext(tuple(x * pow(z, k, P) % P for k, x in enumerate(self.c)))

    def inverse(self) -> "Ext":
        """1/self.

        Raises:
            ZeroDivisionError: self is zero.
        """
        others = self.frobenius(1) * self.frobenius(2) * self.frobenius(3)
        norm = (self * others).c[0]
        if not norm:
            raise ZeroDivisionError("inverse of zero in the extension")
        return others * pow(norm, -1, P)


ZERO = Ext((0, 0, 0, 0))
ONE = Ext((1, 0, 0, 0))
#: 1, X, X^2, X^3: an extension value from four base-field columns.
BASIS = tuple(Ext(tuple(int(i == k) for i in range(4))) for k in range(4))


def root_of_unity(order: int) -> int:
    """A primitive root of a power-of-two order up to 2^24.

    Raises:
        ValueError: the field has no root of that order.
    """
    log = order.bit_length() - 1
    if order != 1 << log or log > TWO_ADICITY:
        raise ValueError(f"no root of unity of order {order}")
    return pow(GENERATOR, (P - 1) >> log, P)


def horner(coefficients: Sequence, point) -> Ext:
    """The value of a polynomial, coefficients from the constant term up."""
    value = ZERO
    for c in reversed(coefficients):
        value = value * point + c
    return value


def powers(base: Ext, count: int) -> list[Ext]:
    """1, base, base^2, …"""
    out, value = [], ONE
    for _ in range(count):
        out.append(value)
        value = value * base
    return out


def centered(value: int) -> int:
    """The representative of a residue in [-p/2, p/2)."""
    return value - P if value > P // 2 else value


def lagrange_at(point: Ext, size: int) -> list[Ext]:
    """Values at ``point`` of the Lagrange basis over the ``size``-th roots of unity.

    Raises:
        ZeroDivisionError: the point is itself such a root.
    """
    omega = root_of_unity(size)
    scale = (point**size - 1) * pow(size, -1, P)
    basis, x = [], 1
    for _ in range(size):
        basis.append(scale * x * (point - x).inverse())
        x = x * omega % P
    return basis


def minimal_polynomial(point: Ext) -> list[int]:
    """Coefficients of the monic quartic over the base field that vanishes there."""
    poly = [ONE]
    for k in range(4):
        root = point.frobenius(k)
        shifted = [ZERO, *poly]
        scaled = [c * root for c in poly] + [ZERO]
        poly = [a - b for a, b in zip(shifted, scaled, strict=True)]
    return [c.c[0] for c in poly]


def cofactor(quartic: Sequence[int], point: Ext) -> list[Ext]:
    """The cubic ``m(X) / (X - point)``, so that 1/(x - point) is cubic(x) / m(x)."""
    cubic = [ONE]
    for k in range(3, 0, -1):
        cubic.insert(0, cubic[0] * point + quartic[k])
    return cubic
