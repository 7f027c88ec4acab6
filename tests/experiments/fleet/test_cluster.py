"""Orchestration on the toy engine, over Ray workers."""

import json

import pandas as pd
import pytest

from experiments.config import plugins
from tests.experiments.plugin_modules import scheme_source

pytestmark = pytest.mark.ray


def assert_same_rows(a, b):
    pd.testing.assert_frame_equal(
        pd.read_parquet(a / "runs.parquet"), pd.read_parquet(b / "runs.parquet")
    )


def test_two_workers_give_the_rows_of_one_process(document, toy, tmp_path):
    toy(document, tmp_path / "alone")
    summary = toy({**document, "plan": {"lanes": 2}}, tmp_path / "two", workers=2)
    assert summary.finished == 12
    assert_same_rows(tmp_path / "alone", tmp_path / "two")


def test_the_shard_of_a_lost_worker_is_retried(document, toy, tmp_path, monkeypatch):
    toy(document, tmp_path / "alone")
    marker = tmp_path / "died"
    monkeypatch.setenv("TOY_TROUBLE", f"die-once:{marker}@fcfs")
    summary = toy(document, tmp_path / "lossy", workers=1)
    assert marker.exists()
    assert not summary.failures
    assert_same_rows(tmp_path / "alone", tmp_path / "lossy")


def test_a_shard_that_kills_every_worker_is_lost_and_the_rest_kept(
    document, toy, tmp_path, monkeypatch
):
    monkeypatch.setenv("TOY_TROUBLE", "die@fcfs")
    document["plan"] = {"lanes": 6}
    summary = toy(document, tmp_path, workers=1)
    assert summary.finished == 6
    assert len(summary.failures) == 1
    assert "worker was lost" in summary.failures[0]["reason"]


def test_an_error_in_a_worker_is_not_retried_and_keeps_its_traceback(
    document, toy, tmp_path, monkeypatch
):
    monkeypatch.setenv("TOY_TROUBLE", "raise@fcfs")
    document["plan"] = {"lanes": 6}
    summary = toy(document, tmp_path, workers=1)
    assert summary.finished == 6
    assert [point["point"] for point in summary.failures[0]["points"]] == [0, 1]
    assert "the toy was told to fail" in summary.failures[0]["reason"]


def test_workers_find_a_plug_in_from_another_folder(
    document, toy, lab, tmp_path, monkeypatch
):
    name = lab.write(scheme_source())
    document["sweep"] = {"sequencer.policy": ["fcfs", f"{name}:LIFO"]}
    plugins.look_in(lab.folder)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    toy(document, tmp_path / "alone")
    summary = toy({**document, "plan": {"lanes": 1}}, tmp_path / "two", workers=2)
    assert (summary.finished, summary.failures) == (6, [])
    assert_same_rows(tmp_path / "alone", tmp_path / "two")
    manifest = json.loads((tmp_path / "two" / "manifest.json").read_text())
    assert list(manifest["plugins"]) == [f"{name}:LIFO"]
    assert str(lab.folder) in manifest["plugin_folders"]
