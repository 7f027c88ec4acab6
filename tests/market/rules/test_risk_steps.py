"""StarkEx's margin in lab units: the same verdicts as the venue's own fixed point."""

from fractions import Fraction

import jax
import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.numbers import wide
from market.numbers.units import PPM
from market.rules import risk_steps
from market.rules.risk_steps import Required, Standing, Steps
from market.venues import starkex
from market.venues.starkex import ErrorCode, Position, RiskSteps
from tests.market.forms.jaxprs import inexact_dtypes
from tests.market.ints import EXACT, array, below, lanes, signed

FXP = 1 << 32
#: Millionths that are whole in 32 bits too: multiples of 1/64.
COMMON = PPM // 64
excesses = st.integers(0, PPM - 1)
standings = st.tuples(signed(61), below(61, 1), excesses)


def exact(quanta, excess):
    return quanta - Fraction(excess, PPM)


def columns(rows):
    return [array(column) for column in zip(*rows, strict=True)]


@EXACT
@given(size=below(60), ppm=st.integers(1, PPM))
def test_a_requirement_is_rounded_up_and_knows_by_how_much(size, ppm):
    quanta, excess = risk_steps.requirement(-size, ppm)
    assert exact(quanta, excess) == Fraction(size * ppm, PPM)
    assert 0 <= excess < PPM
    assert tuple(int(x) for x in jax.jit(risk_steps.requirement)(size, ppm)) == (
        quanta,
        excess,
    )


@EXACT
@given(rows=lanes(st.tuples(below(59), excesses), 5))
def test_requirements_add_up_exactly(rows):
    quanta, excess = zip(*rows, strict=True)
    whole = risk_steps.add_up(list(quanta), list(excess))
    assert exact(*whole) == sum(exact(*row) for row in rows)
    assert 0 <= whole.excess < PPM
    got = risk_steps.add_up(array(quanta), array(excess))
    assert tuple(int(x) for x in got) == whole


@jax.jit
def ratio_kept(equity, quanta, excess, equity_new, quanta_new, excess_new):
    return risk_steps.is_ratio_kept(
        Standing(equity, quanta, excess), Standing(equity_new, quanta_new, excess_new)
    )


@EXACT
@given(pairs=lanes(st.tuples(standings, standings)))
def test_ratios_compare_exactly(pairs):
    rows = [(*before, *after) for before, after in pairs]
    expected = [
        Fraction(before[0]) * exact(*after[1:]) <= after[0] * exact(*before[1:])
        for before, after in pairs
    ]
    assert ratio_kept(*columns(rows)).tolist() == expected
    assert expected == [
        risk_steps.is_ratio_kept(Standing(*a), Standing(*b)) for a, b in pairs
    ]


def test_ratios_that_differ_by_less_than_a_quantum_are_told_apart():
    # 10 / 3.000001 is the better ratio than 10 / 3.000002: by their rests alone.
    better, worse = Standing(10, 4, 999_999), Standing(10, 4, 999_998)
    assert risk_steps.is_ratio_kept(worse, better)
    assert not risk_steps.is_ratio_kept(better, worse)
    # A signed division would call -1/100 worse than -3/100.
    assert risk_steps.is_ratio_kept(Standing(-3, 100, 0), Standing(-1, 100, 0))


least_equity = jax.jit(
    lambda equity, quanta, excess, new, spare: risk_steps.least_equity(
        Standing(equity, quanta, excess), Required(new, spare)
    )
)
smaller = standings.flatmap(
    lambda row: st.tuples(
        st.just(row), st.integers(0, row[1] - 1), st.sampled_from([0, 1, PPM - 1])
    )
)


@EXACT
@given(cases=lanes(smaller))
def test_the_least_equity_is_the_first_that_keeps_the_ratio(cases):
    rows = [(*before, new, spare if new else 0) for before, new, spare in cases]
    got = least_equity(*columns(rows)).tolist()
    for (equity, quanta, excess, new, spare), least in zip(rows, got, strict=True):
        before = Standing(equity, quanta, excess)
        assert least == risk_steps.least_equity(before, Required(new, spare))
        bound = equity * exact(new, spare) / exact(quanta, excess)
        assert least - 1 < bound <= least


# --- against the fixed-point rules ---------------------------------------------------

MARKETS = 3
factors = st.lists(st.integers(1, 64), min_size=4, max_size=4).map(sorted)
uppers = st.lists(below(30, 1), min_size=3, max_size=3, unique=True).map(sorted)
market_steps = st.tuples(uppers, factors, st.booleans())


