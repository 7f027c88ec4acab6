"""Deleveraging by the walk of dYdX v4, and what its fills conserve."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.rules import deleveraging
from market.rules.deleveraging import Walk
from market.rules.margin import Risk, Tier
from market.twin import rules as reference_rules
from market.twin.rules import DydxAccount, DydxMarket
from tests.market.forms.jaxprs import inexact_dtypes
from tests.market.ints import EXACT, array, below

A, M = 8, 2
BTC = DydxMarket(
    ticks=100, multiplier=1_000, initial_ppm=50_000, maintenance_ppm=600_000
)
ETH = DydxMarket(
    ticks=10, multiplier=1_000, initial_ppm=100_000, maintenance_ppm=500_000
)


def walk_of(people, markets, target, where):
    risk = [reference_rules.account_risk(a, markets) for a in people]
    nc, imr, mmr = (array(part) for part in zip(*risk, strict=True))
    return Walk(
        collateral=array([a.collateral for a in people]),
        lots=array([a.lots[where] for a in people]),
        risk=Risk(nc, imr, mmr),
        remaining=array(-people[target].lots[where]),
        fills=array(0),
        rejected=array(0),
    )


@jax.jit
def random_walk(walk, target, start, per_lot, tier, fraction, is_at_oracle):
    return deleveraging.random_walk(
        walk, target, start, per_lot, tier, fraction, is_at_oracle
    )


def run(people, markets, target, where, start, at_oracle=False):
    market = markets[where]
    people = people + [DydxAccount(0, (0,) * M)] * (A - len(people))
    return random_walk(
        walk_of(people, markets, target, where),
        array(target),
        array(start),
        array(market.ticks * market.multiplier),
        Tier(array(market.initial_ppm), array(market.maintenance_ppm)),
        array(reference_rules.initial_fraction(market)),
        jnp.asarray(at_oracle),
    )


@st.composite
def worlds(draw):
    markets = tuple(
        replace(
            base,
            ticks=draw(st.integers(1, 300)),
            initial_ppm=draw(st.sampled_from([20_000, 50_000, 333_333])),
            maintenance_ppm=draw(st.sampled_from([500_000, 600_001])),
        )
        for base in (BTC, ETH)
    )
    people = []
    for _ in range(A):
        lots = (draw(st.integers(-9, 9)), draw(st.integers(-9, 9)))
        value = sum(
            reference_rules.notional(m, q) for m, q in zip(markets, lots, strict=True)
        )
        requirement = sum(
            reference_rules.maintenance_requirement(m, q)
            for m, q in zip(markets, lots, strict=True)
        )
        # Equity from deep in debt to twice the requirement, so that both outcomes of
        # the overlap test are common.
        nc = draw(st.integers(-requirement - 5, 2 * requirement + 5))
        people.append(DydxAccount(nc - value, lots))
    return people, markets, draw(st.integers(0, A - 1)), draw(st.integers(0, M - 1))


@EXACT
@given(worlds(), st.integers(0, A - 1), st.booleans())
def test_the_walk_equals_the_specification(world, start, at_oracle):
    people, markets, target, where = world
    side = -people[target].lots[where]
    holders = [i for i, a in enumerate(people) if a.lots[where] * side > 0]
    start = start % max(len(holders), 1)
    got = run(people, markets, target, where, start, at_oracle)
    after, remaining, fills = reference_rules.random_walk(
        people, markets, target, where, start, at_oracle
    )
    assert got.collateral.tolist() == [a.collateral for a in after]
    assert got.lots.tolist() == [a.lots[where] for a in after]
    assert (int(got.remaining), int(got.fills)) == (remaining, fills)
    risk = [reference_rules.account_risk(a, markets) for a in after]
    assert list(zip(*(p.tolist() for p in got.risk), strict=True)) == risk
    assert int(got.collateral.sum()) == sum(a.collateral for a in people)
    assert int(got.lots.sum()) == sum(a.lots[where] for a in people)


@pytest.mark.parametrize("start", [0, 1, 2])
def test_counterparties_give_in_order_from_the_random_start(start):
    # Long 4 at 100,000 a lot with 380,000 of debt behind it: underwater by 20,000.
    bankrupt = DydxAccount(-420_000, (4, 0))
    rich = [DydxAccount(10_000_000, (-2, 0)) for _ in range(3)]
    got = run([bankrupt, *rich], (BTC, ETH), 0, 0, start)
    assert int(got.remaining) == 0
    # 4 lots at BP 105,000 each: the equity of the closed account ends at zero.
    assert got.collateral.tolist()[0] == 0
    gave = [i for i in range(3) if got.lots.tolist()[1 + i] == 0]
    assert gave == sorted({start, (start + 1) % 3})


def test_a_counterparty_whose_bankruptcy_price_does_not_overlap_is_passed_over():
    bankrupt = DydxAccount(-420_000, (4, 0))
    # This short could pay 101,000 a lot before it is empty itself: 105,000 is too dear.
    poor = DydxAccount(4 * 101_000, (-4, 0))
    rich = DydxAccount(10_000_000, (-4, 0))
    got = run([bankrupt, poor, rich], (BTC, ETH), 0, 0, 0)
    assert got.lots.tolist()[:3] == [0, -4, 0]
    assert (int(got.fills), int(got.rejected)) == (1, 1)


def test_fills_stand_when_the_walk_ends_early():
    bankrupt = DydxAccount(-420_000, (4, 0))
    got = run([bankrupt, DydxAccount(10_000_000, (-1, 0))], (BTC, ETH), 0, 0, 0)
    assert int(got.remaining) == -3
    assert got.lots.tolist()[:2] == [3, 0]
    assert int(got.collateral.sum()) == 10_000_000 - 420_000


def test_no_more_counterparties_are_looked_at_than_allowed():
    people = [DydxAccount(-1, (4, 0))] + [DydxAccount(10_000_000, (-1, 0))] * (A - 1)
    walk = walk_of(people, (BTC, ETH), 0, 0)
    tier = Tier(array(50_000), array(600_000))
    got = deleveraging.random_walk(
        walk,
        array(0),
        array(6),
        array(100_000),
        tier,
        array(50_000),
        max_counterparties=2,
    )
    assert int(got.fills) == 2
    assert got.lots.tolist() == [2, 0, -1, -1, -1, -1, -1, 0]


def test_final_settlement_is_at_the_oracle_price():
    solvent = DydxAccount(-300_000, (4, 0))
    other = DydxAccount(10_000_000, (-4, 0))
    got = run([solvent, other], (BTC, ETH), 0, 0, 0, at_oracle=True)
    assert got.collateral.tolist()[:2] == [100_000, 9_600_000]


def test_who_may_be_deleveraged_and_at_which_price():
    can = deleveraging.can_deleverage
    assert can(-1, False) == (True, False)
    assert can(-1, True) == (True, False)
    assert can(0, True) == (False, True)
    assert can(0, False) == (False, False)


def test_the_quote_of_a_close_is_split_to_the_last_quantum():
    taken = array([3, 0, 1, 3])
    for quote in (-100, 100, 1, 0, 7):
        parts = deleveraging.split_quote(array(quote), taken)
        assert int(parts.sum()) == quote
        assert int(parts[1]) == 0
    assert deleveraging.split_quote(array(100), taken).tolist() == [42, 0, 15, 43]


@EXACT
@given(
    st.lists(below(20), min_size=A, max_size=A),
    st.integers(-(1 << 40), 1 << 40),
    st.sampled_from([1, -1]),
)
def test_booking_an_allocation_conserves_money_and_contracts(taken, quote, side):
    taken[0] = 0
    lots = array([side * sum(taken), *[-side * t for t in taken[1:]]])
    collateral = array(range(A))
    money, after = jax.jit(deleveraging.close_against)(
        collateral, lots, array(0), array(taken), array(quote)
    )
    assert int(money.sum()) == int(collateral.sum())
    assert not after.any()
    if sum(taken):
        assert int(money[0]) == quote


def test_deleveraging_holds_no_floating_point():
    walk = walk_of([DydxAccount(0, (1, 0))] * A, (BTC, ETH), 0, 0)
    tier = Tier(array(1), array(1))
    args = (walk, array(0), array(0), array(1), tier, array(1), jnp.asarray(False))
    assert not inexact_dtypes(random_walk, *args)
