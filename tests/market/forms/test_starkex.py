"""StarkEx as a whole block, each rule by a case computed by hand.

One lot of BTC at 57,000 is 5.70 dollars; initial margin 5 %, risk factor 3 %. Alice is
long 1000 lots, bought at 60,000 with 400 dollars: her value is 400 dollars less 0.10
for each dollar of the fall, her risk at a price p is 0.003 p dollars.
"""

from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from market.numbers.units import PPM
from market.numbers.units import QUANTA_PER_USD as USD
from market.types.orders import BUY, SELL, Kind, Status
from market.venues import starkex
from market.venues.starkex import FXP_32, ErrorCode
from market.venues.starkex.preset import starkex as starkex_venue
from tests.market.forms import exchange_cases as cases
from tests.market.forms.test_exchange import (
    ALICE,
    BOB,
    CAROL,
    DAVE,
    Venue,
    _long_alice,
    order,
)


class StarkVenue(Venue):
    """The BTC venue with the rules of StarkEx."""

    build = staticmethod(starkex_venue)

    def equity(self, account):
        """In quanta, at the oracle price."""
        return (
            self.money(account) + self.held(account) * int(self.state.oracle[0]) * 100
        )


def takeover(keeper, target, lots=0, ticks=0):
    row = {"account": keeper, "slot": target, "lots": lots, "ticks": ticks}
    return {"kind": Kind.LIQUIDATE, **row}


def in_danger(price, auction=False, insurance=0, lots=1000):
    """Alice's long, and an oracle price that endangers it."""
    venue = StarkVenue(usd=400, insurance=insurance, auction=auction)
    _long_alice(venue, lots)
    venue.state = replace(venue.state, oracle=jnp.array([price]))
    return venue


MODES = pytest.mark.parametrize("auction", [False, True], ids=["continuous", "auction"])


@MODES
def test_an_account_is_safe_with_exactly_its_risk(auction):
    # At 57,732 value and risk are 173.200 and 173.196; a tick less, 173.1 and 173.193.
    assert in_danger(57_732, auction).send(takeover(CAROL, ALICE)) == [
        Status.NOT_LIQUIDATABLE
    ]
    assert in_danger(57_731, auction).send(takeover(CAROL, ALICE)) == [Status.FILLED]
    # 3,000 of 5.7731 dollars off the value: 173.193, the risk to the quantum.
    venue = in_danger(57_731, auction)
    gift = {"kind": Kind.DEPOSIT, "account": ALICE, "lots": 93_000}
    assert venue.send(gift, takeover(CAROL, ALICE))[1] == Status.NOT_LIQUIDATABLE
    venue = in_danger(57_731, auction)
    assert venue.send(gift | {"lots": 92_999}, takeover(CAROL, ALICE))[1] == (
        Status.FILLED
    )


@MODES
def test_a_keeper_takes_over_under_the_oracle_and_shares_its_gain_with_the_fund(
    auction,
):
    # 1 % of 5,700 dollars: Carol pays 5,643 to Alice and half of the 57 to the fund.
    venue = in_danger(57_000, auction)
    assert venue.send(takeover(CAROL, ALICE)) == [Status.FILLED]
    assert int(venue.receipt.filled_lots[0]) == 1000
    assert int(venue.receipt.filled_quote[0]) == 5_643 * USD
    assert venue.held(ALICE) == 0 and venue.held(CAROL) == 1000
    assert venue.money(ALICE) == 43 * USD
    assert venue.money(CAROL) == 400 * USD - 5_643 * USD - 28_500_000
    assert int(venue.state.insurance[0]) == 28_500_000
    assert int(venue.info.liquidation_fees) == 57 * USD
    assert int(venue.state.cost[CAROL, 0]) == 5_643 * USD
    assert int(venue.info.traded_lots[0]) == 0 and int(venue.state.last[0]) == 60_000


@MODES
def test_the_default_price_stops_at_the_close_price(auction):
    # At 56,400 Alice has 40 dollars; the fee would be 56.40.
    venue = in_danger(56_400, auction)
    assert venue.send(takeover(CAROL, ALICE)) == [Status.FILLED]
    assert venue.money(ALICE) == 0
    assert int(venue.info.liquidation_fees) == 40 * USD


@MODES
def test_the_close_price_of_a_part_keeps_value_over_risk(auction):
    # P (1 - M V / W) = 57,000 (1 - 0.03 * 100 / 171) = 56,000.
    venue = in_danger(57_000, auction)
    assert venue.send(
        takeover(CAROL, ALICE, 500, 55_999), takeover(CAROL, ALICE, 500, 56_000)
    ) == [Status.UNFAIR_PRICE, Status.FILLED]
    assert venue.held(ALICE) == 500
    assert venue.equity(ALICE) == 50 * USD  # with a risk of 85.50 instead of 171


