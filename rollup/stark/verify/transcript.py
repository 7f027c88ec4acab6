"""Fiat-Shamir over Blake2s-256: challenges that depend on all that came before.

Plain Python; prover and verifier run the same code.
"""

import hashlib
import struct

from rollup.stark.rules.arithmetic import Ext, P

_PERSON = b"shk-fs/1"


def _hash(*parts: bytes) -> bytes:
    return hashlib.blake2s(b"".join(parts), person=_PERSON).digest()


class Transcript:
    """A hash state that absorbs messages and squeezes challenges.

    Every message of the protocol has a length that the parameters fix, and the
    parameters are in the seed, so the sequence of messages is unambiguous.
    """

    def __init__(self, seed: bytes):
        self._state = _hash(b"seed", seed)
        self._drawn = 0

    def absorb(self, message: bytes) -> None:
        """Mixes a message in; challenges start afresh."""
        self._state = _hash(b"absorb", self._state, message)
        self._drawn = 0

    def _squeeze(self) -> bytes:
        block = _hash(b"draw", self._state, struct.pack("<Q", self._drawn))
        self._drawn += 1
        return block

    def extension(self) -> Ext:
        """A challenge in the extension; each coordinate is 64 bits modulo p."""
        return Ext(tuple(v % P for v in struct.unpack("<4Q", self._squeeze())))

    def indices(self, count: int, bound: int) -> list[int]:
        """Uniform indices below a power of two, with repetition."""
        out: list[int] = []
        while len(out) < count:
            words = struct.unpack("<8I", self._squeeze())
            out += [w & (bound - 1) for w in words]
        return out[:count]

    def work_is_done(self, nonce: int, bits: int) -> bool:
        """Whether the nonce's hash starts with ``bits`` zero bits."""
        digest = _hash(b"grind", self._state, struct.pack("<Q", nonce))
        return int.from_bytes(digest[:8], "big") >> (64 - bits) == 0 if bits else True

    def grind(self, bits: int) -> int:
        """The smallest nonce that does the work; about 2^bits hashes."""
        nonce = 0
        while not self.work_is_done(nonce, bits):
            nonce += 1
        return nonce
