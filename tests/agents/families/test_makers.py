"""Makers quote both sides, lean against inventory, and widen or leave in trouble."""

import numpy as np
import pytest

from market.numbers.units import PPM
from market.types.orders import BUY, SELL, Kind
from tests.agents.cases import (
    ALWAYS,
    FIRST,
    LOT,
    MULTIPLIER,
    NEVER,
    PRICE,
    USD,
    constant,
    decide,
    drawn,
    held,
    numbers,
    view,
)

FAMILY = "market_makers"
HALF = 300
PARAMS = numbers(
    FAMILY,
    act_ppm=ALWAYS,
    diversity_ppm=0,
    half_spread_ppm=HALF,
    size_ppm=50_000,
    inventory_ppm=2_000_000,
    skew_ppm=1_000,
    swing_weight_ppm=1_500_000,
    stale_ppm=100,
    requote_ppm=200,
    refresh_blocks=15,
    quit_ppm=400_000,
)


def quotes(seen, params=PARAMS, memory=None):
    """Bid and ask of a single maker; None for a side that it cancels."""
    _, (sent,) = decide(FAMILY, seen, params, memory)
    sides = {}
    for row in sent:
        assert row["account"] == FIRST
        quote = row if row["kind"] == Kind.REPLACE else None
        assert row["kind"] in (Kind.REPLACE, Kind.CANCEL)
        sides[row["slot"]] = quote
    return sides[0], sides[1]


def prices(seen, params=PARAMS):
    bid, ask = quotes(seen, params)
    return bid["ticks"], ask["ticks"]


def test_a_flat_maker_quotes_its_half_spread_around_the_outside_price():
    bid, ask = quotes(view())
    assert (bid["side"], ask["side"]) == (BUY, SELL)
    assert (bid["ticks"], ask["ticks"]) == (100_000 - 30, 100_000 + 30)
    assert bid["market"] == ask["market"] == 0


def test_quotes_round_away_from_the_fair_price():
    odd = (99_999, 50_000)
    exact = 99_999 * HALF / PPM
    bid, ask = prices(view(price=odd))
    assert bid == np.floor(99_999 - exact)
    assert ask == np.ceil(99_999 + exact)


def test_a_quote_is_the_share_of_equity_that_it_should_be():
    bid, ask = quotes(view())
    assert bid["lots"] == ask["lots"] == 10_000 * USD // 20 // LOT


def test_a_maker_long_of_inventory_quotes_lower_and_a_short_one_higher():
    flat, long = prices(view()), prices(view(**held(0, 800)))
    short = prices(view(**held(0, -800)))
    # 800 lots are 8,000 USD of the 20,000 that it may hold: 40 % of the skew.
    assert [a - b for a, b in zip(flat, long, strict=True)] == [40, 40]
    assert [a - b for a, b in zip(short, flat, strict=True)] == [40, 40]


def test_the_lean_ends_at_a_full_inventory():
    full, overfull = (quotes(view(**held(0, n)))[1]["ticks"] for n in (2_000, 4_000))
    assert full == overfull


def test_a_maker_widens_while_the_oracle_is_stale():
    fresh = prices(view())
    # Ten seconds beyond the block's own: ten times 100 ppm on either side.
    stale = prices(view(oracle_age_us=(11 * USD, USD)))
    assert (fresh[0] - stale[0], stale[1] - fresh[1]) == (100, 100)


def test_a_price_of_the_last_block_is_not_stale_however_long_blocks_are():
    long_blocks = view(block_us=30 * USD, oracle_age_us=(30 * USD, 30 * USD))
    assert prices(long_blocks) == prices(view())


def test_a_maker_widens_when_the_market_swings():
    calm, wild = prices(view()), prices(view(swing_ppm=(400, 0)))
    assert (calm[0] - wild[0], wild[1] - calm[1]) == (60, 60)


@pytest.mark.parametrize(("lots", "keeps"), [(2_000, 1), (-2_000, 0)])
def test_a_maker_at_its_limit_quotes_only_the_side_that_brings_it_home(lots, keeps):
    sides = quotes(view(**held(0, lots)))
    assert sides[keeps] is not None
    assert sides[1 - keeps] is None


def test_a_maker_leaves_the_market_while_its_equity_is_low():
    low = view(collateral=[3_999 * USD])
    enough = view(collateral=[4_000 * USD])
    assert quotes(low) == (None, None)
    assert None not in quotes(enough)


def test_a_ruined_maker_cancels_and_does_not_divide_by_its_equity():
    assert quotes(view(collateral=[-5 * USD])) == (None, None)


def test_standing_quotes_stay_until_the_price_moves_or_they_grow_old():
    memory, _ = decide(FAMILY, view(), PARAMS)
    memory, _ = decide(FAMILY, view(), PARAMS, memory)  # the second market
    assert decide(FAMILY, view(), PARAMS, memory)[1] == [[]]
    moved = view(price=(PRICE[0] + 21, PRICE[1]))
    assert len(decide(FAMILY, moved, PARAMS, memory)[1][0]) == 2
    barely = view(price=(PRICE[0] + 19, PRICE[1]))
    assert decide(FAMILY, barely, PARAMS, memory)[1] == [[]]
    old = view(height=90 + 15)
    assert len(decide(FAMILY, old, PARAMS, memory)[1][0]) == 2


def test_a_maker_requotes_the_market_that_is_furthest_off():
    memory, _ = decide(FAMILY, view(), PARAMS)
    memory, _ = decide(FAMILY, view(), PARAMS, memory)
    moved = view(price=(PRICE[0] + 100, PRICE[1] + 100))
    _, (sent,) = decide(FAMILY, moved, PARAMS, memory)
    assert {row["market"] for row in sent} == {1}, "twice the move in ppm"


def test_a_maker_that_does_not_act_sends_nothing_and_remembers_nothing():
    idle = numbers(FAMILY, act_ppm=NEVER)
    before = drawn(FAMILY, idle)
    after, sent = decide(FAMILY, view(), idle, before)
    assert sent == [[]]
    assert (after.quoted == before.quoted).all()


def test_makers_differ_in_their_calm_spread_around_the_median():
    params = numbers(FAMILY, diversity_ppm=300_000, half_spread_ppm=HALF)
    spreads = np.asarray(drawn(FAMILY, params, members=500).half_spread_ppm)
    assert np.median(spreads) == pytest.approx(HALF, rel=0.05)
    assert np.log(spreads).std() == pytest.approx(0.3, rel=0.1)


def test_prices_near_the_largest_do_not_overflow():
    high = (1 << 31) - 1
    seen = view(price=(high, high), oracle=(high, high), swing_ppm=(100_000, 0))
    memory = constant(drawn(FAMILY, PARAMS, usd=1_000_000), half_spread_ppm=900_000)
    seen = view(
        price=(high, high),
        oracle=(high, high),
        collateral=[1_000_000_000 * USD],
        oracle_age_us=(10**10, USD),
    )
    bid, ask = quotes(seen, PARAMS, memory)
    assert bid["ticks"] == 1 or 0 < bid["ticks"] < high
    assert ask["ticks"] > high
    assert bid["lots"] == 1_000_000_000 * USD // 20 // (high * MULTIPLIER)
