"""The commands as a user types them, on the toy engine."""

import json
import os
import signal
import subprocess
import time
from xml.etree import ElementTree

import pandas as pd
import pytest

from tests.cli.conftest import HOME, TOY, command


def rows(out):
    return pd.read_parquet(out / "runs.parquet")


def test_a_run_says_what_it_does_and_where_the_results_are(
    toy_run, shakeout, toy_config
):
    result = shakeout("run", toy_config, "--out", toy_run, "--workers", 0, "--resume")
    assert result.exit_code == 0
    assert "2 points x 3 runs, 6 finished already; 0 shards" in result.output
    assert "ok   conservation_error == 0: holds at all 6 runs" in result.output
    assert f"6 of 6 runs in {toy_run}" in result.output


def test_progress_is_plain_lines_where_there_is_no_terminal(
    shakeout, toy_config, tmp_path
):
    result = shakeout("run", toy_config, "--out", tmp_path / "x", "--workers", 0)
    assert "6/6 runs · " in result.output
    assert "\x1b[" not in result.output


def test_overrides_reach_the_world(shakeout, toy_config, tmp_path):
    out = tmp_path / "x"
    arguments = ["--set", "seed=9", "--set", "runs=1", "--set", "sweep={}"]
    result = shakeout("run", toy_config, *arguments, "--out", out, "--workers", 0)
    assert result.exit_code == 0, result.output
    assert rows(out)[["point", "run", "seed"]].values.tolist() == [[0, 0, 9]]


def test_a_failed_check_exits_1_and_names_what_moved(shakeout, toy_config, tmp_path):
    arguments = ["--set", "checks=[liquidations < 0]", "--workers", 0]
    result = shakeout("run", toy_config, *arguments, "--out", tmp_path / "x")
    assert result.exit_code == 1
    assert (
        "FAIL liquidations < 0: fails at 6 of 6 runs, worst at point" in result.output
    )
    again = shakeout("check", tmp_path / "x")
    assert again.exit_code == 1
    assert "FAIL liquidations < 0" in again.output


def test_a_lost_shard_exits_3_names_point_and_seed_and_can_be_resumed(
    shakeout, toy_config, tmp_path, monkeypatch
):
    out = tmp_path / "x"
    monkeypatch.setenv("TOY_TROUBLE", "raise@fcfs")
    result = shakeout("run", toy_config, "--out", out, "--workers", 0)
    assert result.exit_code == 3
    assert "lost: point 0 (fcfs) runs 0 1 2; seed 5" in result.stderr
    assert "the toy was told to fail" in result.stderr
    assert "--resume" in result.stderr
    incomplete = shakeout("check", out)
    assert incomplete.exit_code == 1
    assert "3 runs are missing" in incomplete.output
    monkeypatch.delenv("TOY_TROUBLE")
    resumed = shakeout("run", toy_config, "--out", out, "--workers", 0, "--resume")
    assert resumed.exit_code == 0
    assert len(rows(out)) == 6


@pytest.mark.parametrize(
    ("sent", "stuck"), [(signal.SIGINT, "native"), (signal.SIGTERM, "sleep:120")]
)
def test_ctrl_c_keeps_what_is_finished_exits_130_and_resumes_to_the_same_rows(
    toy_config, toy_run, tmp_path, sent, stuck
):
    out = tmp_path / "broken; it's"
    arguments = ["run", toy_config, "--out", out, "--workers", 0]
    trouble = {"SHAKEOUT_ENGINE": TOY, "TOY_TROUBLE": f"{stuck}@priority_fee"}
    process = command(*arguments, **trouble)
    deadline = time.monotonic() + 100
    while not list(out.glob("parts/[!.]*")) and time.monotonic() < deadline:
        time.sleep(0.1)
    process.send_signal(sent)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert "Traceback" not in errors and "ignored" not in errors
    told = errors.partition("go on with: ")[2]
    assert len(rows(out)) == 3
    assert json.loads((out / "manifest.json").read_text())["status"] == "interrupted"
    # Pasted into a shell that stands somewhere else.
    environment = {**os.environ, "PYTHONPATH": str(HOME), "SHAKEOUT_ENGINE": TOY}
    resumed = subprocess.run(told, shell=True, cwd="/", env=environment, timeout=100)
    assert resumed.returncode == 0
    pd.testing.assert_frame_equal(rows(out), rows(toy_run))


