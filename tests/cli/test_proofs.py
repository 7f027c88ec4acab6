"""`shakeout verify` and `shakeout prove` as typed: one sentence and an exit code."""

import json
from dataclasses import replace

import pytest

from rollup.stark.verify import files
from tests.rollup.stark.conftest import Batch, build


@pytest.fixture(scope="module")
def honest() -> Batch:
    return build(seed=1)


@pytest.fixture
def accepting(monkeypatch):
    """Takes any number of queries: the proofs of these tests are small."""
    from rollup.stark.verify import verifier

    strict = verifier.verify
    monkeypatch.setattr(
        verifier, "verify", lambda data, public: strict(data, public, 12, 4)
    )


@pytest.fixture
def proof(honest, tmp_path):
    path = tmp_path / "honest.proof"
    path.write_bytes(files.pack(honest.proof, honest.public))
    return path


def test_a_proof_is_accepted_and_its_statement_told(shakeout, proof, accepting):
    result = shakeout("verify", proof)
    assert result.exit_code == 0
    assert "accepted: batch 7, 40 position updates" in result.output
    assert "segments    4" in result.output and "allowance   0" in result.output


def test_weak_parameters_are_refused(shakeout, proof):
    result = shakeout("verify", proof)
    assert result.exit_code == 1 and "fewer queries" in result.output


def test_what_is_no_proof_is_refused_in_one_line(shakeout, proof, tmp_path, accepting):
    data = proof.read_bytes()
    contents = {
        "empty": b"",
        "text": b"not a proof at all, only text",
        "json": b'{"kind": 1}',
        "cut": data[:-1000],
        "longer": data + b"x",
        "flipped": data[:-77] + bytes([data[-77] ^ 1]) + data[-76:],
    }
    for name, content in contents.items():
        path = tmp_path / name
        path.write_bytes(content)
        result = shakeout("verify", path)
        assert result.exit_code == 1, name
        lines = result.output.strip().splitlines()
        assert len(lines) == 1 and lines[0].startswith(f"refused: {path}: "), name


def test_a_missing_file_and_a_directory_are_wrong_arguments(shakeout, tmp_path):
    for path in (tmp_path / "nowhere", tmp_path):
        result = shakeout("verify", path)
        assert result.exit_code == 2
        assert str(path) in result.output and "Traceback" not in result.output
    assert shakeout("verify").exit_code == 2


def test_the_proof_of_another_batch_is_refused(shakeout, proof, honest, accepting):
    other = replace(honest.public, batch=8)
    proof.write_bytes(files.pack(honest.proof, other))
    result = shakeout("verify", proof)
    assert result.exit_code == 1 and "other public inputs" in result.output


def test_proofs_must_follow_each_other(shakeout, proof, tmp_path, accepting):
    """The same batch twice: the second does not start where the first ends."""
    again = tmp_path / "again.proof"
    again.write_bytes(proof.read_bytes())
    result = shakeout("verify", proof, again)
    assert result.exit_code == 1
    assert f"{again}: does not start from the root" in result.output


def test_a_proof_of_another_run_is_refused(
    shakeout, proof, honest, toy_run, accepting, tmp_path
):
    """Beside the results of another experiment, and among proofs of another run."""
    place = toy_run / "proofs" / "0-0-7.proof"
    place.parent.mkdir()
    place.write_bytes(proof.read_bytes())
    result = shakeout("verify", place)
    assert result.exit_code == 1
    assert "is of the experiment 000000000000, and the run directory" in result.output
    manifest = json.loads((toy_run / "manifest.json").read_text())
    own = files.Origin(manifest["config_hash"], 0, 0)
    place.write_bytes(files.pack(honest.proof, honest.public, own))
    assert shakeout("verify", place).exit_code == 0
    other = tmp_path / "other.proof"
    other.write_bytes(files.pack(honest.proof, honest.public, own._replace(run=1)))
    result = shakeout("verify", place, other)
    assert result.exit_code == 1 and "is of another run than" in result.output


def test_a_run_directory_that_is_none_is_a_wrong_argument(shakeout, tmp_path, proof):
    for place in (tmp_path / "nowhere", proof):
        for words in (("prove",), ("inclusion", "--account", 1)):
            result = shakeout(*words, place, "--batch", 0)
            assert result.exit_code == 2 and "manifest.json" in result.output
