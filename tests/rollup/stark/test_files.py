"""The container of a proof: what a file says is read strictly or not at all."""

import struct
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rollup.stark.rules.statement import PublicInputs, Segment
from rollup.stark.verify import files

PUBLIC = PublicInputs(
    old_root=tuple(range(8)),
    new_root=tuple(range(8, 16)),
    segments=(Segment(2, (60_000,), (-5,)), Segment(0, (59_000,), (4,))),
    multipliers=(100,),
    risk_factor_ppm=(12_000,),
    net_deposit=-7,
    funding_flow=0,
    allowance=3,
    batch=3,
    height=6,
)
ORIGIN = files.Origin("ab" * 32, 4, 5)
PACKED = files.pack(b"proof bytes", PUBLIC, ORIGIN)


def _head(length):
    """The head of a container whose public inputs are so long."""
    start = struct.pack("<8sH", files.MAGIC, files.VERSION)
    return start + bytes(40) + struct.pack("<I", length)


def test_what_is_packed_is_read_again():
    assert files.unpack(PACKED) == (b"proof bytes", PUBLIC)


def test_public_inputs_are_part_of_the_bytes():
    assert files.pack(b"proof bytes", replace(PUBLIC, batch=4)) != PACKED


@pytest.mark.parametrize("length", range(0, len(PACKED) - len(b"proof bytes"), 7))
def test_a_truncated_head_or_statement_is_refused(length):
    with pytest.raises(files.ProofFileError):
        files.unpack(PACKED[:length])


def test_a_file_says_which_run_it_was_made_from(tmp_path):
    path = tmp_path / "x.proof"
    path.write_bytes(PACKED)
    assert files.read_origin(path) == ORIGIN
    path.write_bytes(PACKED[:30])
    with pytest.raises(files.ProofFileError, match="too few"):
        files.read_origin(path)


def test_a_length_beyond_the_file_is_refused():
    hostile = _head(1 << 31) + b"{}"
    with pytest.raises(files.ProofFileError, match="do not fit"):
        files.unpack(hostile)


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b"\xff", b"[" * 60_000, b'{"batch": 1}', b"null"]
)
def test_a_statement_that_is_none_is_refused(body):
    head = _head(len(body))
    with pytest.raises(files.ProofFileError, match="public inputs"):
        files.unpack(head + body)


def test_another_version_is_refused():
    with pytest.raises(files.ProofFileError, match="version"):
        files.unpack(PACKED[:8] + struct.pack("<H", 9) + PACKED[10:])


def test_a_file_larger_than_any_proof_is_not_read(tmp_path):
    path = tmp_path / "huge.proof"
    with path.open("wb") as stream:
        stream.truncate(files.MAX_FILE_BYTES + 1)
    with pytest.raises(files.ProofFileError, match="no proof is larger"):
        files.read(path)


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data):
    try:
        files.unpack(data)
    except files.ProofFileError:
        pass
