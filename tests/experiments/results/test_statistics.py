import numpy as np
import pandas as pd
import pytest
from scipy import stats

from experiments.results.statistics import (
    bootstrap_interval,
    paired_difference,
    t_interval,
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
