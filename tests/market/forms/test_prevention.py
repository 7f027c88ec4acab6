"""Self-trade prevention of a round by itself: the array form equals the twin.

The kernel is held equal to the twin by whole blocks (`test_rounds`, `test_twin`).
"""

from functools import cache, partial

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from market.arrays.prevention import Columns, lots_left
from market.numbers.units import as_int
from market.twin.lane import Order
from market.twin.prevention import prevent_self_trades
from market.types.orders import BUY, SELL
from market.types.specs import SelfTrade

RESTING, WAITING = 4, 8
sizes = st.integers(1, 9)
traders = st.tuples(
    st.sampled_from([BUY, SELL]), st.integers(0, 2), sizes, st.booleans()
)


@cache
def array_form(mode):
    return jax.jit(partial(lots_left, mode=mode))


@pytest.mark.parametrize("mode", list(SelfTrade), ids=lambda mode: mode.name)
@settings(max_examples=60, deadline=None)
@given(rows=st.lists(traders, min_size=12, max_size=12))
def test_the_array_form_leaves_what_the_specification_leaves(mode, rows):
    # Two resting orders never meet: a book is not crossed.
    rows = [
        (BUY if i < RESTING else side, *rest) for i, (side, *rest) in enumerate(rows)
    ]
    orders = [Order(side=s, ticks=1, lots=n, account=a) for s, a, n, _ in rows]
    filled = [lots if trades else 0 for _, _, lots, trades in rows]
    side, account, lots = (as_int([row[i] for row in rows]) for i in range(3))
    columns = Columns(side=side, ticks=lots, lots=lots, came=lots, account=account)
    left = array_form(mode)(columns, as_int(filled), np.zeros(WAITING, bool))
    prevent_self_trades(orders, filled, mode)
    assert left.tolist() == [order.lots for order in orders]


@pytest.mark.parametrize("mode", list(SelfTrade), ids=lambda mode: mode.name)
@settings(max_examples=60, deadline=None)
@given(rows=st.lists(traders, max_size=12))
def test_it_ends_when_nobody_would_trade_with_itself(mode, rows):
    orders = [Order(side=s, ticks=1, lots=n, account=a) for s, a, n, _ in rows]
    for _ in range(len(orders) + 1):
        if not prevent_self_trades(orders, [order.lots for order in orders], mode):
            break
    sides = {(o.account, o.side) for o in orders if o.lots > 0}
    assert len({account for account, _ in sides}) == len(sides)
