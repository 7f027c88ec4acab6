"""dYdX v4 in its own units: conversions, margins, liquidations, funding lists."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.rules.liquidation import LiquidationRules
from market.rules.margin import Risk, Tier
from market.twin import rules as reference_rules
from market.venues import dydx_v4
from market.venues.dydx_v4 import Perpetual, UpdateResult
from tests.market.ints import EXACT, below, signed

#: BTC as in production: 1e-10 coins a quantum; $50,000 with five decimals.
BTC = Perpetual(atomic_resolution=-10, price=5_000_000_000, exponent=-5)
#: ETH: 1e-9 coins; $3,000 with six decimals.
ETH = Perpetual(atomic_resolution=-9, price=3_000_000_000, exponent=-6)

# --- conversions -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("base", "perpetual", "quote"),
    [
        (10**10, BTC, 50_000_000_000),  # one bitcoin, $50,000
        (-(10**10), BTC, -50_000_000_000),
        (10**9, ETH, 3_000_000_000),
        (1, BTC, 5),  # 1e-10 bitcoin is 5e-6 USD
        (0, BTC, 0),
    ],
)
def test_base_to_quote(base, perpetual, quote):
    assert perpetual.to_quote(base) == quote


def test_conversions_are_truncated_toward_zero():
    small = Perpetual(atomic_resolution=-8, price=123_456, exponent=-5)  # $1.23456
    assert small.to_quote(99) == 1  # 1.2222144 quanta
    assert small.to_quote(-99) == -1
    assert small.to_quote(-80) == 0
    assert dydx_v4.quote_to_base(1, -8, 123_456, -5) == 81
    assert dydx_v4.quote_to_base(-1, -8, 123_456, -5) == -81


def test_positive_exponents_multiply():
    assert dydx_v4.base_to_quote(-3, -4, 7, 0) == -2100
    assert dydx_v4.base_to_quote(3, 2, 7, -8) == 21
    assert dydx_v4.quote_to_base(-2199, -4, 7, 0) == -3
    # Two truncations give what one would: 2199 / 100 / 7.
    assert dydx_v4.quote_to_base(2199, -4, 7, 0) == 2199 // 700


@EXACT
@given(signed(80), st.integers(-12, 2), below(64, 1), st.integers(-12, 2))
def test_conversions_equal_the_exact_fraction_truncated(
    base, resolution, price, exponent
):
    exact = Fraction(base * price) * Fraction(10) ** (exponent + resolution + 6)
    assert dydx_v4.base_to_quote(base, resolution, price, exponent) == int(exact)
    inverse = Fraction(base, price) / Fraction(10) ** (exponent + resolution + 6)
    assert dydx_v4.quote_to_base(base, resolution, price, exponent) == int(inverse)


def test_mul_ppm_floors_unless_told_to_round_up():
    assert dydx_v4.mul_ppm(7, 500_000) == 3
    assert dydx_v4.mul_ppm(-7, 500_000) == -4
    assert dydx_v4.mul_ppm(7, 500_000, round_up=True) == 4
    assert dydx_v4.mul_ppm(-7, 500_000, round_up=True) == -3


def test_fill_amounts_are_floored():
    assert dydx_v4.fill_quote(12_345, 67, -5) == 8  # 8.27
    assert dydx_v4.fill_quote(12_345, 67, 2) == 82_711_500
    assert dydx_v4.average_price_subticks(8, 67, -5) == Fraction(800_000, 67)


def test_an_oracle_price_in_subticks_is_exact():
    assert dydx_v4.price_to_subticks(5_000_000_000, -5, -10, -8) == 500_000_000
    assert dydx_v4.price_to_subticks(1, -5, -10, -8) == Fraction(1, 10)


# --- margin ------------------------------------------------------------------------


def test_margin_of_one_bitcoin():
    risk = dydx_v4.position_risk(10**10, BTC, dydx_v4.LARGE_CAP)
    assert risk == Risk(nc=50_000_000_000, imr=1_000_000_000, mmr=600_000_000)
    short = dydx_v4.position_risk(-(10**10), BTC, dydx_v4.LARGE_CAP, quote_balance=7)
    assert short == Risk(nc=-49_999_999_993, imr=1_000_000_000, mmr=600_000_000)


def test_open_interest_scales_the_initial_requirement_only():
    # 1,400 bitcoin open at $50,000: $70m, half-way between 40 and 100.
    crowded = BTC._replace(open_interest=1_400 * 10**10)
    risk = dydx_v4.position_risk(10**10, crowded, dydx_v4.MID_CAP)
    assert dydx_v4.initial_margin_ppm(dydx_v4.MID_CAP, 70 * 10**12) == 525_000
    assert risk.imr == 26_250_000_000
    assert risk.mmr == 1_500_000_000


def test_chosen_leverage_tightens_the_initial_requirement():
    risk = dydx_v4.position_risk(10**10, BTC, dydx_v4.LARGE_CAP, custom_imf_ppm=200_000)
    assert risk.imr == 10_000_000_000


def test_account_risk_adds_up_positions():
    risk = dydx_v4.account_risk(
        1_000,
        [(10**10, BTC, dydx_v4.LARGE_CAP), (-(10**9), ETH, dydx_v4.LARGE_CAP)],
    )
    assert risk == Risk(
        nc=1_000 + 50_000_000_000 - 3_000_000_000,
        imr=1_000_000_000 + 60_000_000,
        mmr=600_000_000 + 36_000_000,
    )


def test_transitions_say_whether_the_account_was_sound_before():
    sound, poor = Risk(100, 50, 30), Risk(40, 50, 30)
    worse = Risk(10, 50, 30)
    assert (
        dydx_v4.check_transition(sound, worse) is UpdateResult.NEWLY_UNDERCOLLATERALIZED
    )
    assert (
        dydx_v4.check_transition(poor, worse) is UpdateResult.STILL_UNDERCOLLATERALIZED
    )
    assert dydx_v4.check_transition(poor, Risk(41, 50, 30)) is UpdateResult.SUCCESS
    assert dydx_v4.check_transition(poor, Risk(50, 50, 49)) is UpdateResult.SUCCESS


# --- liquidation -------------------------------------------------------------------

GENESIS = LiquidationRules()


def test_bankruptcy_price_of_a_whole_bitcoin():
    # Long one bitcoin, owing $49,900: $100 of equity. Sold at $49,900 nothing is left.
    total = dydx_v4.account_risk(-49_900_000_000, [(10**10, BTC, dydx_v4.LARGE_CAP)])
    price = dydx_v4.bankruptcy_price(10**10, -(10**10), BTC, dydx_v4.LARGE_CAP, total)
    assert price == 49_900_000_000
    half = dydx_v4.bankruptcy_price(
        10**10, -(10**10) // 2, BTC, dydx_v4.LARGE_CAP, total
    )
    assert half == 24_950_000_000
    # A short that holds $50,100.
    total = dydx_v4.account_risk(50_100_000_000, [(-(10**10), BTC, dydx_v4.LARGE_CAP)])
    price = dydx_v4.bankruptcy_price(-(10**10), 10**10, BTC, dydx_v4.LARGE_CAP, total)
    assert price == -50_100_000_000


@pytest.mark.parametrize("delta", [0, 1, -(10**10) - 1])
def test_a_delta_that_does_not_reduce_the_position_is_an_error(delta):
    with pytest.raises(ValueError, match="does not reduce"):
        dydx_v4.bankruptcy_price(10**10, delta, BTC, dydx_v4.LARGE_CAP, Risk(0, 1, 1))


def test_fillable_price_and_its_subticks():
    tier = dydx_v4.LARGE_CAP
    total = dydx_v4.account_risk(-49_700_000_000, [(10**10, BTC, tier)])
    # TNC $300, TMMR $600: half the spread of 1.5 * $600 = $450 below $50,000.
    price = dydx_v4.fillable_price(10**10, BTC, tier, total, GENESIS)
    assert price == Fraction(49_550_000_000, 10**10)
    to_subticks = dydx_v4.fillable_price_to_subticks
    assert to_subticks(price, True, -8, 100_000) == 495_500_000
    assert to_subticks(price, True, -8, 10_000_000) == 500_000_000
    assert to_subticks(price, False, -8, 10_000_000) == 490_000_000


def test_fillable_subticks_are_rounded_twice_the_same_way_and_clamped():
    to_subticks = dydx_v4.fillable_price_to_subticks
    # 10.5 subticks with ticks of 5: a long rounds up to 11, then to 15.
    assert to_subticks(Fraction(21, 2), True, 0, 5) == 15
    assert to_subticks(Fraction(21, 2), False, 0, 5) == 10
    assert to_subticks(Fraction(0), False, 0, 5) == 5
    assert to_subticks(Fraction(0), True, 0, 5) == 5
    most = (1 << 64) - 1
    assert to_subticks(Fraction(1 << 70), True, 0, 10) == most - most % 10
    assert to_subticks(Fraction(3, 1000), True, -3, 1) == 3
    assert to_subticks(Fraction(3000), False, 3, 1) == 3


def test_insurance_delta_of_a_fill():
    tier = dydx_v4.LARGE_CAP
    total = dydx_v4.account_risk(-49_900_000_000, [(10**10, BTC, tier)])
    rest = (-8, BTC, tier, total, GENESIS)
    delta = dydx_v4.liquidation_insurance_delta
    # Sold at $49,950: $50 above the bankruptcy price.
    assert delta(10**10, 10**10, 499_500_000, *rest) == 50_000_000
    # At $50,700 the fee is capped at 1.5 % of the quote.
    assert delta(10**10, 10**10, 507_000_000, *rest) == 760_500_000
    # At $49,800 the fund pays $100.
    assert delta(10**10, 10**10, 498_000_000, *rest) == -100_000_000
    # A short buying back above its bankruptcy price.
    total = dydx_v4.account_risk(50_100_000_000, [(-(10**10), BTC, tier)])
    rest = (-8, BTC, tier, total, GENESIS)
    assert delta(-(10**10), 10**10, 502_000_000, *rest) == -100_000_000


def test_size_of_a_liquidation():
    sized = dydx_v4.liquidatable_delta
    # 10 % of $50,000 is $5,000: a tenth of a bitcoin.
    assert sized(10**10, BTC, GENESIS) == -(10**9)
    assert sized(-(10**10), BTC, GENESIS) == 10**9
    # $900 is below the $1,000 minimum: all of it.
    assert sized(18 * 10**7, BTC, GENESIS) == -18 * 10**7
    # $100,000 an account and block, $99,000 used: $1,000.
    assert sized(10**11, BTC, GENESIS, used_notional=99_000_000_000) == -2 * 10**8
    # Rounded down to steps, at least one.
    assert sized(10**10, BTC, GENESIS, step_base=7 * 10**8) == -7 * 10**8
    assert sized(10**10, BTC, GENESIS, step_base=3 * 10**9) == -3 * 10**9


def test_deleveraging_is_at_the_bankruptcy_price_or_the_oracle():
    tier = dydx_v4.LARGE_CAP
    total = dydx_v4.account_risk(-50_100_000_000, [(10**10, BTC, tier)])
    args = (10**10, -(10**10), BTC, tier, total)
    assert dydx_v4.deleveraging_quote(*args) == 50_100_000_000
    last = dydx_v4.deleveraging_quote(*args, is_wound_up=True)
    assert last == 50_000_000_000


def test_liquidations_are_sorted_by_distance_then_size_then_hash():
    orders = [
        (95, Fraction(100), 10, b"b"),
        (105, Fraction(100), 10, b"a"),
        (90, Fraction(100), 1, b"c"),
        (190, Fraction(200), 20, b"d"),
    ]
    assert dydx_v4.sort_liquidations(orders) == [2, 3, 1, 0]


# --- isolated pools: the halt of 10 October 2025 ------------------------------------


def test_the_insurance_fund_pays_before_what_is_left_moves_to_the_cross_pool():
    # The whole open interest closes in one fill and leaves the account $30 short; the
    # fund of $1,000 pays. Nothing is left to transfer, and nothing is created.
    pools = dydx_v4.Pools(isolated=-30, cross=5_000, insurance=1_000)
    after, balance = dydx_v4.close_isolated_position(pools, -30, -30)
    assert after == dydx_v4.Pools(isolated=0, cross=5_000, insurance=970)
    assert balance == 0
    assert sum(after) == sum(pools)


def test_the_other_order_halts_although_the_fund_could_pay():
    pools = dydx_v4.Pools(isolated=-30, cross=5_000, insurance=1_000)
    with pytest.raises(ValueError, match=r"transfer of -30 .* is negative"):
        dydx_v4.faulty_close_isolated_position(pools, -30, -30)


@EXACT
@given(signed(20), signed(20), below(20), below(20))
def test_both_orders_agree_on_solvent_accounts_and_conserve(quote, delta, cross, fund):
    pools = dydx_v4.Pools(isolated=quote, cross=cross, insurance=fund)
    if fund + delta < 0 or quote - delta < 0:
        with pytest.raises(ValueError, match=r"cannot pay|negative"):
            dydx_v4.close_isolated_position(pools, quote, delta)
        return
    after, balance = dydx_v4.close_isolated_position(pools, quote, delta)
    assert sum(after) == sum(pools)
    assert after.isolated == 0
    assert after.cross - cross == balance >= 0
    if quote >= 0:
        faulty = dydx_v4.faulty_close_isolated_position(pools, quote, delta)
        assert faulty == (after, balance)


def test_a_fund_that_cannot_pay_is_an_error_and_not_a_debt():
    pools = dydx_v4.Pools(isolated=-30, cross=0, insurance=29)
    with pytest.raises(ValueError, match="cannot pay 30"):
        dydx_v4.close_isolated_position(pools, -30, -30)


def test_withdrawals_are_gated_for_50_blocks_after_negative_equity_or_an_outage():
    blocked = dydx_v4.are_withdrawals_blocked
    assert not blocked(100, None)
    assert [blocked(h, 100) for h in (100, 149, 150)] == [True, True, False]
    assert [blocked(h, None, 100) for h in (149, 150)] == [True, False]
    assert blocked(149, 10, 100)
    assert [dydx_v4.is_outage(s) for s in (299, 300)] == [False, True]


# --- funding -----------------------------------------------------------------------

levels = st.lists(
    st.tuples(st.integers(900, 1_100), st.integers(1, 50)),
    max_size=5,
    unique_by=lambda level: level[0],
)


@EXACT
@given(levels, levels, st.integers(890, 1_110), st.integers(0, 90_000))
def test_premium_votes_equal_the_specification(low, high, index, impact):
    bids = sorted(low, reverse=True)
    asks = sorted((t, q) for t, q in high if not bids or t > bids[0][0])
    got = dydx_v4.premium_vote(Fraction(index), bids, asks, impact, 50_000)
    assert got == reference_rules.premium_vote(index, bids, asks, impact, 1, 50_000, 1)


def test_the_impact_size_is_rounded_up_once():
    # 100 quote at 3: 33.3 base -> 34, so the average is 100/34.
    price = dydx_v4.impact_price_subticks([(3, 1_000)], 100, 0)
    assert price == Fraction(100, 34)
    assert dydx_v4.impact_price_subticks([(3, 33)], 100, 0) is None
    assert dydx_v4.impact_price_subticks([], 0, 0) is None
    assert dydx_v4.impact_price_subticks([(7, 1)], 0, 0) == 7


def test_samples_are_medians_padded_with_zeros():
    assert dydx_v4.funding_sample([5, 7], 2, minimum=2) == 6
    assert dydx_v4.funding_sample([5, 8], 2, minimum=2) == 7
    assert dydx_v4.funding_sample([-5, -8], 2, minimum=2) == -7
    assert dydx_v4.funding_sample([9, 9, 9], 5, minimum=1) == 9
    assert dydx_v4.funding_sample([9, 9, 9], 6, minimum=1) == 5  # 4.5, away from zero


@EXACT
@given(st.lists(signed(20), max_size=9), st.integers(0, 20), st.integers(1, 20))
def test_samples_equal_the_specification(votes, blocks, minimum):
    blocks = max(blocks, len(votes))
    expected = reference_rules.sample(votes, blocks, minimum)
    assert dydx_v4.funding_sample(votes, blocks, minimum) == expected


def test_tails_are_removed_symmetrically_with_the_odd_one_at_the_top():
    tails = dydx_v4.remove_tails
    assert tails([5, 1, 3, 2, 4], 200_000) == [2, 3, 4]
    assert tails([5, 1, 3, 2, 4], 300_000) == [2, 3]
    assert tails([5, 1, 3], 100_000) == [5, 1, 3]
    assert tails([5, 1, 3], 500_000) == [5, 1, 3]


def test_premium_rate_is_the_mean_of_an_hour_toward_zero():
    assert dydx_v4.premium_rate([60] * 59) == 59
    assert dydx_v4.premium_rate([-60] * 59 + [-1]) == -59
    assert dydx_v4.premium_rate([100, -1], ticks_in_epoch=2, minimum=2) == 49
    assert dydx_v4.premium_rate([-100, 1], ticks_in_epoch=2, minimum=2) == -49


def test_the_funding_index_truncates_the_price_conversion_and_then_the_division():
    # 100 ppm for an hour on bitcoin at $50,000: 360,000 ppm s * 5 = 1,800,000 / 28,800.
    assert dydx_v4.funding_index_delta(100, 3_600, BTC) == 62
    assert dydx_v4.funding_index_delta(-100, 3_600, BTC) == -62
    # The conversion alone truncates: 7 * 123456 / 1e7 = 0.08 -> 0.
    tiny = Perpetual(atomic_resolution=-8, price=123_456, exponent=-5)
    assert dydx_v4.funding_index_delta(7, 1, tiny) == 0
    assert dydx_v4.funding_index_delta(-1_000_000, 28_800, tiny) == -12345


def test_settlement_is_one_floor_over_all_positions():
    pay = dydx_v4.funding_payment
    assert pay([(1, 500_000, 0)]) == -1
    assert pay([(-1, 500_000, 0)]) == 0
    assert pay([(1, 500_000, 0), (1, 500_000, 0)]) == -1
    assert pay([(3, 1_000_000, 2_000_000)]) == 3


def test_the_tiers_of_the_venue():
    rows = {
        dydx_v4.LARGE_CAP: (20_000, 600_000, 0, 0),
        dydx_v4.MID_CAP: (50_000, 600_000, 40, 100),
        dydx_v4.SMALL_CAP: (100_000, 500_000, 20, 50),
        dydx_v4.LONG_TAIL: (200_000, 500_000, 5, 10),
        dydx_v4.ISOLATED: (50_000, 600_000, 0.5, 1),
        dydx_v4.SAFETY: (1_000_000, 200_000, 2, 5),
        dydx_v4.FX: (10_000, 500_000, 0.5, 1),
    }
    for tier, (initial, share, lower, upper) in rows.items():
        millions = 10**12
        assert tier == Tier(initial, share, int(lower * millions), upper * millions)