@MODES
def test_a_short_is_taken_over_above_the_oracle(auction):
    # Bob is short; at 63,200 he has 80 dollars and needs 189.60; 1 % is 63.20.
    venue = in_danger(63_200, auction)
    assert venue.send(takeover(CAROL, BOB)) == [Status.FILLED]
    assert venue.held(BOB) == 0 and venue.held(CAROL) == -1000
    assert venue.money(BOB) == 80 * USD - 63_200_000
    assert venue.equity(CAROL) == 400 * USD + 31_600_000


@MODES
def test_below_zero_the_fund_pays_what_the_transition_needs(auction):
    # At 55,500 Alice is 50 dollars short: the keeper pays the oracle price, 5,550, and
    # the fund 50, so that she ends with nothing.
    venue = in_danger(55_500, auction, insurance=50)
    assert venue.send(takeover(CAROL, ALICE)) == [Status.FILLED]
    assert venue.money(ALICE) == 0 and venue.held(ALICE) == 0
    assert venue.equity(CAROL) == 400 * USD
    assert int(venue.state.insurance[0]) == 0
    assert int(venue.info.insurance_paid) == 50 * USD
    # A part costs the fund that part: 100 of 1000 lots, 5 dollars.
    venue = in_danger(55_500, auction, insurance=60)
    venue.send(takeover(CAROL, ALICE, 100))
    assert int(venue.info.insurance_paid) == 5 * USD
    assert venue.equity(ALICE) == -45 * USD


@MODES
def test_below_zero_no_keeper_pays_less_than_the_oracle_price(auction):
    venue = in_danger(55_500, auction, insurance=1_000)
    assert venue.send(
        takeover(CAROL, ALICE, 0, 55_499), takeover(CAROL, ALICE, 0, 55_500)
    ) == [Status.UNFAIR_PRICE, Status.FILLED]


@MODES
def test_without_the_fund_the_loss_is_deleveraged_at_the_bankruptcy_price(auction):
    venue = in_danger(55_500, auction, insurance=49)
    assert venue.send(takeover(CAROL, ALICE)) == [Status.INSURANCE_EMPTY]
    # Bob's short closes at 56,000, where Alice has exactly nothing left.
    assert venue.held(ALICE) == 0 and venue.held(BOB) == 0
    assert venue.money(ALICE) == 0 and venue.money(BOB) == 800 * USD
    assert int(venue.info.deleveraging_loss) == 50 * USD
    assert int(venue.state.insurance[0]) == 49 * USD


@MODES
def test_a_keeper_needs_initial_margin_afterwards(auction):
    # 5 % of 5,700 dollars is 285; Carol gains 28.50 and withdraws all but 256.49.
    venue = in_danger(57_000, auction)
    leave = {"kind": Kind.WITHDRAW, "account": CAROL, "lots": 143_510_000}
    assert venue.send(leave, takeover(CAROL, ALICE)) == [
        Status.ACCEPTED,
        Status.MARGIN,
    ]
    assert venue.held(CAROL) == 0 and venue.held(ALICE) == 1000
    venue = in_danger(57_000, auction)
    leave["lots"] = 143_500_000
    assert venue.send(leave, takeover(CAROL, ALICE))[1] == Status.FILLED


def test_a_takeover_cancels_the_targets_orders():
    # A sale at 60,000 that her position covers; the waiting one of an auction too.
    for auction in (False, True):
        venue = in_danger(57_000, auction)
        sale = order(ALICE, SELL, 60_000, 5)
        statuses = venue.send(sale, takeover(CAROL, ALICE))
        assert statuses[1] == Status.FILLED
        assert not venue.state.open_lots.any() and not venue.state.open_loss.any()


@pytest.mark.parametrize(
    "bad, reason",
    [
        ({"lots": -1}, Status.BAD_LOTS),
        ({"ticks": -1}, Status.BAD_PRICE),
        ({"ticks": 1 << 31}, Status.BAD_PRICE),
        ({"slot": CAROL}, Status.NOT_LIQUIDATABLE),
        ({"slot": DAVE}, Status.NOT_LIQUIDATABLE),
        ({"account": ALICE}, Status.NOT_LIQUIDATABLE),
        ({"ticks": 1}, Status.UNFAIR_PRICE),
    ],
)
def test_a_bad_takeover_changes_nothing(bad, reason):
    venue = in_danger(57_000)
    before = venue.state
    assert venue.send({**takeover(CAROL, ALICE), **bad}) == [reason]
    for name in ("collateral", "position", "insurance", "adl_pending", "cost"):
        np.testing.assert_array_equal(
            getattr(venue.state, name), getattr(before, name), name
        )


