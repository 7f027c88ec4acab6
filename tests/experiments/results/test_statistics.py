import numpy as np
import pandas as pd
import pytest
from scipy import stats

from experiments.results.statistics import (
    bootstrap_interval,
    holm,
    paired_difference,
    t_interval,
    t_test,
)


def table(base, other, policy=("fcfs",)):
    rows = []
    for p in policy:
        for fault, values in (("none", base), ("halt", other)):
            rows += [
                {"fault": fault, "policy": p, "run": run, "bad_debt": value}
                for run, value in enumerate(values)
            ]
    return pd.DataFrame(rows).sample(frac=1, random_state=1)


def test_differences_are_taken_seed_by_seed():
    base, other = np.array([100.0, 900.0, 500.0]), np.array([110.0, 930.0, 520.0])
    found = paired_difference(
        table(base, other), "bad_debt", {"fault": "none"}, {"fault": "halt"}
    )
    expected = stats.ttest_rel(other, base)
    low, high = expected.confidence_interval()
    assert found.values.tolist() == [10, 30, 20]
    assert (found.n, found.mean, found.median) == (3, 20, 20)
    assert (found.low, found.high) == pytest.approx((low, high))
    assert found.p_value == pytest.approx(expected.pvalue)
    # Unpaired, the same numbers would say nothing.
    assert found.low > 0 or stats.ttest_ind(base, other).pvalue > 0.9


def test_runs_that_only_one_point_has_are_left_out():
    runs = table([1.0, 2.0, 3.0], [2.0, 4.0, 6.0])
    runs = runs[~((runs.fault == "halt") & (runs.run == 2))]
    found = paired_difference(runs, "bad_debt", {"fault": "none"}, {"fault": "halt"})
    assert found.n == 2
    assert found.mean == 1.5


def test_an_open_axis_does_not_multiply_the_independent_units():
    runs = table([1.0, 2.0, 3.0], [2.0, 4.0, 6.0], policy=("fcfs", "auction"))
    found = paired_difference(runs, "bad_debt", {"fault": "none"}, {"fault": "halt"})
    assert found.n == 3


def test_equal_points_do_not_differ():
    runs = table([1.0, 2.0], [1.0, 2.0])
    found = paired_difference(runs, "bad_debt", {"fault": "none"}, {"fault": "halt"})
    assert (found.mean, found.low, found.high, found.p_value) == (0, 0, 0, 1)


def test_one_pair_gives_no_interval():
    found = paired_difference(
        table([1.0], [3.0]), "bad_debt", {"fault": "none"}, {"fault": "halt"}
    )
    assert found.mean == 2
    assert np.isnan([found.low, found.high, found.p_value]).all()


def test_the_bootstrap_repeats_itself_and_agrees_with_t_on_tame_data():
    values = np.random.default_rng(3).normal(5, 1, 200)
    assert bootstrap_interval(values) == bootstrap_interval(values)
    assert bootstrap_interval(values) == pytest.approx(t_interval(values), abs=0.03)


def test_intervals_cover_the_mean_about_as_often_as_they_say():
    draws = np.random.default_rng(4).normal(1, 2, (2000, 8))
    covered = np.mean([low <= 1 <= high for low, high in map(t_interval, draws)])
    assert 0.93 < covered < 0.97


@pytest.mark.parametrize("axes", [{"nothing": 1}, {"fault": "flood"}])
def test_a_point_that_is_not_there_is_refused(axes):
    with pytest.raises(KeyError):
        paired_difference(table([1.0], [2.0]), "bad_debt", {"fault": "none"}, axes)


def test_equal_steps_of_a_few_seeds_prove_nothing_finer_than_the_measure():
    step = np.full(3, 65.5)
    assert t_test(step).p_value == 0
    read = t_test(step, resolution=65.5)
    assert read.low < 0 < read.high and read.p_value > 0.05
    assert t_test(np.full(16, 1000.0), resolution=1).p_value < 1e-6


def test_scatter_above_the_resolution_is_left_as_it_is():
    values = np.array([3.0, 9.0, -2.0, 14.0])
    expected = stats.ttest_1samp(values, 0)
    for resolution in (0, 1):
        found = t_test(values, resolution=resolution)
        assert found.p_value == pytest.approx(expected.pvalue)
        assert (found.low, found.high) == pytest.approx(expected.confidence_interval())


def test_holms_correction_is_that_of_his_paper():
    """Smallest times m, the next times m - 1, never below one before it, at most 1."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.9]) == [1.0, 1.0]
    assert holm([]) == []
    corrected = holm([0.02, float("nan"), 0.01])
    assert corrected[0] == corrected[2] == pytest.approx(0.02)
    assert np.isnan(corrected[1])


def test_a_family_of_noise_shows_a_difference_once_in_twenty():
    draws = np.random.default_rng(6).normal(0, 1, (300, 20, 6))
    shown = [min(holm([t_test(row).p_value for row in f])) < 0.05 for f in draws]
    assert 0.02 < np.mean(shown) < 0.09
