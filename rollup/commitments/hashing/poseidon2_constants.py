"""Parameters of the Poseidon2 permutation, from its specification, in plain Python.

Round constants come out of the Grain LFSR in self-shrinking mode, seeded by the
instance itself; nothing here is a table that was copied. Imports neither JAX nor
numpy, because the proof verifier reads these constants too.

Source: Grassi, Khovratovich, Schofnegger, "Poseidon2", eprint 2023/323; Grain:
eprint 2019/458, appendix E; diagonals: those of Plonky3's default instances.
"""

from dataclasses import dataclass
from functools import cache

KOALABEAR_P = 2**31 - 2**24 + 1
BABYBEAR_P = 2**31 - 2**27 + 1
MERSENNE31_P = 2**31 - 1

#: The 4x4 block of the external matrix in Plonky3, a circulant MDS.
M4_PLONKY3 = ((2, 3, 1, 1), (1, 2, 3, 1), (1, 1, 2, 3), (3, 1, 1, 2))
#: The 4x4 block of the paper, used by HorizenLabs and RISC Zero.
M4_HORIZEN = ((5, 7, 1, 3), (4, 6, 1, 1), (1, 3, 5, 7), (1, 1, 4, 6))

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
    block: tuple[tuple[int, ...], ...] = M4_PLONKY3


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


def _half_powers(p: int, exponents: tuple[int, ...]) -> list[int]:
    return [pow(pow(2, e, p), -1, p) for e in exponents]


def _diagonal(p: int, plus: tuple[int, ...], minus: tuple[int, ...]) -> tuple[int, ...]:
    """-2, 1, 2, 1/2, 3, 4, -1/2, -3, -4, then 1/2^plus and -1/2^minus."""
    half = pow(2, -1, p)
    head = [-2, 1, 2, half, 3, 4, -half, -3, -4]
    tail = _half_powers(p, plus) + [-x for x in _half_powers(p, minus)]
    return tuple(x % p for x in head + tail)


def _build(p, width, alpha, partial, diagonal, block=M4_PLONKY3) -> Poseidon2Instance:
    full, half = 8, 4
    flat = grain_constants(p, width, full, partial)
    first, rest = flat[: half * width], flat[half * width :]
    rows = first + rest[partial:]
    return Poseidon2Instance(
        p=p,
        width=width,
        alpha=alpha,
        full_rounds=full,
        partial_rounds=partial,
        external=tuple(tuple(rows[i * width : (i + 1) * width]) for i in range(full)),
        internal=tuple(rest[:partial]),
        diagonal=tuple(d % p for d in diagonal),
        block=block,
    )


@cache
def koalabear16() -> Poseidon2Instance:
    """The instance of the state tree: KoalaBear, width 16, cube, 8 + 20 rounds."""
    diagonal = _diagonal(KOALABEAR_P, (8, 3, 24), (8, 3, 4, 24))
    return _build(KOALABEAR_P, 16, 3, 20, diagonal)


@cache
def koalabear24() -> Poseidon2Instance:
    """KoalaBear, width 24, 8 + 23 rounds."""
    diagonal = _diagonal(KOALABEAR_P, (8, 2, 3, 4, 5, 6, 24), (8, 3, 4, 5, 6, 7, 9, 24))
    return _build(KOALABEAR_P, 24, 3, 23, diagonal)


@cache
def babybear16() -> Poseidon2Instance:
    """BabyBear, width 16, x^7, 8 + 13 rounds."""
    diagonal = _diagonal(BABYBEAR_P, (8, 2, 3, 27), (8, 4, 27))
    return _build(BABYBEAR_P, 16, 7, 13, diagonal)


def _babybear24_diagonal() -> tuple[int, ...]:
    return _diagonal(BABYBEAR_P, (8, 2, 3, 4, 7, 9, 27), (8, 2, 3, 4, 5, 6, 7, 27))


@cache
def babybear24() -> Poseidon2Instance:
    """BabyBear, width 24, x^7, 8 + 21 rounds."""
    return _build(BABYBEAR_P, 24, 7, 21, _babybear24_diagonal())


@cache
def mersenne16() -> Poseidon2Instance:
    """Mersenne-31, width 16, x^5, 8 + 14 rounds."""
    shifts = (0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 13, 14, 15, 16)
    return _build(MERSENNE31_P, 16, 5, 14, (-2, *(1 << s for s in shifts)))


@cache
def mersenne24() -> Poseidon2Instance:
    """Mersenne-31, width 24, x^5, 8 + 22 rounds."""
    return _build(MERSENNE31_P, 24, 5, 22, (-2, *(1 << s for s in range(23))))


@cache
def babybear24_horizen() -> Poseidon2Instance:
    """BabyBear, width 24, with the paper's block and HorizenLabs' diagonal.

    The diagonal is a published parameter (drawn at random there), also RISC Zero's.
    """
    diagonal = (
        *(0x409133F0, 0x1667A8A1, 0x06A6C7B6, 0x6F53160E, 0x273B11D1, 0x03176C5D),
        *(0x72F9BBF9, 0x73CEBA91, 0x5CDEF81D, 0x01393285, 0x46DAEE06, 0x065D7BA6),
        *(0x52D72D6F, 0x05DD05E0, 0x3BAB4B63, 0x6ADA3842, 0x2FC5FBEC, 0x770D61B0),
        *(0x5715AAE9, 0x03EF0E90, 0x75B6C770, 0x242ADF5F, 0x00D0CA4C, 0x36C0E388),
    )
    return _build(BABYBEAR_P, 24, 7, 21, diagonal, M4_HORIZEN)