def test_more_lots_than_held_take_the_whole_position():
    venue = in_danger(57_000)
    venue.send(takeover(CAROL, ALICE, 1 << 62))
    assert venue.held(CAROL) == 1000


# --- steps ----------------------------------------------------------------------------


class SteppedVenue(StarkVenue):
    """3 % up to 1000 lots, 6 % of the whole position beyond."""

    @staticmethod
    def build(*args, **rest):
        steps = {"BTC": [("0.1", "0.03"), ("1", "0.06")]}
        return starkex_venue(*args, **rest, risk_steps=steps)


def test_an_order_needs_the_risk_factor_of_where_it_may_lead():
    # 1001 lots at 60,000 and 6 % are 360.36 dollars, over the initial 5 % of 300.30.
    venue = SteppedVenue(usd=360)
    venue.params = replace(
        venue.params, maker_fee_ppm=jnp.asarray(0), taker_fee_ppm=jnp.asarray(0)
    )
    assert venue.send(
        order(ALICE, BUY, 60_000, 1001), order(ALICE, BUY, 60_000, 1000)
    ) == [Status.MARGIN, Status.RESTING]


def test_one_factor_holds_for_the_whole_position():
    venue = SteppedVenue(usd=400)
    _long_alice(venue, 1001)
    # At 59,000: value 400 - 100.10 = 299.90, and 6 % of 5,905.90 is 354.35.
    assert venue.send(takeover(CAROL, ALICE, 1), oracle=59_000) == [Status.FILLED]
    # With 1000 lots her risk is 177: safe again.
    assert venue.send(takeover(CAROL, ALICE)) == [Status.NOT_LIQUIDATABLE]


# --- orders ---------------------------------------------------------------------------


@MODES
def test_orders_that_the_account_can_no_longer_carry_are_cancelled(auction):
    # A bid for 1200 lots at 60,000. Filled at an oracle of 57,000 it costs 360 dollars
    # and 3.60 of fees; 36.40 are left for a risk of 205.20.
    venue = StarkVenue(usd=400, auction=auction)
    assert venue.send(order(CAROL, BUY, 60_000, 1200)) == [Status.RESTING]
    venue.send(oracle=59_500)
    assert int(venue.state.open_lots[CAROL, 0, 0]) == 1200
    # Its reservation follows the price: 500 dollars of the base coin, and the fee.
    assert int(venue.state.book.loss[0, 0, 0]) == 500 * 100 + 3000
    venue.send(oracle=57_000)
    assert not venue.state.open_lots.any() and not venue.state.open_loss.any()


def test_an_account_below_initial_margin_may_have_one_reducing_order():
    # At 58,000 Alice has 200 dollars of the 290 that initial margin asks.
    venue = in_danger(58_000)
    assert venue.send(
        order(ALICE, SELL, 58_000, 10),
        order(ALICE, SELL, 58_000, 10, slot=1),
        order(ALICE, BUY, 58_000, 1, slot=2),
    ) == [Status.RESTING, Status.MARGIN, Status.MARGIN]


@pytest.mark.parametrize(
    "equity, status", [(3_850_999, Status.MARGIN), (3_851_000, Status.FILLED)]
)
def test_a_reduction_is_judged_with_a_fee_rounded_up_for_each_lot(equity, status):
    # Three lots sold ten ticks under 57,011: 3,000 quanta and three fees of 2,850.05.
    # One bill would be 11,551, three are 11,553; of 0.3 % of the risk that is a ratio
    # that an equity of 3.851 dollars has.
    venue = in_danger(57_011)
    venue.params = replace(venue.params, taker_fee_ppm=jnp.asarray(500))
    bids = [order(BOB, BUY, 57_001, 1, slot=slot) for slot in range(3)]
    assert venue.send(*bids) == [Status.RESTING] * 3
    cash = equity - 1000 * 57_011 * 100
    money = venue.state.collateral.at[ALICE].set(cash)
    venue.state = replace(venue.state, collateral=money)
    assert venue.send(order(ALICE, SELL, 57_001, 3)) == [status]


# --- against the program --------------------------------------------------------------


