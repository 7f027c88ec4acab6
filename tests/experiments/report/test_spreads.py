from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from experiments.report.curves import over_runs, packed, thin
from experiments.report.differences import compare, difference
from experiments.report.formats import (
    change,
    digits_within,
    interval,
    number,
    share,
)
from experiments.report.rundir import read_run_directory
from tests.experiments.report.synthetic import (
    FAULTS,
    change_manifest,
    write_run_directory,
)


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (2_940_000, "USD", "$2.94M"),
        (2_000_000, "USD", "$2.00M"),
        (999_960, "USD", "$1.00M"),
        (-12_345, "USD", "−$12.3k"),
        (0.0, "USD", "$0"),
        (-0.001, "USD", "$0"),
        (45.1, "USD", "$45.10"),
        (61_250.4, "price", "$61,250"),
        (310_000, "us", "310 ms"),
        (2_500_000, "us", "2.50 s"),
        (840_000_000, "us", "14 min"),
        (59_999_999, "us", "60 s"),
        (420, "bp", "4.20 bp"),
        (12_500, "ppm", "1.25 %"),
        (1_500_000, "microblocks", "1.50 blocks"),
        (9_999, "count", "9,999"),
        (670.5, "count", "671"),
        (None, "USD", "–"),
        (float("nan"), "count", "–"),
    ],
)
def test_numbers_are_shown_in_the_unit_a_reader_expects(value, unit, text):
    assert number(value, unit).replace("\u202f", " ") == text


def test_a_difference_shows_its_sign_and_zero_has_none():
    assert change(1_100_000, "USD") == "+$1.10M"
    assert change(-3, "count") == "−3"
    assert change(0, "USD") == "$0"
    assert change(1e-9, "USD") == "$0"


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(-(10**9), 10**9), st.integers(-(10**9), 10**9)),
        min_size=2,
        max_size=40,
    )
)
def test_the_interval_is_that_of_a_paired_t_test(pairs):
    base, other = np.array(pairs, float).T
    found = difference(base, other)
    if np.ptp(other - base) == 0:
        assert found.low == found.mean == found.high
        return
    expected = stats.ttest_rel(other, base).confidence_interval(0.95)
    assert found.low == pytest.approx(expected.low, rel=1e-6, abs=1e-3)
    assert found.high == pytest.approx(expected.high, rel=1e-6, abs=1e-3)
    assert found.higher == sum(b > a for a, b in pairs)
    assert found.lower == sum(b < a for a, b in pairs)


def test_one_pair_has_a_difference_but_no_interval():
    found = difference(np.array([1.0]), np.array([5.0]))
    assert (found.mean, found.low, found.high, found.settled) == (
        4.0,
        None,
        None,
        False,
    )


def test_each_point_is_compared_with_the_untouched_one_of_its_own_policy(tmp_path):
    directory = read_run_directory(write_run_directory(tmp_path, runs=4, samples=12))
    comparison = compare(directory, directory.fault_axis, ["bad_debt"])
    assert directory.axes[comparison.axis].values[comparison.base] == "none"
    assert len(comparison.rows) == 9
    runs = directory.runs
    for row in comparison.rows:
        fault = directory.axes[0].values[row.value]
        policy = directory.axes[1].values[row.stratum[0]]
        at = runs[runs["sequencer.policy"] == policy].set_index("run")
        here = at[at["fault"] == fault]["bad_debt"]
        there = at[at["fault"] == "none"]["bad_debt"]
        assert row.differences["bad_debt"].mean == pytest.approx((here - there).mean())


def test_seeds_are_paired_whatever_the_order_of_the_rows(tmp_path):
    directory = read_run_directory(write_run_directory(tmp_path, runs=5, samples=12))
    shuffled = directory.runs.sample(frac=1, random_state=3)
    found = compare(replace(directory, runs=shuffled), 0, ["liquidation_loss"]).rows[0]
    halt, calm = (
        directory.runs[
            (directory.runs["fault"] == fault)
            & (directory.runs["sequencer.policy"] == "fcfs")
        ].sort_values("run")["liquidation_loss"]
        for fault in ("sequencer halt", "none")
    )
    paired = stats.ttest_rel(halt, calm).confidence_interval(0.95)
    low, high = found.differences["liquidation_loss"][4:6]
    assert (low, high) == pytest.approx((paired.low, paired.high))


