"""Blocks under other rules than dYdX v4's: the lowerings equal the specification."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from market.types.specs import Deleveraging
from tests.market.venues import rule_cases

SEEDS = st.integers(0, 2**32 - 1)
RULES = pytest.mark.parametrize("rule", list(Deleveraging), ids=lambda r: r.name)
MODES = {"argvalues": [False, True], "ids": ["continuous", "auction"]}
AUCTION = pytest.mark.parametrize("auction", **MODES)


@RULES
@settings(max_examples=12, deadline=None)
@given(seed=SEEDS)
def test_deleveraging_by_each_rule_equals_the_specification(rule, seed):
    for _ in rule_cases.run_history(seed, rule_cases.ruled(rule, vault=2), False):
        pass


def _slow_but(*kept):
    """Every rule is one more program to compile: most only where asked for."""
    return [
        pytest.param(r, id=r.name, marks=() if r in kept else pytest.mark.slow)
        for r in Deleveraging
        if r != Deleveraging.RANDOM_WALK
    ]


@pytest.mark.parametrize("rule", _slow_but(Deleveraging.CAPPED_PRO_RATA))
def test_both_lowerings_deleverage_the_same(rule):
    venue = rule_cases.ruled(rule, vault=2)
    seen = rule_cases.assert_lowerings_equal(range(12), venue, False)
    assert seen["deleveraged"] > 10


@AUCTION
@pytest.mark.parametrize("waits", [0, 1])
@settings(max_examples=12, deadline=None)
@given(seed=SEEDS)
def test_staged_liquidation_equals_the_specification(auction, waits, seed):
    for _ in rule_cases.run_history(seed, rule_cases.staged(waits=waits), auction):
        pass


@AUCTION
def test_both_lowerings_liquidate_the_same_in_stages(auction):
    seen = rule_cases.assert_lowerings_equal(range(24), rule_cases.staged(), auction)
    assert min(seen.values()) > 0, seen


@AUCTION
def test_random_blocks_see_every_stage(auction):
    seen = Counter()
    for seed in range(30):
        for state, info in rule_cases.run_history(seed, rule_cases.staged(), auction):
            seen["cooling"] += int((state.cooldown_us > 0).sum())
            for name in rule_cases.SEEN:
                seen[name] += int(getattr(info, name))
    assert len(seen) == 5 and min(seen.values()) > 0, seen
