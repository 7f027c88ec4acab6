"""Oracles: medians of reporters, deviation, heartbeat, staleness, delay, faults."""

import jax
import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.twin import rules as reference_rules
from market.upkeep import oracle
from market.upkeep.oracle import Feed, OracleRules
from tests.market.forms.jaxprs import inexact_dtypes
from tests.market.ints import EXACT, array, lanes

N = 7
median = jax.jit(oracle.median_of_reports)
updated = jax.jit(oracle.updated_feed)


@EXACT
@given(lanes(st.tuples(st.integers(1, 1 << 40), st.booleans()), N))
def test_the_median_is_over_those_who_report(reports):
    prices, valid = zip(*reports, strict=True)
    got, count = median(array(prices), array(valid) == 1)
    heard = [p for p, ok in reports if ok]
    assert int(count) == len(heard)
    assert int(got) == (reference_rules.median(heard) if heard else 0)


def test_an_even_number_of_reports_rounds_a_half_up():
    valid = array([1, 1, 0, 0, 0, 0, 0]) == 1
    assert int(median(array([10, 11, 0, 0, 0, 0, 0]), valid)[0]) == 11


def test_less_than_half_of_the_reporters_cannot_move_the_median_beyond_the_honest():
    honest = [100, 101, 102, 103]
    for lie in (1, 1 << 40):
        got, _ = median(array([*honest, lie, lie, lie]), array([1] * N) == 1)
        assert min(honest) <= int(got) <= max(honest)


def test_a_stuck_reporter_repeats_itself_and_a_manipulated_one_is_off():
    got = oracle.distorted_reports(
        array([1_000, 1_000, 1_000, 3]),
        array([900, 900, 900, 3]),
        array([1, 0, 0, 0]) == 1,
        array([50_000, 50_000, -50_001, -999_999]),
    )
    assert got.tolist() == [900, 1_050, 949, 1]


@pytest.mark.parametrize(
    ("old", "new", "is_deviation"),
    [
        (1_000, 1_005, True),
        (1_000, 1_004, False),
        (1_000, 995, True),
        (1_000, 996, False),
    ],
)
def test_a_deviation_at_the_threshold_counts(old, new, is_deviation):
    assert oracle.is_deviation(old, new, 5_000) is is_deviation
    assert bool(oracle.is_deviation(*array([old, new, 5_000]))) is is_deviation


def test_an_update_is_due_on_deviation_or_at_the_heartbeat():
    due = oracle.is_update_due
    assert due(1_000, 1_005, 0, 5_000, 60)
    assert not due(1_000, 1_004, 59, 5_000, 60)
    assert due(1_000, 1_000, 60, 5_000, 60)


def test_a_price_is_stale_only_beyond_its_greatest_age():
    assert not oracle.is_stale(100, 40, 60)
    assert oracle.is_stale(101, 40, 60)


RULES = OracleRules(*array([3, 5_000, 60, 120]))


def feed_after(prices, valid, now, price=1_000, since=0):
    feed = Feed(array([price]), array([since]))
    got = updated(feed, array([prices]), array([valid]) == 1, array(now), RULES)
    return int(got.price[0]), int(got.updated_us[0])


def test_the_feed_publishes_on_deviation_and_on_heartbeat_only():
    everyone = [1] * N
    assert feed_after([1_004] * N, everyone, 10) == (1_000, 0)
    assert feed_after([1_005] * N, everyone, 10) == (1_005, 10)
    assert feed_after([1_004] * N, everyone, 60) == (1_004, 60)


def test_the_feed_holds_without_a_quorum():
    assert feed_after([2_000] * N, [1, 1, 0, 0, 0, 0, 0], 99) == (1_000, 0)
    assert feed_after([2_000] * N, [1, 1, 1, 0, 0, 0, 0], 99) == (2_000, 99)
    assert feed_after([2_000] * N, [0] * N, 99) == (1_000, 0)


def test_oracles_hold_no_floating_point():
    feed = Feed(array([1]), array([0]))
    valid = array([[1] * N]) == 1
    args = (feed, array([[1] * N]), valid, array(0), RULES)
    assert not inexact_dtypes(oracle.updated_feed, *args)
