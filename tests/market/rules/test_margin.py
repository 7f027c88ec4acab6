"""Margin of the dYdX v4 preset: requirements, comparisons, what an account may do."""

from fractions import Fraction

import jax
import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.rules import margin
from market.rules.margin import Tier
from market.twin import rules as reference_rules
from tests.market.forms.jaxprs import inexact_dtypes
from tests.market.ints import EXACT, array, below, lanes, signed

LARGE_CAP = Tier(20_000, 600_000)
MID_CAP = Tier(50_000, 600_000, 40_000_000_000_000, 100_000_000_000_000)

# --- requirements ------------------------------------------------------------------


def test_equity_is_collateral_plus_signed_notionals():
    assert margin.equity(1_000, [500, -700]) == 800
    got = margin.equity(array([1_000, -5]), array([[500, -700], [0, 5]]))
    assert got.tolist() == [800, 0]


def test_initial_requirement_is_rounded_up():
    assert margin.initial_requirement(1, 20_000) == 1
    assert margin.initial_requirement(50, 20_000) == 1
    assert margin.initial_requirement(51, 20_000) == 2


def test_maintenance_requirement_takes_two_ceilings():
    # 51 * 2 % = 1.02 -> 2; 2 * 60 % = 1.2 -> 2, where one ceiling of 0.612 gives 1.
    assert margin.maintenance_requirement(51, 20_000, 600_000) == 2


def test_maintenance_requirement_never_scales_with_open_interest():
    calm = margin.position_risk(1_000_000, 0, MID_CAP)
    crowded = margin.position_risk(1_000_000, 99_000_000_000_000, MID_CAP)
    assert calm.mmr == crowded.mmr == 30_000
    assert calm.imr == 50_000 < crowded.imr


@pytest.mark.parametrize(
    ("open_notional", "expected"),
    [
        (0, 50_000),
        (40_000_000_000_000, 50_000),  # at the lower cap: not yet scaled
        (40_000_000_000_001, 50_000),  # the ramp is rounded down
        (70_000_000_000_000, 525_000),  # half-way
        (99_999_999_999_999, 999_999),
        (100_000_000_000_000, 1_000_000),  # at the upper cap: one
        (1 << 62, 1_000_000),
    ],
)
def test_initial_fraction_rises_linearly_with_open_interest(open_notional, expected):
    assert margin.initial_fraction_ppm(open_notional, MID_CAP) == expected
    tier = Tier(*array(list(MID_CAP)))
    assert int(margin.initial_fraction_ppm(array(open_notional), tier)) == expected


def test_equal_caps_make_a_step_that_the_cap_itself_is_below():
    step = Tier(50_000, 600_000, oi_lower=100, oi_upper=100)
    fractions = [margin.initial_fraction_ppm(oi, step) for oi in (99, 100, 101)]
    assert fractions == [50_000, 50_000, 1_000_000]


def test_an_upper_cap_of_zero_switches_the_scaling_off():
    assert margin.initial_fraction_ppm(1 << 60, LARGE_CAP) == 20_000


def test_a_chosen_leverage_only_tightens_the_initial_requirement():
    assert margin.initial_requirement(1_000, 50_000, 100_000) == 100
    assert margin.initial_requirement(1_000, 50_000, 10_000) == 50


markets = st.builds(
    reference_rules.DydxMarket,
    ticks=below(20, 1),
    multiplier=below(12, 1),
    initial_margin_ppm=st.integers(1, 1_000_000),
    maintenance_ppm=st.integers(1, 1_000_000),
    oi_lower=below(40),
    oi_upper=below(41),
    open_notional=below(42),
).map(lambda m: m if m.oi_upper == 0 or m.oi_upper > m.oi_lower else _raised(m))


def _raised(market):
    fields = {**market.__dict__, "oi_upper": market.oi_lower + 1 + market.oi_upper}
    return reference_rules.DydxMarket(**fields)


