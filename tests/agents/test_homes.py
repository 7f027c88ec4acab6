"""At a venue with isolated markets everyone trades at home."""

from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import pytest

from agents.homes import kept_home, may_trade
from agents.intents import transactions
from market.types.orders import Kind
from market.venues import VENUES
from market.venues.dydx_v4.preset import dydx_v4
from market.venues.starkex.preset import starkex

MARKETS = ("BTC", "ETH", "SOL")
SPEC, _ = dydx_v4(MARKETS, accounts=7, isolated=["SOL"])


def test_a_home_that_is_isolated_is_the_only_market_and_others_share_the_rest():
    shared, alone = [True, True, False], [False, False, True]
    expected = [shared, shared, alone, shared, shared, alone, shared]
    assert may_trade(SPEC).tolist() == expected


def test_where_all_markets_are_isolated_everyone_has_one():
    spec, _ = dydx_v4(MARKETS, accounts=6, isolated=MARKETS)
    assert may_trade(spec).tolist() == np.tile(np.eye(3, dtype=bool), (2, 1)).tolist()


def test_the_vault_trades_everywhere():
    spec, _ = VENUES["hyperliquid"](MARKETS, accounts=7, isolated=["SOL"], vault=5)
    assert may_trade(spec)[5].all() and not may_trade(spec)[2].all()


def sent(spec, kind, accounts=(0, 2, 2, 0), markets=(2, 2, 0, 1)):
    """Kinds left of four intents: abroad, at home, abroad, at home."""
    accounts, markets = jnp.array(accounts), jnp.array(markets)
    given = transactions((4,), kind=kind, account=accounts, market=markets)
    return kept_home(given, spec).kind.tolist()


@pytest.mark.parametrize("kind", [Kind.ORDER, Kind.REPLACE])
def test_orders_abroad_are_not_sent(kind):
    assert sent(SPEC, kind) == [0, kind, 0, kind]


@pytest.mark.parametrize("kind", [Kind.CANCEL, Kind.DEPOSIT, Kind.LIQUIDATE])
def test_what_opens_no_position_is_sent_from_everywhere(kind):
    assert sent(SPEC, kind) == [kind] * 4


def test_a_keeper_that_takes_over_stays_at_home_on_starkex():
    spec, _ = starkex(MARKETS, accounts=7, isolated=["SOL"])
    assert sent(spec, Kind.LIQUIDATE) == [0, Kind.LIQUIDATE, 0, Kind.LIQUIDATE]


def test_without_an_isolated_market_nothing_is_held_back():
    plain = replace(
        SPEC, markets=tuple(replace(m, is_isolated=False) for m in SPEC.markets)
    )
    assert sent(plain, Kind.ORDER) == [Kind.ORDER] * 4
