"""Queues and pro-rata rules: exact integers, and the provable properties of each.

The properties (a) to (d) are those of Chitra et al., arXiv 2512.01112.
"""

from fractions import Fraction

import jax
import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.rules import allocation
from market.venues import rankings as adl
from tests.market.forms.jaxprs import inexact_dtypes
from tests.market.ints import EXACT, array, below, lanes

A = 8
weights = lanes(st.one_of(st.integers(0, 9), below(50)), A)
pro_rata = jax.jit(allocation.allocate_pro_rata)
capped = jax.jit(allocation.allocate_capped)

# --- arrays and plain ints agree, and nothing is lost ------------------------------


@EXACT
@given(weights, below(50))
def test_pro_rata_sums_to_the_amount(endowments, amount):
    got = pro_rata(array(endowments), array(amount)).tolist()
    assert got == adl.pro_rata(endowments, amount)
    assert sum(got) == (amount if any(endowments) else 0)
    whole = max(sum(endowments), 1)
    for share, w in zip(got, endowments, strict=True):
        exact = Fraction(amount * w, whole)
        assert abs(share - exact) < 1


@EXACT
@given(weights, st.integers(0, 100))
def test_pro_rata_takes_from_nobody_more_than_it_has(endowments, percent):
    budget = sum(endowments) * percent // 100
    got = pro_rata(array(endowments), array(budget)).tolist()
    assert all(share <= w for share, w in zip(got, endowments, strict=True))


def test_equal_remainders_go_to_the_lower_account():
    assert pro_rata(array([1] * A), array(3)).tolist() == [1, 1, 1, 0, 0, 0, 0, 0]
    assert adl.pro_rata([1, 1, 1], 2) == [1, 1, 0]


def test_the_largest_remainder_gets_the_unit():
    # Shares 1.2, 1.2, 1.6: the last has the largest remainder.
    assert adl.pro_rata([3, 3, 4], 4) == [1, 1, 2]


def test_floored_shares_say_what_they_leave():
    share, missing = allocation.allocate_floored(array([3, 3, 1]), array(4))
    assert (share.tolist(), int(missing)) == adl.floored([3, 3, 1], 4) == ([1, 1, 0], 2)


contracts = jax.jit(allocation.allocate_contracts)


@EXACT
@given(weights, st.integers(0, 1000))
def test_contract_pro_rata_leaves_no_dust_for_the_second_time(sizes, permille):
    lots = sum(sizes) * permille // 1000
    first = contracts(array(sizes), array(lots)).tolist()
    assert first == adl.contract_pro_rata(sizes, lots)
    assert all(share <= size for share, size in zip(first, sizes, strict=True))
    if lots >= sum(size > 0 for size in sizes):
        assert first == adl.floored(sizes, lots)[0]
    kept = [size - share for size, share in zip(sizes, first, strict=True)]
    second = adl.contract_pro_rata(kept, lots - sum(first))
    assert sum(first) + sum(second) == lots


@EXACT
@given(weights, weights, below(51))
def test_capped_pro_rata_fills_to_one_level(endowments, caps, amount):
    taken, left = capped(array(endowments), array(caps), array(amount))
    expected = adl.capped_pro_rata(endowments, caps, amount)
    assert (taken.tolist(), int(left)) == expected
    taken, left = expected
    assert sum(taken) + left == amount
    assert all(0 <= t <= c for t, c in zip(taken, caps, strict=True))
    level = adl.water_level(endowments, caps, amount)
    for t, w, cap in zip(taken, endowments, caps, strict=True):
        if level is None:
            assert t == (cap if w else 0)
        else:
            assert abs(t - min(level * w, cap)) < 1


def test_caps_that_are_too_small_leave_a_rest():
    assert adl.capped_pro_rata([1, 2], [3, 4], 10) == ([3, 4], 3)


def test_a_cap_reached_exactly_counts_as_full():
    taken, left = capped(array([1] * A), array([2] * A), array(2 * A))
    assert (taken.tolist(), int(left)) == ([2] * A, 0)


