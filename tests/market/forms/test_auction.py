"""The rules of the uniform-price auction, on the reference and on both lowerings."""

from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit

from market.arrays import auction
from market.kernels.auction import clear as clear_kernel
from market.twin import auction as reference_auction
from market.twin.auction import demand, supply
from market.twin.lane import Order
from market.types.limits import MAX_AUCTION_ORDERS as MAX_ORDERS
from market.types.orders import BUY, SELL

LOWERINGS = ("native", "array")
ORDERS = 16


@cache
def array_form():
    return jax.jit(auction.clear)


@njit
def call_kernel(side, ticks, lots, came, keys, filled):
    return clear_kernel(side, ticks, lots, came, keys, filled)


def native_form(side, ticks, lots, came):
    keys, filled = np.zeros((2, len(side)), np.int64), np.zeros_like(lots)
    price, volume = call_kernel(side, ticks, lots, came, keys, filled)
    return auction.Clearing(price, volume, filled)


def compiled(orders, lowering):
    rows = [(o.side, o.ticks, o.lots, o.came) for o in orders]
    rows += [(0, 0, 0, 0)] * (ORDERS - len(rows))
    form = array_form() if lowering == "array" else native_form
    found = form(*(np.array(column, np.int64) for column in np.array(rows).T))
    filled = found.filled.tolist()
    assert not any(filled[len(orders) :])
    return int(found.ticks), int(found.volume), filled[: len(orders)]


@pytest.fixture(params=("reference", *LOWERINGS))
def clear(request):
    if request.param == "reference":
        return reference_auction.clear
    return partial(compiled, lowering=request.param)


def order(side, ticks, lots, came=0):
    return Order(side=side, ticks=ticks, lots=lots, came=came)


def buy(ticks, lots, came=0):
    return order(BUY, ticks, lots, came)


def sell(ticks, lots, came=0):
    return order(SELL, ticks, lots, came)


def test_without_a_crossing_pair_nothing_trades(clear):
    assert clear([buy(9, 5), sell(10, 5)]) == (0, 0, [0, 0])
    assert clear([]) == (0, 0, [])


def test_the_price_maximises_volume(clear):
    orders = [buy(12, 3), buy(10, 4), sell(9, 2), sell(10, 4), sell(12, 9)]
    assert clear(orders) == (10, 6, [3, 3, 2, 4, 0])


@pytest.mark.parametrize(("bid", "price"), [(104, 102), (105, 102), (106, 103)])
def test_an_interval_of_best_prices_clears_at_its_midpoint_rounded_down(
    clear, bid, price
):
    assert clear([buy(bid, 5), sell(100, 5)]) == (price, 5, [5, 5])


def test_better_limits_of_the_long_side_fill_whole(clear):
    orders = [buy(12, 4), buy(11, 4), buy(10, 4), sell(10, 6)]
    assert clear(orders)[2] == [4, 2, 0, 6]


def test_at_the_margin_earlier_blocks_come_first(clear):
    orders = [buy(10, 4, 1), buy(10, 4, 2), buy(10, 4, 3), sell(10, 6, 3)]
    assert clear(orders)[2] == [4, 2, 0, 6]


def test_a_better_price_beats_an_earlier_block(clear):
    assert clear([buy(10, 4, 1), buy(11, 4, 2), sell(10, 5, 2)])[2] == [1, 4, 5]


def test_within_a_round_the_margin_is_shared_by_size(clear):
    orders = [buy(10, 10), buy(10, 30), buy(10, 60), sell(10, 50)]
    assert clear(orders)[2] == [5, 15, 30, 50]


def test_lots_left_over_go_to_the_largest_remainder(clear):
    # 10 lots over 3, 5, 9 of 17: exact shares 1.76, 2.94, 5.29
    orders = [sell(10, 3), sell(10, 5), sell(10, 9), buy(10, 10)]
    assert clear(orders)[2] == [2, 3, 5, 10]


