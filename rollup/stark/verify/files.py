"""A proof in a file: its public inputs and its bytes in one container.

Plain Python; the verifier's side imports it. Layout: the magic ``SHKPROOF``, version
(u16), the origin (identity of the experiment, 32 bytes; point and run, u32 each),
length of the public inputs (u32), the public inputs as JSON, then the proof to the end
of the file. All numbers little-endian. What a reader claims about a batch is in the
public inputs; whether it holds, only `rollup.stark.verify.verifier.verify` says. The
origin is a label that keeps files of different experiments apart; it is not proven.
"""

import json
import struct
from pathlib import Path
from typing import NamedTuple

from rollup.stark.rules.statement import PublicInputs

MAGIC = b"SHKPROOF"
VERSION = 3
_HEAD = struct.Struct("<8sH32sIII")
#: A reader never takes in more than this.
MAX_PUBLIC_BYTES = 1 << 20
MAX_FILE_BYTES = 1 << 28


class ProofFileError(ValueError):
    """The file is not a proof container of this version."""


class Origin(NamedTuple):
    """The run that a file was made from.

    Attributes:
        experiment: identity of the experiment, 64 hex digits; zeros: of none.
        point, run: numbers of the run.
    """

    experiment: str = "00" * 32
    point: int = 0
    run: int = 0


def pack(proof: bytes, public: PublicInputs, origin: Origin | None = None) -> bytes:
    """The container of a proof."""
    text = json.dumps(public.to_dict(), sort_keys=True, separators=(",", ":")).encode()
    experiment, point, run = origin or Origin()
    label = (bytes.fromhex(experiment), point, run)
    return _HEAD.pack(MAGIC, VERSION, *label, len(text)) + text + proof


def _head(data: bytes) -> tuple[Origin, int]:
    """The origin, and the length of the public inputs."""
    if len(data) < _HEAD.size:
        raise ProofFileError(f"{len(data)} bytes are too few for a proof")
    magic, version, experiment, point, run, length = _HEAD.unpack_from(data)
    if magic != MAGIC:
        raise ProofFileError("does not start like a proof")
    if version != VERSION:
        raise ProofFileError(f"version {version}; this reader knows {VERSION}")
    return Origin(experiment.hex(), point, run), length


def unpack(data: bytes) -> tuple[bytes, PublicInputs]:
    """Proof and public inputs of a container.

    Raises:
        ProofFileError: it is none; says where it stops being one.
    """
    _, length = _head(data)
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


def read_origin(path: Path) -> Origin:
    """The run that a container says it was made from.

    Raises:
        ProofFileError: it is no container.
        OSError: the file cannot be read.
    """
    with path.open("rb") as stream:
        return _head(stream.read(_HEAD.size))[0]
