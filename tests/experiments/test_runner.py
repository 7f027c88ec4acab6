"""Orchestration on the toy engine, in this process."""

import json
import re

import pandas as pd
import pyarrow.parquet as pq
import pytest

from experiments import config
from experiments.config.errors import ConfigError
from experiments.preparation import prepare
from experiments.results.store import Store
from tests.experiments.conftest import TOY


def rows(out):
    return pd.read_parquet(out / "runs.parquet")


def assert_same_results(a, b):
    pd.testing.assert_frame_equal(rows(a), rows(b))
    pd.testing.assert_frame_equal(
        pd.read_parquet(a / "series.parquet"), pd.read_parquet(b / "series.parquet")
    )


def test_a_run_directory_has_every_row_column_and_file(document, toy, tmp_path):
    summary = toy(document, tmp_path / "out")
    table = rows(tmp_path / "out")
    assert summary.finished == summary.total == 12
    assert table[["point", "run"]].values.tolist() == [
        [p, r] for p in range(4) for r in range(3)
    ]
    assert list(table.columns) == [
        "point", "run", "seed", "state_root", "status", "conservation_error",
        "sequencer.policy", "venue.taker_fee",
        "bad_debt", "liquidations", "inclusion_p95_us",
    ]  # fmt: skip
    assert table["sequencer.policy"].tolist() == ["fcfs"] * 6 + ["priority_fee"] * 6
    assert table["venue.taker_fee"].tolist()[::3] == [0.0001, 0.0005] * 2
    assert table["state_root"].str.fullmatch("[0-9a-f]{64}").all()
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest["status"] == "complete"
    assert manifest["columns"]["bad_debt"]["unit"] == "USD"
    assert manifest["points"][3]["axes"] == {
        "sequencer.policy": "priority_fee",
        "venue.taker_fee": 0.0005,
    }
    assert not (tmp_path / "out" / "parts").exists()
    told = json.loads((tmp_path / "out" / "checks.json").read_text())
    assert told["checks"][1]["passed"]
    assert told["experiment"] == manifest["config_hash"]


def test_units_become_friendly_and_samples_carry_their_block(document, toy, tmp_path):
    toy(document, tmp_path)
    series = pd.read_parquet(tmp_path / "series.parquet")
    assert series["block"].tolist()[:4] == [4, 8, 12, 4]
    assert series["time_s"].tolist()[:3] == [4.0, 8.0, 12.0]
    # Ticks of half a dollar; the toy's market m stands at m times the walk.
    assert (series["mark.BTC"] == series["liquidations"] * 0.5).all()
    assert (series["mark.SOL"] == series["liquidations"] * 1.5).all()
    assert (series["insurance"] == series["liquidations"]).all()


def test_runs_are_paired_across_points(document, toy, tmp_path):
    toy(document, tmp_path)
    table = rows(tmp_path).set_index(["point", "run"])
    for point in (1, 2, 3):
        assert (table.loc[point].liquidations == table.loc[0].liquidations).all()
    assert table.loc[0].liquidations.nunique() > 1


@pytest.mark.parametrize("lanes", [1, 2, 5, 6])
def test_lanes_change_no_row(document, toy, tmp_path, lanes):
    toy(document, tmp_path / "whole")
    toy({**document, "plan": {"lanes": lanes}}, tmp_path / "cut")
    assert_same_results(tmp_path / "whole", tmp_path / "cut")


def test_resuming_after_an_interruption_gives_the_rows_of_an_unbroken_run(
    document, toy, tmp_path, monkeypatch
):
    toy(document, tmp_path / "whole")
    monkeypatch.setenv("TOY_TROUBLE", "interrupt@priority_fee")
    broken = toy({**document, "plan": {"lanes": 2}}, tmp_path / "broken")
    assert broken.interrupted
    assert broken.finished == 6
    manifest = Store(tmp_path / "broken").read_manifest()
    assert manifest["status"] == "interrupted"
    monkeypatch.delenv("TOY_TROUBLE")
    summary = toy(document, tmp_path / "broken", resume=True)
    assert summary.finished == 12
    assert_same_results(tmp_path / "whole", tmp_path / "broken")


def test_a_shard_that_fails_is_told_by_point_and_seed_and_the_rest_is_kept(
    document, toy, tmp_path, monkeypatch
):
    monkeypatch.setenv("TOY_TROUBLE", "raise@fcfs")
    summary = toy({**document, "plan": {"lanes": 3}}, tmp_path)
    assert summary.finished == 6
    assert [f["points"][0]["point"] for f in summary.failures] == [0, 1]
    failure = summary.failures[0]
    assert failure["runs"] == [{"point": 0, "run": r} for r in range(3)]
    assert failure["seed"] == 5
    assert "the toy was told to fail" in failure["reason"]
    assert "Traceback" in failure["reason"]
    manifest = Store(tmp_path).read_manifest()
    assert manifest["status"] == "partial"
    assert len(manifest["failures"]) == 2
    monkeypatch.delenv("TOY_TROUBLE")
    assert toy(document, tmp_path, resume=True).finished == 12