def test_equal_remainders_favour_the_earlier_order(clear):
    orders = [sell(10, 5), sell(10, 5), sell(10, 5), buy(10, 7)]
    assert clear(orders)[2] == [3, 2, 2, 7]


def test_shares_of_huge_orders_are_exact(clear):
    big = 2**46 + 1
    orders = [buy(7, big), buy(7, 2 * big), buy(7, 3), sell(7, big + 2)]
    shares = reference_auction.shares([big, 2 * big, 3], big + 2)
    assert sum(shares) == big + 2
    assert clear(orders) == (7, big + 2, [*shares, big + 2])


sizes = st.integers(0, 12) | st.sampled_from([1, 2**31 - 1, 2**40])
side_and_price = st.tuples(st.sampled_from([BUY, SELL]), st.integers(5, 12), sizes)


@st.composite
def order_lists(draw):
    """Resting orders of several blocks, then those of a new one."""
    found = draw(st.lists(side_and_price, max_size=ORDERS))
    ages = sorted(draw(st.lists(st.integers(0, 3), min_size=16, max_size=16)))
    return [order(*each, age) for each, age in zip(found, ages, strict=False)]


@given(order_lists())
@settings(max_examples=200, deadline=None)
def test_both_lowerings_are_the_reference(orders):
    expected = reference_auction.clear(orders)
    for lowering in LOWERINGS:
        assert compiled(orders, lowering) == expected


@given(order_lists())
@settings(max_examples=200, deadline=None)
def test_no_price_trades_more_and_the_price_is_the_middle_of_those_that_trade_as_much(
    orders,
):
    ticks, volume, _ = compiled(orders, "native")
    volumes = {p: min(demand(orders, p), supply(orders, p)) for p in range(1, 20)}
    assert volume == max(volumes.values())
    if volume:
        best = [p for p in volumes if volumes[p] == volume]
        assert best == list(range(best[0], best[-1] + 1))
        assert ticks == (best[0] + best[-1]) // 2


@given(order_lists())
@settings(max_examples=200, deadline=None)
def test_no_lot_is_lost_and_nobody_trades_beyond_its_limit_or_size(orders):
    ticks, volume, filled = compiled(orders, "native")
    for side in (BUY, SELL):
        mine = [(o, f) for o, f in zip(orders, filled, strict=True) if o.side == side]
        assert sum(f for _, f in mine) == volume
        assert all(0 <= f <= o.lots for o, f in mine)
        assert all(side * (o.ticks - ticks) >= 0 for o, f in mine if f)


@given(order_lists())
@settings(max_examples=200, deadline=None)
def test_nobody_fills_while_someone_with_priority_does_not(orders):
    """Price first, then block; inside one block shares differ by less than a lot."""
    _, _, filled = compiled(orders, "native")
    for one, mine in zip(orders, filled, strict=True):
        for two, yours in zip(orders, filled, strict=True):
            if one.side != two.side or not one.lots or not two.lots:
                continue
            rank = [(-o.side * o.ticks, o.came) for o in (one, two)]
            if rank[0] < rank[1] and yours > 0:
                assert mine == one.lots
            if rank[0] == rank[1]:
                assert abs(mine * two.lots - yours * one.lots) <= one.lots + two.lots


def test_markets_and_lanes_clear_apart():
    lists = [
        [buy(10, 5), sell(9, 3)],
        [buy(9, 5), sell(10, 3)],
        [sell(3, 1), buy(4, 1)],
    ]
    rows = np.array([[(o.side, o.ticks, o.lots, o.came) for o in ls] for ls in lists])
    columns = jnp.moveaxis(jnp.array(rows), -1, 0)
    expected = [reference_auction.clear(orders) for orders in lists]
    found = jax.jit(jax.vmap(auction.clear))(*columns)
    together = zip(*(column.tolist() for column in found), strict=True)
    assert list(together) == expected


def test_too_many_orders_are_refused():
    columns = (jnp.zeros(MAX_ORDERS + 1, jnp.int64),) * 4
    with pytest.raises(ValueError, match="4097 orders"):
        auction.clear(*columns)
