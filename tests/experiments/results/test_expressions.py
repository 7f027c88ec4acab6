"""Checks are typed before there is a row, and their arithmetic is exact."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.config.errors import ConfigError
from experiments.results.expressions import Kind, parse_check

NUMBERS = ("bad_debt", "fees", "trades")
COLUMNS = {**dict.fromkeys(NUMBERS, Kind.NUMBER), "state_root": Kind.TEXT}


def holds(text, **columns):
    return parse_check(text, COLUMNS).holds(columns)


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
        ("bad_debt < 1j", "not allowed"),
        ("count(5) == 5", r"count\(5\) names no metric"),
        ("mean(2 * 3) < fees", r"mean\(2 \* 3\) names no metric"),
        ("1 < 2", "names no metric"),
        ("state_root == 1", "'state_root' is a text, where a number is needed"),
        ("bad_debt < state_root", "'state_root' is a text"),
        ("-state_root < 1", "'state_root' is a text"),
        ("abs(state_root) < 1", "'state_root' is a text"),
        ("mean(state_root) < 1", r"mean\(…\) is of numbers, not of a text"),
        ("-(bad_debt < 1) < 1", "is a yes or no, where a number is needed"),
        ("(bad_debt < 1) + 1 < 3", "is a yes or no, where a number is needed"),
        ("(bad_debt < 1) == (fees < 1)", "is a yes or no, where a number"),
        ("abs(bad_debt < 1) < 2", "is a yes or no, where a number"),
        ("not bad_debt", "is a number, where a yes or no is needed"),
        ("bad_debt < 1 and fees", "is a number, where a yes or no is needed"),
        ("mean(bad_debt < 1) > 0.5", "share"),
        ("count(bad_debt < 1) > 5", "share"),
        ("share(bad_debt) > 0.5", "of a comparison, not of a number"),
        ("bad_debt < 1e999", "too large to be one"),
        ("bad_debt < 1" + "0" * 5000, "characters; at most 2,000 are read"),
        (" + ".join(["fees"] * 5000) + " < 1", "characters; at most 2,000"),
        ("+".join(["fees"] * 200) + " < 1", "operations deep; at most 100"),
        ("not " * 150 + "fees < 1", "operations deep; at most 100"),
        ("-" * 1900 + "fees < 1", "nest|deep|recursion"),
        ("(" * 500 + "fees" + ")" * 500 + " < 1", "nest"),
        ("bad_debt\0 < 1", "null bytes"),
        ("mean(bad_debt, fees) < 1", "not allowed"),
        ("bad_debt if fees else 1 < 2", "not allowed"),
    ],
)
def test_what_is_not_of_the_language_is_refused(text, problem):
    with pytest.raises(ConfigError, match=problem):
        parse_check(text, COLUMNS)


def test_whole_numbers_are_exact_however_large():
    big = 1 << 62
    assert holds("trades * 4 > 0", trades=[big]) == [True]
    assert holds(f"sum(trades) == {3 * big + 1}", trades=[big, big, big + 1]) is True
    assert holds(f"mean(trades) == {big}", trades=[big, big + 1, big - 1]) is True
    assert holds("-trades > 0", trades=[-(1 << 63)]) == [True]
    assert holds(f"trades == {big + 1}", trades=[big, big + 1]) == [False, True]
    assert holds(f"p50(trades) == {big + 1}", trades=[big + 1]) is True
    assert holds(f"trades < {'9' * 400}", trades=[big]) == [True]


def test_dividing_by_zero_gives_no_bound_to_keep():
    assert holds("bad_debt / fees < 5", bad_debt=[1, 0, -1], fees=[0, 0, 0]) == [
        False,
        False,
        True,
    ]
    assert holds("mean(bad_debt) / mean(fees) < 5", bad_debt=[1.0], fees=[0.0]) is False


def test_a_value_that_is_none_keeps_no_bound():
    assert holds("max(bad_debt) < 5", bad_debt=[1.0, math.nan]) is False
    assert holds("bad_debt < 5", bad_debt=[math.nan]) == [False]


def test_a_share_is_of_the_seeds_in_which_a_comparison_holds():
    assert holds("share(bad_debt == 0) >= 0.5", bad_debt=[0, 0, 3]) is True
    assert holds("share(bad_debt == 0) >= 0.7", bad_debt=[0, 0, 3]) is False


def numbers():
    return st.one_of(st.integers(-(1 << 63), (1 << 63) - 1), st.floats())


def expressions():
    """Numbers of the language, nested at will."""
    leaves = st.sampled_from(["bad_debt", "fees", "0", "7", "1e308", "9" * 40])
    return st.recursive(
        leaves,
        lambda part: st.one_of(
            st.builds("({} {} {})".format, part, st.sampled_from("+-*/"), part),
            st.builds("abs(-{})".format, part),
        ),
        max_leaves=8,
    )


@given(expressions(), st.lists(st.tuples(numbers(), numbers()), max_size=3))
@settings(deadline=None, max_examples=100)
def test_a_check_that_was_read_never_fails_on_rows(expression, rows):
    columns = {"bad_debt": [a for a, _ in rows], "fees": [b for _, b in rows]}
    texts = [f"{expression} + fees < bad_debt"]
    for name in ("mean", "median", "min", "sum", "std", "count", "p95"):
        texts.append(f"{name}({expression} + fees) <= 1 + max(bad_debt)")
    for text in texts:
        check = parse_check(text, COLUMNS)
        check.holds(columns), check.sides(columns)
