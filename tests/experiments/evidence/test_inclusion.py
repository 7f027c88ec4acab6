"""An account under the root of a batch, in a file that plain Python judges."""

import json
from dataclasses import replace

import numpy as np
import pytest

from experiments.engine import World
from experiments.evidence import inclusion
from rollup.stark.verify.files import Origin
from tests.worlds import SEED, Watched, small

ORIGIN = Origin("ab" * 32, 1, 0)


@pytest.fixture(scope="module")
def shown() -> inclusion.Inclusion:
    return inclusion.include(World(*small()), SEED, ORIGIN, 2, 17)


def test_the_account_and_the_root_are_those_of_the_sealed_batch(shown):
    """Batches of ten blocks: the third is sealed with block 30."""
    state = Watched(*small()).advance(30)
    root = np.asarray(state.chain.batches.root)[2]
    assert shown.root == root.astype("<u4").tobytes().hex()
    exchange = state.exchange
    assert shown.words[:2] == [17, int(exchange.collateral[17])]
    assert shown.words[3:6] == [int(v) for v in exchange.position[17]]


def test_what_is_written_is_read_and_accepted(shown, tmp_path):
    path = tmp_path / "account.json"
    path.write_text(shown.to_json())
    assert inclusion.looks_like(path)
    assert inclusion.read(path) == shown
    assert shown.problem() is None
    assert shown.problem(root=shown.root.upper()) is None


def test_any_other_statement_is_refused(shown):
    for place, word in enumerate(shown.words):
        words = [*shown.words]
        words[place] = word + 1
        assert replace(shown, words=words).problem()
    assert replace(shown, words=[*shown.words, 0]).problem()
    assert replace(shown, words=[1 << 70, *shown.words[1:]]).problem()
    assert replace(shown, height=shown.height - 1).problem()
    assert shown.problem(root="0" * 64)
    for root in ("", "zz", shown.root[:-2]):
        assert shown.problem(root=root)
    for cut in range(0, len(shown.proof), 61):
        assert replace(shown, proof=shown.proof[:cut]).problem()


@pytest.mark.parametrize(
    "change",
    [{"kind": "x"}, {"words": []}, {"words": [True]}, {"height": "6"}, {"more": 1}],
)
def test_a_file_of_another_form_is_refused(shown, tmp_path, change):
    path = tmp_path / "account.json"
    path.write_text(json.dumps({**json.loads(shown.to_json()), **change}))
    with pytest.raises(ValueError, match="account"):
        inclusion.read(path)


@pytest.mark.parametrize("content", [b"{", b"{}", b"{\xff", b"[1]", b"{" * 5000])
def test_a_file_that_is_no_account_is_refused(tmp_path, content):
    path = tmp_path / "account.json"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="neither a proof nor an account"):
        inclusion.read(path)


def test_a_huge_file_is_not_read(tmp_path):
    path = tmp_path / "account.json"
    with path.open("wb") as stream:
        stream.truncate(inclusion.MAX_FILE_BYTES + 1)
    with pytest.raises(ValueError, match="larger"):
        inclusion.read(path)