def test_runs_that_only_one_of_two_points_finished_are_left_out(tmp_path):
    directory = read_run_directory(write_run_directory(tmp_path, runs=4, samples=12))
    rows = directory.runs
    lost = (rows["point"] == rows["point"].max()) & (rows["run"] == 0)
    comparison = compare(replace(directory, runs=rows[~lost]), 0, ["bad_debt"])
    counts = {row.differences["bad_debt"].n for row in comparison.rows}
    assert counts == {3, 4}


def test_the_fault_axis_is_found_by_what_moves_the_windows(tmp_path):
    write_run_directory(tmp_path, runs=1, samples=12)
    change_manifest(
        tmp_path,
        lambda text: text.replace('"fault"', '"drill"').replace('"none"', '"quiet"'),
    )
    directory = read_run_directory(tmp_path)
    assert directory.axes[directory.fault_axis].name == "drill"
    assert directory.base_of(directory.fault_axis) == list(FAULTS).index("none")


def test_thinning_keeps_both_ends_and_the_limit():
    kept = thin(1_000, 300)
    assert len(kept) <= 300
    assert (kept[0], kept[-1]) == (0, 999)
    assert thin(5, 300).tolist() == [0, 1, 2, 3, 4]


def test_quantiles_leave_out_runs_without_a_sample():
    samples = np.array([[1.0, np.nan], [2.0, np.nan], [3.0, np.nan]])
    low, middle, high = over_runs(samples)
    assert middle[0] == 2.0
    assert low[0] < middle[0] < high[0]
    assert np.isnan(middle[1])


def unpack(curve):
    """What the page does with a packed curve, see report_page.js."""
    rows = []
    for steps in curve["q"]:
        level, row = 0, []
        for step in steps:
            level += step or 0
            row.append(None if step is None else level / 10 ** curve["places"])
        rows.append(row)
    return rows


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.one_of(st.just(float("nan")), st.floats(-1e9, 1e9)), min_size=1, max_size=30
    )
)
def test_a_packed_curve_is_the_curve_to_a_pixel(values):
    middle = np.array(values)
    curve = np.stack([middle - 1, middle, middle + 1])
    finite = middle[np.isfinite(middle)]
    reach = (np.ptp(finite) + 2 if finite.size else 1.0) / 5_000
    unpacked = unpack(packed(curve))
    unpacked = unpacked * 3 if len(unpacked) == 1 else unpacked
    for row, back in zip(curve, unpacked, strict=True):
        for value, again in zip(row.tolist(), back, strict=True):
            assert (again is None) == np.isnan(value)
            if again is not None:
                assert abs(again - value) <= reach


def test_seeds_that_agree_are_sent_once():
    assert len(packed(np.ones((3, 5)))["q"]) == 1


@pytest.mark.parametrize(
    ("mean", "low", "high", "text", "ends"),
    [
        (2_943_210, 2_820_000, 3_060_000, "+$2.94M", "+$2.82M to +$3.06M"),
        (2_943_210, 1_000_000, 4_900_000, "+$2.9M", "+$1.0M to +$4.9M"),
        (284, -19_716, 20_284, "+$300", "−$20k to +$20k"),
        (65_500, 65_500, 65_500, "+$65.5k", "+$65.5k"),
    ],
)
def test_digits_follow_the_width_of_the_interval(mean, low, high, text, ends):
    assert change(mean, "USD", digits_within(mean, high - low)) == text
    assert interval(low, high, "USD") == ends


def test_a_difference_is_told_as_a_share_of_the_base():
    assert share(50, 200).replace("\u202f", " ") == "+25 %"
    assert share(-1.23, 1000).replace("\u202f", " ") == "−0.12 %"
    assert share(5, 0) == ""
    assert share(214_000, 100) == "×2,100"
