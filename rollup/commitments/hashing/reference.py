"""Plain-Python twins of the hashes: Keccak-256. Blake2s-256 has ``hashlib`` for twin.

Imports nothing, so that verifiers that must not import JAX can use it.
"""

KECCAK_RATE_BYTES = 136
_MASK = (1 << 64) - 1


def _rotations() -> tuple[int, ...]:
    """Rotation of each lane, row-major: lane (x, y) is number 5y + x."""
    turns = [0] * 25
    x, y = 1, 0
    for t in range(24):
        turns[5 * y + x] = ((t + 1) * (t + 2) // 2) % 64
        x, y = y, (2 * x + 3 * y) % 5
    return tuple(turns)


def _round_constants() -> tuple[int, ...]:
    """The 24 constants, from the degree-eight shift register of the standard."""
    constants, register = [], 1
    for _ in range(24):
        constant = 0
        for j in range(7):
            constant |= (register & 1) << ((1 << j) - 1)
            register <<= 1
            if register & 0x100:
                register ^= 0x171  # x^8 + x^6 + x^5 + x^4 + 1
        constants.append(constant)
    return tuple(constants)


KECCAK_ROTATIONS = _rotations()
KECCAK_ROUND_CONSTANTS = _round_constants()


def _turn(word: int, bits: int) -> int:
    return ((word << bits) | (word >> (64 - bits))) & _MASK


def keccak_permute(lanes: list[int]) -> list[int]:
    """Keccak-f[1600] on 25 64-bit words, lane (x, y) at 5y + x."""
    for constant in KECCAK_ROUND_CONSTANTS:
        column = [
            lanes[x] ^ lanes[x + 5] ^ lanes[x + 10] ^ lanes[x + 15] ^ lanes[x + 20]
            for x in range(5)
        ]
        moved = [0] * 25
        for x in range(5):
            mixed = column[(x - 1) % 5] ^ _turn(column[(x + 1) % 5], 1)
            for y in range(5):
                turned = _turn(lanes[5 * y + x] ^ mixed, KECCAK_ROTATIONS[5 * y + x])
                moved[5 * ((2 * x + 3 * y) % 5) + y] = turned
        lanes = [
            moved[5 * y + x]
            ^ (~moved[5 * y + (x + 1) % 5] & moved[5 * y + (x + 2) % 5] & _MASK)
            for y in range(5)
            for x in range(5)
        ]
        lanes[0] ^= constant
    return lanes


def keccak256(message: bytes) -> bytes:
    """Keccak-256 of a byte string, with Keccak's own padding (not SHA-3's).

    Source: FIPS 202 §3 for the permutation; the padding byte is 0x01.
    """
    blocks = len(message) // KECCAK_RATE_BYTES + 1
    padded = bytearray(message.ljust(blocks * KECCAK_RATE_BYTES, b"\0"))
    padded[len(message)] ^= 0x01
    padded[-1] ^= 0x80
    lanes = [0] * 25
    for start in range(0, len(padded), KECCAK_RATE_BYTES):
        for k in range(KECCAK_RATE_BYTES // 8):
            at = start + 8 * k
            lanes[k] ^= int.from_bytes(padded[at : at + 8], "little")
        lanes = keccak_permute(lanes)
    return b"".join(lane.to_bytes(8, "little") for lane in lanes[:4])
