"""Scores of the deleveraging queues: the exact ratios of the venues, in fixed point."""

from fractions import Fraction

import jax
from hypothesis import given
from hypothesis import strategies as st

from market.numbers.units import QUANTA_PER_USD as USD
from market.rules import ranking
from market.rules.ranking import ONE, TOP
from market.venues import rankings as adl
from tests.market.forms.jaxprs import inexact_dtypes
from tests.market.ints import EXACT, array, below, lanes, signed

binance = jax.jit(ranking.binance_score)
bitmex = jax.jit(ranking.bitmex_score)
ROWS = 8


def assert_floored(score, exact: Fraction, factor: Fraction):
    """The score is the exact ratio less what two floors take.

    The first factor counts as `TOP` at most, and so does the product.
    """
    capped = min(exact / factor * ONE, TOP) * factor if factor else exact
    assert min(capped - factor - 1, TOP - 1) < score <= min(capped, TOP)


@EXACT
@given(lanes(st.tuples(signed(50), signed(50), below(45)), ROWS))
def test_binance_scores_are_leveraged_profits_on_at_least_a_dollar(rows):
    wallet, profit, required = (array(column) for column in zip(*rows, strict=True))
    scores = binance(wallet, profit, required).tolist()
    for (w, p, r), score in zip(rows, scores, strict=True):
        assert score == ranking.binance_score(w, p, r)
        # The rule's unit of account is a dollar: `max(1, wallet)` in quanta.
        exact = Fraction(max(p, 0), max(w, USD)) * adl.binance_margin_ratio(w, p, r)
        assert_floored(score, exact, Fraction(r, max(w + p, 1)))


def test_an_account_that_is_worth_nothing_has_no_binance_score():
    assert ranking.binance_score(-500, 500, 30) == 0
    assert ranking.binance_score(-400, 500, 30) > 0
    # A wallet of half a dollar counts as one.
    small = ranking.binance_score(USD // 2, USD, USD)
    assert small == ONE * USD // (USD * 3 // 2)


@EXACT
@given(lanes(st.tuples(signed(50), signed(50), signed(45)), ROWS))
def test_bitmex_scores_multiply_winners_and_divide_losers(rows):
    value, cost, margin = (array(column) for column in zip(*rows, strict=True))
    scores = bitmex(value, cost, margin).tolist()
    for (v, c, m), score in zip(rows, scores, strict=True):
        assert score == ranking.bitmex_score(v, c, m)
        if not v or not c or m <= 0:
            continue
        exact = adl.bitmex_score(v, c, v - m)
        lever = Fraction(abs(v), m)
        if exact > 0:
            assert_floored(score - TOP, exact, lever)
        else:
            assert_floored(TOP - score, -exact, 1 / lever)


def test_without_margin_a_winner_is_first_and_a_loser_before_other_losers():
    assert ranking.bitmex_score(110, 100, 0) == 2 * TOP
    assert ranking.bitmex_score(90, 100, -5) == TOP
    assert ranking.bitmex_score(90, 100, 5) < TOP < ranking.bitmex_score(110, 100, 5)
    assert ranking.bitmex_score(100, 100, 5) == TOP
    assert ranking.bitmex_score(100, 100, 0) == TOP


@EXACT
@given(below(62), below(62), below(62))
def test_a_scaled_product_is_floored_and_capped(a, b, d):
    assert ranking.scaled(a, b, d) == min(a * b // max(d, 1), TOP)
    assert int(ranking.scaled(array(a), array(b), array(d))) == ranking.scaled(a, b, d)


def test_scores_hold_no_floating_point():
    x = array([1] * ROWS)
    assert not inexact_dtypes(ranking.hyperliquid_score, x, x, x, x, x > 0)
    assert not inexact_dtypes(ranking.binance_score, x, x, x)
    assert not inexact_dtypes(ranking.bitmex_score, x, x, x)
