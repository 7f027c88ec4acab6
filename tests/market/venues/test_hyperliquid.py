"""Hyperliquid and Drift: margins, stages, ADL index, medians, mark, funding."""

import math
from fractions import Fraction

import jax
import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.rules import ranking
from market.venues import drift, hyperliquid
from market.venues.hyperliquid import LiquidationStage, MarginTier
from tests.market.ints import EXACT, array, below, lanes, signed

# --- margin ------------------------------------------------------------------------


def test_initial_margin_is_notional_over_leverage():
    assert hyperliquid.initial_margin(10_000, 20) == 500
    assert hyperliquid.initial_margin(10, 3) == Fraction(10, 3)


@pytest.mark.parametrize(
    ("max_leverage", "percent"),
    [(50, Fraction(1)), (40, Fraction(5, 4)), (25, Fraction(2)), (3, Fraction(50, 3))],
)
def test_maintenance_is_half_the_initial_margin_at_max_leverage(max_leverage, percent):
    assert hyperliquid.maintenance_margin(100, max_leverage) == percent
    assert hyperliquid.maintenance_leverage(max_leverage) == 2 * max_leverage


def test_account_value_is_collateral_and_profit():
    value = hyperliquid.account_value(1_000, [(2, 100, 110), (-1, 50, 40)])
    assert value == 1_030
    assert hyperliquid.margin_available(value, 30) == 1_000


def test_tiered_maintenance_is_continuous_at_the_bounds():
    tiers = [MarginTier(0, 50), MarginTier(100, 10), MarginTier(1_000, 5)]
    value = hyperliquid.tiered_maintenance
    assert value(99, tiers) == Fraction(99, 100)
    assert value(100, tiers) == 1
    assert value(200, tiers) == 1 + Fraction(100, 20)
    assert value(1_000, tiers) == 1 + Fraction(900, 20)
    assert value(2_000, tiers) == 46 + Fraction(1_000, 10)


# --- liquidation -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "stage"),
    [(90, "SAFE"), (89, "BOOK"), (60, "BOOK"), (59, "BACKSTOP"), (-1, "BACKSTOP")],
)
def test_stages_of_a_liquidation(value, stage):
    assert hyperliquid.liquidation_stage(value, 90) is LiquidationStage[stage]


def test_two_thirds_are_compared_without_rounding():
    assert hyperliquid.liquidation_stage(66, 100) is LiquidationStage.BACKSTOP
    assert hyperliquid.liquidation_stage(67, 100) is LiquidationStage.BOOK


def test_large_positions_are_sent_in_part():
    size = hyperliquid.liquidation_size
    limit = 100_000_000_000
    assert size(1_000, limit, -1) == 1_000
    assert size(1_000, limit + 1, -1) == 200
    assert size(1_001, limit + 1, -1) == 201  # rounded up to a unit


def test_after_a_partial_liquidation_the_rest_follows_whole():
    size = hyperliquid.liquidation_size
    big = 200_000_000_000
    assert [size(800, big, t) for t in (0, 29, 30)] == [800, 800, 160]
    assert [size(800, big, t, waits=True) for t in (-1, 0, 29, 30)] == [160, 0, 0, 800]
    got = size(array([800] * 3), array([big] * 3), array([-1, 0, 30]))
    assert got.tolist() == [160, 800, 160]


def test_at_the_liquidation_price_the_value_meets_the_requirement():
    # Long 2 at 100 with value 50, at most 20 times leverage: requirement 1/40.
    price = hyperliquid.liquidation_price(100, True, 50 - 5, 2, 40)
    value = 50 + 2 * (price - 100)
    assert value == 2 * price / 40
    price = hyperliquid.liquidation_price(100, False, 50 - 5, 2, 40)
    value = 50 - 2 * (price - 100)
    assert value == 2 * price / 40


