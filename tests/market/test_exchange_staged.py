"""Hyperliquid's liquidations in the exchange block, by hand and against the twin."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.market import rule_cases

MODES = {"argvalues": [False, True], "ids": ["continuous", "auction"]}
AUCTION = pytest.mark.parametrize("auction", **MODES)
SEEDS = st.integers(0, 2**32 - 1)


@AUCTION
@pytest.mark.parametrize("waits", [0, 1])
@settings(max_examples=12, deadline=None)
@given(seed=SEEDS)
def test_native_block_equals_the_specification(auction, waits, seed):
    for _ in rule_cases.run_history(seed, rule_cases.staged(waits=waits), auction):
        pass


@AUCTION
def test_array_lowering_equals_the_native_one(auction):
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
