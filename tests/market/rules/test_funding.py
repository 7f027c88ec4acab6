"""Funding after dYdX v4: votes, samples, rate, index, payments and their residue."""

import jax
import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.rules import funding
from market.rules.funding import BookSide
from market.twin import rules as reference_rules
from tests.market.forms.jaxprs import inexact_dtypes
from tests.market.ints import EXACT, array, lanes, signed

C = 6
UNIT = 1 << 20


def side(levels):
    levels = list(levels) + [(0, 0)] * (C - len(levels))
    ticks, lots = zip(*levels, strict=True)
    return BookSide(array(ticks), array(lots))


@jax.jit
def vote(index, bids, asks, impact, multiplier, max_vote):
    return funding.premium_vote_ppm(
        index, bids, asks, impact, multiplier, max_vote, UNIT
    )


def vote_of(index, bids, asks, impact, multiplier=100, max_vote=10**6):
    args = (index, impact, multiplier, max_vote)
    index, impact, multiplier, max_vote = map(array, args)
    return int(vote(index, side(bids), side(asks), impact, multiplier, max_vote))


# --- votes -------------------------------------------------------------------------


def test_no_premium_while_the_index_is_within_the_best_prices():
    assert vote_of(1_000, [(1_000, 9)], [(1_001, 9)], 0) == 0
    assert vote_of(1_001, [(1_000, 9)], [(1_001, 9)], 0) == 0


def test_premium_is_the_best_price_over_the_index_without_impact():
    assert vote_of(1_000, [(1_010, 1)], [(1_011, 1)], 0) == 10_000
    assert vote_of(1_000, [(980, 1)], [(990, 1)], 0) == -10_000


def test_premium_is_truncated_toward_zero():
    assert vote_of(3_000_000, [(3_000_001, 1)], [], 0) == 0
    assert vote_of(3_000_000, [], [(2_999_999, 1)], 0) == 0
    assert vote_of(3, [(4, 1)], [], 0) == 333_333
    assert vote_of(3, [], [(2, 1)], 0) == -333_333


def test_premium_is_clamped():
    assert vote_of(100, [(200, 1)], [], 0, max_vote=120_000) == 120_000
    assert vote_of(100, [], [(50, 1)], 0, max_vote=120_000) == -120_000


def test_impact_price_averages_over_levels():
    # 100 * 10 lots * 2,000 ticks = 2,000,000 quanta, then half of a level at 1,900: in
    # all 10 + 10 lots for 3,900,000: 1,950 ticks on average, 30 % above 1,500.
    bids = [(2_000, 10), (1_900, 20)]
    assert vote_of(1_500, bids, [], 3_900_000) == 300_000


def test_the_impact_size_is_rounded_up_once():
    # 100 quanta at 3 a lot: 33.3 lots -> 34.
    base, is_deep = funding.impact_base(side([(3, 1_000)]), 100, 1, 1)
    assert (int(base), bool(is_deep)) == (34, True)


def test_a_book_too_thin_for_the_impact_notional_has_no_premium():
    assert vote_of(1_000, [(1_010, 10)], [], 1_010_000) == 10_000
    assert vote_of(1_000, [(1_010, 10)], [], 1_010_001) == 0


def test_an_impact_price_on_the_other_side_of_the_index_has_no_premium():
    # The best bid is above the index, the average of the impact is not.
    assert vote_of(1_000, [(1_001, 1), (900, 100)], [], 1_000_000) == 0


def test_an_empty_book_has_no_premium():
    assert vote_of(1_000, [], [], 0) == 0
    assert vote_of(1_000, [], [], 1_000) == 0


levels = st.lists(
    st.tuples(st.integers(900, 1_100), st.integers(1, 50)),
    max_size=C,
    unique_by=lambda x: x[0],
)


@EXACT
@given(
    levels,
    levels,
    st.integers(890, 1_110),
    st.one_of(st.just(0), st.integers(1, 9_000_000)),
    st.integers(0, 90_000),
)
def test_votes_equal_the_specification(low, high, index, impact, max_vote):
    bids = sorted(low, reverse=True)
    asks = sorted((t, q) for t, q in high if not bids or t > bids[0][0])
    got = vote_of(index, bids, asks, impact, 100, max_vote)
    args = (index, bids, asks, impact, 100, max_vote, UNIT)
    assert got == reference_rules.premium_vote(*args)


# --- samples -----------------------------------------------------------------------


def test_the_mean_of_two_rounds_a_half_away_from_zero():
    mean = funding.mean_away_from_zero
    assert [mean(1, 2), mean(-2, -1), mean(-1, 2), mean(-2, 1)] == [2, -2, 1, -1]
    assert mean(array([1, -2, -1]), array([2, -1, 1])).tolist() == [2, -2, 0]


sample = jax.jit(funding.sample_ppm)


