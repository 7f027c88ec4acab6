"""Every bound that the lab counts is told on the page; no measure saturates unsaid."""

import pytest

from agents.measure.metrics import METRICS, caps
from agents.measure.series import SERIES
from experiments.report.bounds import BOUNDS
from experiments.report.measures import TURNED_AWAY
from experiments.report.panels import PANELS
from experiments.report.vocabulary import is_aid, metric

#: Measures that stop growing, or grow for another reason, where a bound of the lab is
#: reached, each with the column that counts when.
SATURATES = {
    "mempool_max": "txs_full",
    "txs_dropped": "txs_full",
    "inclusion_p50_us": "blocks_filled",
    "inclusion_p95_us": "blocks_filled",
    "inclusion_p99_us": "blocks_filled",
    "danger_blocks_mean": "danger_unlisted",
    "liquidations": "danger_unlisted",
    "settle_delay_us": "seals_postponed",
    "withdrawal_delay_us": "seals_postponed",
}
TOLD = {bound.column for bound in BOUNDS}


@pytest.mark.parametrize("name", [each.name for each in caps.METRICS])
def test_every_cap_that_a_run_counts_is_told_on_the_page(name):
    rooms = {bound.room for bound in BOUNDS}
    twice = "mempool_full_blocks"  # when, where `txs_full` says how many
    assert name in TOLD | rooms | {twice} or name.startswith(TURNED_AWAY)


@pytest.mark.parametrize("bound", BOUNDS, ids=lambda bound: bound.column)
def test_a_bound_is_told_of_columns_measures_and_panels_that_exist(bound):
    assert bound.column in METRICS
    assert not bound.room or bound.room in METRICS
    assert set(bound.measures) <= set(METRICS)
    assert set(bound.panels) <= {panel.key for panel in PANELS}


@pytest.mark.parametrize("name", SATURATES)
def test_a_measure_that_can_saturate_names_its_cap(name):
    assert name in METRICS
    assert name in {
        measure
        for bound in BOUNDS
        if bound.column == SATURATES[name]
        for measure in bound.measures
    }


@pytest.mark.parametrize("series", ["mempool", "in_danger", "inclusion_us"])
def test_the_panel_of_a_series_that_can_saturate_names_its_cap(series):
    assert series in SERIES
    [panel] = [p.key for p in PANELS if p.series[0][0] == series]
    assert any(panel in bound.panels for bound in BOUNDS)


def test_a_percentile_has_its_error_for_a_resolution_and_the_error_is_no_finding():
    for name in METRICS:
        if name.startswith("inclusion_p") and name.endswith("_us"):
            error = name if "_error_" in name else name[:-3] + "_error_us"
            assert error in METRICS and is_aid(error)
    assert metric("trades", {"unit": "count"}).resolution == 1