def totals(spec, params, collateral, position, oracle):
    """TV and TR of an account, in fixed point of a millionth of a quantum."""
    uppers, factors = np.asarray(params.risk_upper), np.asarray(params.risk_factor_ppm)
    value, risk = int(collateral), 0
    for market, lots in enumerate(map(int, position)):
        notional = lots * int(oracle[market]) * spec.multipliers[market]
        by_balance = bool(params.risk_by_balance[market])
        steps = starkex.RiskSteps(
            (*map(int, uppers[:-1, market]), 1 << 128),
            tuple(map(int, factors[:, market])),
            by_balance,
        )
        size = abs(lots) if by_balance else abs(notional)
        value += notional
        risk += abs(notional) * starkex.risk_factor(size, 1, steps)
    return value * PPM * FXP_32, risk * FXP_32 * FXP_32


@MODES
@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_no_block_moves_an_account_as_the_program_would_refuse(auction, seed):
    rng = np.random.default_rng(seed)
    kind = cases.Venue("starkex")
    spec, params = cases.venue(kind)
    collateral, insurance, oracle = cases.random_start(rng)
    state, _ = cases.start(spec, params, collateral, insurance, oracle)
    run = cases.compiled(kind, auction, "native")
    for block in range(1, 7):
        oracle = cases.moved(rng, oracle)
        before = replace(state, oracle=jnp.asarray(oracle))
        rows = cases.random_rows(rng, oracle, block, collateral)
        word = jnp.asarray(int(rng.integers(1 << 62)))
        number = jnp.asarray(block)
        state, *_ = run(before, cases.columns(rows), number, word, params)
        for account in range(spec.accounts):
            now, new = (
                totals(spec, params, s.collateral[account], s.position[account], oracle)
                for s in (before, state)
            )
            smaller = starkex.is_smaller(
                before.position[account].tolist(), state.position[account].tolist()
            )
            verdict = starkex.check_transition(*now, *new, smaller)
            assert verdict == ErrorCode.SUCCESS, (account, block)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_takeovers_are_judged_as_the_program_judges_them(seed):
    """Random accounts and prices, one takeover each; twelve of them a seed."""
    rng = np.random.default_rng(seed)
    kind = cases.Venue("starkex")
    spec, params = cases.venue(kind)
    run = cases.compiled(kind, False, "native")
    money = [10**9] * cases.ACCOUNTS
    state, _ = cases.start(spec, params, money, 10**12, [60_000, 15_000])
    for _ in range(12):
        oracle = [60_000, 15_000]
        position = rng.integers(-4000, 4000, (cases.ACCOUNTS, 2))
        held = position[0] @ (np.array(oracle) * np.array(spec.multipliers))
        need = totals(spec, params, 0, position[0], oracle)[1] // (PPM << 64)
        collateral = np.full(cases.ACCOUNTS, 1 << 50)
        collateral[0] = need - held + rng.integers(-need, 3)
        start = replace(
            state,
            position=jnp.asarray(position),
            collateral=jnp.asarray(collateral),
            oracle=jnp.asarray(oracle),
        )
        market = int(rng.integers(2))
        lots = int(rng.integers(0, abs(position[0, market]) + 1))
        ticks = int(oracle[market] * rng.uniform(0.95, 1.05))
        row = {**takeover(1, 0, lots, ticks), "market": market}
        args = jnp.asarray(1), jnp.asarray(0), params
        after, receipt, info = run(start, cases.columns([row]), *args)
        status = Status(int(receipt.status[0]))
        now = totals(spec, params, collateral[0], position[0], oracle)
        if not starkex.is_liquidatable(*now) or position[0, market] == 0:
            assert status == Status.NOT_LIQUIDATABLE
            continue
        side = 1 if position[0, market] > 0 else -1
        taken = lots or abs(int(position[0, market]))
        paid = side * taken * ticks * spec.multipliers[market]
        left = position[0].copy()
        left[market] -= side * taken
        new = totals(spec, params, collateral[0] + paid, left, oracle)
        verdict = starkex.check_transition(*now, *new, True)
        if now[0] >= 0:
            assert (status == Status.FILLED) == (verdict == ErrorCode.SUCCESS)
            assert int(info.insurance_paid) == 0
        elif status == Status.FILLED:
            new = totals(spec, params, after.collateral[0], left, oracle)
            assert starkex.check_transition(*now, *new, True) == ErrorCode.SUCCESS
            if int(info.insurance_paid) > 0:  # a quantum less would be refused
                less = (new[0] - PPM * FXP_32, new[1])
                assert starkex.check_transition(*now, *less, True)
