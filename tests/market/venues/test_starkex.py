"""StarkEx (dYdX v3): value, risk, transitions, funding, oracle, deleverage, escape."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.venues import starkex
from market.venues.starkex import ErrorCode, LimitOrder, Position, RiskSteps
from tests.market.ints import EXACT, below

ONE = 1 << 32
LAST = (1 << 128) - 1


def flat(percent):
    return RiskSteps((LAST,), (ONE * percent // 100,))


HALF = flat(50)

# --- value and risk ----------------------------------------------------------------


def test_value_and_risk_of_a_short():
    position = Position(collateral=100, balances=(-3,))
    tv, tr = starkex.status(position, (10 * ONE,), (HALF,))
    assert tv == 70 * ONE
    assert tr == 15 * ONE * ONE


def test_value_keeps_the_fraction_of_the_price():
    position = Position(collateral=-1, balances=(1,))
    tv, _ = starkex.status(position, (ONE // 2,), (HALF,))
    assert tv == -ONE // 2


@pytest.mark.parametrize(
    ("size", "factor"), [(0, 100), (9, 100), (10, 100), (11, 200), (20, 200), (21, 300)]
)
def test_risk_steps_by_balance_include_their_upper_bound(size, factor):
    steps = RiskSteps((10, 20, LAST), (100, 200, 300), by_balance=True)
    assert starkex.risk_factor(size, 7 * ONE, steps) == factor
    assert starkex.risk_factor(-size, 7 * ONE, steps) == factor


def test_risk_steps_by_notional_count_32_fractional_bits():
    steps = RiskSteps((70 * ONE, LAST), (100, 200))
    assert starkex.risk_factor(10, 7 * ONE, steps) == 100
    assert starkex.risk_factor(10, 7 * ONE + 1, steps) == 200
    assert starkex.risk_factor(-10, 7 * ONE + 1, steps) == 200


def test_one_factor_holds_for_the_whole_position():
    steps = RiskSteps((10, LAST), (ONE // 10, ONE // 2), by_balance=True)
    assert starkex.total_risk([11], [ONE], [steps]) == 11 * ONE * (ONE // 2)


def test_at_the_requirement_a_position_is_well_leveraged():
    tr = 5 * ONE * ONE
    assert starkex.is_well_leveraged(5 * ONE, tr)
    assert not starkex.is_liquidatable(5 * ONE, tr)
    assert starkex.is_liquidatable(5 * ONE - 1, tr)
    assert not starkex.is_deleveragable(0)
    assert starkex.is_deleveragable(-1)


def test_totals_out_of_range_are_errors():
    top = (1 << 63) * ONE
    assert starkex.check_status(top - 1, 0) == ErrorCode.SUCCESS
    assert starkex.check_status(top, 0) == ErrorCode.OUT_OF_RANGE_TOTAL_VALUE
    assert starkex.check_status(-top, 0) == ErrorCode.SUCCESS
    assert starkex.check_status(-top - 1, 0) == ErrorCode.OUT_OF_RANGE_TOTAL_VALUE
    risk = ONE**4
    assert starkex.check_status(0, risk - 1) == ErrorCode.SUCCESS
    assert starkex.check_status(0, risk) == ErrorCode.OUT_OF_RANGE_TOTAL_RISK


# --- transitions -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after", "smaller"),
    [
        ([5], [5], True),
        ([5], [4], True),
        ([5], [0], True),
        ([5], [6], False),
        ([5], [-1], False),
        ([-5], [-6], False),
        ([-5], [-4], True),
        ([0], [1], False),
        ([0, 5], [0, 5], True),
        ([-(1 << 63)], [-(1 << 63) + 1], True),
    ],
)
def test_smaller_holdings_keep_their_side(before, after, smaller):
    assert starkex.is_smaller(before, after) is smaller


@pytest.mark.parametrize(
    ("tv_0", "tr_0", "tv_1", "tr_1", "smaller", "code"),
    [
        (
            0,
            0,
            1,
            ONE,
            False,
            "SUCCESS",
        ),  # well leveraged afterwards: nothing else asked
        (-1, 100, -1, 100, False, "ENLARGING_SYNTHETIC_HOLDINGS"),
        (-1, 100, -1, 100, True, "SUCCESS"),
        (-1, 100, -2, 100, True, "REDUCING_TOTAL_VALUE_RISK_RATIO"),
        (-2, 100, -1, 50, True, "SUCCESS"),
        (-2, 100, -1, 49, True, "REDUCING_TOTAL_VALUE_RISK_RATIO"),
        # The sign trap: -1/100 is the better ratio, though 3 > 1.
        (-3, 100, -1, 100, True, "SUCCESS"),
        (-1, 100, -3, 100, True, "REDUCING_TOTAL_VALUE_RISK_RATIO"),
        (-5, 0, -5, 0, True, "SUCCESS"),
        (-5, 0, -6, 0, True, "NO_RISK_REDUCED_VALUE"),
        (-5, 0, -4, 0, True, "SUCCESS"),
    ],
)
def test_transitions(tv_0, tr_0, tv_1, tr_1, smaller, code):
    got = starkex.check_transition(tv_0, tr_0, tv_1, tr_1, smaller)
    assert got == ErrorCode[code]


def test_error_codes_are_those_of_the_program():
    assert ErrorCode.ENLARGING_SYNTHETIC_HOLDINGS == 1
    assert ErrorCode.NO_RISK_REDUCED_VALUE == 2
    assert ErrorCode.REDUCING_TOTAL_VALUE_RISK_RATIO == 3


# --- funding -----------------------------------------------------------------------


def test_funding_is_floored_so_that_one_is_lost_and_none_created():
    # Owed -0.5, -0.5 and +1: they get -1, -1 and +1.
    half = ONE // 2
    got = [starkex.funded_collateral(0, [b], [half]) for b in (1, 1, -2)]
    assert got == [-1, -1, 1]


def test_funding_is_floored_once_over_all_assets():
    half = ONE // 2
    assert starkex.funded_collateral(0, [1, 1], [half, half]) == -1
    assert starkex.funded_collateral(7, [1, -1], [half, half]) == 7


def test_funding_settles_the_cached_index():
    position = Position(10, (4, -2), (0, ONE))
    assert starkex.apply_funding(position, (ONE, 2 * ONE)) == Position(
        10 - 4 + 2, (4, -2), (ONE, 2 * ONE)
    )


def test_a_funding_tick_is_bounded_per_second():
    # 1120 / 2**32 a second is 0.751 % in eight hours.
    assert round(1120 / ONE * 28_800 * 100, 3) == 0.751
    price = 50 * ONE
    most = 1120 * price * 3_600 // ONE
    assert starkex.is_funding_tick_valid(5, 5 + most, 1120, price, 3_600)
    assert starkex.is_funding_tick_valid(5, 5 - most, 1120, price, 3_600)
    assert not starkex.is_funding_tick_valid(5, 6 + most, 1120, price, 3_600)
    assert not starkex.is_funding_tick_valid(5, 4 - most, 1120, price, 3_600)


def test_transactions_need_fresh_funding():
    assert starkex.is_funding_fresh(604_800, 0, 604_800)
    assert not starkex.is_funding_fresh(604_801, 0, 604_800)


# --- oracle ------------------------------------------------------------------------


def test_external_prices_round_a_half_up():
    assert starkex.internal_price(10**18, 1, 1) == ONE
    unit = 2 * 10**18
    for external in (0, 1, 10**9, 3 * 10**18 + 7):
        exact = Fraction(external * ONE, unit)
        assert starkex.internal_price(external, 1, 2) == (exact + Fraction(1, 2)) // 1


def test_exactly_a_half_goes_up():
    # external * 2**32 / (res * 1e18) = k + 1/2: with external = 5**18 and res = 2**15,
    # 5**18 * 2**32 / (2**15 * 2**18 * 5**18) = 1/2.
    assert starkex.internal_price(5**18, 1, 1 << 15) == 1


def test_a_median_has_half_on_either_side():
    assert starkex.is_median(20, [10, 20, 30])
    assert not starkex.is_median(21, [10, 20, 30])
    # With an even number everything between the middle two is a median.
    assert all(starkex.is_median(p, [10, 20, 30, 40]) for p in (20, 25, 30))
    assert not starkex.is_median(19, [10, 20, 30, 40])
    assert not starkex.is_median(31, [10, 20, 30, 40])


def test_oracle_prices_need_quorum_order_and_time():
    def check(signatures, quorum=2, price=ONE, earliest=5, latest=10):
        return starkex.check_oracle_price(
            price, signatures, quorum, 1, 1, earliest, latest
        )

    one = 10**18
    good = [(1, one, 5), (2, one, 10)]
    assert check(good) == ErrorCode.SUCCESS
    bad = ErrorCode.INVALID_ASSET_ORACLE_PRICE
    assert check(good, quorum=3) == bad
    assert check([(2, one, 5), (1, one, 5)]) == bad  # unsorted
    assert check([(1, one, 5), (1, one, 5)]) == bad  # the same signer twice
    assert check([(1, one, 4), (2, one, 10)]) == bad
    assert check([(1, one, 5), (2, one, 11)]) == bad
    assert check(good, price=ONE + 1) == bad
    assert check([(1, 0, 5), (2, 0, 5)], price=0) == bad


def test_ticks_within_a_batch_lie_between_the_signed_prices():
    assert starkex.is_tick_in_bounds(5, 5, 7)
    assert starkex.is_tick_in_bounds(7, 5, 7)
    assert not starkex.is_tick_in_bounds(8, 5, 7)
    assert not starkex.is_tick_in_bounds(4, 5, 7)


# --- orders ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("is_buying", "collateral", "synthetic", "code"),
    [
        (True, 4, 1, "SUCCESS"),  # 3.33 rounded up
        (True, 5, 1, "INVALID_FULFILLMENT_ASSETS_RATIO"),
        (True, 10, 3, "SUCCESS"),
        (True, 11, 3, "INVALID_FULFILLMENT_ASSETS_RATIO"),
        (True, 0, 1, "SUCCESS"),  # for free
        (True, 0, 0, "SUCCESS"),
        (False, 3, 1, "SUCCESS"),  # 3.33 rounded down
        (False, 2, 1, "INVALID_FULFILLMENT_ASSETS_RATIO"),
        (False, 10, 3, "SUCCESS"),
        (False, 9, 3, "INVALID_FULFILLMENT_ASSETS_RATIO"),
    ],
)
def test_limit_orders_are_fair_up_to_the_rounding(
    is_buying, collateral, synthetic, code
):
    order = LimitOrder(is_buying, 3, 10, 1)
    assert starkex.check_fairness(order, collateral, synthetic, 0) == ErrorCode[code]


def test_the_fee_is_no_larger_a_share_than_signed():
    order = LimitOrder(True, 3, 10, 1)
    assert starkex.check_fairness(order, 10, 3, 1) == ErrorCode.SUCCESS
    code = ErrorCode.INVALID_FULFILLMENT_FEE_RATIO
    assert starkex.check_fairness(order, 9, 3, 1) == code


@EXACT
@given(st.booleans(), below(64, 1), below(64, 1), below(64, 1))
def test_the_worst_fair_fill_is_one_unit_from_unfair(
    is_buying, amount, paid, synthetic
):
    order = LimitOrder(is_buying, amount, paid, 0)
    worst = starkex.worst_collateral(order, synthetic)
    worse = worst + 1 if is_buying else worst - 1
    assert starkex.check_fairness(order, worst, synthetic, 0) == ErrorCode.SUCCESS
    assert starkex.check_fairness(order, worse, synthetic, 0) != ErrorCode.SUCCESS


# --- liquidation -------------------------------------------------------------------

PRICES = (100 * ONE,)
TEN = (flat(10),)


def liquidate(collateral, held, synthetic, paid, is_buying=True):
    return starkex.check_liquidation(
        Position(collateral, (held,)), 0, synthetic, paid, is_buying, PRICES, TEN
    )


def test_only_positions_below_their_risk_are_liquidated():
    # Long 10 worth 1,000 with risk 100: liquidatable below a value of 100.
    assert liquidate(-901, 10, 10, 1_000) == ErrorCode.SUCCESS
    assert liquidate(-900, 10, 10, 1_000) == ErrorCode.UNLIQUIDATABLE_POSITION


def test_a_liquidation_shrinks_the_holding_on_its_own_side():
    enlarging = ErrorCode.ENLARGING_SYNTHETIC_HOLDINGS
    assert liquidate(-950, 10, 11, 1_100) == enlarging
    assert liquidate(-950, 10, 1, 100, is_buying=False) == enlarging
    assert liquidate(1_050, -10, 1, 100, is_buying=True) == enlarging
    assert liquidate(1_050, -10, 10, 1_050, is_buying=False) == ErrorCode.SUCCESS


def test_a_liquidation_may_not_lower_value_over_risk():
    # Value 50, risk 100. Selling 5 of 10 for 475 leaves 25 over 50: the same ratio.
    assert liquidate(-950, 10, 5, 475) == ErrorCode.SUCCESS
    code = ErrorCode.REDUCING_TOTAL_VALUE_RISK_RATIO
    assert liquidate(-950, 10, 5, 474) == code
    # Selling all leaves nothing at risk: any value from zero on is sound.
    assert liquidate(-950, 10, 10, 950) == ErrorCode.SUCCESS
    assert liquidate(-950, 10, 10, 949) == code


def test_balances_out_of_range_are_errors():
    position = Position(-(1 << 63), (10,))
    after = starkex.liquidation.traded(position, 0, -1, -1)
    code = starkex.liquidation.check_update(position, after, PRICES, TEN)
    assert code == ErrorCode.OUT_OF_RANGE_BALANCE


# --- deleveraging ------------------------------------------------------------------


def deleverage(synthetic, paid, collateral=-1_050, other=(5_000, -10), buying=True):
    return starkex.check_deleverage(
        Position(collateral, (10,)),
        Position(other[0], (other[1],)),
        0,
        synthetic,
        paid,
        buying,
        PRICES,
        TEN,
    )


def test_a_full_close_takes_the_bankrupt_to_exactly_zero():
    assert deleverage(10, 1_050) == ErrorCode.SUCCESS
    assert deleverage(10, 1_051) == ErrorCode.UNFAIR_DELEVERAGE
    assert deleverage(10, 1_049) == ErrorCode.REDUCING_TOTAL_VALUE_RISK_RATIO


def test_a_partial_close_is_at_the_bankruptcy_price():
    # Value -50 over 10: 105 each.
    assert deleverage(4, 420) == ErrorCode.SUCCESS
    assert deleverage(4, 421) == ErrorCode.UNFAIR_DELEVERAGE
    assert deleverage(4, 419) == ErrorCode.REDUCING_TOTAL_VALUE_RISK_RATIO


def test_only_a_negative_value_is_deleveraged():
    code = ErrorCode.UNDELEVERAGABLE_POSITION
    assert deleverage(10, 1_000, collateral=-1_000) == code


def test_the_other_side_gives_only_what_it_holds():
    code = ErrorCode.ENLARGING_SYNTHETIC_HOLDINGS
    assert deleverage(10, 1_050, other=(5_000, -9)) == code
    assert deleverage(10, 1_050, other=(5_000, 10)) == code


def test_the_other_side_has_to_stay_valid():
    code = ErrorCode.REDUCING_TOTAL_VALUE_RISK_RATIO
    assert deleverage(10, 1_050, other=(1_040, -10)) == code


@EXACT
@given(
    st.integers(1, 10**6),
    st.integers(1, 10**6),
    below(40, 1),
    st.integers(1, 10**6),
    st.sampled_from([1, -1]),
)
def test_there_is_exactly_one_fair_deleveraging(size, part, price, debt, side):
    size = size * side
    part = -side * max(1, abs(size) * part // 10**6)
    collateral = -(size * price // ONE) - debt
    bankrupt = Position(collateral, (size,))
    prices = (price,)
    tv_0, tr_0 = starkex.status(bankrupt, prices, TEN)
    if tv_0 >= 0:
        return
    paid = starkex.deleverage_collateral(bankrupt, 0, part, prices, TEN)

    def is_fair(amount):
        after = starkex.liquidation.traded(bankrupt, 0, part, amount)
        tv_1, tr_1 = starkex.status(after, prices, TEN)
        return starkex.is_ratio_kept(tv_0, tr_0, tv_1, tr_1) and (
            starkex.is_deleverage_maximal(tv_0, tr_0, tv_1, tr_1)
        )

    assert [is_fair(paid + k) for k in (-1, 0, 1)] == [False, True, False]


# --- escape ------------------------------------------------------------------------


def test_the_escape_value_floors_funding_and_then_the_whole():
    half = ONE // 2
    # -10 + 15 with half of three owed: floor(-1.5) = -2.
    assert starkex.escape_value(Position(-10, (3,), (0,)), [5 * ONE], [half]) == 3
    # Value 0.5: floored to nothing, which cannot escape.
    assert starkex.escape_value(Position(0, (1,), (0,)), [half], [0]) == 0
    assert starkex.escape_value(Position(0, (-1,), (0,)), [half], [0]) == -1
    # Floored separately: funding -0.5 -> -1, and value 0.5 - 1 = -0.5 -> -1.
    assert starkex.escape_value(Position(0, (1,), (0,)), [half], [half]) == -1


def test_an_escape_run_pays_the_first_and_not_the_last():
    paid, left = starkex.escape_run([5, -3, 6, 2], 8)
    assert (paid, left) == ([5, 0, 0, 2], 1)
    assert starkex.escape_run([4, 4], 8) == ([4, 4], 0)


def test_frozen_bad_debt_makes_the_escape_insolvent():
    # Prices frozen at 100: a long in debt by 50, the short that won from it.
    prices, indices = [100 * ONE], [0]
    people = [Position(-1_050, (10,), (0,)), Position(1_550, (-10,), (0,))]
    held = sum(p.collateral for p in people)
    values = [starkex.escape_value(p, prices, indices) for p in people]
    assert values == [-50, 550]
    assert sum(v for v in values if v > 0) == held + 50
    assert starkex.escape_run(values, held) == ([0, 0], held)
