"""Liquidation after dYdX v4: bankruptcy price, fillable price, insurance, sizes."""

from fractions import Fraction

import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.rules import liquidation
from market.rules.liquidation import LiquidationRules
from market.rules.margin import Tier
from market.twin import rules as reference_rules
from tests.market.forms.jaxprs import inexact_dtypes
from tests.market.ints import EXACT, array, below, lanes, signed

GENESIS = LiquidationRules()
#: The venue's test parameters.
DEFAULT = LiquidationRules(
    max_fee_ppm=5_000,
    spread_to_maintenance_ppm=100_000,
    min_position_notional=1_000,
    max_position_portion_ppm=1_000_000,
)

# --- bankruptcy price --------------------------------------------------------------


def test_bankruptcy_price_of_the_whole_position_takes_the_account_to_zero():
    # One long worth 100, equity 7: selling at 93 leaves nothing.
    assert liquidation.bankruptcy_quote(-100, -3, 7, 3) == 93
    # A short worth -100 with equity 7 buys back at 107.
    assert liquidation.bankruptcy_quote(100, -3, 7, 3) == -107
    # In debt, it has to sell above the oracle.
    assert liquidation.bankruptcy_quote(-100, -3, -7, 3) == 107


def test_bankruptcy_price_is_rounded_in_favour_of_the_insurance_fund():
    # A third of the requirement goes: share of equity 7/3 -> floor 2, -7/3 -> floor -3.
    assert liquidation.bankruptcy_quote(-100, -1, 7, 3) == 98
    assert liquidation.bankruptcy_quote(-100, -1, -7, 3) == 103
    assert int(liquidation.bankruptcy_quote(*array([-100, -1, -7, 3]))) == 103


markets = st.builds(
    reference_rules.DydxMarket,
    ticks=below(20, 1),
    multiplier=below(12, 1),
    initial_margin_ppm=st.integers(1, 1_000_000),
    maintenance_ppm=st.integers(1, 1_000_000),
)
part = st.integers(0, 10**6)


@st.composite
def positions(draw):
    """A market, a position in it, a part of it, an account around it."""
    market = draw(markets)
    lots = draw(signed(26).filter(bool))
    size = abs(lots) * draw(part) // 10**6
    delta = -size if lots > 0 else size
    pmmr = reference_rules.maintenance_requirement(market, lots)
    tmmr = pmmr + draw(st.one_of(st.just(0), below(58)))
    fraction = draw(st.one_of(st.none(), st.integers(-10, 1_000_100)))
    # Around the requirement most of the time: that is where the price moves.
    tnc = draw(signed(58)) if fraction is None else tmmr * fraction // 10**6
    return market, lots, delta, pmmr, tnc, tmmr


# --- fillable price ----------------------------------------------------------------


def test_fillable_price_is_the_oracle_price_at_the_requirement():
    price = liquidation.fillable_price(10, 1_000, 30, 30, 30, GENESIS)
    assert price == 100


def test_fillable_price_is_a_full_spread_away_when_nothing_is_left():
    # 1.5 times a requirement of 30, over 10 lots.
    assert liquidation.fillable_price(10, 1_000, 30, 0, 30, GENESIS) == Fraction(191, 2)
    assert liquidation.fillable_price(-10, -1_000, 30, 0, 30, GENESIS) == Fraction(
        209, 2
    )


def test_fillable_price_goes_no_further_than_a_full_spread():
    deep = liquidation.fillable_price(10, 1_000, 30, -500, 30, GENESIS)
    assert deep == liquidation.fillable_price(10, 1_000, 30, 0, 30, GENESIS)


def test_fillable_price_is_half_way_at_half_the_requirement():
    price = liquidation.fillable_price(10, 1_000, 30, 15, 30, GENESIS)
    assert price == Fraction(1_000) / 10 - Fraction(45, 2) / 10


def test_a_long_is_sold_rounded_up_and_a_short_bought_rounded_down():
    # 95.5 and 104.5 per tick.
    assert liquidation.fillable_ticks(10, 1_000, 30, 0, 30, 1, GENESIS) == 96
    assert liquidation.fillable_ticks(-10, -1_000, 30, 0, 30, 1, GENESIS) == 104


def test_the_limit_of_a_liquidation_is_at_least_one_tick():
    assert liquidation.fillable_ticks(10, 10, 9, -5, 9, 1, GENESIS) == 1
    rules = GENESIS._replace(spread_to_maintenance_ppm=10_000_000)
    assert liquidation.fillable_ticks(10, 10, 9, -5, 9, 1, rules) == 1


