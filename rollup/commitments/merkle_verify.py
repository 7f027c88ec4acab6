"""The judge of Merkle proofs: plain Python, no JAX, no NumPy, no code of the prover.

A verifier reads bytes that an adversary wrote. It never raises on them: the answer is
a `Verdict`, and a refusal says why. Its work is bounded before it starts: more than
`MAX_PROOF_BYTES` are not looked at, and nothing is hashed before the proof is known to
open exactly the leaves of the verifier's own statement, each at most height times.

Source: ``docs/proofs.md``, "The Merkle proof object".
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

from rollup.commitments.hashing.reference import keccak256

MAGIC = b"SHKM"
VERSION = 1
HEADER_BYTES = 16
DIGEST_BYTES = 32
MAX_HEIGHT = 64
MAX_LEAVES = 1 << 16
MAX_PROOF_BYTES = 1 << 24

Compress = Callable[[bytes, bytes], bytes]
#: Hashes that this verifier knows: number in the header -> two digests to one.
HASHES: Mapping[int, Compress] = {
    1: lambda left, right: hashlib.blake2s(left + right).digest(),
    2: lambda left, right: keccak256(left + right),
}


class Verdict(NamedTuple):
    """Whether a proof was accepted, and why not (empty where it was)."""

    accepted: bool
    reason: str = ""


class Parsed(NamedTuple):
    """The parts of a well-formed proof; nothing is known yet of its truth."""

    hash_ident: int
    height: int
    indices: list[int]
    siblings: list[bytes]


class _RefusedError(Exception):
    """Carries the reason of a refusal to `verify`; never leaves this module."""


def verify(
    proof: bytes,
    root: bytes,
    leaves: Mapping[int, bytes],
    *,
    height: int,
    hash_ident: int = 1,
    hashes: Mapping[int, Compress] = HASHES,
) -> Verdict:
    """Whether ``proof`` shows that the tree under ``root`` holds exactly these leaves.

    Args:
        proof: the binary form, from anyone.
        root: the 32 bytes that the verifier trusts.
        leaves: index -> leaf digest, the statement to be proven.
        height: height of the trusted tree. The proof may not choose it: a smaller one
            would pass an inner node off as a leaf.
        hash_ident: the trusted tree's hash; likewise not the proof's choice.
        hashes: number -> compression of two digests, to judge trees of other hashes;
            it may raise ValueError on 32 bytes that are no digest of its own.

    Returns:
        The verdict. Nothing in ``proof``, ``root`` or ``leaves`` makes it raise.
    """
    try:
        _check_statement(root, leaves)
        parsed = _parse(proof)
        if parsed.height != height:
            raise _RefusedError(f"height {parsed.height} where {height!r} is trusted")
        if parsed.hash_ident != hash_ident or hash_ident not in hashes:
            raise _RefusedError(
                f"hash {parsed.hash_ident} where {hash_ident!r} is trusted"
            )
        if parsed.indices != sorted(leaves):
            raise _RefusedError("the proof opens other leaves than the statement names")
        if _root(parsed, leaves, hashes[hash_ident]) != bytes(root):
            raise _RefusedError("the openings lead to another root")
    except _RefusedError as refusal:
        return Verdict(False, str(refusal))
    except ValueError as malformed:
        return Verdict(False, f"not a digest: {malformed}")
    return Verdict(True)


def parse(proof: bytes) -> Parsed | Verdict:
    """The parts of a proof, or the refusal of a malformed one; never raises."""
    try:
        return _parse(proof)
    except _RefusedError as refusal:
        return Verdict(False, str(refusal))


def account_leaf(words: Sequence[int]) -> bytes:
    """The leaf digest of an account's int64 words.

    Raises:
        OverflowError: a word does not fit 64 bits (the caller's own statement).
    """
    packed = b"".join(int(word).to_bytes(8, "little", signed=True) for word in words)
    return hashlib.blake2s(packed, person=b"account1").digest()


def _check_statement(root, leaves) -> None:
    if not _is_digest(root):
        raise _RefusedError(f"the root is not {DIGEST_BYTES} bytes")
    if not isinstance(leaves, Mapping) or not leaves:
        raise _RefusedError("the statement names no leaves")
    for index, leaf in leaves.items():
        if type(index) is not int or not _is_digest(leaf):
            raise _RefusedError(f"a leaf is not an int with {DIGEST_BYTES} bytes")


def _is_digest(value) -> bool:
    return isinstance(value, bytes | bytearray) and len(value) == DIGEST_BYTES


def _parse(proof) -> Parsed:
    """Reads every field, allocating nothing before the lengths are known to agree."""
    if not isinstance(proof, bytes | bytearray):
        raise _RefusedError("a proof is bytes")
    if not HEADER_BYTES <= len(proof) <= MAX_PROOF_BYTES:
        raise _RefusedError(f"{len(proof)} bytes is no proof's size")
    if bytes(proof[:4]) != MAGIC:
        raise _RefusedError("not a Merkle proof: wrong magic")
    version, hash_ident, height, reserved = proof[4:8]
    if version != VERSION or reserved != 0:
        raise _RefusedError(f"version {version}, reserved byte {reserved}")
    if height > MAX_HEIGHT:
        raise _RefusedError(f"height {height} is over {MAX_HEIGHT}")
    count = int.from_bytes(proof[8:12], "little")
    extra = int.from_bytes(proof[12:16], "little")
    if not 1 <= count <= MAX_LEAVES or extra > count * height:
        raise _RefusedError(f"{count} leaves with {extra} siblings")
    if len(proof) != HEADER_BYTES + 8 * count + DIGEST_BYTES * extra:
        raise _RefusedError("the length is not what the header says")
    indices = _split(proof, HEADER_BYTES, 8, count)
    indices = [int.from_bytes(index, "little") for index in indices]
    siblings = _split(proof, HEADER_BYTES + 8 * count, DIGEST_BYTES, extra)
    _check_indices(indices, height)
    return Parsed(hash_ident, height, indices, siblings)


def _check_indices(indices: list[int], height: int) -> None:
    if any(low >= high for low, high in pairwise(indices)):
        raise _RefusedError("the indices do not increase")
    if indices[-1] >> height:
        raise _RefusedError(
            f"index {indices[-1]} lies outside a tree of height {height}"
        )


def _split(data, start: int, size: int, count: int) -> list[bytes]:
    """``count`` pieces of ``size`` bytes from ``start`` on."""
    stops = range(start, start + size * count, size)
    return [bytes(data[at : at + size]) for at in stops]


def _root(parsed: Parsed, leaves: Mapping[int, bytes], compress: Compress) -> bytes:
    """Climbs level by level; the siblings must be exactly those that are missing."""
    level = [(index, bytes(leaves[index])) for index in parsed.indices]
    siblings = iter(parsed.siblings)
    try:
        for _ in range(parsed.height):
            level = _parents(level, siblings, compress)
    except StopIteration:
        raise _RefusedError("too few siblings") from None
    if next(siblings, None) is not None:
        raise _RefusedError("too many siblings")
    return level[0][1]


def _parents(level, siblings, compress: Compress) -> list[tuple[int, bytes]]:
    """The parents of known nodes, sorted by place; consumes the missing siblings."""
    parents, at = [], 0
    while at < len(level):
        place, node = level[at]
        at += 1
        if place & 1:
            pair = (next(siblings), node)
        elif at < len(level) and level[at][0] == place + 1:
            pair = (node, level[at][1])
            at += 1
        else:
            pair = (node, next(siblings))
        parents.append((place >> 1, compress(*pair)))
    return parents