def test_a_pin_remembers_roots_and_figures(shakeout, toy_run, toy_config, tmp_path):
    pin, junit = tmp_path / "pin.json", tmp_path / "junit.xml"
    assert shakeout("check", toy_run, "--pin", pin).exit_code == 0
    same = shakeout("check", toy_run, "--against", pin, "--junit", junit)
    assert same.exit_code == 0
    assert "all 6 state roots are equal" in same.output
    remembered = json.loads(pin.read_text())
    remembered["states"]["1/2"] = "00" * 32
    remembered["figures"]["liquidations"]["1"] += 1
    pin.write_text(json.dumps(remembered))
    moved = shakeout("check", toy_run, "--against", pin, "--junit", junit)
    assert moved.exit_code == 1
    assert "1 of 6 state roots moved, first at point 1, run 2" in moved.output
    assert "FAIL liquidations: " in moved.output
    suite = ElementTree.parse(junit).getroot()[0]
    assert suite.get("failures") == "2"
    case = next(c for c in suite if c.get("name") == "pin: mean(liquidations)")
    properties = {p.get("name"): p.get("value") for p in case.find("properties")}
    assert float(properties["threshold"]) == float(properties["value"]) + 1
    assert properties["point"] == "1"


@pytest.mark.parametrize(
    ("bounds", "code"),
    [
        ({"*": {"absolute": 1}}, 0),
        ({"*": {"absolute": 0.5}}, 1),
        ({"*": {"absolute": 0}, "liquidations": {"relative": 1}}, 0),
    ],
)
def test_figures_may_move_within_the_bounds_of_the_pin(
    shakeout, toy_run, tmp_path, bounds, code
):
    pin = tmp_path / "pin.json"
    shakeout("check", toy_run, "--pin", pin)
    remembered = json.loads(pin.read_text())
    remembered["figures"]["liquidations"]["1"] += 1
    remembered["bounds"] = bounds
    pin.write_text(json.dumps(remembered))
    assert shakeout("check", toy_run, "--against", pin).exit_code == code


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{", "is not JSON"),
        ("{}", "is not a pin"),
        ('{"pin": 1, "rots": 1}', "did you mean 'roots'"),
        ('{"pin": 1, "roots": "some"}', "equal or ignore"),
        ('{"pin": 1, "roots": "equal", "bounds": {"*": {"abs": 1}}}', "bounds"),
        (
            '{"pin": 1, "roots": "equal", "bounds": {"*": {"absolute": 1'
            + "0" * 400
            + "}}}",
            "bounds",
        ),
    ],
)
def test_a_file_that_is_no_pin_is_refused(shakeout, toy_run, tmp_path, text, problem):
    pin = tmp_path / "pin.json"
    pin.write_text(text)
    result = shakeout("check", toy_run, "--against", pin)
    assert result.exit_code == 2
    assert problem in result.stderr


def test_scenarios_are_listed_with_what_they_are(shakeout):
    output = shakeout("scenarios").output
    assert "demo " in output and "smoke " in output
    assert "Seconds: every layer once" in output


def test_the_schema_is_json(shakeout):
    schema = json.loads(shakeout("schema").output)
    assert schema["properties"]["sequencer"]
    assert schema["additionalProperties"] is False


def test_other_checks_can_be_asked_of_a_finished_run(shakeout, toy_run):
    failed = shakeout("check", toy_run, "--check", "liquidations < 0")
    assert failed.exit_code == 1 and "FAIL liquidations < 0: fails" in failed.output
    wrong = shakeout("check", toy_run, "--check", "state_root == 1")
    assert wrong.exit_code == 2, wrong.output
    assert shakeout("check", toy_run).exit_code == 0