@st.composite
def accounts(draw):
    """A position, its prices and steps, in lab units and as StarkEx has them."""
    lots = draw(st.lists(signed(20), min_size=MARKETS, max_size=MARKETS))
    units = draw(st.lists(below(20, 1), min_size=MARKETS, max_size=MARKETS))
    rows = draw(st.lists(market_steps, min_size=MARKETS, max_size=MARKETS))
    collateral = draw(signed(40))
    lab = [
        Steps((*ends, 0), tuple(n * COMMON for n in shares), int(by_balance))
        for ends, shares, by_balance in rows
    ]
    fixed = [
        RiskSteps(
            (*(end if by_balance else end * FXP for end in ends), (1 << 128) - 1),
            # 64/64 is no factor of 32 bits; the rule functions do not mind.
            tuple(n * FXP // 64 for n in shares),
            by_balance,
        )
        for ends, shares, by_balance in rows
    ]
    return collateral, lots, units, lab, fixed


def lab_standing(collateral, lots, units, steps):
    notionals = [n * unit for n, unit in zip(lots, units, strict=True)]
    parts = [
        risk_steps.requirement(value, risk_steps.factor_ppm(n, value, s))
        for n, value, s in zip(lots, notionals, steps, strict=True)
    ]
    whole = risk_steps.add_up([p.quanta for p in parts], [p.excess for p in parts])
    return Standing(collateral + sum(notionals), *whole)


def fixed_status(collateral, lots, units, steps):
    position = Position(collateral, tuple(lots))
    return starkex.status(position, [unit * FXP for unit in units], steps)


@EXACT
@given(account=accounts())
def test_liquidatable_as_the_program_says(account):
    collateral, lots, units, lab, fixed = account
    standing = lab_standing(collateral, lots, units, lab)
    tv, tr = fixed_status(collateral, lots, units, fixed)
    assert tv == standing.equity * FXP
    assert tr == exact(standing.quanta, standing.excess) * FXP * FXP
    expected = starkex.is_liquidatable(tv, tr)
    assert risk_steps.is_liquidatable(standing.equity, standing.quanta) == expected


is_valid = jax.jit(risk_steps.is_transition_valid)


@st.composite
def transitions(draw):
    """An account and what it may become: often closer to zero, for a fair price."""
    collateral, lots, units, lab, fixed = draw(accounts())
    kept = draw(st.lists(st.integers(-1, 8), min_size=MARKETS, max_size=MARKETS))
    after = [n * k // 4 if k > 4 else int(n * k / 4) for n, k in zip(lots, kept)]  # noqa: B905
    closed = sum((n - m) * unit for n, m, unit in zip(lots, after, units, strict=True))
    change = draw(signed(12))
    return (collateral, lots), (collateral + closed + change, after), units, lab, fixed


@EXACT
@given(case=transitions())
def test_a_transition_is_valid_as_the_program_says(case):
    before, after, units, lab, fixed = case
    smaller = starkex.is_smaller(before[1], after[1])
    totals = [*fixed_status(*before, units, fixed), *fixed_status(*after, units, fixed)]
    expected = starkex.check_transition(*totals, smaller) == ErrorCode.SUCCESS
    standings = [lab_standing(*account, units, lab) for account in (before, after)]
    assert risk_steps.is_transition_valid(*standings, smaller) == expected
    assert bool(is_valid(*standings, smaller)) == expected


@pytest.mark.parametrize(
    ("before", "after", "is_smaller", "valid"),
    [
        ((10, 1), (5, 5), False, True),  # exactly well leveraged: whatever it did
        ((10, 1), (4, 5), False, False),
        ((-6, 4), (-3, 2), True, True),  # the same ratio with less at stake
        ((-6, 4), (-4, 2), True, False),
        ((-1, 0), (-1, 0), True, True),  # in debt without a position: a gift or nothing
        ((-1, 0), (-2, 0), True, False),
    ],
)
def test_the_edges_of_a_valid_transition(before, after, is_smaller, valid):
    standings = Standing(*before, 0), Standing(*after, 0)
    assert risk_steps.is_transition_valid(*standings, is_smaller) == valid
    assert bool(is_valid(*standings, is_smaller)) == valid


@EXACT
@given(account=accounts(), market=st.integers(0, MARKETS - 1), part=st.integers(1, 4))
def test_the_close_price_is_the_least_that_the_program_takes(account, market, part):
    collateral, lots, units, lab, fixed = account
    standing = lab_standing(collateral, lots, units, lab)
    delta = -int(lots[market] * part / 4)
    if delta == 0 or not risk_steps.is_liquidatable(standing.equity, standing.quanta):
        return
    left = [n + (delta if m == market else 0) for m, n in enumerate(lots)]
    after = lab_standing(collateral, left, units, lab)
    needed = Required(after.quanta, after.excess)
    quote = risk_steps.close_quote(standing, needed, delta * units[market])
    tv, tr = fixed_status(collateral, lots, units, fixed)
    verdicts = []
    for paid in (quote - 1, quote):
        new = fixed_status(collateral + paid, left, units, fixed)
        verdicts.append(starkex.check_transition(tv, tr, *new, True))
    assert verdicts[0] != ErrorCode.SUCCESS and verdicts[1] == ErrorCode.SUCCESS
    new = fixed_status(collateral + quote, left, units, fixed)
    assert starkex.is_deleverage_maximal(tv, tr, *new)


@pytest.mark.parametrize(
    ("size", "factor"),
    [(0, 1), (9, 1), (10, 1), (11, 2), (20, 2), (21, 3), (30, 3), (31, 4), (99, 4)],
)
def test_steps_include_their_upper_bound(size, factor):
    by_balance = Steps((10, 20, 30, 0), (1, 2, 3, 4), 1)
    assert risk_steps.factor_ppm(-size, 10**9, by_balance) == factor
    by_notional = by_balance._replace(by_balance=0)
    assert risk_steps.factor_ppm(1, -size, by_notional) == factor
    table = Steps(*map(array, by_balance))
    assert int(risk_steps.factor_ppm(array(-size), array(10**9), table)) == factor


def test_the_rules_are_integers_in_compiled_code():
    numbers = [array(n) for n in (5, 6, 7, 4, 3)]
    assert not inexact_dtypes(least_equity, *numbers)


compare_sum = jax.jit(wide.compare_sum)


@EXACT
@given(row=st.tuples(signed(62), signed(62), signed(63), signed(62), signed(62)))
def test_a_sum_of_products_compares_as_integers_do(row):
    a, b, c, d, e = row
    expected = wide.compare_sum(*row)
    assert expected == (a * b + c > d * e) - (a * b + c < d * e)
    assert int(compare_sum(*row)) == expected
