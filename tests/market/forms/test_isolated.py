"""Isolated margin: one market an account, and an insurance fund of its own.

SOL is isolated: 0.1 SOL a lot, a cent a tick, so a lot at 150 dollars is 15 dollars,
with an initial margin of 5 % and a maintenance margin of 3 %.
"""

from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from market.numbers.units import QUANTA_PER_USD as USD
from market.twin.lane import open_lots
from market.types.orders import BUY, SELL, Kind, Status
from market.types.state import open_exchange
from market.venues.dydx_v4.preset import dydx_v4
from tests.market.forms import exchange_cases as cases
from tests.market.forms.test_twin import run_history
from tests.properties.test_exchange_conservation import assert_conserved

ALICE, BOB, CAROL = range(3)
BTC, SOL = 0, 1
KIND = cases.Venue(isolated=("SOL",))
FORMS = pytest.mark.parametrize(
    "form", ["twin", "native", pytest.param("array", marks=pytest.mark.slow)]
)
MODES = pytest.mark.parametrize("auction", [False, True], ids=["continuous", "auction"])


class Market:
    """The venue with an isolated SOL, in one of the three forms."""

    def __init__(self, form, auction=False, fund=0, usd=100):
        self.spec, params = cases.venue(KIND)
        self.params = replace(
            params,
            maker_fee_ppm=jnp.asarray(0),
            taker_fee_ppm=jnp.asarray(0),
            max_open_orders=jnp.asarray(0),
            liquidation_max_portion_ppm=jnp.asarray(1_000_000),
            liquidation_max_notional=jnp.asarray(10_000 * USD),
            liquidation_max_insurance=jnp.asarray(1_000 * USD),
        )
        money = [usd * USD] * cases.ACCOUNTS
        self.auction, self.block, ticks = auction, 0, [60_000, 15_000]
        self.form = form
        state, self.twin = cases.start(self.spec, self.params, money, 0, ticks)
        # 500 dollars in the shared fund, which have nothing to do with it.
        funds = [500 * USD, 0, fund * USD]
        self.twin.insurance, self.twin.paid_in = list(funds), sum(money) + sum(funds)
        self.state = replace(
            state, insurance=jnp.asarray(funds), paid_in=jnp.asarray(self.twin.paid_in)
        )

    def send(self, *rows, oracle=None):
        """Runs a block; the statuses."""
        self.block += 1
        if oracle is not None:
            self.state = replace(self.state, oracle=jnp.asarray([60_000, oracle]))
            self.twin.price = [60_000, oracle]
        txs = cases.columns(rows)
        if self.form == "twin":
            fills = cases.run_twin(self.twin, txs, self.block, 0, self.auction)
            return [Status(fill.status) for fill in fills[: len(rows)]]
        block = jnp.asarray(self.block), jnp.asarray(0), self.params
        run = cases.compiled(KIND, self.auction, self.form)
        self.state, receipt, self.info = run(self.state, txs, *block)
        assert_conserved(self.state)
        return [Status(s) for s in receipt.status[: len(rows)].tolist()]

    def read(self, name):
        """A field of the exchange as nested lists."""
        source = self.twin if self.form == "twin" else self.state
        return np.asarray(getattr(source, name)).tolist()


def order(account, market, side, ticks, lots, slot=0, **rest):
    names = {"account": account, "market": market, "side": side, "ticks": ticks}
    return {"kind": Kind.ORDER, **names, "lots": lots, "slot": slot, **rest}


def liquidation(account, target):
    return {"kind": Kind.LIQUIDATE, "account": account, "slot": target, "market": SOL}


@FORMS
@MODES
def test_who_is_in_an_isolated_market_may_be_in_no_other(form, auction):
    venue = Market(form, auction)
    assert venue.send(
        order(ALICE, SOL, BUY, 14_900, 1),
        order(ALICE, BTC, BUY, 59_900, 1),
        order(BOB, BTC, BUY, 59_900, 1),
        order(BOB, SOL, BUY, 14_900, 1),
        order(ALICE, SOL, BUY, 14_900, 1, slot=1),
        order(BOB, BTC, BUY, 59_900, 1, slot=1),
    ) == [
        Status.RESTING,
        Status.ISOLATED,
        Status.RESTING,
        Status.ISOLATED,
        Status.RESTING,
        Status.RESTING,
    ]
    # A position counts as an order does; without either, the account is free again.
    everything = {"kind": Kind.CANCEL_ALL, "account": ALICE, "market": -1}
    assert venue.send(everything)[0] == Status.ACCEPTED
    assert venue.send(order(ALICE, BTC, BUY, 59_900, 1)) == [Status.RESTING]


