"""The rules of a venue are chosen apart: combinations that no preset has are exact too.

Every pair of choices stands in some row of `ROWS`. Each row is run as random blocks and
compared with the specification, state by state.
"""

from collections import Counter
from dataclasses import replace
from enum import IntEnum
from itertools import combinations, product

import pytest

from market.types.specs import (
    Cover,
    Deleveraging,
    Funding,
    Gate,
    Liquidation,
    Margin,
    Mark,
)
from tests.market.forms import exchange_cases as cases
from tests.market.venues import rule_cases
from tests.properties.test_exchange_conservation import assert_conserved

CHOICES = {
    "liquidation": list(Liquidation),
    "deleveraging": list(Deleveraging),
    "margin": list(Margin),
    "cover": list(Cover),
    "mark": list(Mark),
    "funding": list(Funding),
    "gate": list(Gate),
    "vault": [-1, 2],
    "auction": [False, True],
}
#: Liquidation and deleveraging, then the numbers of the other choices.
ROWS = [
    ("FILLABLE_PRICE", "RANDOM_WALK", 1, 1, 0, 1, 0, 0, 0),
    ("FILLABLE_PRICE", "HYPERLIQUID", 0, 0, 0, 1, 0, 1, 1),
    ("FILLABLE_PRICE", "BINANCE", 0, 0, 1, 0, 0, 1, 0),
    ("FILLABLE_PRICE", "BITMEX", 0, 0, 0, 1, 1, 0, 1),
    ("FILLABLE_PRICE", "PRO_RATA", 1, 0, 0, 0, 0, 1, 1),
    ("FILLABLE_PRICE", "CAPPED_PRO_RATA", 1, 1, 0, 1, 1, 1, 1),
    ("FILLABLE_PRICE", "CONTRACT_PRO_RATA", 0, 1, 1, 0, 0, 1, 1),
    ("STAGES", "RANDOM_WALK", 0, 1, 1, 1, 0, 0, 1),
    ("STAGES", "HYPERLIQUID", 1, 1, 1, 0, 1, 0, 1),
    ("STAGES", "BINANCE", 1, 1, 0, 1, 1, 0, 1),
    ("STAGES", "BITMEX", 1, 1, 1, 0, 0, 1, 0),
    ("STAGES", "PRO_RATA", 1, 1, 1, 1, 1, 0, 0),
    ("STAGES", "CAPPED_PRO_RATA", 0, 1, 0, 0, 0, 0, 0),
    ("STAGES", "CONTRACT_PRO_RATA", 1, 0, 1, 0, 0, 0, 0),
    ("TAKEOVER", "RANDOM_WALK", 0, 0, 0, 0, 1, 1, 1),
    ("TAKEOVER", "HYPERLIQUID", 1, 1, 1, 1, 1, 0, 0),
    ("TAKEOVER", "BINANCE", 0, 0, 1, 1, 0, 0, 0),
    ("TAKEOVER", "BITMEX", 0, 1, 1, 1, 1, 0, 0),
    ("TAKEOVER", "PRO_RATA", 0, 1, 1, 0, 0, 0, 1),
    ("TAKEOVER", "CAPPED_PRO_RATA", 1, 0, 1, 0, 0, 0, 0),
    ("TAKEOVER", "CONTRACT_PRO_RATA", 1, 1, 0, 1, 1, 0, 1),
]
#: Rows that are compared in all three forms: each choice stands in one. A row takes
#: most of a minute to compile as arrays.
ARRAYS = (1, 5, 7, 9, 10, 17, 18, 20)
#: Those of them that do not wait for the slow tests.
QUICK = (10, 17)
STEPS = ("risk_upper", "risk_factor_ppm", "risk_by_balance")


def chosen(row) -> dict:
    """The choices of a row by name."""
    liquidation, deleveraging, *numbers = row
    rest = [options[n] for options, n in zip(_OTHERS, numbers, strict=True)]
    values = [Liquidation[liquidation], Deleveraging[deleveraging], *rest]
    return dict(zip(CHOICES, values, strict=True))


_OTHERS = list(CHOICES.values())[2:]


def venue(row):
    """The venue of a row, and whether it is an auction; numbers for all its rules."""
    choices = chosen(row)
    auction = choices.pop("auction")
    spec, params = rule_cases.staged()
    _, steps = cases.venue(cases.Venue("starkex"))
    params = replace(params, **{name: getattr(steps, name) for name in STEPS})
    return (replace(spec, **choices), params), auction


def name_of(row) -> str:
    """The choices in words, those that are off left out."""
    values = chosen(row).values()
    return "-".join(v.name.lower() for v in values if isinstance(v, IntEnum))


def test_every_pair_of_choices_stands_in_some_row():
    rows = [chosen(row) for row in ROWS]
    for one, other in combinations(CHOICES, 2):
        pairs = {(row[one], row[other]) for row in rows}
        assert pairs == set(product(CHOICES[one], CHOICES[other])), (one, other)


def test_every_choice_is_compared_as_arrays():
    rows = [chosen(ROWS[number]) for number in ARRAYS]
    for name, options in CHOICES.items():
        missing = set(options) - {row[name] for row in rows}
        assert not missing, (name, missing)


@pytest.mark.parametrize("row", ROWS, ids=name_of)
def test_native_blocks_equal_the_specification(row):
    kind, auction = venue(row)
    seen = Counter()
    for seed in range(10):
        for state, info in rule_cases.run_history(seed, kind, auction):
            assert_conserved(state)
            for name in rule_cases.SEEN:
                seen[name] += int(getattr(info, name))
    assert seen["liquidations"] > 0 and seen["deleveraged"] > 0, seen


def _slow_but_quick(number):
    marks = () if number in QUICK else pytest.mark.slow
    return pytest.param(ROWS[number], id=name_of(ROWS[number]), marks=marks)


@pytest.mark.parametrize("row", [_slow_but_quick(n) for n in ARRAYS])
def test_array_blocks_equal_the_native_ones(row):
    kind, auction = venue(row)
    seen = rule_cases.assert_lowerings_equal(range(24), kind, auction)
    assert seen["liquidations"] > 0 and seen["deleveraged"] > 0, seen
