import base64
import gzip
import html
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

from experiments.report import ReportError, write_report
from tests.experiments.report.synthetic import (
    COLUMNS,
    FAULTS,
    IDENTITY,
    change_manifest,
    save,
    write_run_directory,
)

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))),
    None,
)


class Page(HTMLParser):
    """Ids, addresses and text of a page."""

    def __init__(self, text):
        super().__init__()
        self.ids, self.loads, self.policy = set(), [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        named = dict(attrs)
        self.ids.add(named.get("id"))
        if named.get("http-equiv") == "Content-Security-Policy":
            self.policy = named["content"]
        if tag != "a":
            self.loads += [named[key] for key in ("src", "href") if key in named]


def packed(text, name):
    body = re.search(rf'id="{name}">([^<]*)</script>', text).group(1)
    return gzip.decompress(base64.b64decode(body)).decode()


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    folder = write_run_directory(tmp_path_factory.mktemp("demo"), runs=6, samples=60)
    return write_report(folder)


@pytest.fixture(scope="module")
def text(demo):
    return demo.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def data(text):
    return json.loads(packed(text, "data"))


def test_the_page_has_every_section(text):
    wanted = {"headline", "differences", "points", "time", "seeds", "provenance"}
    assert wanted <= Page(text).ids


def test_the_page_loads_nothing(text):
    page = Page(text)
    assert [address for address in page.loads if not address.startswith("data:")] == []
    assert "default-src 'none'" in page.policy
    assert "@import" not in text and "url(" not in text


def test_plotly_is_inside_once(text):
    assert "plotly.js" in packed(text, "plotly")[:400]
    assert text.count('id="plotly"') == 1


def headline(page):
    """The sentence at the top, spaces made plain."""
    return re.search(r"<h1>(.*?)</h1>", page).group(1).replace("\u202f", " ")


def test_the_headline_states_a_comparison_and_its_size(text, demo):
    runs = pd.read_parquet(demo.parent / "runs.parquet")
    auction = runs[runs["sequencer.policy"] == "batch_auction"].set_index("run")
    there = auction[auction["fault"] == "liquidators censored"]["bad_debt"]
    added = (there - auction[auction["fault"] == "none"]["bad_debt"]).mean()
    assert headline(text) == (
        f"Liquidators censored: ${added / 1e6:.2f}M more bad debt than no fault "
        "(from $0) under batch auction"
    )
    assert "the first loss of a fixed order that differs between runs" in text
    assert "at the largest of its 9 differences" in text


def changed(folder, **columns):
    """A run directory with other columns; functions are given the table."""
    path = folder / "runs.parquet"
    runs = pd.read_parquet(path)
    made = {name: f(runs) if callable(f) else f for name, f in columns.items()}
    save(runs.assign(**made), path)
    return folder


def with_manifest(folder, **entries):
    """A run directory with other entries in its manifest."""
    change_manifest(folder, lambda text: json.dumps(json.loads(text) | entries))
    return folder


def test_the_headline_gives_its_size_as_a_share_of_the_base(tmp_path):
    folder = write_run_directory(tmp_path, runs=8, samples=12, policies=("fcfs",))
    changed(folder, bad_debt=lambda runs: 200.0 + 100 * (runs["fault"] != "none"))
    assert headline(write_report(folder).read_text()) == (
        "Sequencer halt: $100 more bad debt than no fault (+50 %)"
    )


def test_the_config_says_what_the_headline_is_about(tmp_path):
    folder = write_run_directory(tmp_path, runs=8, samples=12)
    asked = {"report": {"headline": "spread_mean_ppm"}}
    page = write_report(with_manifest(folder, config=asked)).read_text()
    assert "pread mean" in headline(page)
    assert "the measure that report.headline names" in page


def test_a_headline_is_not_made_of_chance(tmp_path):
    """Noise in dozens of measures: something always moves, and nothing counts."""
    folder = write_run_directory(tmp_path, runs=3, samples=12)
    noise = np.random.default_rng(5)
    names = list(COLUMNS) + [f"extra_{k}" for k in range(40)]
    columns = {
        name: lambda runs: noise.normal(50_000, 20_000, len(runs)) for name in names
    }
    page = write_report(changed(folder, **columns)).read_text()
    assert headline(page).startswith("Bad debt: no difference from no fault beyond")
    assert "Only 3 seeds a point" in page
    found = [
        row["found"][name][8]
        for comparison in json.loads(packed(page, "data"))["comparisons"]
        for row in comparison["rows"]
        for name in row["found"]
    ]
    assert len(found) > 100 and not any(found)
    assert "Holm’s correction" in page


def test_the_family_that_is_corrected_is_counted_in_words(text):
    counted = [int(n) for n in re.findall(r"over all\s+(\d+) comparisons", text)]
    rows = 9
    assert counted and counted[0] % rows == 0 and counted[0] > 9 * rows


def test_eight_seeds_carry_no_warning(tmp_path):
    page = write_report(write_run_directory(tmp_path, runs=8, samples=12)).read_text()
    assert "seeds a point: intervals" not in page


def test_a_difference_below_what_the_measure_tells_is_never_beyond_chance(tmp_path):
    """A percentile that is read in a bucket 66 ms wide moves by one bucket, always."""
    folder = write_run_directory(tmp_path, runs=16, samples=12, policies=("fcfs",))

    def step(runs):
        return 420_000 + 65_500 * (runs["fault"] == "sequencer halt")

    changed(folder, inclusion_p95_us=step, inclusion_p95_error_us=66_000)
    data = json.loads(packed(write_report(folder).read_text(), "data"))
    [rows] = [comparison["rows"] for comparison in data["comparisons"]]
    mean, low, high, *_, settled, _size, ends = rows[0]["found"]["inclusion_p95_us"]
    assert mean == 65_500 and low < mean < high
    assert not settled and "to" in ends
    assert data["metrics"]["inclusion_p95_us"]["bounds"][0] == "known to 66\u202fms"


def test_a_bound_that_was_reached_is_said_at_the_top_and_at_its_panel(data, text):
    assert "found no room beside the 1,024 that wait" in text
    assert "sequencer.queue" in text
    panels = {panel["key"]: panel for panel in data["panels"]}
    assert "dropped" in panels["mempool"]["bounds"][0]
    assert panels["price"]["bounds"] == []
    halted = next(p["id"] for p in data["points"] if "halt" in p["label"])
    assert data["titles"][str(halted)]["mempool"].endswith("all that there is room for")
    assert "room for" not in data["titles"]["0"]["mempool"]


def test_failed_checks_stand_above_the_headline(tmp_path):
    folder = write_run_directory(tmp_path, runs=2, samples=12)
    failed = {
        "check": "bad_debt < 1",
        "passed": False,
        "message": "bad_debt < 1: fails",
    }
    told = {"experiment": IDENTITY, "checks": [failed]}
    (folder / "checks.json").write_text(json.dumps(told))
    page = write_report(folder).read_text()
    assert 0 < page.index("Failed check: bad_debt &lt; 1: fails") < page.index("<h1>")


def test_what_is_broken_stands_above_the_headline(tmp_path):
    folder = write_run_directory(tmp_path, runs=2, samples=12)
    changed(folder, conservation_error=lambda runs: (runs.index == 3) * 7, status=1)
    page = write_report(with_manifest(folder, status="partial")).read_text()
    for alarm in ("Money was created or lost", "status flag", "is partial"):
        assert 0 < page.index(alarm) < page.index("<h1>")


def test_profits_of_every_family_have_a_panel_with_intervals(text, data):
    profits = re.search(r'<section id="profits">.*?</section>', text, re.DOTALL)[0]
    for who in ("Trader pnl", "Maker pnl", "Searcher pnl", "Liquidator pnl"):
        assert who in profits
    assert "whales" not in profits
    assert {"trader_pnl", "maker_pnl", "liquidator_pnl"} <= set(data["profits"])
    row = data["comparisons"][0]["rows"][0]["found"]["trader_pnl"]
    assert row[1] < row[0] < row[2]
    cells = re.findall(r"<tr>.*?</tr>", profits, re.DOTALL)
    assert len(cells) == 1 + 12 and " to " in cells[1]


def test_what_moved_far_has_a_panel_though_it_is_no_main_measure(tmp_path):
    folder = write_run_directory(tmp_path, runs=8, samples=12)
    jump = changed(
        folder, odd_events=lambda runs: 214 + 7_251 * (runs["fault"] != "none")
    )
    data = json.loads(packed(write_report(jump).read_text(), "data"))
    assert "odd_events" in data["metrics"]


def test_values_of_an_axis_that_read_alike_are_shown_as_written(tmp_path):
    folder = write_run_directory(
        tmp_path, runs=1, samples=12, leverages=(0.5, 1.5, 10), policies=("fcfs",)
    )
    axes = json.loads(packed(write_report(folder).read_text(), "data"))["axes"]
    assert axes[-1]["labels"] == ["0.5", "1.5", "10"]
    change_manifest(folder, lambda text: text.replace("DA outage", "no_fault"))
    axes = json.loads(packed(write_report(folder).read_text(), "data"))["axes"]
    assert len(set(axes[0]["labels"])) == 4


def test_no_raw_runs_are_in_the_page_only_quantiles(data):
    assert len(data["points"]) == 12
    for curves in data["curves"].values():
        for curve in curves.values():
            assert len(curve["q"]) in (1, 3)
            assert all(len(steps) == 60 for steps in curve["q"])


def test_every_point_has_its_fault_windows(data):
    by_fault = {p["label"].split(",")[0]: p["windows"] for p in data["points"]}
    assert by_fault["no fault"] == []
    assert by_fault["sequencer halt"] == [["sequencer halt", 720.0, 1020.0]]


def test_the_window_of_a_random_fault_is_called_expected(tmp_path):
    drawn = {**FAULTS["sequencer halt"][0], "random": True}
    faults = {"none": [], "halts": [drawn]}
    folder = write_run_directory(tmp_path, faults=faults, runs=1, samples=12)
    points = json.loads(packed(write_report(folder).read_text(), "data"))["points"]
    assert points[-1]["windows"] == [["sequencer halt, expected", 720.0, 1020.0]]


def test_every_panel_of_every_point_has_a_finding_for_a_title(data):
    for point in data["points"]:
        titles = data["titles"][str(point["id"])]
        for panel in data["panels"]:
            for market in data["markets"] if panel["perMarket"] else [""]:
                title = titles[f"{panel['key']}.{market}" if market else panel["key"]]
                assert title and "nan" not in title


def test_side_by_side_names_the_fault_furthest_from_the_untouched_run(data):
    title = data["sideBySide"]["0"]["bad_debt"]
    assert "liquidators censored" in title and title.endswith("$0 with no fault")


def test_state_roots_and_their_root_are_listed(text, demo):
    runs = pd.read_parquet(demo.parent / "runs.parquet")
    assert all(root in text for root in runs["state_root"])
    assert "Root of roots" in text


def test_the_command_is_quoted_as_a_shell_wants_it(text):
    assert html.unescape(text).count("shakeout run demo.yaml --out 'my demo'") == 1


def test_equal_results_give_equal_bytes(demo):
    before = demo.read_bytes()
    assert write_report(demo.parent).read_bytes() == before


def test_text_of_the_config_cannot_break_out_of_the_page(tmp_path):
    write_run_directory(tmp_path, runs=1, samples=12)
    name = "</title><script>alert(1)</script>"
    change_manifest(
        tmp_path, lambda text: json.dumps({**json.loads(text), "name": name})
    )
    assert "<script>alert" not in write_report(tmp_path).read_text()


HALT = {"sequencer halt": FAULTS["sequencer halt"]}
SHAPES = {
    "one run of one point": dict(
        faults=HALT, policies=("fcfs",), runs=1, samples=20, sweep=False
    ),
    "one point": dict(faults=HALT, policies=("fcfs",), runs=3, samples=12, sweep=False),
    "one pair": dict(
        faults={"none": [], **HALT}, policies=("fcfs",), runs=1, samples=12
    ),
    "no series": dict(runs=2, samples=12, series=False),
    "half the series": dict(
        runs=2,
        samples=12,
        omit_series=("fundamental", "mark", "bad_debt", "depth", "batches_settled"),
    ),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_smaller_experiments_have_a_report_too(tmp_path, shape):
    text = write_report(write_run_directory(tmp_path, **SHAPES[shape])).read_text()
    assert not re.search(r"\bnan\b|>None<", re.sub(r"<script.*?</script>", "", text))
    json.loads(packed(text, "data"))


def test_metrics_without_a_value_anywhere_do_not_appear(tmp_path):
    write_run_directory(tmp_path, runs=2, samples=12)
    path = tmp_path / "runs.parquet"
    save(pd.read_parquet(path).assign(withdrawal_delay_us=float("nan")), path)
    assert "ithdrawal delay" not in write_report(tmp_path).read_text()


def refusals(page):
    """The section on refusals, tags stripped; empty without one."""
    found = re.search(r'<section id="refusals">.*?</section>', page, re.DOTALL)
    return re.sub(r"<[^>]*>", " ", found[0]) if found else ""


def test_refusals_are_counted_by_their_reason_the_most_frequent_first(tmp_path):
    write_run_directory(tmp_path, runs=2, samples=12)
    path = tmp_path / "runs.parquet"
    counted = {"reject_margin": 31, "reject_price_band": 407, "reject_halted": 0}
    save(pd.read_parquet(path).assign(**counted), path)
    table = refusals(write_report(tmp_path).read_text())
    assert table.index("Price band") < table.index("Margin")
    assert "Halted" not in table and "Book full" not in table
    points = len(json.loads((tmp_path / "manifest.json").read_text())["points"])
    assert len(re.findall(r"\b407\b", table)) == points


def test_where_nothing_was_refused_nothing_is_said_of_it(text):
    assert refusals(text) == "" and "#refusals" not in text


def test_runs_that_are_all_equal_are_said_to_be(tmp_path):
    write_run_directory(tmp_path, runs=3, samples=12)
    path = tmp_path / "runs.parquet"
    runs = pd.read_parquet(path)
    for name in runs.columns[8:]:
        runs[name] = 0
    save(runs, path)
    text = write_report(tmp_path).read_text()
    assert "<h1>No fault moved the losses</h1>" in text
    assert "same in every pair" in text


def test_a_conservation_error_stands_at_the_top(tmp_path):
    write_run_directory(tmp_path, runs=2, samples=12)
    path = tmp_path / "runs.parquet"
    runs = pd.read_parquet(path)
    runs.loc[3, "conservation_error"] = -5
    save(runs, path)
    text = write_report(tmp_path).read_text()
    assert "Money was created or lost: point 1, run 1." in text


def test_hundreds_of_points_stay_small(tmp_path):
    folder = write_run_directory(
        tmp_path, leverages=tuple(range(2, 20)), runs=2, samples=40
    )
    page = write_report(folder)
    assert len(json.loads(packed(page.read_text(), "data"))["points"]) == 216
    assert page.stat().st_size < 6_000_000


def test_a_directory_without_results_is_refused_by_name(tmp_path):
    with pytest.raises(ReportError, match=r"manifest\.json is missing"):
        write_report(tmp_path)
    write_run_directory(tmp_path, runs=1, samples=12)
    (tmp_path / "runs.parquet").unlink()
    with pytest.raises(ReportError, match="finished no run"):
        write_report(tmp_path)


def opened(page, profile, *flags):
    """The page's document after its scripts ran, and the browser's console."""
    command = [
        CHROMIUM,
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        f"--user-data-dir={profile}",
        "--enable-logging=stderr",
        "--virtual-time-budget=15000",
        "--window-size=1300,2000",
        *flags,
        "--dump-dom",
        page.as_uri(),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=180)
    console = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    return done.stdout, console


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")
@pytest.mark.parametrize("shape", ["demo", "one run of one point"])
def test_a_browser_draws_every_chart_without_a_complaint(demo, tmp_path, shape):
    page, charts = demo, 38
    if shape != "demo":
        folder = write_run_directory(tmp_path / "run", **SHAPES[shape])
        page, charts = write_report(folder), 10
    document, console = opened(page, tmp_path / "profile")
    assert console == []
    assert 'data-ready="yes"' in document
    drawn = len(re.findall(r'class="chart js-plotly-plot"', document))
    assert drawn == document.count('class="chart') >= charts - 10


def test_guests_without_money_and_many_refusals_are_warned_of(tmp_path):
    folder = write_run_directory(tmp_path, runs=8, samples=12)
    groups = {"populations": {"dippers": {"agent": "dipper:Dipper", "count": 2}}}
    with_manifest(folder, config=groups)
    changed(folder, refused_of_dippers=40, txs_rejected=90_000, txs_entered=410_000)
    page = write_report(folder).read_text()
    assert "transactions of dippers, agents in plain Python, were refused" in page
    assert "refused 22\u202f% of all transactions" in page


def test_the_page_says_how_densely_series_were_sampled_and_are_drawn(tmp_path):
    folder = write_run_directory(tmp_path, runs=1, samples=450, policies=("fcfs",))
    assert "Sampled every 4 blocks, drawn at 300 of 450 times" in (
        write_report(folder).read_text()
    )


def test_axes_that_end_in_one_word_are_called_by_their_whole_keys(tmp_path):
    write_run_directory(tmp_path, runs=1, samples=12, leverages=(2, 3))
    change_manifest(
        tmp_path, lambda text: text.replace("sequencer.policy", "liquidators.leverage")
    )
    axes = json.loads(packed(write_report(tmp_path).read_text(), "data"))["axes"]
    assert [axis["label"] for axis in axes] == [
        "fault",
        "liquidators leverage",
        "leveraged traders leverage",
    ]
