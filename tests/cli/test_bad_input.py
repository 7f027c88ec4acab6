"""Whatever is wrong with the input: exit 2, a message that names it, no directory."""

import pytest

KLINES = (
    "open_time_ms,open_time_utc,open,high,low,close,volume_base,n_trades,taker_buy_base"
)


def minute(number, opened="100", high="101", low="99", closed="100"):
    time = 1_600_000_000_000 + number * 60_000
    return f"{time},2020-09-13T12:{number:02}:00Z,{opened},{high},{low},{closed},1,1,1"


BAD_CONFIGS = [
    ("seed: [1", r"bad.yaml:"),
    ("- 1\n- 2\n", "must map keys to values"),
    ("seed: 1\nseed: 2\n", "'seed' stands on line 1 already"),
    ("venue: {taker_fe: 0.1}", "venue.taker_fe = 0.1: unknown key"),
    ("seed: 1.5", "bad.yaml:1: seed = 1.5: must be a whole number"),
    ("seed: -1", "seed = -1: must be at least 0"),
    ("sweep: {sequencer.polcy: [fcfs]}", "did you mean 'policy'"),
    ("sweep: {sequencer.policy: [fcfs, lifo]}", "unknown ordering scheme 'lifo'"),
    ("checks: [bad_dept < 1]", "did you mean 'bad_debt'"),
    ("checks: [import os]", "invalid syntax"),
    ("metrics: [bad_dept]", "did you mean 'bad_debt'"),
    ("prices: {model: crash, start: {DOGE: 1}}", "unknown market 'DOGE'"),
    ("prices: {model: crash, start: {BTC: 0}}", "must be at least 1e-06"),
    ("prices: {model: crash, start: {BTC: 1e9}}", "BTC is 1000000000 ticks|price is"),
    (
        "populations: {leveraged_traders: {collateral: 1e8, max_leverage: 1000}}",
        "populations.leveraged_traders: collateral .* max_leverage reaches",
    ),
    (
        "populations: {market_makers: {count: 1000000, collateral: 1e6}}",
        "all collateral together",
    ),
    ("plan: {lanes: 0}", "plan.lanes = 0: must be at least 1"),
]

BAD_PRICES = [
    ([], "holds no klines"),
    ([minute(0), minute(2)], "line 3.*gap of 120 s"),
    ([minute(0), minute(0, high="102")], "line 3: its minute stands on line 2"),
    ([minute(0, opened="NaN")], "line 2: open 'NaN' is not a positive number"),
    ([minute(0, low="0")], "line 2: low '0' is not a positive number"),
    ([minute(0, closed="-3")], "line 2: close '-3' is not a positive number"),
    ([minute(0, high="98")], "line 2: high 98 is below low 99"),
    ([minute(0), minute(1) + ",9"], "Expected 9 fields in line 3, saw 10"),
    ([minute(0, closed="")], "line 2: close '' is not a positive number"),
    ([minute(0), minute(1)], "holds 2 minutes.*the run lasts 30"),
]


def refused(result, out, problem):
    import re

    assert result.exit_code == 2, result.output
    assert re.search(problem, result.stderr, re.DOTALL), result.stderr
    assert "Traceback" not in result.output
    assert not out.exists()


@pytest.mark.parametrize(("text", "problem"), BAD_CONFIGS)
def test_a_wrong_config_stops_everything_before_it_starts(
    shakeout, tmp_path, text, problem
):
    path, out = tmp_path / "bad.yaml", tmp_path / "out"
    path.write_text(text)
    refused(shakeout("run", path, "--out", out, "--workers", 0), out, problem)


@pytest.mark.parametrize(("rows", "problem"), BAD_PRICES)
def test_a_bad_price_file_is_named_with_its_line(shakeout, tmp_path, rows, problem):
    prices, path, out = tmp_path / "p.csv", tmp_path / "replay.yaml", tmp_path / "out"
    prices.write_text("\n".join([KLINES, *rows]) + "\n")
    path.write_text("prices: {model: replay, file: p.csv}\n")
    result = shakeout("run", path, "--out", out, "--workers", 0)
    refused(result, out, problem)
    assert "p.csv" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["smkoe"], "did you mean 'smoke'"),
        (["no/such.yaml"], "no such file"),
        (["smoke", "--set", "seed"], "must be KEY=VALUE"),
        (["smoke", "--set", "seed=x"], "--set seed=x: seed = 'x': must be a whole"),
        (["smoke", "--set", "faults.0.start=1m"], "has 0 entries"),
        (["smoke", "--workers", "-1"], "Invalid value for '--workers'"),
    ],
)
def test_a_wrong_argument_is_named(shakeout, tmp_path, arguments, problem):
    out = tmp_path / "out"
    result = shakeout("run", *arguments, "--out", out)
    refused(result, out, problem)


@pytest.mark.parametrize("name", ["check", "report"])
def test_a_folder_that_is_no_run_directory_is_refused(shakeout, tmp_path, name):
    result = shakeout(name, tmp_path)
    assert result.exit_code == 2
    assert "manifest.json" in result.stderr
