"""Prime fields of 31 bits on arrays, with Montgomery products, and x^4 - w extensions.

Arrays hold *canonical* residues in uint32 unless a name ends in ``_m`` (Montgomery
form, x * 2^32 mod p). ``mul`` multiplies and divides by 2^32: a canonical array
times a Montgomery constant is canonical, so transforms and linear combinations keep
their data canonical and only their constants are in Montgomery form.

Source: Montgomery 1985, in the subtractive form that Plonky3 uses; the
parameters of KoalaBear: Plonky3 (generator 3, x^4 - 3).
"""

from dataclasses import dataclass
from functools import cached_property

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, UInt32, UInt64

import market  # noqa: F401  (switches 64-bit integers on)
from rollup.commitments.hashing.poseidon2_constants import KOALABEAR_P
from rollup.stark.fields.materialise import computed_once

R_BITS = 32


@dataclass(frozen=True)
class Field:
    """A prime field p < 2^31 with p = 1 mod 2^two_adicity.

    Attributes:
        p: the prime.
        generator: generates the multiplicative group.
        two_adicity: largest k with 2^k dividing p - 1.
        nonresidue: w such that x^4 - w is irreducible; the extension's rule.
    """

    p: int
    generator: int
    two_adicity: int
    nonresidue: int

    @cached_property
    def inverse_of_p(self) -> np.uint32:
        """1/p mod 2^32, the constant of the reduction."""
        return np.uint32(pow(self.p, -1, 1 << R_BITS))

    @property
    def r(self) -> int:
        """2^32 mod p: one, in Montgomery form."""
        return (1 << R_BITS) % self.p

    def to_mont(self, value: int) -> int:
        """Montgomery form of one Python integer."""
        return (value << R_BITS) % self.p

    def constants_m(self, values) -> np.ndarray:
        """Montgomery form of host integers of any shape, as uint32."""
        array = np.asarray(values, dtype=object) % self.p
        return ((array << R_BITS) % self.p).astype(np.uint32)

    def root_of_unity(self, order: int) -> int:
        """A primitive root of unity of a power-of-two order.

        Raises:
            ValueError: the order is no power of two, or the field has no such root.
        """
        log = order.bit_length() - 1
        if order != 1 << log or log > self.two_adicity:
            raise ValueError(f"no root of order {order} in the field of {self.p}")
        return pow(self.generator, (self.p - 1) >> log, self.p)

    # --- arrays of canonical residues -------------------------------------------

    def add(self, a: UInt32[Array, "..."], b) -> UInt32[Array, "..."]:
        """Sum; both are below p, so it fits 32 bits."""
        total = a + b
        return jnp.where(total >= self.p, total - np.uint32(self.p), total)

    def sub(self, a: UInt32[Array, "..."], b) -> UInt32[Array, "..."]:
        """Difference."""
        return jnp.where(a >= b, a - b, a + (np.uint32(self.p) - b))

    def reduce(self, wide: UInt64[Array, "..."]) -> UInt32[Array, "..."]:
        """Divides wide < p * 2^32 by 2^32, modulo p."""
        low = wide.astype(jnp.uint32)
        high = (wide >> np.uint64(32)).astype(jnp.uint32)
        quotient = (low * self.inverse_of_p).astype(jnp.uint64)
        carry = ((quotient * np.uint64(self.p)) >> np.uint64(32)).astype(jnp.uint32)
        difference = high - carry
        return jnp.where(high < carry, difference + np.uint32(self.p), difference)

    def mul(self, a: UInt32[Array, "..."], b) -> UInt32[Array, "..."]:
        """The Montgomery product, a * b / 2^32 mod p."""
        return self.reduce(a.astype(jnp.uint64) * jnp.asarray(b).astype(jnp.uint64))

    def fold(self, wide: UInt64[Array, "..."], bits: int = 40):
        """Residue of wide < 2^bits: small linear combinations of residues.

        2^31 = 2^31 - p mod p, so the upper bits fold onto the lower ones until one
        conditional subtraction is left.
        """
        excess, low31 = (1 << 31) - self.p, np.uint64((1 << 31) - 1)
        bound = 1 << bits
        while bound > 2 * self.p:
            wide = (wide & low31) + (wide >> np.uint64(31)) * np.uint64(excess)
            bound = (1 << 31) + (bound >> 31) * excess
        low = wide.astype(jnp.uint32)
        return jnp.where(low >= self.p, low - np.uint32(self.p), low)

    def mod(self, wide: UInt64[Array, "..."]) -> UInt32[Array, "..."]:
        """Residue of any uint64 by division: slow; for the ends of accumulations."""
        return (wide % np.uint64(self.p)).astype(jnp.uint32)

    def power_m(self, a_m: UInt32[Array, "..."], exponent: int):
        """Power in Montgomery form, by square and multiply in a compiled loop."""
        bits = jnp.asarray([int(b) for b in bin(exponent)[2:]], jnp.uint32)

        def step(result, bit):
            result = self.mul(result, result)
            return jnp.where(bit == 1, self.mul(result, a_m), result), None

        return lax.scan(step, jnp.full_like(a_m, self.r), bits)[0]

    def inverse_m(self, a_m: UInt32[Array, "..."]) -> UInt32[Array, "..."]:
        """1 / a in Montgomery form; zero stays zero."""
        return self.power_m(a_m, self.p - 2)

    # --- the extension: leading axis of four coefficients -----------------------

    def ext_mul(self, a: UInt32[Array, "4 ..."], b) -> UInt32[Array, "4 ..."]:
        """The product in the extension over 2^32 (each term a Montgomery product)."""
        w = np.uint32(self.to_mont(self.nonresidue))
        turned = computed_once(self.mul(a, w))
        out = []
        for k in range(4):
            terms = [
                self.mul(a[i] if i <= k else turned[i], b[(k - i) % 4])
                for i in range(4)
            ]
            first, *others = (term.astype(jnp.uint64) for term in terms)
            out.append(self.fold(sum(others, first), 33))
        return computed_once(jnp.stack(out))


KOALABEAR = Field(KOALABEAR_P, 3, 24, 3)
