"""What a sequencer charges and refunds, and that no money is lost by it."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from market.numbers.units import as_int
from market.types.state import open_exchange
from market.upkeep.mark import account_equity
from rollup import chain
from tests.rollup.rollups import (
    GAS,
    START,
    VENUE,
    Rollup,
    trial,
)


def test_the_senders_pay_gas_to_the_sequencer_and_no_money_is_lost():
    rollup = Rollup()
    before = rollup.money()
    rollup.step({"account": 1}, {"account": 1}, {"account": 2, "lots": 3})
    assert rollup.exchange.collateral.tolist() == [
        START,
        START - 2 * GAS,
        START - GAS,
        START,
    ]
    assert int(rollup.state.revenue) == int(rollup.exchange.fees) == 3 * GAS
    assert rollup.money() == before


def test_bids_are_paid_whether_or_not_the_transaction_succeeds():
    rollup = Rollup(scheme="priority_fee")
    rollup.step({"account": 0, "fee_bid": 500, "lots": 3})
    assert int(rollup.state.rejected) == 1
    assert int(rollup.exchange.collateral[0]) == START - GAS - 500


@pytest.mark.parametrize(("collateral", "cost"), [(5_000, 0), (-9_000, 14_000)])
def test_a_fee_is_taken_as_far_as_the_money_goes_long_or_flat(collateral, cost):
    rollup = Rollup(scheme="priority_fee")
    rollup.exchange = replace(
        rollup.exchange,
        collateral=rollup.exchange.collateral.at[0].set(collateral),
        cost=rollup.exchange.cost.at[0, 0].set(cost),
    )
    rollup.step({"account": 0, "fee_bid": 100})
    assert int(rollup.exchange.collateral[0]) == collateral - 110
    rollup.step({"account": 0, "fee_bid": 1_000_000})
    assert int(rollup.exchange.collateral[0]) == collateral - 5_000
    assert int(rollup.state.revenue) == 5_000


@settings(deadline=None, max_examples=40)
@given(
    lots=st.integers(0, 50),
    equity=st.integers(-10_000, 60_000),
    gain=st.integers(-20_000, 20_000),
    asked=st.integers(-500, 80_000),
)
def test_what_an_account_pays_depends_on_its_equity_and_not_on_its_side(
    lots, equity, gain, asked
):
    # Taken out: the gain; so that what a position cost says nothing of what is left.
    worth = lots * 7 * VENUE.multipliers[0]
    exchange = open_exchange(VENUE, as_int([0] * 4), as_int(0), as_int([7]))
    exchange = replace(
        exchange,
        collateral=as_int([equity - worth, equity + worth, equity, 0]),
        position=as_int([[lots], [-lots], [0], [0]]),
        cost=as_int([[worth - gain], [-worth - gain], [0], [0]]),
    )
    due, held = as_int([asked] * 3 + [0]), account_equity(exchange, VENUE)
    after, earned = chain.charge(exchange, due, held)
    paid = (exchange.collateral - after.collateral).tolist()
    assert paid == [min(max(equity, 0), asked)] * 3 + [0] and int(earned) == sum(paid)


def test_an_account_in_debt_pays_nothing():
    rollup = Rollup()
    debt = rollup.exchange.collateral.at[0].set(-5)
    rollup.exchange = replace(rollup.exchange, collateral=debt)
    rollup.step({"account": 0})
    assert int(rollup.exchange.collateral[0]) == -5
    assert int(rollup.state.revenue) == 0


def test_a_refund_comes_out_of_the_fee_account_and_no_money_is_lost():
    rollup = trial()
    before = rollup.money()
    rollup.step({"account": 0, "lots": 3}, {"account": 1}, {"account": 1, "lots": 5})
    assert rollup.outcomes[-1].charge.tolist() == [GAS, 2 * GAS, 0, 0]
    assert rollup.outcomes[-1].charge_after.tolist() == [-GAS, -GAS, 0, 0]
    assert rollup.exchange.collateral.tolist() == [START, START - GAS, START, START]
    assert int(rollup.state.revenue) == int(rollup.exchange.fees) == GAS
    assert rollup.money() == before


def test_a_refund_is_paid_in_full_also_to_a_debtor_and_from_an_empty_account():
    exchange = open_exchange(VENUE, as_int([-50, 7, 0, 0]), as_int(0), as_int([1]))
    asked = as_int([-30, 100, -2, 0])
    exchange, earned = chain.charge(exchange, asked, exchange.collateral)
    assert exchange.collateral.tolist() == [-20, 0, 2, 0]
    assert int(earned) == int(exchange.fees) == 7 - 32