@EXACT
@given(st.lists(signed(20), max_size=20), st.integers(0, 24))
def test_a_sample_is_the_median_padded_with_zeros(votes, silent):
    blocks = min(len(votes) + silent, 24)
    padded = votes + [0] * (24 - len(votes))
    expected = reference_rules.sample(votes, blocks, 15)
    assert int(sample(array(padded), array(blocks))) == expected


def test_few_votes_are_drowned_by_zeros():
    assert int(sample(array([9] * 7 + [0] * 17), array(7))) == 0
    assert int(sample(array([9] * 8 + [0] * 16), array(8))) == 9


def test_a_tick_averages_at_least_an_hour_of_samples():
    assert funding.premium_ppm(119, 2) == 1
    assert funding.premium_ppm(-119, 2) == -1
    assert funding.premium_ppm(120 * 7, 120) == 7
    assert funding.premium_ppm(array([119, -119]), array([2, 2])).tolist() == [1, -1]


# --- rate and index ----------------------------------------------------------------


def test_rate_is_clamped_by_the_margin_gap():
    # Mid cap: 5 % initial, 3 % maintenance: 6 * 2 % = 12 % in eight hours.
    bound = funding.funding_clamp_ppm(funding.RATE_CLAMP_PPM, 50_000, 600_000)
    assert bound == 120_000
    assert (
        funding.funding_clamp_ppm(funding.VOTE_CLAMP_PPM, 50_000, 600_000) == 1_200_000
    )
    assert funding.rate_ppm(119_990, 20, bound) == 120_000
    assert funding.rate_ppm(-120_030, 20, bound) == -120_000
    assert funding.rate_ppm(-5, 20, bound) == 15


def test_the_maintenance_fraction_in_the_clamp_is_rounded_down():
    # 3 * 50 % = 1.5 ppm -> 1; the gap is 2.
    assert funding.funding_clamp_ppm(1_000_000, 3, 500_000) == 2


def test_the_index_moves_by_an_hour_of_the_eight_hour_rate():
    # 80 ppm on $10 a lot for an eighth of the period: 100 quanta = 1e8 millionths.
    assert funding.index_delta(80, 3_600, 10_000_000) == 100_000_000
    assert funding.index_delta(-1, 1, 28_799) == 0  # toward zero
    assert funding.index_delta(-1, 1, 28_801) == -1
    assert int(funding.index_delta(*array([-1, 1, 28_801]))) == -1


# --- payments ----------------------------------------------------------------------


def test_longs_pay_when_the_index_rises_and_shorts_receive():
    move = array([2_000_000])
    got = funding.pay_funding(move, array([[5], [-5]]))
    assert got.payment.tolist() == [-10, 10]
    assert int(got.residue) == 0


def test_payments_are_floored_so_that_funding_never_creates_money():
    # 102.5, 102.5 and -205 quanta: 102, 102, -205.
    got = funding.pay_funding(array([500_000]), array([[-205], [-205], [410]]))
    assert got.payment.tolist() == [102, 102, -205]
    assert int(got.residue) == 1


def test_the_floor_is_taken_once_over_all_positions():
    # Half a quantum owed in each of two markets is one quantum, not two.
    assert funding.funding_payment([500_000, 500_000], [1, 1]) == -1
    # Half received and half paid is nothing.
    assert funding.funding_payment([500_000, -500_000], [1, 1]) == 0
    got = funding.funding_payment(array([500_000, -500_000]), array([[1, 1]]))
    assert got.tolist() == [0]


@EXACT
@given(lanes(signed(62), 3), lanes(lanes(signed(42), 3), 4))
def test_payments_equal_the_specification_and_conserve(moves, lots):
    # A move times a position within 2**62, so that the payment itself fits.
    moves = [m >> max(0, m.bit_length() + 42 - 80) for m in moves]
    got = jax.jit(funding.pay_funding)(array(moves), array(lots))
    expected = [reference_rules.funding_payment(moves, row) for row in lots]
    assert got.payment.tolist() == expected
    assert expected == [funding.funding_payment(moves, row) for row in lots]
    assert int(got.payment.sum()) + int(got.residue) == 0


@EXACT
@given(lanes(signed(35), 3), lanes(lanes(signed(30), 3), 4))
def test_the_residue_is_what_the_floors_took(moves, lots):
    closing = [-sum(row[m] for row in lots) for m in range(3)]
    got = funding.pay_funding(array(moves), array([*lots, closing]))
    assert 0 <= int(got.residue) < len(lots) + 1


def test_funding_holds_no_floating_point():
    book = side([(1, 1)])
    assert not inexact_dtypes(vote, array(1), book, book, *array([1, 1, 1]))
    assert not inexact_dtypes(sample, array([0] * 24), array(1))
    assert not inexact_dtypes(funding.pay_funding, array([1]), array([[1]]))
    assert not inexact_dtypes(funding.premium_ppm, array(1), array(1))
    assert not inexact_dtypes(funding.index_delta, *array([1, 1, 1]))


@pytest.mark.parametrize("blocks", [0, 15, 24])
def test_silent_blocks_count_as_zero_votes(blocks):
    assert int(sample(array([0] * 24), array(blocks))) == 0
