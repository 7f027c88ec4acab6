"""The mark of Hyperliquid's block, by hand and against the rule's own functions."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from market.types.state import BookState, open_exchange
from market.upkeep.mark import margin_prices, middle, with_mark
from market.venues import hyperliquid as rules
from market.venues.dydx_v4.preset import dydx_v4
from market.venues.hyperliquid.oracle import (
    BOOK_EMA_US,
    MARK_EMA_US,
    Ema,
    ema_value,
)
from market.venues.hyperliquid.preset import hyperliquid

BLOCK_US = 3_000_000
HYPER, _ = hyperliquid(("BTC",), accounts=2, book_capacity=2)
DYDX, _ = dydx_v4(("BTC",), accounts=2, book_capacity=2)
NO, YES = jnp.asarray(False), jnp.asarray(True)


def at(spec, oracle, bid, ask, last, state=None):
    """A state at an oracle price with these best prices; 0 leaves a side empty."""
    if state is None:
        start = open_exchange(
            spec, jnp.zeros(2, jnp.int64), jnp.asarray(0), jnp.array([oracle])
        )
    else:
        start = replace(state, oracle=jnp.array([oracle]))
    ticks = jnp.array([[[max(bid - 9, 0), bid], [ask + 9, ask]]])
    count = jnp.array([[2 if bid else 0, 2 if ask else 0]])
    values = {
        name: getattr(start.book, name) for name in BookState.__dataclass_fields__
    }
    book = BookState(**{**values, "ticks": ticks, "lots": ticks, "count": count})
    return replace(start, book=book, last=jnp.array([last]))


def marked(state, halted=NO, spec=HYPER):
    return with_mark(state, halted, spec=spec, block_us=BLOCK_US)


def test_the_first_mark_is_the_middle_of_basis_book_and_their_means():
    # Oracle 60,000, middle 60,100: the mean of one sample is that sample. The book's
    # median is the bid (the last trade was lower), and so is its mean.
    state = marked(at(HYPER, 60_000, bid=60_050, ask=60_151, last=59_000))
    assert state.mark.tolist() == [60_050]
    assert state.basis_ema.tolist() == [[100 * BLOCK_US, BLOCK_US]]
    assert state.book_ema.tolist() == [[60_050 * BLOCK_US, BLOCK_US]]


def test_a_book_without_a_side_gives_no_sample_and_leaves_oracle_and_basis():
    state = marked(at(HYPER, 60_000, bid=60_050, ask=60_151, last=59_000))
    after = marked(at(HYPER, 61_000, bid=0, ask=60_151, last=59_000, state=state))
    assert after.mark.tolist() == [61_100]
    assert after.previous_mark.tolist() == [60_050]
    assert after.basis_ema.tolist() == state.basis_ema.tolist()
    first = marked(at(HYPER, 60_000, bid=0, ask=0, last=50_000))
    assert first.mark.tolist() == [60_000]


def test_nothing_changes_while_the_chain_is_halted():
    state = at(HYPER, 60_000, bid=60_050, ask=60_151, last=59_000)
    after = marked(state, halted=YES)
    jax.tree.map(lambda a, b: pytest.fail() if (a != b).any() else None, state, after)


def test_a_venue_without_a_mark_of_its_own_marks_at_the_oracle():
    state = at(DYDX, 60_000, bid=60_050, ask=60_151, last=59_000)
    state = replace(state, oracle=jnp.array([60_500]))
    after = marked(state, spec=DYDX)
    assert after.mark.tolist() == [60_500]
    assert after.previous_mark.tolist() == [60_000]
    assert margin_prices(after, DYDX).tolist() == [60_500]
    assert not after.basis_ema.any()


def test_margin_is_reckoned_at_the_mark():
    state = marked(at(HYPER, 60_000, bid=60_050, ask=60_151, last=59_000))
    assert margin_prices(state, HYPER).tolist() == [60_050]


PRICES = st.integers(1, 1 << 20)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(PRICES, PRICES, PRICES, PRICES), min_size=1, max_size=6))
def test_the_mark_agrees_with_the_rule(table):
    state, basis, book = None, Ema(0, 0), Ema(0, 0)
    slow = rules.decay_factor(BLOCK_US, MARK_EMA_US)
    fast = rules.decay_factor(BLOCK_US, BOOK_EMA_US)
    for oracle, a, b, last in table:
        bid, ask = min(a, b), max(a, b) + 1
        state = marked(at(HYPER, oracle, bid, ask, last, state))
        basis = rules.updated_ema(basis, (bid + ask) // 2 - oracle, BLOCK_US, slow)
        sample = rules.median((bid, ask, last))
        book = rules.updated_ema(book, sample, BLOCK_US, fast)
        expected = rules.mark_price(
            oracle, ema_value(basis), (bid, ask, last), None, ema_value(book)
        )
        assert state.mark.tolist() == [max(expected, 1)]


@settings(deadline=None)
@given(st.permutations([3, 5, 9]))
def test_the_middle_of_three_does_not_ask_for_their_order(values):
    assert int(middle(*map(jnp.asarray, values))) == 5