def accounts(size, market_count):
    account = st.builds(
        reference_rules.DydxAccount,
        collateral=signed(60),
        lots=st.tuples(*[signed(26)] * market_count),
    )
    return lanes(account, size)


def tiers(specs) -> Tier:
    return Tier(
        array([m.initial_margin_ppm for m in specs]),
        array([m.maintenance_ppm for m in specs]),
        array([m.oi_lower for m in specs]),
        array([m.oi_upper for m in specs]),
    )


@jax.jit
def account_risk(collateral, lots, per_lot, open_notionals, tier):
    return margin.account_risk(collateral, lots * per_lot, open_notionals, tier)


@EXACT
@given(lanes(markets, 3), accounts(8, 3))
def test_account_risk_equals_the_specification(specs, people):
    risk = account_risk(
        array([a.collateral for a in people]),
        array([a.lots for a in people]),
        array([m.ticks * m.multiplier for m in specs]),
        array([m.open_notional for m in specs]),
        tiers(specs),
    )
    rows = list(zip(*(part.tolist() for part in risk), strict=True))
    expected = [reference_rules.account_risk(a, tuple(specs)) for a in people]
    assert rows == expected
    plain = [
        margin.account_risk(
            a.collateral,
            [
                reference_rules.notional(m, q)
                for m, q in zip(specs, a.lots, strict=True)
            ],
            [m.open_notional for m in specs],
            [
                Tier(m.initial_margin_ppm, m.maintenance_ppm, m.oi_lower, m.oi_upper)
                for m in specs
            ],
        )
        for a in people
    ]
    assert [tuple(p) for p in plain] == expected


def test_account_risk_holds_no_floating_point():
    assert not inexact_dtypes(
        account_risk,
        array([0]),
        array([[1, 2]]),
        array([3, 4]),
        array([0, 0]),
        Tier(*[array([1, 1])] * 4),
    )


# --- comparisons -------------------------------------------------------------------


def test_liquidatable_is_strict_and_needs_a_requirement():
    assert margin.is_liquidatable(99, 100)
    assert not margin.is_liquidatable(100, 100)
    assert not margin.is_liquidatable(-1, 0)
    assert margin.is_liquidatable(
        array([99, 100, -1]), array([100, 100, 0])
    ).tolist() == [
        True,
        False,
        False,
    ]


def test_initially_collateralised_is_inclusive():
    assert margin.is_initially_collateralised(100, 100)
    assert not margin.is_initially_collateralised(99, 100)


def test_riskier_is_the_smaller_ratio_also_below_zero():
    assert margin.compare_risk(1, 100, 3, 100) == 1
    # The sign trap: |-3|/100 > |-1|/100, yet the deeper hole is the riskier account.
    assert margin.compare_risk(-3, 100, -1, 100) == 1
    assert margin.compare_risk(-1, 100, -3, 100) == -1
    assert margin.compare_risk(-1, 100, 1, 100) == 1


def test_equal_ratios_go_to_the_larger_requirement():
    assert margin.compare_risk(2, 200, 1, 100) == 1
    assert margin.compare_risk(-2, 200, -1, 100) == 1
    assert margin.compare_risk(1, 100, 1, 100) == 0


def test_flat_accounts_compare_by_equity():
    assert margin.compare_risk(-5, 0, -4, 0) == 1
    assert margin.compare_risk(7, 0, 7, 0) == 0


risks = st.tuples(signed(62), below(62))
near = st.tuples(signed(4), below(4))
compare_risk = jax.jit(margin.compare_risk)
is_valid_transition = jax.jit(margin.is_valid_transition)