by_score = jax.jit(allocation.allocate_by_score)


@EXACT
@given(
    lanes(st.one_of(st.integers(0, 3), below(63)), A), lanes(below(50), A), below(52)
)
def test_a_queue_by_score_needs_no_sort(scores, capacity, amount):
    got = by_score(array(scores), array(capacity), array(amount)).tolist()
    assert got == adl.in_order(adl.ranked(scores), capacity, amount)


def test_equal_scores_queue_in_account_order():
    scores = [1, 5, 5, 3]
    assert adl.ranked(scores) == [1, 2, 3, 0]
    got = by_score(array(scores), array([4, 4, 4, 4]), array(6))
    assert got.tolist() == [0, 4, 2, 0]


# --- (a) a queue is the worst for the top winner -----------------------------------


@EXACT
@given(lanes(below(40, 1), A), st.integers(0, 1000))
def test_pro_rata_leaves_the_top_winner_more_than_a_queue_does(endowments, permille):
    top = max(range(A), key=lambda i: endowments[i])
    budget = endowments[top] * permille // 1000
    order = adl.ranked(endowments)
    by_queue = adl.in_order(order, endowments, budget)
    shared = adl.pro_rata(endowments, budget)
    assert by_queue[top] == budget
    gain = by_queue[top] - shared[top]
    exact = budget * (1 - Fraction(endowments[top], sum(endowments)))
    assert abs(gain - exact) < 1
    assert exact > 0 or budget == 0
    assert gain >= 0


# --- (b) capped pro-rata minimises every convex cost -------------------------------

CONVEX = {
    "square": lambda h: h * h,
    "cube": lambda h: h**3,
    "hinge at a third": lambda h: max(h - Fraction(1, 3), Fraction(0)),
    "hinge at a half": lambda h: max(h - Fraction(1, 2), Fraction(0)),
}


@pytest.mark.parametrize("cost", CONVEX)
@EXACT
@given(
    lanes(st.integers(1, 50), 4),
    lanes(st.integers(0, 100), 4),
    st.integers(1, 99),
    st.permutations(range(4)),
    st.integers(1, 100),
)
def test_capped_pro_rata_minimises_convex_costs(
    cost, endowments, cap_percent, percent, who, step
):
    caps = [Fraction(w * p, 100) for w, p in zip(endowments, cap_percent, strict=True)]
    budget = sum(caps) * percent / 100
    # Exact fractions: scale to integers by 10**4, so that the level is exact.
    level = adl.water_level(
        [w * 10_000 for w in endowments], [c * 10_000 for c in caps], budget * 10_000
    )
    best = [min(level * w, c) for w, c in zip(endowments, caps, strict=True)]
    assert sum(best) == budget
    giver, taker = who[:2]
    moved = min(best[giver], caps[taker] - best[taker]) * Fraction(step, 100)
    other = list(best)
    other[giver] -= moved
    other[taker] += moved

    def total(taken):
        pairs = zip(taken, endowments, strict=True)
        return sum(w * CONVEX[cost](Fraction(t) / w) for t, w in pairs)

    assert total(other) >= total(best)
    if moved and cost in ("square", "cube"):
        assert total(other) > total(best)


# --- (c) splitting an account does not change what pro-rata takes -------------------


@EXACT
@given(
    lanes(below(40, 1), 5), st.integers(0, 100), st.integers(0, 4), st.integers(1, 99)
)
def test_pro_rata_is_invariant_to_splitting_accounts(endowments, percent, who, cut):
    budget = sum(endowments) * percent // 100
    part = endowments[who] * cut // 100
    split = [*endowments, part]
    split[who] -= part
    whole = adl.pro_rata(endowments, budget)
    pieces = adl.pro_rata(split, budget)
    # Exactly, up to the unit that the rounding of each piece may move.
    assert abs(pieces[who] + pieces[-1] - whole[who]) <= 1
    exact = Fraction(budget, sum(endowments))
    assert exact * split[who] + exact * part == exact * endowments[who]


