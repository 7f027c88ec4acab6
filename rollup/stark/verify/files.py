"""A proof in a file: its public inputs and its bytes in one container.

Plain Python; the verifier's side imports it. Layout: the magic ``SHKPROOF``, version
(u16), length of the public inputs (u32), the public inputs as JSON, then the proof to
the end of the file. All numbers little-endian. What a reader claims about a batch is
in the public inputs; whether it holds, only `rollup.stark.verify.verifier.verify` says.
"""

import json
import struct
from pathlib import Path

from rollup.stark.rules.statement import PublicInputs

MAGIC = b"SHKPROOF"
VERSION = 2
_HEAD = struct.Struct("<8sHI")
#: A reader never takes in more than this.
MAX_PUBLIC_BYTES = 1 << 20
MAX_FILE_BYTES = 1 << 28


class ProofFileError(ValueError):
    """The file is not a proof container of this version."""


def pack(proof: bytes, public: PublicInputs) -> bytes:
    """The container of a proof."""
    text = json.dumps(public.to_dict(), sort_keys=True, separators=(",", ":")).encode()
    return _HEAD.pack(MAGIC, VERSION, len(text)) + text + proof


def unpack(data: bytes) -> tuple[bytes, PublicInputs]:
    """Proof and public inputs of a container.

    Raises:
        ProofFileError: it is none; says where it stops being one.
    """
    if len(data) < _HEAD.size:
        raise ProofFileError(f"{len(data)} bytes are too few for a proof")
    magic, version, length = _HEAD.unpack_from(data)
    if magic != MAGIC:
        raise ProofFileError("does not start like a proof")
    if version != VERSION:
        raise ProofFileError(f"version {version}; this reader knows {VERSION}")
    if length > MAX_PUBLIC_BYTES or _HEAD.size + length > len(data):
        raise ProofFileError(f"public inputs of {length} bytes do not fit")
    body = data[_HEAD.size : _HEAD.size + length]
    try:
        public = PublicInputs.from_dict(json.loads(body))
    except (ValueError, TypeError, RecursionError) as problem:
        raise ProofFileError(f"public inputs: {problem}") from None
    return data[_HEAD.size + length :], public


def read(path: Path) -> tuple[bytes, PublicInputs]:
    """Reads a container from a file.

    Raises:
        ProofFileError: it is none, or larger than any proof.
        OSError: the file cannot be read.
    """
    size = path.stat().st_size
    if size > MAX_FILE_BYTES:
        raise ProofFileError(f"{size} bytes; no proof is larger than {MAX_FILE_BYTES}")
    return unpack(path.read_bytes())