@EXACT
@given(lanes(st.one_of(st.tuples(risks, risks), st.tuples(near, near))))
def test_risk_order_and_transitions_equal_the_specification(pairs):
    rows = [(*a, *b) for a, b in pairs]
    columns = [array(column) for column in zip(*rows, strict=True)]
    expected = [reference_rules.compare_risk(*row) for row in rows]
    assert compare_risk(*columns).tolist() == expected
    assert [margin.compare_risk(*row) for row in rows] == expected
    expected = [reference_rules.is_valid_transition(*row) for row in rows]
    assert is_valid_transition(*columns).tolist() == expected
    assert [margin.is_valid_transition(*row) for row in rows] == expected


@pytest.mark.parametrize(
    ("now", "new", "allowed"),
    [
        ((50, 100), (25, 50), True),  # the same ratio, smaller
        ((50, 100), (24, 50), False),  # the ratio falls
        ((50, 100), (26, 50), True),
        ((50, 100), (60, 101), False),  # a growing requirement, whatever the ratio
        ((-50, 100), (-25, 50), True),
        ((-50, 100), (-26, 50), False),
        ((-50, 100), (-24, 50), True),
        ((-1, 0), (0, 0), True),  # flat and in debt: any payment in helps
        ((-1, 0), (-1, 0), False),
        ((-2, 0), (-1, 0), True),
        ((-1, 100), (0, 0), False),  # one requirement zero: no ratio to compare
        ((-1, 100), (5, 0), False),
        ((0, 0), (5, 1), False),
        ((50, 100), (50, 100), True),  # nothing happens
    ],
)
def test_valid_transition(now, new, allowed):
    assert margin.is_valid_transition(*now, *new) is allowed
    got = is_valid_transition(*(array([x] * 16) for x in (*now, *new)))
    assert got.tolist() == [allowed] * 16


def test_an_update_passes_when_initially_collateralised_even_if_riskier():
    now = margin.Risk(nc=1_000, imr=10, mmr=5)
    assert margin.is_update_allowed(now, margin.Risk(nc=100, imr=100, mmr=60))
    assert not margin.is_update_allowed(now, margin.Risk(nc=99, imr=100, mmr=60))


def test_closing_a_bankrupt_account_at_its_bankruptcy_price_is_allowed():
    # NC becomes exactly zero with no requirement left: NC >= IMR.
    now = margin.Risk(nc=-7, imr=100, mmr=60)
    assert margin.is_update_allowed(now, margin.Risk(nc=0, imr=0, mmr=0))
    assert not margin.is_update_allowed(now, margin.Risk(nc=-1, imr=0, mmr=0))


@pytest.mark.parametrize(
    ("before_a", "after_a", "before_b", "after_b", "delta"),
    [
        (0, 5, 0, -5, 5),  # both open
        (5, 0, -5, 0, -5),  # both close
        (5, 0, 0, 5, 0),  # a long changes hands
        (0, -5, -5, 0, 0),  # a short changes hands
        (-3, 2, 4, -1, -2),  # both flip: longs were 4, are 2
    ],
)
def test_open_interest_counts_the_long_side(
    before_a, after_a, before_b, after_b, delta
):
    args = (before_a, after_a, before_b, after_b)
    assert margin.open_interest_delta(*args) == delta
    assert int(margin.open_interest_delta(*array(args))) == delta


@pytest.mark.parametrize(
    ("tier", "initial", "share"),
    [
        (LARGE_CAP, 20_000, 12_000),
        (Tier(50_000, 600_000), 50_000, 30_000),
        (Tier(100_000, 500_000), 100_000, 50_000),
        (Tier(200_000, 500_000), 200_000, 100_000),
        (Tier(1_000_000, 200_000), 1_000_000, 200_000),
        (Tier(10_000, 500_000), 10_000, 5_000),
    ],
)
def test_the_tiers_of_the_venue_as_shares_of_notional(tier, initial, share):
    risk = margin.position_risk(1_000_000, 0, tier)
    assert (risk.imr, risk.mmr) == (initial, share)
    assert margin.maintenance_fraction_ppm(*tier[:2]) == share
    assert Fraction(risk.mmr, 1_000_000) == Fraction(tier[0] * tier[1], 10**12)
