"""One world of 56 accounts, for twenty blocks: the quick check that all hangs together.

Both tests run the same compiled program. What must hold of a world in general is held
by `tests.properties.test_world_is_exact` and `tests.parity`.
"""

from functools import cache

import numpy as np

from market.types.orders import Status
from tests.worlds import Watched, small

BLOCKS = 20


@cache
def run(stride):
    """The world after twenty blocks, so many at a time."""
    watched = Watched(*small())
    for _ in range(0, BLOCKS, stride):
        watched.advance(stride)
    return watched


def test_people_trade_and_nothing_is_created_or_lost():
    watched = run(BLOCKS)
    assert watched.counters[Status.FILLED] > 0
    assert watched.counters[Status.RESTING] > 0
    assert int(watched.world.measures.error) == 0
    assert np.all(np.asarray(watched.world.exchange.position).sum(axis=0) == 0)


def test_the_root_does_not_depend_on_where_one_looks():
    assert run(BLOCKS).root == run(5).root
