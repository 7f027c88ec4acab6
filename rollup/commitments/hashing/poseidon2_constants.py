"""Parameters of the Poseidon2 permutation, from its specification, in plain Python.

Round constants come out of the Grain LFSR in self-shrinking mode, seeded by the
instance itself; nothing here is a table that was copied. Imports neither JAX nor
numpy, because the proof verifier reads these constants too.

Source: Grassi, Khovratovich, Schofnegger, "Poseidon2", eprint 2023/323; Grain:
eprint 2019/458, appendix E; block and diagonal: those of Plonky3's default instance.
"""

from dataclasses import dataclass
from functools import cache

KOALABEAR_P = 2**31 - 2**24 + 1

#: The 4x4 block of the external matrix, a circulant MDS.
M4 = ((2, 3, 1, 1), (1, 2, 3, 1), (1, 1, 2, 3), (3, 1, 1, 2))

GRAIN_TAPS = (0, 13, 23, 38, 51, 62)
GRAIN_BURN_IN = 160


@dataclass(frozen=True)
class Poseidon2Instance:
    """One permutation: field, width, S-box, rounds, matrices and constants.

    Attributes:
        external: round constants of the full rounds, ``[full_rounds][width]``.
        internal: round constants of the partial rounds, lane 0 only.
        diagonal: the diagonal that the internal matrix adds to the all-ones one.
        block: the 4x4 block of the external matrix.
    """

    p: int
    width: int
    alpha: int
    full_rounds: int
    partial_rounds: int
    external: tuple[tuple[int, ...], ...]
    internal: tuple[int, ...]
    diagonal: tuple[int, ...]
    block: tuple[tuple[int, ...], ...]


def _grain_bits(field_bits: int, width: int, full: int, partial: int):
    """Yields the self-shrinking output of Grain for one instance."""
    seed = [(1, 2), (0, 4), (field_bits, 12), (width, 12), (full, 10), (partial, 10)]
    state = [(value >> i) & 1 for value, n in seed for i in reversed(range(n))]
    state += [1] * 30

    def clock() -> int:
        bit = 0
        for tap in GRAIN_TAPS:
            bit ^= state[tap]
        del state[0]
        state.append(bit)
        return bit

    for _ in range(GRAIN_BURN_IN):
        clock()
    while True:
        keep, bit = clock(), clock()
        if keep:
            yield bit


def grain_constants(p: int, width: int, full: int, partial: int) -> list[int]:
    """Draws the round constants in order of use, rejecting values of p and above.

    Returns:
        ``full / 2 * width`` constants, then ``partial``, then ``full / 2 * width``.
    """
    bits = p.bit_length()
    stream = _grain_bits(bits, width, full, partial)
    wanted, out = full * width + partial, []
    while len(out) < wanted:
        value = 0
        for _ in range(bits):
            value = value << 1 | next(stream)
        if value < p:
            out.append(value)
    return out


def _diagonal(p: int) -> tuple[int, ...]:
    """-2, 1, 2, 1/2, 3, 4, -1/2, -3, -4, then powers of 1/2 and of -1/2."""
    half = pow(2, -1, p)
    head = [-2, 1, 2, half, 3, 4, -half, -3, -4]
    tail = [pow(half, e, p) for e in (8, 3, 24)]
    tail += [-pow(half, e, p) for e in (8, 3, 4, 24)]
    return tuple(x % p for x in head + tail)


@cache
def koalabear16() -> Poseidon2Instance:
    """The instance of the state tree: KoalaBear, width 16, cube, 8 + 20 rounds."""
    p, width, full, partial = KOALABEAR_P, 16, 8, 20
    flat = grain_constants(p, width, full, partial)
    first, rest = flat[: full // 2 * width], flat[full // 2 * width :]
    rows = first + rest[partial:]
    return Poseidon2Instance(
        p=p,
        width=width,
        alpha=3,
        full_rounds=full,
        partial_rounds=partial,
        external=tuple(tuple(rows[i * width : (i + 1) * width]) for i in range(full)),
        internal=tuple(rest[:partial]),
        diagonal=_diagonal(p),
        block=M4,
    )