@jax.jit
def fillable_ticks(lots, notional, pmmr, tnc, tmmr, multiplier, ba, smmr):
    rules = GENESIS._replace(
        bankruptcy_adjustment_ppm=ba, spread_to_maintenance_ppm=smmr
    )
    return liquidation.fillable_ticks(
        lots, notional, pmmr, tnc, tmmr, multiplier, rules
    )


adjustments = st.one_of(st.just(1_000_000), st.integers(1_000_000, 5_000_000))
spreads = st.one_of(st.sampled_from([100_000, 1_500_000]), st.integers(0, 4_000_000))


@EXACT
@given(lanes(st.tuples(positions(), adjustments, spreads), 8))
def test_fillable_ticks_equal_the_exact_price_rounded(cases):
    rows, expected = [], []
    for (m, q, _, pmmr, tnc, tmmr), ba, smmr in cases:
        notional = reference_rules.notional(m, q)
        rows.append((q, notional, pmmr, tnc, tmmr, m.multiplier, ba, smmr))
        price = reference_rules.fillable_price(m, q, tnc, tmmr, ba, smmr)
        rules = GENESIS._replace(
            bankruptcy_adjustment_ppm=ba, spread_to_maintenance_ppm=smmr
        )
        assert price == liquidation.fillable_price(q, notional, pmmr, tnc, tmmr, rules)
        expected.append(reference_rules.fillable_ticks(price, m, q))
        assert expected[-1] == liquidation.fillable_ticks(*rows[-1][:6], rules)
    got = fillable_ticks(*(array(c) for c in zip(*rows, strict=True)))
    assert got.tolist() == expected


fillable_spread = jax.jit(
    lambda pmmr, tnc, tmmr, ba, smmr: liquidation.fillable_spread(
        pmmr,
        tnc,
        tmmr,
        GENESIS._replace(bankruptcy_adjustment_ppm=ba, spread_to_maintenance_ppm=smmr),
    )
)


@st.composite
def requirements(draw):
    pmmr = draw(below(50, 1))
    tmmr = pmmr + draw(st.one_of(st.just(0), below(50)))
    tnc = draw(st.integers(-10, tmmr + 10))
    return pmmr, tnc, tmmr, draw(adjustments), draw(spreads)


@EXACT
@given(lanes(requirements(), 8))
def test_the_spread_is_the_floor_of_the_exact_product(rows):
    got = fillable_spread(*(array(c) for c in zip(*rows, strict=True)))
    for (pmmr, tnc, tmmr, ba, smmr), spread in zip(rows, got.tolist(), strict=True):
        rating = Fraction(ba, 10**6) * (1 - Fraction(tnc, tmmr))
        rating = min(max(rating, 0), 1)
        assert spread == rating * Fraction(smmr, 10**6) * pmmr // 1


# --- insurance ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("quote", "bankruptcy", "expected"),
    [
        (1_000_000, 1_000_000, 0),
        (1_000_000, 999_000, 1_000),  # below the cap: everything left goes to the fund
        (1_000_000, 995_000, 5_000),  # at the cap
        (1_000_000, 900_000, 5_000),  # above: the account keeps the rest
        (-1_000_000, -1_100_000, 5_000),  # a short buying back: the cap is of |quote|
        (1_000_000, 1_000_001, -1),  # a loss is covered in full
        (-1_000_000, -900_000, -100_000),
        (199, 0, 0),  # the cap is rounded down: 0.995 -> 0
        (200, 0, 1),
    ],
)
def test_liquidation_fee_is_capped_by_fill_notional(quote, bankruptcy, expected):
    assert liquidation.insurance_delta(quote, bankruptcy, 5_000) == expected
    assert (
        int(liquidation.insurance_delta(*array([quote, bankruptcy, 5_000]))) == expected
    )


@EXACT
@given(lanes(st.tuples(signed(61), signed(61), st.integers(0, 1_000_000))))
def test_insurance_delta_equals_the_specification(rows):
    got = jax.jit(liquidation.insurance_delta)(
        *(array(c) for c in zip(*rows, strict=True))
    )
    assert got.tolist() == [reference_rules.insurance_delta(*row) for row in rows]


def test_limits_of_an_account_and_block_are_inclusive():
    rules = GENESIS._replace(max_account_notional=1_000, max_account_insurance=50)
    within = liquidation.is_within_account_limits
    assert within(600, -20, 400, 30, rules)
    assert not within(601, -20, 400, 30, rules)
    assert not within(600, -21, 400, 30, rules)
    assert within(600, 21, 400, 30, rules)


# --- sizes -------------------------------------------------------------------------


