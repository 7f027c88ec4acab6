"""The circuit breaker against a plain-Python oracle, and in the block of the venue."""

from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from market import block
from market.numbers.units import PPM, as_int
from market.types.environment import Environment
from market.types.orders import BUY, SELL, Kind, Status
from market.types.state import BREAKER_SAMPLES, open_breaker, open_exchange
from market.upkeep.breaker import is_paused, watch_index
from market.venues.dydx_v4.preset import dydx_v4
from tests.market.upkeep.test_stops import records

SECOND = 1_000_000
SPEC, PARAMS = dydx_v4(("BTC", "ETH"), accounts=3, book_capacity=8)


def ruled(move=50_000, window=8, pause=3):
    return replace(
        PARAMS,
        circuit_breaker_move_ppm=as_int(move),
        circuit_breaker_window_us=as_int(window * SECOND),
        circuit_breaker_pause_us=as_int(pause * SECOND),
    )


class Oracle:
    """The rule on lists and ints, one market."""

    def __init__(self, move, window, pause):
        self.move, self.window, self.pause = move, window, pause
        self.samples, self.until = [], None

    def sees(self, now, price) -> bool:
        """Whether the market stands still in this block."""
        if self.until is not None and now < self.until:
            return True
        if self.until is not None:
            self.samples, self.until = [], None
        fresh = [
            p for t, p in self.samples[-BREAKER_SAMPLES:] if now - t <= self.window
        ]
        if self.move and any(abs(price - p) * PPM > self.move * p for p in fresh):
            self.until = now + self.pause
        step = self.window // BREAKER_SAMPLES
        if self.move and (not self.samples or now - self.samples[-1][0] >= step):
            self.samples.append((now, price))
        return self.until is not None and now < self.until


WATCH = jax.jit(watch_index)


def pauses(prices, seconds, params):
    """By block, whether each market stands still."""
    state, found = open_breaker(2), []
    for now, row in zip(seconds, prices, strict=True):
        state = WATCH(state, as_int(row), as_int(now * SECOND), params)
        found.append(is_paused(state, as_int(now * SECOND)).tolist())
    return found


def test_a_move_of_the_threshold_is_borne_and_one_tick_more_pauses():
    for last, paused in (
        (10_500, False),
        (10_501, True),
        (9_500, False),
        (9_499, True),
    ):
        found = pauses([[10_000, 7]] * 2 + [[last, 7]], [0, 1, 2], ruled())
        assert found[-1] == [paused, False]


def test_the_reference_goes_back_by_the_window_and_no_further():
    # 2 % a second: 10_000 is 8 seconds old at 10_400, and 9 at the next price.
    slow = [[10_000, 1]] + [[10_400, 1]] * 8
    assert pauses([*slow, [10_501, 1]], range(10), ruled())[-1] == [False, False]
    assert pauses([*slow[:8], [10_501, 1]], range(9), ruled())[-1] == [True, False]


def test_the_pause_has_its_length_and_the_reopening_price_is_the_new_reference():
    prices = [[10_000, 9]] + [[11_000, 9]] * 5
    assert [row[0] for row in pauses(prices, range(6), ruled())] == [
        *[False, True, True, True],
        *[False, False],
    ]


def test_prices_seen_in_a_pause_are_no_reference():
    prices = [[p, 9] for p in (10_000, 11_000, 5_000, 5_000, 11_000, 11_100)]
    assert [row[0] for row in pauses(prices, range(6), ruled())][4:] == [False, False]


def test_a_move_over_a_gap_longer_than_the_window_pauses_nothing():
    assert pauses([[10_000, 9], [20_000, 9]], [0, 9], ruled())[1] == [False, False]
    assert pauses([[10_000, 9], [20_000, 9]], [0, 8], ruled())[1] == [True, False]


def test_without_a_threshold_nothing_pauses():
    found = pauses([[10_000, 9], [1, 9]], [0, 1], ruled(move=0))
    assert found == [[False, False]] * 2


steps = st.lists(
    st.tuples(st.integers(1, 7), st.integers(900, 1_100)), min_size=1, max_size=40
)


@given(steps, st.integers(0, 90_000), st.integers(0, 40), st.integers(1, 12))
@settings(max_examples=150, deadline=None)
def test_the_breaker_is_its_oracle(path, move, window, pause):
    params = ruled(move, window, pause)
    oracle = Oracle(move, window * SECOND, pause * SECOND)
    now, seconds, expected = 0, [], []
    for wait, price in path:
        now += wait
        seconds.append(now)
        expected.append(oracle.sees(now * SECOND, price))
    found = pauses([[price, 1] for _, price in path], seconds, params)
    assert found == [[paused, False] for paused in expected]


# --- in the block -------------------------------------------------------------------

STEP = jax.jit(partial(block.step, spec=SPEC, auction=False))
ORDER = {"kind": Kind.ORDER, "side": BUY, "ticks": 1_000, "lots": 2}


class Venue:
    """A venue of two markets, stepped second by second."""

    def __init__(self, params):
        collateral = as_int([10**9] * 3)
        self.state = open_exchange(SPEC, collateral, as_int(10**9), as_int([1_000] * 2))
        self.params, self.second = params, 0

    def step(self, *rows, btc=1_000, halted=False) -> list[Status]:
        self.state, receipts, self.info = STEP(
            self.state,
            records(*rows),
            Environment(
                block=jnp.int64(self.second),
                height=jnp.int64(self.second + 1),
                is_halted=jnp.asarray(halted),
                reports=as_int([[btc], [1_000]]),
                seed_word=jnp.int64(0),
                block_us=SECOND,
            ),
            self.params,
        )
        self.second += 1
        return [Status(int(status)) for status in receipts.status[: len(rows)]]


def test_a_paused_market_refuses_orders_and_liquidations_and_lets_orders_leave():
    venue = Venue(ruled(pause=2))
    elsewhere = {**ORDER, "market": 1}
    venue.step(ORDER, {**ORDER, "slot": 1})
    assert venue.step(
        {**ORDER, "side": SELL, "account": 1},
        {"kind": Kind.LIQUIDATE, "account": 1, "slot": 0},
        {"kind": Kind.REDUCE, "lots": 1},
        elsewhere,
        btc=1_060,
    ) == [Status.HALTED, Status.HALTED, Status.ACCEPTED, Status.RESTING]
    assert venue.info.halted.tolist() == [1, 0]
    assert venue.step({"kind": Kind.CANCEL, "slot": 1}, btc=1_060) == [Status.ACCEPTED]
    taker = {**ORDER, "side": SELL, "account": 1, "lots": 1}
    assert venue.step(taker, btc=1_060) == [Status.FILLED]
    assert venue.info.halted.tolist() == [0, 0]


def test_in_a_pause_deleveraging_waits():
    venue = Venue(ruled(pause=1))
    venue.step()
    venue.state = replace(
        venue.state, adl_pending=venue.state.adl_pending.at[2, 0].set(1)
    )
    venue.step(btc=1_060)
    assert int(venue.state.adl_pending[2, 0]) == 1
    venue.step(btc=1_060)
    assert int(venue.state.adl_pending[2, 0]) == 0


@pytest.mark.parametrize("halted", [True, False])
def test_a_block_that_is_not_made_moves_no_breaker(halted):
    venue = Venue(ruled())
    venue.step()
    before = venue.state.breaker
    venue.step(btc=1_060, halted=halted)
    same = jax.tree.map(lambda a, b: bool((a == b).all()), before, venue.state.breaker)
    assert all(jax.tree.leaves(same)) == halted
