"""Whoever cannot be deleveraged takes nobody's turn, in all three forms.

Long BTC accounts are bankrupt, and so are all who hold the other side, for they lost
more in another market: closing them is hopeless. One bankrupt long SOL account has a
rich counterparty and could be closed at once.
"""

from dataclasses import replace
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from market import exchange
from market.arrays.deleveraging import deleverage_pending
from market.arrays.entry import enter, read_static
from market.arrays.lane import LANES
from market.arrays.margin import reckon_prices
from market.exchange import execute
from market.numbers.units import QUANTA_PER_USD as USD
from market.twin.block import run_continuous_block
from market.types.environment import Turn
from market.types.layout import STATE_FIELDS
from market.types.limits import LIST_SHIFT, MAX_COUNTERPARTIES
from market.types.orders import Tx
from market.types.specs import Deleveraging
from market.venues.dydx_v4.preset import dydx_v4
from tests.market.forms import exchange_cases as cases

#: Hopeless accounts at most, their counterparties, those of ETH, and the pair in SOL.
MOST = 30
BTC, ETH, SOL = range(3)
SHORT_ETH, LONG_SOL, SHORT_SOL = range(2 * MOST, 2 * MOST + 3)
ACCOUNTS = 2 * MOST + 3
FORMS = ("twin", "native", pytest.param("array", marks=pytest.mark.slow))


@cache
def venue(rule=Deleveraging.RANDOM_WALK):
    """Three markets; SOL's account has the highest number of those marked."""
    spec, params = dydx_v4(("BTC", "ETH", "SOL"), accounts=ACCOUNTS, book_capacity=2)
    return replace(spec, deleveraging=rule), params


@cache
def compiled(form, rule):
    """The deleveraging of a form, as a function of state, height and word.

    The kernel's stands in its block; of the arrays only this part is compiled.
    """
    spec, params = venue(rule)
    if form == "native":
        nothing = Tx(**{name: jnp.zeros(1, jnp.int64) for name in cases.FIELDS})
        return lambda state, block, word: execute(
            state, nothing, Turn(block, word), params, spec=spec, auction=False
        )[0]
    sizes, multipliers = read_static(exchange._static_words(spec, 1, False))

    def one_lane(state, prices, numbers, block, word):
        told = block, word, jnp.int64(0)
        lane, env = enter(sizes, multipliers, state, prices, numbers, told)
        lane = deleverage_pending(lane, reckon_prices(env, lane.position))
        return tuple(getattr(lane, name) for name in STATE_FIELDS)

    run = jax.jit(jax.vmap(one_lane, axis_name=LANES))

    def of_arrays(state, block, word):
        prices = state.oracle, state.previous_mark
        numbers = exchange._param_rows(params, spec)
        given = exchange._changing_fields(state), prices, numbers, block, word
        changed = run(*jax.tree.map(lambda x: x[None], given))
        return exchange._with_fields(state, [x[0] for x in changed])

    return of_arrays


def crashed(hopeless):
    """Positions and money after the crash: ``(position, collateral, ticks)``."""
    spec, _ = venue()
    multiplier = np.array(spec.multipliers)
    entry = np.array([60_000, 30_000, 15_000])
    ticks = entry * [95, 60, 92] // 100
    lots = np.array([6_000, 3_000, 3_000]) * USD // (entry * multiplier)
    position = np.zeros((ACCOUNTS, 3), np.int64)
    usd = np.zeros(ACCOUNTS, np.int64)
    longs, shorts = np.arange(hopeless), MOST + np.arange(hopeless)
    position[longs, BTC], position[shorts, BTC] = lots[BTC], -lots[BTC]
    position[shorts, ETH], position[SHORT_ETH, ETH] = lots[ETH], -hopeless * lots[ETH]
    position[LONG_SOL, SOL], position[SHORT_SOL, SOL] = lots[SOL], -lots[SOL]
    usd[longs], usd[shorts], usd[LONG_SOL] = 200, 700, 200
    usd[SHORT_ETH] = usd[SHORT_SOL] = 1_000_000
    return position, usd * USD - position @ (entry * multiplier), ticks