@EXACT
@given(
    st.integers(1, 10**6),
    st.booleans(),
    signed(30),
    st.integers(1, 10**4),
    st.integers(2, 50),
)
def test_liquidation_price_solves_its_equation(price, is_long, value, size, leverage):
    l_ = Fraction(1, 2 * leverage)
    available = value - size * price * l_
    at = hyperliquid.liquidation_price(price, is_long, available, size, 2 * leverage)
    side = 1 if is_long else -1
    assert value + side * size * (at - price) == size * at * l_


def test_the_backstop_takes_everything_or_one_isolated_position():
    assert hyperliquid.backstop(40, (3, -2)) == (40, (3, -2), (0, 0))
    assert hyperliquid.backstop(40, (3, -2), isolated=0) == (40, (3, 0), (0, -2))


# --- auto-deleveraging -------------------------------------------------------------


def test_adl_starts_below_zero():
    assert hyperliquid.is_adl_due(-1)
    assert not hyperliquid.is_adl_due(0)


def test_shorts_rank_by_profit_or_as_documented():
    index = hyperliquid.adl_index
    assert index(110, 100, 300, 100, True) == Fraction(33, 10)
    assert index(110, 100, 300, 100, True, invert_shorts=False) == Fraction(33, 10)
    assert index(50, 100, 200, 100, False) == 4
    assert index(50, 100, 200, 100, False, invert_shorts=False) == 1


def test_the_queue_closes_the_highest_index_first_at_the_previous_mark():
    indices = [Fraction(1), Fraction(3), Fraction(3)]
    assert hyperliquid.adl_queue(indices, [5, 2, 2], 5) == [1, 2, 2]
    assert hyperliquid.adl_queue(indices, [5, 2, 2], 3) == [0, 2, 1]
    assert hyperliquid.adl_quote(-3, 100, 10) == -3_000


score = jax.jit(ranking.hyperliquid_score, static_argnames="invert_shorts")


@pytest.mark.parametrize("invert", [True, False])
@EXACT
@given(
    lanes(
        st.tuples(
            below(20, 1), below(20, 1), below(30, 1), below(40, 1), st.booleans()
        ),
        8,
    )
)
def test_scores_of_arrays_are_the_index_in_32_bits(invert, rows):
    mark, entry, notional, value, is_short = zip(*rows, strict=True)
    got = score(
        array(mark),
        array(entry),
        array(notional),
        array(value),
        array(is_short) == 1,
        invert_shorts=invert,
    ).tolist()
    for (m, e, n, v, short), key in zip(rows, got, strict=True):
        exact = hyperliquid.adl_index(m, e, n, v, not short, invert) * 2**32
        if exact < 1 << 61:
            # One unit for the first floor (times the leverage) and one for the second.
            assert exact - Fraction(n, v) - 1 < key <= exact


def test_accounts_below_zero_rank_first():
    one = array([1] * 3)
    notional, value = array([1, 100, 1]), array([0, 1, -5])
    got = score(one, one, notional, value, array([0] * 3) == 1)
    assert got[0] > got[1] < got[2]


# --- oracle and mark ---------------------------------------------------------------


def test_weighted_median_of_the_spot_venues():
    # Binance 3, OKX 2, Bybit 2, then five ones: twelve in all.
    assert sum(hyperliquid.SPOT_WEIGHTS) == 12
    assert sum(hyperliquid.EXTERNAL_WEIGHTS) == 9
    prices = [100, 101, 102, 103, 104, 105, 106, 107]
    # Weight up to 100: 3, 101: 5, 102: 7 of 12.
    assert hyperliquid.weighted_median(prices, hyperliquid.SPOT_WEIGHTS) == 102
    assert hyperliquid.weighted_median(prices[:5], hyperliquid.EXTERNAL_WEIGHTS) == 101


