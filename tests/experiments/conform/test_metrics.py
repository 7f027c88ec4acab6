"""A metric that keeps its contract, and some that break one rule each."""

import jax.numpy as jnp
import pytest

from agents.measure.contract import Metric
from agents.measure.metrics import METRICS
from experiments.conform.metrics import RULES
from experiments.conform.rules import findings

VALUE, ACCUMULATOR, SCALAR, INTEGERS = RULES


def opened(venue):
    return jnp.zeros((), jnp.int64)


def taken(kept, seen):
    return kept + 1


def last(reading):
    return reading.kept


def by_group(reading):
    return reading.profit


def metric(**terms):
    usual = {"read": last, "init": opened, "take": taken}
    named = {
        "name": "seen_blocks",
        "unit": "count",
        "meaning": "blocks",
        "better": None,
    }
    return Metric(**{**named, **usual, **terms})


def broken(metric, rules):
    return [found.says for found in findings(metric, rules) if not found.holds]


def test_a_metric_from_outside_is_a_value_with_unit_and_meaning():
    assert broken(metric(), [VALUE, ACCUMULATOR]) == []


@pytest.mark.parametrize(
    ("terms", "rule"),
    [
        ({"name": "two words"}, VALUE),
        ({"name": next(iter(METRICS))}, VALUE),
        ({"name": "state_root"}, VALUE),
        ({"unit": "dollars"}, VALUE),
        ({"better": "best"}, VALUE),
        ({"meaning": ""}, VALUE),
        ({"init": None}, ACCUMULATOR),
    ],
)
def test_a_rule_that_is_broken_is_named(terms, rule):
    assert broken(metric(**terms), [VALUE, ACCUMULATOR]) == [rule.says]


@pytest.mark.slow
def test_it_reads_one_whole_number_off_a_run():
    assert broken(metric(), [SCALAR, INTEGERS]) == []
    several = metric(read=by_group, init=None, take=None)
    assert broken(several, [SCALAR]) == [SCALAR.says]