def marked(form, hopeless, rule=Deleveraging.RANDOM_WALK) -> Any:
    """The exchange of a form with the bankrupt longs marked."""
    spec, params = venue(rule)
    position, collateral, ticks = crashed(hopeless)
    pending = np.zeros((ACCOUNTS, 3), np.int64)
    pending[:hopeless, BTC] = pending[LONG_SOL, SOL] = 1
    state, twin = cases.start(spec, params, collateral.tolist(), 0, ticks.tolist())
    if form == "twin":
        twin.position, twin.cost = position.tolist(), (position * 0).tolist()
        twin.adl_pending = pending.tolist()
        return twin
    names = {"position": position, "adl_pending": pending}
    return replace(state, **{n: jnp.asarray(v) for n, v in names.items()})


def after_block(form, state, block, word, rule=Deleveraging.RANDOM_WALK):
    """The exchange after a block without transactions."""
    if form == "twin":
        run_continuous_block(state, [], block, word)
        return state
    return compiled(form, rule)(state, jnp.asarray(block), jnp.asarray(word))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("hopeless", [9, 10, MOST])
def test_hopeless_accounts_take_nobodys_turn(form, hopeless):
    words = np.random.default_rng(1).integers(1 << 62, size=3).tolist()
    for word in words:
        after = after_block(form, marked(form, hopeless), 1, word)
        assert int(np.asarray(after.position)[LONG_SOL, SOL]) == 0
        assert int(np.asarray(after.adl_pending)[LONG_SOL, SOL]) == 0
        assert (np.asarray(after.position)[:hopeless, BTC] > 0).all()
        assert (np.asarray(after.adl_pending)[:hopeless, BTC] == 1).all()


def test_the_list_of_marks_begins_at_a_random_one():
    # Two could be closed, the bound of a block is one: the word says who is first.
    spec, _ = venue()
    first = {}
    for place in (0, 1):
        twin = marked("twin", 0)
        twin.spec = replace(spec, deleverages_per_block=1)
        twin.position[SHORT_ETH][BTC], twin.position[0][BTC] = -100, 100
        twin.collateral[0] = -100 * twin.price[BTC] * twin.multiplier[BTC] - 1
        twin.adl_pending[0][BTC] = 1
        after = after_block("twin", twin, 1, place << LIST_SHIFT)
        first[place] = after.position[0][BTC] == 0, after.position[LONG_SOL][SOL] == 0
    assert first == {0: (True, False), 1: (False, True)}


def test_dust_of_contract_pro_rata_is_gone_after_a_few_blocks():
    # Ten owe, thirty hold the other side; those who gave all leave others with dust.
    rule = Deleveraging.CONTRACT_PRO_RATA
    spec, params = venue(rule)
    money = [0] * MOST + [10**12] * (ACCOUNTS - MOST)
    _, twin = cases.start(spec, params, money, 0, [60_000, 30_000, 15_000])
    for debtor in range(10):
        twin.position[debtor][BTC], twin.adl_pending[debtor][BTC] = 29 + debtor, 1
        worth = (29 + debtor) * 60_000 * twin.multiplier[BTC]
        twin.collateral[debtor] = -worth - 50 * USD
    lots = sum(29 + debtor for debtor in range(10))
    for holder in range(MOST, 2 * MOST):
        twin.position[holder][BTC] = -(lots // MOST)
    twin.position[MOST][BTC] -= lots % MOST
    left = [lots]
    while left[-1] and len(left) < 5:
        after_block("twin", twin, len(left), len(left), rule)
        left.append(sum(row[BTC] for row in twin.position[:10]))
    assert 0 < left[1] < 10 * MOST and left[-1] == 0
    assert not any(map(any, twin.adl_pending))


def test_a_lone_able_counterparty_among_too_many_is_found_within_a_few_blocks():
    # 600 hold the other side, all but one bankrupt; a walk looks at 500 of them.
    many = MAX_COUNTERPARTIES + 100
    spec, params = dydx_v4(("BTC",), accounts=many + 2, book_capacity=2)
    unit = 60_000 * spec.multipliers[0]
    money = [unit * 2 * many - 1, 10**12]
    _, twin = cases.start(spec, params, [*money, *[0] * many], 0, [60_000])
    twin.position = [[many], [0], *[[-1] for _ in range(many)]]
    twin.collateral = [-many * unit - 1, 0, *[unit // 2] * many]
    twin.collateral[2 + 7], twin.adl_pending[0][0] = 10**12, 1
    words, blocks = np.random.default_rng(3).integers(1 << 62, size=40).tolist(), 0
    while twin.position[0][0] == many:
        after_block("twin", twin, blocks + 1, words[blocks])
        blocks += 1
    assert twin.position[2 + 7][0] == 0 and twin.position[0][0] == many - 1