def test_a_small_position_is_closed_in_one_go():
    # $999 is below the $1,000 minimum, and 10 % of $9,000 is below it too.
    assert liquidation.max_position_notional(999_000_000, GENESIS) == 999_000_000
    assert liquidation.max_position_notional(9_000_000_000, GENESIS) == 1_000_000_000
    assert liquidation.max_position_notional(20_000_000_000, GENESIS) == 2_000_000_000


def test_size_is_rounded_down_to_whole_steps_and_is_at_least_one():
    # 10 lots of $2,000: 10 % is $2,000: one lot.
    assert liquidation.liquidation_delta(10, 2_000_000_000, 0, GENESIS) == -1
    # 15 lots: 10 % is $3,000, one lot and a half: one lot.
    assert liquidation.liquidation_delta(15, 2_000_000_000, 0, GENESIS) == -1
    # The step is 4 lots and the limit buys 3: one step all the same.
    assert liquidation.liquidation_delta(30, 2_000_000_000, 0, GENESIS, 4) == -4
    # The step is 4, the limit buys 9: two steps.
    assert liquidation.liquidation_delta(-90, 2_000_000_000, 0, GENESIS, 4) == 8


def test_a_position_of_one_step_is_closed_whole():
    assert liquidation.liquidation_delta(-4, 1_000_000_000_000, 0, GENESIS, 4) == 4
    assert liquidation.liquidation_delta(3, 1_000_000_000_000, 0, GENESIS, 4) == -3


def test_what_was_liquidated_in_this_block_counts_against_the_account():
    rules = GENESIS._replace(max_position_portion_ppm=1_000_000)
    assert liquidation.liquidation_delta(100, 2_000_000_000, 0, rules) == -50
    assert (
        liquidation.liquidation_delta(100, 2_000_000_000, 60_000_000_000, rules) == -20
    )


@EXACT
@given(
    lanes(
        st.tuples(
            markets,
            signed(26).filter(bool),
            st.integers(0, 1_000_000),
            below(50),
            below(50),
            st.integers(1, 50),
        ),
        8,
    )
)
def test_liquidation_size_equals_the_specification(cases):
    expected, rows = [], []
    for m, q, portion, least, used, step in cases:
        rules = GENESIS._replace(
            min_position_notional=least,
            max_position_portion_ppm=portion,
            max_account_notional=1 << 50,
        )
        per_lot = m.ticks * m.multiplier
        room = (1 << 50) - used
        expected.append(
            reference_rules.liquidation_delta(m, q, least, portion, room, step)
        )
        assert (
            liquidation.liquidation_delta(q, per_lot, used, rules, step) == expected[-1]
        )
        rows.append((q, per_lot, used, least, portion, step))
    got = _sizes(*(array(c) for c in zip(*rows, strict=True)))
    assert got.tolist() == expected


@jax.jit
def _sizes(lots, per_lot, used, least, portion, step):
    rules = GENESIS._replace(
        min_position_notional=least,
        max_position_portion_ppm=portion,
        max_account_notional=1 << 50,
    )
    return liquidation.liquidation_delta(lots, per_lot, used, rules, step)


# --- order -------------------------------------------------------------------------


def test_the_market_to_liquidate_starts_at_a_random_position():
    is_open = [True, False, True, True]
    done = [False] * 4
    pick = liquidation.market_to_liquidate
    assert [int(pick(is_open, done, k)) for k in range(3)] == [0, 2, 3]
    done[2] = True
    assert [int(pick(is_open, done, k)) for k in range(3)] == [0, 3, 3]
    assert int(pick(is_open, is_open, 1)) == -1
    assert int(pick([False] * 4, done, 0)) == -1


def test_liquidation_holds_no_floating_point():
    one = array([1])
    assert not inexact_dtypes(fillable_ticks, *([one] * 8))
    assert not inexact_dtypes(_sizes, *([one] * 6))
    assert not inexact_dtypes(
        liquidation.market_to_liquidate, np.ones((1, 3)) > 0, np.ones((1, 3)) > 1, one
    )


def test_rules_name_the_genesis_of_the_venue():
    usd = 1_000_000
    assert GENESIS == LiquidationRules(
        max_fee_ppm=15_000,
        bankruptcy_adjustment_ppm=1_000_000,
        spread_to_maintenance_ppm=1_500_000,
        min_position_notional=1_000 * usd,
        max_position_portion_ppm=100_000,
        max_account_notional=100_000 * usd,
        max_account_insurance=1_000_000 * usd,
    )
    assert Tier(1, 1).oi_upper == 0
