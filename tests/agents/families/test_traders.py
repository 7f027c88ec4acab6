"""Traders mind their risk first and then move towards the position they want."""

import jax.numpy as jnp
import numpy as np
import pytest

from market.numbers.units import PPM
from market.types.orders import Flag, Kind
from tests.agents.cases import (
    ALWAYS,
    FIRST,
    LOT,
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

FAMILY = "leveraged_traders"
CALM = {
    "activity_ppm": NEVER,
    "react_ppm": ALWAYS,
    "go_home_ppm": NEVER,
    "leverage_sigma_ppm": 0,
    "leverage_ppm": 8_000_000,
    "stop_ppm": 60_000,
    "stop_sigma_ppm": 0,
    "outside_ppm": 300_000,
    "top_up_ppm": 100_000,
    "alarm_ppm": 1_400_000,
    "top_up_delay_us": 15 * USD,
    "slippage_ppm": 3_000,
}


def params(**changes):
    return numbers(FAMILY, **{**CALM, **changes})


def sent(seen, numbers_=None, memory=None, **draw):
    """The only transaction of a single trader, or None."""
    _, (rows,) = decide(FAMILY, seen, numbers_ or params(), memory, **draw)
    return rows[0] if rows else None


def test_a_trader_that_is_content_does_nothing():
    assert sent(view(**held(0, 500))) is None


@pytest.mark.parametrize("lots", [500, -500])
def test_a_loss_past_the_stop_closes_the_whole_position(lots):
    # Bought (or sold) seven per cent away from where the market is.
    entry = PRICE[0] * (107 if lots > 0 else 93) // 100
    order = sent(view(**held(0, lots, entry)))
    assert order["kind"] == Kind.ORDER
    assert order["account"] == FIRST
    assert order["lots"] == 500 and order["side"] == (-1 if lots > 0 else 1)
    assert order["flags"] == Flag.IOC | Flag.REDUCE_ONLY


@pytest.mark.parametrize("entry", [105_000, 93_000])
def test_a_smaller_loss_or_a_gain_closes_nothing(entry):
    assert sent(view(**held(0, 500, entry))) is None


def test_the_stop_watches_the_market_with_the_worst_loss():
    position = np.array([[100, 200]])
    cost = np.array([[100 * LOT * 101 // 100, 200 * LOT // 2 * 120 // 100]])
    seen = view(position=position, cost=cost)
    assert sent(seen)["market"] == 1


def test_a_close_gives_at_most_what_the_account_can_bear():
    # 40,000 USD held on 3,000 of equity: nine tenths of 7.5 %, but never past 5 %.
    healthy = view(**{**held(0, 4_000, 110_000), "collateral": [-37_000 * USD]})
    assert sent(healthy, params(outside_ppm=0))["ticks"] == PRICE[0] * 95 // 100
    # On 400 of equity: nine tenths of one per cent.
    poor = view(**{**held(0, 4_000, 110_000), "collateral": [-39_600 * USD]})
    assert sent(poor, params(outside_ppm=0))["ticks"] == PRICE[0] - 900
    # Under water: at the oracle price, no worse.
    broke = view(**{**held(0, 4_000, 110_000), "collateral": [-41_000 * USD]})
    assert sent(broke, params(outside_ppm=0))["ticks"] == PRICE[0]


def near_liquidation(height=90):
    """40,000 USD held on 600 of equity: 1.25 times the requirement of 480."""
    return view(**{**held(0, 4_000), "collateral": [-39_400 * USD]}, height=height)


def test_a_trader_near_liquidation_tops_up_and_the_money_takes_its_time():
    memory, (rows,) = decide(FAMILY, near_liquidation(), params())
    assert rows[0]["kind"] == Kind.DEPOSIT
    assert rows[0]["lots"] == 1_000 * USD
    assert rows[0]["arrival_us"] == 15 * USD, "through the settlement layer"
    assert memory.outside.tolist() == [2_000 * USD]


def test_a_trader_waits_for_a_top_up_before_it_sends_the_next():
    memory, _ = decide(FAMILY, near_liquidation(), params())
    assert sent(near_liquidation(height=90 + 15), memory=memory) is None
    again = sent(near_liquidation(height=90 + 17), memory=memory)
    assert again["kind"] == Kind.DEPOSIT


def test_the_wait_is_as_many_blocks_as_the_deposit_takes():
    fast = near_liquidation()
    fast = fast.__class__(**{**fast.__dict__, "block_us": jnp.int64(USD // 20)})
    memory, _ = decide(FAMILY, fast, params())
    assert memory.waits_until.tolist() == [90 + 15 * 20 + 2]


def test_top_ups_end_when_the_money_outside_does():
    memory = constant(drawn(FAMILY, params()), outside=300 * USD)
    memory, (rows,) = decide(FAMILY, near_liquidation(), params(), memory)
    assert rows[0]["lots"] == 300 * USD
    assert sent(near_liquidation(height=500), memory=memory) is None


def test_a_healthy_trader_does_not_top_up():
    seen = view(**{**held(0, 4_000), "collateral": [-39_300 * USD]})
    assert sent(seen) is None


def test_topping_up_comes_before_closing_and_closing_before_trading():
    eager = params(activity_ppm=ALWAYS)
    both = view(**{**held(0, 4_000, 110_000), "collateral": [-39_400 * USD]})
    assert sent(both, eager)["kind"] == Kind.DEPOSIT
    poor = constant(drawn(FAMILY, eager), outside=0)
    closing = sent(both, eager, poor)
    assert closing["flags"] == Flag.IOC | Flag.REDUCE_ONLY


def test_a_slow_trader_neither_stops_nor_tops_up():
    assert sent(near_liquidation(), params(react_ppm=NEVER)) is None


def test_a_flat_trader_goes_home_with_half_and_a_busy_one_does_not():
    leaving = params(go_home_ppm=ALWAYS)
    order = sent(view(), leaving)
    assert order["kind"] == Kind.WITHDRAW and order["lots"] == 5_000 * USD
    assert sent(view(**held(0, 1)), leaving) is None
    resting = np.zeros((1, 2, 2))
    resting[0, 1, 0] = 7
    assert sent(view(open_lots=resting), leaving) is None


MEMBERS = 300


def crowd(memory_changes=(), changes=(), **seen):
    """Orders of many traders who all reconsider at once."""
    numbers_ = params(activity_ppm=ALWAYS, long_bias_ppm=0, **dict(changes))
    memory = drawn(FAMILY, numbers_, members=MEMBERS)
    memory = constant(memory, **dict(memory_changes))
    _, rows = decide(FAMILY, view(MEMBERS, **seen), numbers_, memory)
    return [row[0] for row in rows if row]


def test_no_order_is_larger_than_leverage_allows():
    orders = crowd()
    assert len(orders) > MEMBERS * 0.9
    for order in orders:
        # Half of the equity a market, eight times: 40,000 USD.
        value = order["lots"] * PRICE[order["market"]] * 100
        assert value <= 40_000 * USD


def test_without_a_trend_half_of_the_orders_buy():
    sides = np.array([order["side"] for order in crowd()])
    assert abs(sides.mean()) < 4 / MEMBERS**0.5


@pytest.mark.parametrize(("style", "expected"), [(1, 1), (-1, -1)])
def test_followers_buy_a_rise_and_contrarians_sell_it(style, expected):
    orders = crowd(
        {"style": style}, {"conviction_ppm": 2 * PPM}, change_ppm=(2_000, 2_000)
    )
    assert {order["side"] for order in orders} == {expected}


def test_a_bias_makes_buyers():
    numbers_ = params(activity_ppm=ALWAYS, long_bias_ppm=PPM)
    _, rows = decide(FAMILY, view(MEMBERS), numbers_)
    assert {row[0]["side"] for row in rows if row} == {1}


def test_takers_go_no_further_than_their_slippage_and_the_patient_stay_near():
    for order in crowd({}, {"patient_ppm": NEVER}):
        touch = PRICE[order["market"]] + order["side"] * 10
        assert order["ticks"] == touch + order["side"] * (touch * 3_000 // PPM)
        assert order["flags"] == Flag.IOC
    for order in crowd({}, {"patient_ppm": ALWAYS}):
        mid = PRICE[order["market"]]
        assert 0 < (mid - order["ticks"]) * order["side"] <= mid * 3_000 // PPM
        assert order["flags"] == 0 and order["expiry_block"] == 90 + 60


def test_a_new_plan_takes_the_place_of_what_rests_of_the_old_one():
    kinds = {order["kind"] for order in crowd({}, {"patient_ppm": PPM // 2})}
    assert kinds == {Kind.REPLACE}


def test_an_empty_book_leaves_the_outside_price_to_trade_at():
    orders = crowd(bid=(0, 0), ask=(0, 0))
    for order in orders:
        assert abs(order["ticks"] - PRICE[order["market"]]) < 0.004 * PRICE[0]


def test_a_trader_without_equity_only_reduces():
    # It wants nothing, so it sells what it has.
    seen = view(**{**held(0, 100), "collateral": [-1_100 * USD]})
    eager = params(activity_ppm=ALWAYS, react_ppm=NEVER)
    orders = [sent(seen, eager, block=block) for block in range(12)]
    assert {o["side"] for o in orders if o} == {-1}
    assert {o["market"] for o in orders if o} == {0}


def test_leverage_is_drawn_around_its_median_and_held_between_one_and_the_most():
    spread = numbers(FAMILY, leverage_ppm=8_000_000, leverage_sigma_ppm=600_000)
    memory = drawn(FAMILY, spread, members=2_000)
    leverage = np.asarray(memory.leverage_ppm) / PPM
    assert np.median(leverage) == pytest.approx(8, rel=0.07)
    assert leverage.min() >= 1 and leverage.max() == 30
    assert 0.4 < (np.asarray(memory.style) == 1).mean() < 0.6


def test_bids_for_priority_stay_below_the_largest():
    bids = [order["fee_bid"] for order in crowd({}, {"fee_bid": 1_000})]
    assert 0 <= min(bids) < 100 and 900 < max(bids) <= 1_000
