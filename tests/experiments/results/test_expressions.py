import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.config.errors import ConfigError
from experiments.results.expressions import parse_check

COLUMNS = ["bad_debt", "fees", "trades"]


def holds(text, **columns):
    arrays = {name: np.array(values, float) for name, values in columns.items()}
    return parse_check(text, COLUMNS).holds(arrays).tolist()


def test_without_a_statistic_it_has_to_hold_in_every_run():
    assert holds("bad_debt <= 1e6", bad_debt=[1, 2e6]) == [True, False]
    assert holds("0 <= bad_debt < 5", bad_debt=[-1, 0, 5]) == [False, True, False]
    assert holds("bad_debt == 0 or fees > 1", bad_debt=[0, 1], fees=[0, 0]) == [
        True,
        False,
    ]
    assert holds("not abs(bad_debt) > 2", bad_debt=[-3, 2]) == [False, True]


def test_with_a_statistic_it_is_one_truth_of_a_point():
    assert holds("mean(bad_debt) < 2", bad_debt=[0, 3]) is True
    assert holds("p95(bad_debt) < 2", bad_debt=[0, 3]) is False
    assert holds("mean(bad_debt - fees) == 0", bad_debt=[1, 3], fees=[2, 2]) is True
    assert holds("std(bad_debt) == 0", bad_debt=[4]) is True
    assert holds("count(bad_debt) >= 3", bad_debt=[4]) is False


@given(st.lists(st.integers(-1000, 1000), min_size=1, max_size=9))
@settings(deadline=None)
def test_statistics_are_those_of_numpy(values):
    for name, function in (("mean", np.mean), ("median", np.median), ("max", np.max)):
        assert holds(
            f"{name}(bad_debt) == {float(function(values))!r}", bad_debt=values
        )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("bad_dept <= 1", r"unknown metric 'bad_dept' \(did you mean 'bad_debt'\?\)"),
        ("maen(bad_debt) < 1", r"unknown function 'maen' \(did you mean 'mean'\?\)"),
        ("bad_debt", "is a number, not a yes or no"),
        ("mean(bad_debt) + 1", "is a number, not a yes or no"),
        ("mean(bad_debt) < fees", "mixes statistics over seeds"),
        ("mean(max(bad_debt)) < 1", "inside another statistic"),
        ("bad_debt <", "invalid syntax"),
        ("__import__('os').system('x') == 0", "not allowed"),
        ("bad_debt.real < 1", "not allowed"),
        ("(lambda: 1)() < 2", "not allowed"),
        ("[1][0] < bad_debt", "not allowed"),
        ("bad_debt ** 9 < 1", "not allowed"),
        ("bad_debt < 'x'", "not allowed"),
        ("bad_debt < True", "not allowed"),
        ("mean(bad_debt, fees) < 1", "not allowed"),
        ("bad_debt if fees else 1 < 2", "not allowed"),
    ],
)
def test_what_is_not_of_the_language_is_refused(text, problem):
    with pytest.raises(ConfigError, match=problem):
        parse_check(text, COLUMNS)