def test_a_weight_split_in_halves_takes_the_mean_rounded_down():
    assert hyperliquid.weighted_median([10, 21], [2, 2]) == 15
    assert hyperliquid.weighted_median([10, 20, 30], [1, 1, 2]) == 25
    assert hyperliquid.weighted_median([30, 10, 20], [2, 1, 1]) == 25
    assert hyperliquid.weighted_median([10, 20, 30], [0, 1, 0]) == 20
    with pytest.raises(ValueError, match="at least one"):
        hyperliquid.weighted_median([10], [0])


def test_the_oracle_price_is_weighted_by_stake():
    assert hyperliquid.oracle_price([100, 200, 300], [1, 1, 3]) == 300


def test_decay_factors_are_exact_to_the_bit():
    tau = 150_000_000
    for elapsed in (0, 1, 3_000_000, tau, 10 * tau):
        factor = hyperliquid.decay_factor(elapsed, tau)
        assert abs(factor / 2**40 - math.exp(-elapsed / tau)) < 2**-40 + 1e-15
    assert hyperliquid.decay_factor(0, tau) == 1 << 40


def test_the_mean_of_a_constant_is_that_constant():
    decay = hyperliquid.decay_factor(3_000_000, 150_000_000)
    ema = hyperliquid.Ema(0, 0)
    assert hyperliquid.oracle.ema_value(ema) == 0
    for _ in range(200):
        ema = hyperliquid.updated_ema(ema, 700, 3_000_000, decay)
    assert hyperliquid.oracle.ema_value(ema) in (699, 700)


def test_the_mean_forgets_with_its_time_constant():
    elapsed, tau = 3_000_000, 150_000_000
    decay = hyperliquid.decay_factor(elapsed, tau)
    ema, exact_num, exact_den = hyperliquid.Ema(0, 0), 0.0, 0.0
    for sample in [10_000] * 50 + [0] * 50:
        ema = hyperliquid.updated_ema(ema, sample, elapsed, decay)
        keep = math.exp(-elapsed / tau)
        exact_num = exact_num * keep + sample * elapsed
        exact_den = exact_den * keep + elapsed
    assert abs(hyperliquid.oracle.ema_value(ema) - exact_num / exact_den) < 2


def test_the_mean_of_arrays_equals_plain_integers():
    decay = hyperliquid.decay_factor(3_000_000, 150_000_000)
    plain, arrays = hyperliquid.Ema(0, 0), hyperliquid.Ema(array([0]), array([0]))
    for sample in (5, -7, 1_000_000, -3):
        plain = hyperliquid.updated_ema(plain, sample, 3_000_000, decay)
        arrays = hyperliquid.updated_ema(arrays, array([sample]), 3_000_000, decay)
    assert (int(arrays.numerator[0]), int(arrays.denominator[0])) == plain
    value = hyperliquid.oracle.ema_value
    assert value(arrays).tolist() == [value(plain)]


@pytest.mark.parametrize(
    ("oracle", "basis", "book", "external", "book_ema", "mark"),
    [
        (10_000, 20, (10_005, 10_015, 10_010), 10_018, None, 10_018),
        (10_000, 20, (10_005, 10_015, 10_010), 10_030, None, 10_020),
        # Two components: the 30 s mean of the book decides.
        (10_000, 20, (10_005, 10_015, 10_010), None, 10_012, 10_012),
        (10_000, 20, (10_005, 10_015, 10_010), None, 10_050, 10_020),
        (10_000, 20, None, 10_031, None, 10_025),
        (10_000, 20, None, None, 99, 10_020),  # only one: no mean is added
        (None, 0, (1, 9, 4), None, None, 4),
    ],
)
def test_the_mark_is_the_median_of_its_components(
    oracle, basis, book, external, book_ema, mark
):
    got = hyperliquid.mark_price(oracle, basis, book, external, book_ema)
    assert got == mark


def test_a_mark_needs_a_component():
    with pytest.raises(ValueError, match="needs an oracle price"):
        hyperliquid.mark_price(None, 0, None, None)


