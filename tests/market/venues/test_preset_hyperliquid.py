"""The hyperliquid venue: its documented numbers, and its hourly funding by hand."""

from dataclasses import replace

import jax.numpy as jnp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.numbers.units import QUANTA_PER_USD as USD
from market.rules.margin import initial_requirement, maintenance_requirement
from market.types.specs import Deleveraging, Funding, Liquidation, Mark
from market.types.state import open_exchange
from market.upkeep import hourly_funding
from market.venues import VENUES
from market.venues import hyperliquid as rules
from market.venues.hyperliquid.preset import NO_CLAMP_PPM, hyperliquid
from tests.market.ints import EXACT, below, signed

NO, YES = jnp.asarray(False), jnp.asarray(True)


def test_the_numbers_are_those_of_the_documents():
    spec, params = hyperliquid(("BTC", "ETH", "SOL", "XYZ"), accounts=9, vault=3)
    choices = (spec.liquidation, spec.mark, spec.funding, spec.vault)
    assert choices == (Liquidation.STAGES, Mark.MEDIAN, Funding.HOURLY, 3)
    assert spec.deleveraging == Deleveraging.HYPERLIQUID
    assert params.initial_margin_ppm.tolist() == [25_000, 40_000, 50_000, 100_000]
    assert params.maintenance_fraction_ppm.tolist() == [500_000] * 4
    assert params.impact_notional.tolist() == [20_000 * USD] * 2 + [6_000 * USD] * 2
    assert int(params.liquidation_min_notional) == 100_000 * USD
    assert int(params.liquidation_max_portion_ppm) == 200_000
    assert int(params.liquidation_cooldown_us) == 30_000_000
    assert int(params.liquidation_max_fee_ppm) == int(params.liquidator_reward_ppm) == 0
    assert not params.oi_upper.any()
    # A premium every five seconds and a payment every hour, of blocks of a second.
    assert (spec.votes_per_sample, spec.samples_per_funding) == (5, 720)
    assert VENUES["hyperliquid"] is hyperliquid


@EXACT
@given(below(50), st.sampled_from([3, 5, 10, 20, 25, 40, 50]))
def test_requirements_are_the_rules_rounded_up(notional, leverage):
    _, params = hyperliquid(("X",), accounts=1, max_leverage={"X": leverage})
    initial, share = (
        int(params.initial_margin_ppm[0]),
        int(params.maintenance_fraction_ppm[0]),
    )
    exact = rules.initial_margin(notional, leverage)
    slack = notional / 10**6 if 10**6 % leverage else 0
    got = initial_requirement(notional, initial)
    assert exact <= got <= exact + slack + 1
    got = maintenance_requirement(notional, initial, share)
    exact = rules.maintenance_margin(notional, leverage)
    assert exact <= got <= exact + slack + 2


@pytest.mark.parametrize(
    "bad",
    [
        {"markets": ()},
        {"markets": ("BTC", "BTC")},
        {"vault": 9},
        {"vault": -2},
        {"max_leverage": {"BTC": 0}},
    ],
)
def test_numbers_that_make_no_sense_are_refused(bad):
    with pytest.raises(ValueError, match=next(iter(bad))):
        hyperliquid(**{"markets": ("BTC",), "accounts": 9, **bad})


def funded(premiums, position=(300, -100, -200), ticks=60_000, due=YES):
    """Samples one after the other, then a payment; the state after it, and the sum."""
    spec, _ = hyperliquid(("BTC",), accounts=3)
    money = jnp.full(3, 10_000 * USD)
    state = open_exchange(spec, money, jnp.asarray(0), jnp.array([ticks]))
    state = replace(state, position=jnp.array(position)[:, None])
    for premium in premiums:
        votes = jnp.zeros_like(state.votes).at[0, 4].set(premium)
        state = replace(state, votes=votes, vote_count=jnp.asarray(5))
        state = hourly_funding.sample_premium(state, YES)
    return hourly_funding.pay_interval(state, spec, due)


def test_without_a_premium_longs_pay_an_eighth_of_the_interest():
    # 0.01 % of 1,800 dollars in eight hours is 18 cents; an hour is 2.25 cents.
    state, paid = funded([0, 0])
    assert (state.collateral - 10_000 * USD).tolist() == [-22_500, 7_500, 15_000]
    assert int(paid) == 45_000 and int(state.residue) == 0


def test_the_rate_is_that_of_the_mean_premium():
    # Mean 1,000 ppm: the rate is 500 ppm in eight hours, 62.5 in one.
    state, _ = funded([500, 1_500])
    assert int(state.collateral[0]) == 10_000 * USD - 112_500
    assert not state.premium_sum.any() and int(state.premium_samples) == 0
    # Half a ppm more or less is truncated toward zero.
    assert (funded([1_001, 1_000])[0].collateral == state.collateral).all()


def test_the_rate_is_capped_at_four_percent_an_hour():
    state, _ = funded([900_000])
    assert int(state.collateral[0]) == 10_000 * USD - 72 * USD
    state, _ = funded([-900_000])
    assert int(state.collateral[0]) == 10_000 * USD + 72 * USD


def test_every_payment_is_floored_and_the_residue_keeps_what_that_takes():
    # A lot of 1 tick is 100 quanta; 100 ppm an eight hours are 1/800 of a quantum.
    state, _ = funded([0], position=(1, -3, 2), ticks=1)
    assert (state.collateral - 10_000 * USD).tolist() == [-1, 0, -1]
    assert int(state.residue) == 2


def test_where_no_payment_is_due_none_is_made_and_the_samples_stay():
    state, paid = funded([1_000], due=NO)
    assert int(paid) == 0 and (state.collateral == 10_000 * USD).all()
    assert state.premium_sum.tolist() == [1_000] and int(state.premium_samples) == 1


def test_a_halted_block_gives_no_sample():
    spec, _ = hyperliquid(("BTC",), accounts=3)
    start = open_exchange(
        spec, jnp.zeros(3, jnp.int64), jnp.asarray(0), jnp.array([60_000])
    )
    start = replace(start, votes=start.votes + 7, vote_count=jnp.asarray(2))
    state = hourly_funding.sample_premium(start, NO)
    assert int(state.premium_samples) == 0 and not state.premium_sum.any()
    state = hourly_funding.sample_premium(start, YES)
    assert state.premium_sum.tolist() == [7] and int(state.premium_samples) == 1


@EXACT
@given(signed(20), signed(20), st.integers(1, 10**6))
def test_payments_agree_with_the_rule(first, second, ticks):
    state, _ = funded([first, second], ticks=ticks)
    mean = -(-(first + second) // 2) if first + second < 0 else (first + second) // 2
    rate = rules.hourly_rate(mean)
    expected = [
        rules.funding_payment(lots, ticks * 100, rate) for lots in (300, -100, -200)
    ]
    assert (state.collateral - 10_000 * USD).tolist() == expected
    assert int(state.residue) == -sum(expected)


def test_no_premium_meets_the_clamp():
    # The largest price over the smallest, in ppm, at the tightest margin.
    gap_ppm = 10**6 // 50 // 2
    assert NO_CLAMP_PPM // 10**6 * gap_ppm > 10**6 * 10**5
