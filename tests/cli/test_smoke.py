"""The smoke scenario on real worlds, by the real command."""

import pandas as pd
import pytest

from tests.cli.conftest import command
from tests.parity.golden import ADVICE, golden, roots_of


def rows(out):
    return pd.read_parquet(out / "runs.parquet")


def test_smoke_has_liquidations_and_loses_nothing(smoke_run):
    out, output, manifest = smoke_run
    table = rows(out)
    assert len(table) == 4
    assert (table.conservation_error == 0).all()
    assert (table.status == 0).all()
    assert (table.liquidations > 0).all()
    assert table.state_root.nunique() == 4
    assert manifest["status"] == "complete"
    assert (out / "report.html").stat().st_size > 10_000
    assert "report: " in output


def test_smoke_ends_in_its_roots(smoke_run):
    assert roots_of(smoke_run[0]) == golden()["smoke"], ADVICE.format(case="smoke")


def test_the_halt_reaches_the_chain(smoke_run):
    table = rows(smoke_run[0]).set_index("fault")
    assert (table.loc["none"].blocks_halted == 0).all()
    assert (table.loc["halt"].blocks_halted == 20).all()


def test_series_are_sampled_at_their_blocks(smoke_run):
    series = pd.read_parquet(smoke_run[0] / "series.parquet")
    first = series[(series.point == 0) & (series.run == 0)]
    assert first.block.tolist() == list(range(4, 121, 4))
    assert (first["oracle.BTC"] > 1000).all()
    assert first.liquidated_notional.is_monotonic_increasing


@pytest.mark.slow
@pytest.mark.ray
def test_other_lanes_and_workers_give_the_same_rows(smoke_run, tmp_path):
    out = tmp_path / "again"
    process = command(
        "run", "smoke", "--out", out, "--workers", 2, "--set", "plan.lanes=3"
    )
    output, errors = process.communicate(timeout=800)
    assert process.returncode == 0, output + errors
    pd.testing.assert_frame_equal(rows(out), rows(smoke_run[0]))


@pytest.mark.slow
def test_replay_reaches_the_root_without_agents(smoke_run, shakeout, monkeypatch):
    out, _, _ = smoke_run
    result = shakeout("replay", out, "--run", 1, "--point", 1)
    assert result.exit_code == 0, result.output
    row = rows(out).query("point == 1 and run == 1").iloc[0]
    assert f"replayed {row.state_root}" in result.output
    assert "receipts that differ: 0" in result.output
    missing = shakeout("replay", out, "--run", 9)
    assert missing.exit_code == 2
    assert "points are 0 to 1, runs 0 to 1" in missing.stderr
