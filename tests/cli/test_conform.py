"""`shakeout conform`: what kind of thing it is, a line a rule, and an exit code."""

import sys

import pytest

from experiments.config import plugins

FAULTS = """
from dataclasses import replace
from rollup.faults import Fault

def forgets(conditions, strikes):
    return replace(conditions, room_ppm=conditions.room_ppm * 2)

FORGETS = Fault("forgets", "gives more room than there is", forgets)
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(plugins, "_FOLDERS", [])
    monkeypatch.setattr("sys.path", [*sys.path])
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_thing_that_keeps_its_contract_exits_0(shakeout):
    result = shakeout("conform", "rollup.faults:SEQUENCER_HALT")
    assert result.exit_code == 0, result.output
    first, *rest = result.output.splitlines()
    assert first == "rollup.faults:SEQUENCER_HALT is a fault"
    assert len(rest) == 7
    assert all(line.startswith("ok      ") for line in rest)


def test_a_broken_rule_exits_1_and_says_what_was_seen(shakeout, folder):
    (folder / "my_faults_1.py").write_text(FAULTS)
    result = shakeout("conform", "my_faults_1:FORGETS")
    assert result.exit_code == 1
    failed = [line for line in result.output.splitlines() if "FAILED" in line]
    assert failed[0].startswith("FAILED  conditions stay in range: room_ppm reaches ")
    assert "2 rules of its contract broken" in result.output


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("nowhere:THING", "no module 'nowhere'"),
        ("json.decoder:WHITESPACE", "is not a fault: it has no name"),
        ("json:JSONDecoder", "is a class"),
    ],
)
def test_what_is_of_no_kind_exits_2(shakeout, folder, path, problem):
    result = shakeout("conform", path)
    assert result.exit_code == 2
    assert problem in result.stderr
    assert "Traceback" not in result.output
