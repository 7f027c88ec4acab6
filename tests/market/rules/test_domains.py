"""Every documented rule gives a value or a named refusal, wherever it is asked.

Inside its domain (`domains.DOMAINS`) a rule answers. Outside, with a zero, a negative
or a huge number anywhere, or two numbers that should differ alike, it answers too or
says in a sentence what is wrong: no division by zero, no index out of range.
"""

import dataclasses
import inspect
from fractions import Fraction
from typing import Any

import jax
import jax.numpy as jnp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from market.rules import (
    allocation,
    deleveraging,
    funding,
    liquidation,
    margin,
    ranking,
    risk_steps,
    staged,
)
from market.venues import drift, dydx_v4, hyperliquid, rankings, starkex
from tests.market.ints import array
from tests.market.rules.domains import DOMAINS

MODULES = (
    *(allocation, deleveraging, funding, liquidation, margin, ranking, risk_steps),
    *(staged, drift, dydx_v4, hyperliquid, rankings, starkex),
)
EDGES = [0, 1, -1, 2**31, 2**63 - 1, -(2**63), 2**64, -(10**40), 10**40]

# --- rules of arrays alone ---------------------------------------------------------

NONE, ROW = array(0), array([0] * 4)
SIDE = funding.BookSide(ROW, ROW)
#: Rules that only take arrays, and what a total of zero is shared by.
ARRAYS = {
    allocation.allocate_by_score: (ROW, ROW, NONE),
    allocation.allocate_pro_rata: (ROW, NONE),
    allocation.allocate_floored: (ROW, NONE),
    allocation.allocate_contracts: (ROW, NONE),
    allocation.allocate_capped: (ROW, ROW, NONE),
    deleveraging.split_quote: (NONE, ROW),
    liquidation.market_to_liquidate: (ROW > 0, ROW > 0, NONE),
    funding.impact_base: (SIDE, NONE, NONE, NONE),
    funding.premium_vote_ppm: (NONE, SIDE, SIDE, NONE, NONE, NONE),
    funding.sample_ppm: (ROW, NONE),
    funding.pay_funding: (ROW, jnp.stack([ROW, ROW])),
}


def rules_of(module) -> set:
    """The public functions of a module."""
    names = getattr(module, "__all__", vars(module))
    functions = [getattr(module, name) for name in names if not name.startswith("_")]
    mine = [f for f in functions if inspect.isfunction(f)]
    if not hasattr(module, "__all__"):
        mine = [f for f in mine if f.__module__ == module.__name__]
    return set(mine)


def test_every_documented_rule_has_a_domain():
    rules = set().union(*map(rules_of, MODULES))
    known = {*DOMAINS, *ARRAYS}
    name = lambda f: f"{f.__module__}.{f.__name__}"  # noqa: E731
    assert sorted(map(name, rules - known)) == []
    assert sorted(map(name, known - rules)) == []


RULES = pytest.mark.parametrize(
    "rule",
    DOMAINS,
    ids=lambda f: f"{f.__module__.removeprefix('market.')}.{f.__name__}",
)


@RULES
@settings(max_examples=5, deadline=None)
@given(data=st.data())
def test_inside_its_domain_a_rule_answers(rule, data):
    rule(*data.draw(DOMAINS[rule]))


def is_number(value) -> bool:
    return isinstance(value, int | Fraction) and not isinstance(value, bool)


def numbers_of(value: Any) -> list:
    """The numbers in an argument, however deep."""
    if is_number(value):
        return [value]
    parts = value if isinstance(value, list | tuple) else []
    if dataclasses.is_dataclass(value):
        parts = [getattr(value, field.name) for field in dataclasses.fields(value)]
    return [number for part in parts for number in numbers_of(part)]


def replaced(value: Any, numbers) -> Any:
    """The argument with its numbers taken from an iterator."""
    if is_number(value):
        return next(numbers)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = [f.name for f in dataclasses.fields(value)]
        new = {name: replaced(getattr(value, name), numbers) for name in fields}
        return dataclasses.replace(value, **new)
    if isinstance(value, list | tuple):
        new = [replaced(each, numbers) for each in value]
        return getattr(type(value), "_make", type(value))(new)
    return value


def spoiled(arguments):
    """The arguments with an edge, or another of their numbers, in the place of each."""
    numbers = numbers_of(arguments)
    for place, own in enumerate(numbers):
        kind = int if isinstance(own, int) else Fraction
        alike = [number for number in numbers if isinstance(number, kind)]
        for other in dict.fromkeys([*EDGES, *alike, own + 1, own - 1]):
            changed = [*numbers[:place], other, *numbers[place + 1 :]]
            yield replaced(arguments, iter(changed))


@RULES
@settings(max_examples=2, deadline=None)
@given(data=st.data())
def test_outside_of_it_a_rule_answers_or_refuses_in_a_sentence(rule, data):
    for arguments in spoiled(data.draw(DOMAINS[rule])):
        try:
            rule(*arguments)
        except ValueError as refusal:
            assert len(str(refusal).split()) >= 5, refusal


@pytest.mark.parametrize("rule", ARRAYS, ids=lambda f: f.__name__)
def test_a_rule_of_arrays_shares_nothing_by_a_total_of_zero(rule):
    for out in jax.tree.leaves(rule(*ARRAYS[rule])):
        nothing = -1 if rule is liquidation.market_to_liquidate else 0
        assert out.dtype == bool or (out == nothing).all()