def test_splitting_lowers_the_haircut_in_a_queue():
    # 100, 60: a queue by size takes 50 from the first. Split in halves, it is the other
    # account that is first, and the halves give nothing.
    assert adl.in_order(adl.ranked([100, 60]), [100, 60], 50) == [50, 0]
    split = [50, 60, 50]
    taken = adl.in_order(adl.ranked(split), split, 50)
    assert taken[0] + taken[2] == 0
    assert adl.pro_rata(split, 48)[0] + adl.pro_rata(split, 48)[2] == 30
    assert adl.pro_rata([100, 60], 48)[0] == 30


# --- (d) pro-rata keeps the order of the winners ------------------------------------


@EXACT
@given(lanes(st.one_of(st.integers(0, 9), below(40)), A), st.integers(0, 100))
def test_pro_rata_preserves_ranks(endowments, percent):
    budget = sum(endowments) * percent // 100
    taken = adl.pro_rata(endowments, budget)
    left = [w - t for w, t in zip(endowments, taken, strict=True)]
    for i in range(A):
        for j in range(A):
            if endowments[i] > endowments[j]:
                assert left[i] >= left[j]


def test_a_queue_does_not_preserve_ranks():
    left = [w - t for w, t in zip([100, 60], [50, 0], strict=True)]
    assert left[0] < left[1]


# --- rankings of the venues --------------------------------------------------------


def test_bitmex_multiplies_winners_and_divides_losers_by_leverage():
    # Long of 110 entered at 100, bankrupt at 80: 10 % times 110/30.
    assert adl.bitmex_score(110, 100, 80) == Fraction(1, 10) * Fraction(110, 30)
    # The same at a loss of 10 %: divided by 90/10.
    assert adl.bitmex_score(90, 100, 80) == Fraction(-1, 10) / Fraction(90, 10)
    # A short is worth -90 after a fall from 100, bankrupt at -120.
    assert adl.bitmex_score(-90, -100, -120) == Fraction(1, 10) * Fraction(90, 30)
    assert adl.bitmex_score(100, 100, 80) == 0


def test_binance_score_is_leveraged_profit():
    assert adl.binance_score(1_000, 500, 30) == Fraction(500, 1_000) * Fraction(
        30, 1_500
    )
    assert adl.binance_score(1_000, -500, 30) == 0
    assert adl.binance_score(0, 500, 30) == 500 * Fraction(30, 500)
    assert adl.binance_margin_ratio(-600, 500, 30) == 0
    assert adl.binance_margin_ratio(-500, 500, 30) == 0


def test_bybit_executes_an_inverse_long_at_its_bankruptcy_price():
    price = adl.inverse_bankruptcy_price(Fraction("7890.08"), 50)
    assert round(price, 2) == Fraction("7735.37")
    tick = Fraction("0.5")
    assert adl.round_to_tick(price, tick, is_up=True) == Fraction("7735.5")
    assert adl.round_to_tick(price, tick, is_up=False) == Fraction("7735")
    assert adl.bybit_score(110, 100, 10) == 1
    assert adl.bybit_score(90, 100, 10, is_long=False) == 1
    assert adl.bybit_score(90, 100, 10) == -1
    assert adl.okx_score(Fraction(1, 2), Fraction(1, 4)) == 2
    assert adl.quantile(1, 4) == Fraction(1, 4)


def test_haircuts_are_shares_of_what_each_had():
    assert adl.haircuts([1, 0, 0], [4, 5, 0]) == [Fraction(1, 4), 0, 0]


def test_allocations_hold_no_floating_point():
    w, b = array([1] * A), array(3)
    assert not inexact_dtypes(allocation.allocate_pro_rata, w, b)
    assert not inexact_dtypes(allocation.allocate_capped, w, w, b)
    assert not inexact_dtypes(allocation.allocate_by_score, w, w, b)
