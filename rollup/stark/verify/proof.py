"""The binary form of a proof; its length follows from its header alone.

Little-endian throughout. Header: magic ``SHKSTARK``, then markets, height, log_rows,
queries and grinding as uint32. Body, in order: the three trace commitments (32 bytes
each), claimed sums (uint32), values at z and at the next row (4 uint32 each) of all
columns, values at z of the eight quotient columns, FRI commitments, coefficients of
the last polynomial, nonce (uint64); then per query the three opened rows with their
Merkle paths, and per FRI layer the eight opened values with their path.

Plain Python; the verifier imports it.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass

from rollup.stark.rules.arithmetic import Ext, P
from rollup.stark.rules.layout import layout_for
from rollup.stark.rules.parameters import FOLD, StarkParameters

MAGIC = b"SHKSTARK"
HEADER = len(MAGIC) + 5 * 4
DIGEST_BYTES = 32
QUOTIENT_COLUMNS = 8


class ProofFormatError(ValueError):
    """The bytes are no proof: wrong header, length or a value that is no residue."""


@dataclass
class Opening:
    """One opened leaf: its words and its Merkle path from the bottom."""

    words: tuple[int, ...]
    path: list[bytes]


@dataclass
class Query:
    """What is opened for one query: three rows, then one leaf a FRI layer."""

    base: Opening
    aux: Opening
    quotient: Opening
    layers: list[Opening]


@dataclass
class Proof:
    """A parsed proof; see the module's head for the order of its parts."""

    parameters: StarkParameters
    roots: list[bytes]
    claims: list[int]
    here: list[Ext]
    next: list[Ext]
    quotient: list[Ext]
    fri_roots: list[bytes]
    final: list[Ext]
    nonce: int
    queries: list[Query]


def leaf_sizes(parameters: StarkParameters) -> list[tuple[int, int]]:
    """(words, path length) of each opening of one query."""
    layout = layout_for(parameters.markets)
    depth = parameters.domain.bit_length() - 1
    rows = [(w, depth) for w in (layout.width, layout.aux, QUOTIENT_COLUMNS)]
    for size in parameters.fri_sizes:
        rows.append((4 * FOLD, (size // FOLD).bit_length() - 1))
    return rows


def proof_size(parameters: StarkParameters) -> int:
    """Length in bytes of every proof with these parameters."""
    layout = layout_for(parameters.markets)
    values = 2 * layout.total + QUOTIENT_COLUMNS + parameters.final_coefficients
    fixed = (3 + len(parameters.fri_sizes)) * DIGEST_BYTES + 8
    query = sum(4 * w + DIGEST_BYTES * depth for w, depth in leaf_sizes(parameters))
    body = fixed + 4 * layout.claims + 16 * values + parameters.queries * query
    return HEADER + body


def sections(parameters: StarkParameters) -> dict[str, tuple[int, int]]:
    """Name -> (start, end) of the parts before the queries, and of all queries."""
    layout = layout_for(parameters.markets)
    lengths = {
        "header": HEADER,
        "roots": 3 * DIGEST_BYTES,
        "claims": 4 * layout.claims,
        "here": 16 * layout.total,
        "next": 16 * layout.total,
        "quotient": 16 * QUOTIENT_COLUMNS,
        "fri_roots": DIGEST_BYTES * len(parameters.fri_sizes),
        "final": 16 * parameters.final_coefficients,
        "nonce": 8,
    }
    out, start = {}, 0
    for name, length in lengths.items():
        out[name] = (start, start + length)
        start += length
    out["queries"] = (start, proof_size(parameters))
    return out


def pack_words(words) -> bytes:
    """Words as little-endian uint32."""
    return struct.pack(f"<{len(words)}I", *words)


def pack_extensions(values: list[Ext]) -> bytes:
    """Extension elements, four words each."""
    return pack_words([w for value in values for w in value.c])


def encode_header(parameters: StarkParameters) -> bytes:
    """Magic and parameters."""
    p = parameters
    words = (p.markets, p.height, p.log_rows, p.queries, p.grinding)
    return MAGIC + pack_words(words)


def encode(proof: Proof) -> bytes:
    """The bytes of a proof."""
    parts = [
        encode_header(proof.parameters),
        *proof.roots,
        pack_words(proof.claims),
        pack_extensions(proof.here),
        pack_extensions(proof.next),
        pack_extensions(proof.quotient),
        *proof.fri_roots,
        pack_extensions(proof.final),
        struct.pack("<Q", proof.nonce),
    ]
    for query in proof.queries:
        for opening in (query.base, query.aux, query.quotient, *query.layers):
            parts += [pack_words(opening.words), *opening.path]
    return b"".join(parts)


class _Reader:
    """Reads forward through bytes whose length was checked before."""

    def __init__(self, data: bytes, position: int):
        self.data, self.position = data, position

    def take(self, count: int) -> bytes:
        start = self.position
        self.position += count
        return self.data[start : self.position]

    def residues(self, count: int) -> tuple[int, ...]:
        words = struct.unpack(f"<{count}I", self.take(4 * count))
        if max(words) >= P:
            raise ProofFormatError("a word is no residue modulo p")
        return words

    def extensions(self, count: int) -> list[Ext]:
        words = self.residues(4 * count)
        return [Ext(words[i : i + 4]) for i in range(0, 4 * count, 4)]

    def digests(self, count: int) -> list[bytes]:
        return [self.take(DIGEST_BYTES) for _ in range(count)]

    def opening(self, words: int, depth: int) -> Opening:
        return Opening(self.residues(words), self.digests(depth))


def decode_header(data: bytes) -> StarkParameters:
    """Parameters from the header, within the limits that parameters have.

    Raises:
        ProofFormatError: the header is none.
    """
    if not isinstance(data, (bytes, bytearray)):
        raise ProofFormatError("a proof is bytes")
    if len(data) < HEADER or bytes(data[: len(MAGIC)]) != MAGIC:
        raise ProofFormatError("no proof header")
    try:
        return StarkParameters(*struct.unpack("<5I", data[len(MAGIC) : HEADER]))
    except ValueError as problem:
        raise ProofFormatError(str(problem)) from problem


def decode(data: bytes, accept: Callable[[StarkParameters], None]) -> Proof:
    """Parses a proof; reads nothing before its exact length is known to be right.

    Args:
        data: the bytes.
        accept: called with the parameters; raises to refuse them before the body is
            looked at, so that a header cannot make the parser work hard.

    Raises:
        ProofFormatError: wrong length, or a word out of range.
    """
    parameters = decode_header(data)
    accept(parameters)
    if len(data) != proof_size(parameters):
        raise ProofFormatError(
            f"{len(data):,} bytes where a proof of its header has "
            f"{proof_size(parameters):,}: cut short, or too long"
        )
    layout = layout_for(parameters.markets)
    r = _Reader(bytes(data), HEADER)
    roots = r.digests(3)
    claims = list(r.residues(layout.claims))
    here, nxt = r.extensions(layout.total), r.extensions(layout.total)
    quotient = r.extensions(QUOTIENT_COLUMNS)
    fri_roots = r.digests(len(parameters.fri_sizes))
    final = r.extensions(parameters.final_coefficients)
    (nonce,) = struct.unpack("<Q", r.take(8))
    sizes = leaf_sizes(parameters)
    queries = []
    for _ in range(parameters.queries):
        opened = [r.opening(*size) for size in sizes]
        base, aux, split, *layers = opened
        queries.append(Query(base, aux, split, layers))
    return Proof(
        parameters, roots, claims, here, nxt, quotient, fri_roots, final, nonce, queries
    )