def test_a_finished_experiment_has_nothing_left_to_resume(document, toy, tmp_path):
    toy(document, tmp_path)
    before = (tmp_path / "runs.parquet").read_bytes()
    summary = toy(document, tmp_path, resume=True)
    assert summary.finished == 12
    assert rows(tmp_path).equals(pd.read_parquet(tmp_path / "runs.parquet"))
    assert len(before) > 0


def test_a_part_that_was_not_renamed_does_not_count(document, toy, tmp_path):
    toy(document, tmp_path / "whole")
    torn = tmp_path / "torn" / "parts" / ".half.1"
    torn.mkdir(parents=True)
    (torn / "runs.parquet").write_bytes(b"half a file")
    toy(document, tmp_path / "torn")
    assert_same_results(tmp_path / "whole", tmp_path / "torn")


def test_a_directory_in_use_is_not_overwritten_unasked(document, toy, tmp_path):
    toy(document, tmp_path)
    with pytest.raises(ConfigError, match="--resume to go on"):
        toy(document, tmp_path)
    with pytest.raises(ConfigError, match="holds another experiment"):
        toy({**document, "seed": 6}, tmp_path, resume=True)
    assert toy({**document, "seed": 6}, tmp_path, overwrite=True).finished == 12
    assert set(rows(tmp_path).seed) == {6}


def test_only_the_metrics_asked_for_are_kept(document, toy, tmp_path):
    toy({**document, "metrics": ["liquidations"]}, tmp_path)
    columns = pq.read_schema(tmp_path / "runs.parquet").names
    assert "liquidations" in columns
    assert "bad_debt" not in columns
    assert "conservation_error" in columns


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"checks": ["bad_dept < 1"]}, "did you mean 'bad_debt'"),
        ({"metrics": ["bad_dept"]}, "did you mean 'bad_debt'"),
        ({"metrics": ["liquidations"], "checks": ["bad_debt < 1"]}, "unknown metric"),
    ],
)
def test_unknown_metrics_are_refused_before_anything_runs(document, change, problem):
    with pytest.raises(ConfigError, match=problem):
        prepare(config.expand({**document, **change}), TOY)


def test_a_failed_check_names_point_run_and_value(document, toy, tmp_path):
    checks = ["liquidations < 50", "mean(bad_debt) < 0.05", "bad_debt >= 0"]
    summary = toy({**document, "checks": checks}, tmp_path)
    sound, per_run, per_point, fine = summary.outcomes
    table = rows(tmp_path)
    assert sound.passed and fine.passed
    assert not per_run.passed
    assert per_run.value == table.liquidations.max()
    assert per_run.threshold == 50
    worst = table.loc[table.liquidations.idxmax()]
    assert (per_run.worst["run"], per_run.worst["seed"]) == (worst.run, 5)
    means = table.groupby("point").bad_debt.mean()
    assert per_point.passed == bool((means < 0.05).all())
    assert per_point.value == pytest.approx(means.max())
    assert f"point {means.idxmax()}" in per_point.message or per_point.passed


def test_a_corrected_check_is_asked_of_the_runs_that_are_there(document, toy, tmp_path):
    """The run directory goes on: no run is made again, and the new check decides."""
    wrong = toy({**document, "checks": ["liquidations < 0"]}, tmp_path)
    assert not all(outcome.passed for outcome in wrong.outcomes)
    before = json.loads((tmp_path / "manifest.json").read_text())
    right = {**document, "checks": ["liquidations >= 0"]}
    assert all(outcome.passed for outcome in toy(right, tmp_path, resume=True).outcomes)
    after = json.loads((tmp_path / "manifest.json").read_text())
    assert after["config"]["checks"] == ["liquidations >= 0"]
    assert after["run_s"] == before["run_s"]


@pytest.mark.parametrize(
    ("axis", "what"),
    [
        ("run", "the column run of every table"),
        ("seed", "the column seed"),
        ("status", "the column status"),
        ("state_root", "the column state_root"),
        ("point", "the column point"),
        ("conservation_error", "the column conservation_error"),
        ("block", "the column block"),
        ("time_s", "the column time_s"),
        ("Run", "the column run"),
        (" run ", "the column run"),
        ("bad_debt", "the metric bad_debt"),
        ("inclusion_p95_us", "the metric inclusion_p95_us"),
        ("insurance", "the series insurance"),
        ("mark.ETH", "the series mark.ETH"),
    ],
)
def test_an_axis_with_the_name_of_a_column_is_refused(
    document, toy, tmp_path, axis, what
):
    """Kept or not: the metric may be asked for in the next run."""
    variants = [
        {"name": "a", "set": {"venue.maker_fee": 0}},
        {"name": "b", "set": {"venue.maker_fee": 0.001}},
    ]
    wrong = {**document, "sweep": {axis: variants}, "metrics": ["liquidations"]}
    with pytest.raises(ConfigError, match=re.escape(what)):
        toy(wrong, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_two_axes_of_one_name_are_refused(document, toy, tmp_path):
    sweep = {
        "Fee": [{"name": "a", "set": {"venue.maker_fee": 0}}],
        "fee": [{"name": "b", "set": {"venue.taker_fee": 0}}],
    }
    with pytest.raises(ConfigError, match="the axis Fee has that name already"):
        toy({**document, "sweep": sweep}, tmp_path / "out")