# --- funding -----------------------------------------------------------------------


def test_premium_is_measured_outside_of_the_impact_prices():
    assert hyperliquid.premium(1_010, 1_011, 1_000) == 10_000
    assert hyperliquid.premium(980, 995, 1_000) == -5_000
    assert hyperliquid.premium(999, 1_001, 1_000) == 0
    assert hyperliquid.premium(2, 2, 3) == -333_333  # toward zero


@pytest.mark.parametrize(
    ("premium", "rate"),
    [
        (0, 100),  # interest alone: 0.01 %
        (100, 100),
        (600, 100),  # the clamp just holds: 100 - 600 = -500
        (601, 101),
        (-400, 100),  # 100 + 400 = 500
        (-401, 99),
        (1_000, 500),
        (-1_000, -500),
    ],
)
def test_the_rate_is_premium_plus_clamped_interest(premium, rate):
    assert hyperliquid.rate_8h(premium) == rate
    assert int(hyperliquid.rate_8h(array(premium))) == rate


def test_the_hourly_rate_is_an_eighth_and_capped():
    assert hyperliquid.hourly_rate(0) == 100
    assert hyperliquid.hourly_rate(10**7) == 8 * 40_000
    assert hyperliquid.hourly_rate(-(10**7)) == -8 * 40_000
    assert hyperliquid.hourly_rate(0, unit=10**9) == 100_000


def test_funding_is_paid_at_the_oracle_price_and_floored():
    # $1m at 100/8 ppm: 12.5 quanta of 1e6.
    assert hyperliquid.funding_payment(1, 1_000_000, 100) == -13
    assert hyperliquid.funding_payment(-1, 1_000_000, 100) == 12
    assert hyperliquid.funding_payment(-2, 1_000_000, -100) == -25
    got = hyperliquid.funding_payment(array([1, -1]), 1_000_000, 100)
    assert got.tolist() == [-13, 12]


# --- Drift -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shortage", "ratio", "fee", "insurance", "price", "base"),
    [
        # $10 short, 10 % margin, $100: one unit frees $10.
        (10_000_000, 1_000, 0, 0, 100_000_000, 10**9),
        # A 1 % fee leaves $9 a unit.
        (10_000_000, 1_000, 10_000, 0, 100_000_000, 10_000_000 * 10**9 // 9_000_000),
        # And 1 % for the insurance fund leaves $8.
        (10_000_000, 1_000, 10_000, 10_000, 100_000_000, 1_250_000_000),
        (0, 1_000, 10_000, 10_000, 100_000_000, 0),
        (
            1,
            1_000,
            100_000,
            0,
            100_000_000,
            drift.NOTHING_COVERS,
        ),  # the fee eats the margin
        (1, 1_000, 50_000, 50_000, 100_000_000, drift.NOTHING_COVERS),
        (1, 1_000, 50_000, 60_000, 100_000_000, drift.NOTHING_COVERS),
        (1, 1_000, 0, 0, 0, drift.NOTHING_COVERS),
    ],
)
def test_drift_base_that_covers_a_shortage(
    shortage, ratio, fee, insurance, price, base
):
    got = drift.base_to_cover_shortage(shortage, ratio, fee, insurance, price)
    assert got == base


def test_drift_prices_the_quote_asset_too():
    got = drift.base_to_cover_shortage(10_000_000, 1_000, 0, 0, 100_000_000, 500_000)
    assert got == 2 * 10**9


@EXACT
@given(below(50), below(50, 1), below(50))
def test_a_socialised_loss_is_covered_by_both_sides(loss, longs, shorts):
    rate = drift.social_loss_rate(loss, longs, -shorts)
    assert rate == math.ceil(Fraction(loss * 10**9, longs + shorts))
    paid = drift.social_loss_payment(rate, longs)
    paid += drift.social_loss_payment(rate, -shorts)
    assert paid >= loss