@FORMS
def test_a_position_in_an_isolated_market_excludes_others(form):
    venue = Market(form)
    venue.send(order(BOB, SOL, SELL, 15_000, 10), order(ALICE, SOL, BUY, 15_000, 10))
    assert venue.send(
        order(ALICE, BTC, SELL, 60_000, 1), order(ALICE, SOL, SELL, 15_000, 10)
    ) == [Status.ISOLATED, Status.RESTING]


def halted_market(form, auction, fund):
    """The halt of October 2025: all open interest of SOL in one liquidation.

    Alice is long 100 lots at 150 dollars with 100 dollars, Bob short the same. At 138
    dollars she has lost 120. Bob bids for what he is short.
    """
    venue = Market(form, auction, fund)
    venue.send(order(BOB, SOL, SELL, 15_000, 100), order(ALICE, SOL, BUY, 15_000, 100))
    assert [row[SOL] for row in venue.read("position")][:2] == [100, -100]
    statuses = venue.send(
        order(BOB, SOL, BUY, 13_800, 100), liquidation(CAROL, ALICE), oracle=13_800
    )
    return venue, statuses


@FORMS
@MODES
def test_the_whole_open_interest_closes_in_one_liquidation_that_its_fund_pays(
    form, auction
):
    venue, statuses = halted_market(form, auction, fund=21)
    assert statuses == [Status.RESTING if not auction else Status.FILLED, Status.FILLED]
    assert not np.any(venue.read("position"))
    # The fund pays before anything else is reckoned: nobody ends below zero. In the
    # auction she asks for what the fund can bear, 137.90, and meets Bob in the middle.
    paid = 20_500_000 if auction else 20 * USD
    assert venue.read("collateral")[:3] == [0, 200 * USD + paid, 100 * USD]
    assert venue.read("insurance") == [500 * USD, 0, 21 * USD - paid]


@FORMS
@MODES
def test_where_its_fund_cannot_pay_deleveraging_does(form, auction):
    # The shared fund has 500 dollars, and is not asked.
    venue, statuses = halted_market(form, auction, fund=19)
    assert statuses[1] in (Status.INSURANCE_EMPTY, Status.NOTHING_TO_TAKE)
    assert not np.any(venue.read("position"))
    assert venue.read("collateral")[:2] == [0, 200 * USD]
    assert venue.read("insurance") == [500 * USD, 0, 19 * USD]
    assert not np.any(venue.read("adl_pending"))


@FORMS
def test_the_fund_pays_an_account_only_so_much_in_a_block(form):
    venue = Market(form, fund=1_000)
    most = 20 * USD - 1
    venue.params = replace(venue.params, liquidation_max_insurance=jnp.asarray(most))
    venue.twin.params = cases.plain(venue.params)
    venue.send(order(BOB, SOL, SELL, 15_000, 100), order(ALICE, SOL, BUY, 15_000, 100))
    assert (
        venue.send(
            order(BOB, SOL, BUY, 13_800, 100), liquidation(CAROL, ALICE), oracle=13_800
        )[1]
        == Status.INSURANCE_EMPTY
    )
    assert venue.read("insurance")[2] == 1_000 * USD


@pytest.mark.parametrize("preset", cases.PRESETS)
@MODES
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_native_blocks_with_an_isolated_market_equal_the_specification(
    preset, auction, seed
):
    twin = run_history(seed, cases.Venue(preset, isolated=("SOL",)), auction, "native")
    for account in twin.accounts:
        places = [
            twin.position[account][market] or open_lots(twin, account, market, side)
            for market in (BTC, SOL)
            for side in (BUY, SELL)
        ]
        assert not (any(places[:2]) and any(places[2:])), account


def test_an_exchange_opens_with_a_fund_for_each_isolated_market():
    spec, _ = dydx_v4(("BTC", "SOL"), accounts=2, isolated=("SOL",))
    assert spec.funds == (0, 2)
    money = jnp.asarray([5, 6])
    state = open_exchange(spec, money, jnp.asarray(7), jnp.asarray([1, 1]))
    assert state.insurance.tolist() == [7, 0, 0] and int(state.paid_in) == 18
    state = open_exchange(spec, money, jnp.asarray([7, 0, 9]), jnp.asarray([1, 1]))
    assert state.insurance.tolist() == [7, 0, 9] and int(state.paid_in) == 27


def test_an_isolated_market_has_to_be_one_of_the_venue():
    with pytest.raises(ValueError, match="SOL"):
        dydx_v4(("BTC",), accounts=2, isolated=("SOL",))
