"""How much of a position is sent to the book: Hyperliquid's rule in lab units."""

import jax.numpy as jnp
from hypothesis import given
from hypothesis import strategies as st

from market.numbers.units import QUANTA_PER_USD as USD
from market.rules.staged import StagedRules, lots_to_send
from market.venues.hyperliquid.liquidation import liquidation_size
from tests.market.ints import EXACT, array

RULES = StagedRules(100_000 * USD, 200_000, 30 * 10**6, 0)

TIMES = st.integers(0, 100)


@EXACT
@given(st.integers(1, 10**6), TIMES, st.one_of(st.none(), TIMES), st.booleans())
def test_the_size_sent_agrees_with_the_rule(size, now, partial, waits):
    # The rule counts whole seconds since the partial; in its own block none has begun.
    since = -1 if partial is None or partial >= now else now - partial
    until = 0 if partial is None else (min(partial, now) + 30) * 10**6
    notional = size * 6 * USD
    rules = RULES._replace(waits=int(waits))
    sent = lots_to_send(size, notional, now * 10**6, until, rules)
    assert sent == liquidation_size(size, notional, since, waits=waits)
    numbers = [array(n) for n in (size, notional, now * 10**6, until)]
    assert int(lots_to_send(*numbers, rules)) == sent


def test_the_limit_is_inclusive_and_the_part_is_rounded_up():
    size = jnp.array([11, 11])
    notional = jnp.array([100_000 * USD, 100_000 * USD + 1])
    assert lots_to_send(size, notional, 0, 0, RULES).tolist() == [11, 3]


def test_the_cooldown_begins_after_its_block_and_ends_at_its_end():
    notional, until = 100_000 * USD + 1, 40 * 10**6
    for waits, expected in ((0, [3, 11, 11, 3]), (1, [3, 0, 0, 11])):
        rules = RULES._replace(waits=waits)
        now = [10 * 10**6, 10 * 10**6 + 1, until - 1, until]
        sent = [lots_to_send(11, notional, n, until, rules) for n in now]
        assert sent == expected
