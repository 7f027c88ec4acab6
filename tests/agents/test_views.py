"""What participants see: risk, the danger list, quotes, and nothing newer or hidden."""

from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import pytest

from agents import views
from agents.decisions import visible
from agents.views import Risk
from market.numbers.units import as_int
from market.types.orders import Kind
from market.types.state import open_exchange
from market.venues.dydx_v4.preset import dydx_v4
from market.venues.starkex.preset import starkex
from rollup.mempool import arriving
from tests.rollup.transactions import column, txs
from tests.worlds import Watched, small, watched

USD = 1_000_000
ACCOUNTS = 6
VENUE, PARAMS = dydx_v4(("BTC", "ETH"), accounts=ACCOUNTS, book_capacity=4)
MULTIPLIER = as_int(VENUE.multipliers)
TICKS = (100_000, 30_000)


def exchange(collateral=(0,) * ACCOUNTS, position=None):
    state = open_exchange(VENUE, as_int(collateral), as_int(0), as_int(TICKS))
    if position is not None:
        state = replace(state, position=as_int(position))
    return state


def risk(equity, maintenance):
    return Risk(
        equity=as_int(equity), maintenance=as_int(maintenance), initial=as_int(equity)
    )


def test_risk_is_reckoned_at_oracle_prices_with_requirements_rounded_up():
    collateral = [5 * USD, -7 * USD, 0, 11, 0, 0]
    position = [[3, 0], [0, 7], [-5, 2], [0, 0], [1, 1], [0, 0]]
    found = views.account_risk(exchange(collateral, position), PARAMS, VENUE)
    worth = [t * m for t, m in zip(TICKS, VENUE.multipliers, strict=True)]
    initial = np.asarray(PARAMS.initial_margin_ppm).tolist()
    share = np.asarray(PARAMS.maintenance_fraction_ppm).tolist()
    for account, held in enumerate(position):
        sizes = [abs(lots) * each for lots, each in zip(held, worth, strict=True)]
        base = [-(-s * i // USD) for s, i in zip(sizes, initial, strict=True)]
        needed = [-(-b * f // USD) for b, f in zip(base, share, strict=True)]
        notional = sum(lots * each for lots, each in zip(held, worth, strict=True))
        assert int(found.equity[account]) == collateral[account] + notional
        assert int(found.initial[account]) == sum(base)
        assert int(found.maintenance[account]) == sum(needed)


def test_danger_is_a_requirement_strictly_above_the_equity():
    found = risk([5, 4, -1, 0, -9, 3], [5, 5, 5, 0, 0, 2])
    assert found.in_danger().tolist() == [False, True, True, False, False, False]


def test_the_danger_list_names_the_worst_first_with_their_largest_position():
    position = [[0, 0], [3, 500], [0, -5], [-9, 1], [0, 0], [1, 0]]
    equity = [-9_000 * USD, 50 * USD, 10 * USD, -70 * USD, 0, 99 * USD]
    found = views.danger_list(
        exchange(position=position),
        risk(equity, [0] + [100 * USD] * 5),
        MULTIPLIER,
        as_int(0),
    )
    # Shortfalls of 170, 100, 90, 50 and 1 USD; no requirement, no danger.
    assert found.account[:6].tolist() == [3, 4, 2, 1, 5, -1]
    assert found.market[:5].tolist() == [0, 0, 1, 1, 0]
    assert found.lots[:5].tolist() == [-9, 0, -5, 500, 1]
    assert found.account.shape == (views.DANGER,)


def test_no_one_in_danger_is_an_empty_list():
    found = views.danger_list(exchange(), risk([1] * 6, [0] * 6), MULTIPLIER, as_int(0))
    assert set(found.account.tolist()) == {-1}


def test_of_more_accounts_than_the_danger_list_holds_all_get_a_turn():
    many = views.DANGER + 100
    spec, _ = dydx_v4(("BTC",), accounts=many, book_capacity=2)
    state = open_exchange(spec, as_int([0] * many), as_int(0), as_int([100]))
    worse_and_worse = risk([-2 * USD * number for number in range(many)], [USD] * many)
    worst = list(range(many - 1, many - 1 - views.WORST, -1))
    seen = set()
    for height in range(5):
        found = views.danger_list(
            state, worse_and_worse, MULTIPLIER[:1], as_int(height)
        )
        names = found.account.tolist()
        assert names[: views.WORST] == worst and len(set(names)) == views.DANGER
        seen |= set(names)
    assert seen == set(range(many))


def test_as_many_accounts_as_the_danger_list_holds_are_always_on_it():
    names = {
        tuple(
            views.danger_list(
                exchange(), risk([-USD] * 6, [USD] * 6), MULTIPLIER, as_int(height)
            ).account.tolist()
        )
        for height in range(9)
    }
    assert names == {(5, 4, 3, 2, 1, 0, *[-1] * (views.DANGER - 6))}


def test_in_every_fourth_block_the_danger_list_names_another_position_in_turn():
    position = [[900, 1], [0, -4], *[[0, 0]] * 4]
    markets = [
        views.danger_list(
            exchange(position=position),
            risk([-USD] * 6, [USD] * 2 + [0] * 4),
            MULTIPLIER,
            as_int(height),
        )
        .market[:2]
        .tolist()
        for height in range(8)
    ]
    # The account with one position is second's: there is no other to name.
    assert {row[0] for row in markets} == {1}
    assert [row[1] for row in markets] == [0, 0, 0, 0, 0, 0, 0, 1]


def test_the_best_quotes_stand_at_the_end_of_each_side():
    state = exchange()
    book = state.book
    ticks = book.ticks.at[0, 0, :2].set(jnp.array([98, 99])).at[0, 1, 0].set(101)
    lots = book.lots.at[0, 0, :2].set(jnp.array([5, 6])).at[0, 1, 0].set(7)
    count = as_int([[2, 1], [0, 0]])
    book = replace(book, ticks=ticks, lots=lots, count=count)
    found, sizes = views.best_quotes(replace(state, book=book))
    assert found.tolist() == [[99, 101], [0, 0]]
    assert sizes.tolist() == [[6, 7], [0, 0]]


@pytest.mark.parametrize(
    ("block", "age", "row"), [(5, 0, 5), (5, 2, 3), (1, 4, 0), (99, 0, 7)]
)
def test_a_delayed_price_is_as_old_as_asked_and_never_from_the_future(block, age, row):
    path = jnp.arange(16).reshape(8, 2)
    found = views.delayed(path, jnp.int64(block), jnp.int64(age))
    assert found.tolist() == [2 * row, 2 * row + 1]


def test_a_steady_rise_is_its_own_trend_and_swing():
    trend = views.no_trend(1)
    for _ in range(300):
        trend = views.follow(trend, as_int([100_000]), as_int([100_100]))
    assert int(trend.change[0]) >> 16 == pytest.approx(1_000, abs=1)
    trend = views.follow(trend, as_int([100_000]), as_int([99_900]))
    assert int(trend.change[0]) >> 16 == pytest.approx(1_000 - 2_000 / 16, abs=1)
    assert int(trend.swing[0]) >> 16 == pytest.approx(1_000, abs=1)


def test_a_collapse_of_the_largest_price_does_not_overflow_the_trend():
    high = as_int([(1 << 31) - 1])
    trend = views.follow(views.no_trend(1), high, as_int([1]))
    assert int(trend.change[0]) < 0 < int(trend.swing[0])


def test_groups_with_old_data_see_old_trends():
    run = Watched(*small())
    newest = []
    for _ in range(8):
        run.advance()
        newest.append(run.world.trends["market_makers"].change.tolist())
    assert newest[-1] != newest[-2], "the price must move for this test"
    # Traders see what makers saw a block before.
    assert run.world.trends["leveraged_traders"].change.tolist() == newest[-2]


def clock(world, now_us=0):
    return views.Clock(world.block, world.chain.height, jnp.int64(now_us), USD)


def view_of(group):
    run = watched()
    public = views.public_of(
        run.world.exchange, run.params.venue, clock(run.world), spec=run.spec.venue
    )
    trend = run.world.trends[group.name]
    return views.view_of(group, public, run.setting.path[0], trend, None)


def test_a_group_sees_its_own_accounts_and_no_others():
    run = watched()
    for group in run.spec.groups:
        seen = view_of(group)
        for name in ("collateral", "position", "cost", "open_lots"):
            whole = getattr(run.world.exchange, name)
            own = getattr(seen, name)
            assert (own == whole[group.rows]).all()
            assert own.shape[0] == group.count
        for name in ("equity", "maintenance", "initial"):
            assert getattr(seen, name).shape == (group.count,)


def shown_of(policy, world, sent):
    """What a scheme shows the searchers of a world's mempool and of what was sent."""
    spec, params = small(policy)
    (searchers,) = (group for group in spec.groups if group.name == "searchers")
    return visible(world, sent, searchers, params.chain, spec=spec)


@pytest.mark.parametrize("policy", ["fcfs", "batch_auction"])
def test_a_sealed_scheme_leaves_no_mempool_in_anyones_view(policy):
    assert shown_of(policy, watched("fcfs").world, txs([{}])) is None


def test_a_public_mempool_shows_what_arrives_in_this_block_and_nothing_later():
    world = watched("fcfs").world
    queue = txs([{"sent_us": 1, "arrival_us": 7}, {"sent_us": 2}], 256)
    waiting = arriving(queue, None, 1, 0)
    chain = replace(world.chain, waiting=waiting)
    world = replace(world, chain=chain, block=jnp.int64(5))
    now, end = 5 * USD, 6 * USD
    sent = txs(
        {"sent_us": 3 + i, "arrival_us": at, "kind": kind}
        for i, (at, kind) in enumerate(
            [(end - 1, Kind.ORDER), (end, Kind.ORDER), (now, Kind.NONE)]
        )
    )
    assert column(shown_of("priority_fee", world, sent).txs) == [1, 2, 3]


def test_on_starkex_the_risk_factor_of_the_position_is_what_is_required():
    steps = {"BTC": [("0.0005", "0.03"), ("1", "0.06")]}
    spec, params = starkex(("BTC", "ETH"), accounts=2, risk_steps=steps)
    state = open_exchange(spec, as_int([USD, USD]), as_int(0), as_int(TICKS))
    state = replace(state, position=as_int([[5, 1], [-6, 0]]))
    found = views.account_risk(state, params, spec)
    # Lots of BTC are 10 dollars, the lot of ETH 3. 3 % of 50 and 3, or 6 % of 60.
    assert found.maintenance.tolist() == [1_590_000, 3_600_000]
    # Initial margin is 5 %, where the factor is not larger.
    assert found.initial.tolist() == [2_650_000, 3_600_000]
