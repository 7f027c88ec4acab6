"""The rules page says which rule the exchange of a venue uses, and the exchange does.

The exchanges of the presets are run, and the functions that they call are noted
(`tests.market.venues.reached`). A rule that the page does not mark as stand-alone is
among them; one that it does is not.
"""

import importlib
import re
from dataclasses import fields
from enum import IntEnum
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from market.types.specs import VenueParams, VenueSpec
from market.venues import VENUES
from market.venues.neutral import venue_params
from tests.market.venues import reached

PAGE = Path(__file__).parents[2] / "docs" / "rules.md"
TITLES = {
    "dYdX v4 (": "dydx_v4",
    "StarkEx Perpetual": "starkex",
    "Hyperliquid (": "hyperliquid",
    "Deleveraging (": "deleveraging",
}
PRESETS = ("dydx_v4", "starkex", "hyperliquid")
WORD = re.compile(r"`([\w.]+)`")
ORIGIN = re.compile(r"(venue|lab|off)(:.*)?")


class Rule(NamedTuple):
    """A row of a venue's table."""

    venue: str
    title: str
    functions: str
    in_use: str


def rows_below(title: str) -> list[list[str]]:
    """The rows of the tables of a section, without their heads."""
    section = PAGE.read_text().split(f"\n## {title}", 1)[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    rules = {n for n, row in enumerate(cells) if set(row[0]) == {"-"}}
    return [row for n, row in enumerate(cells) if not {n, n + 1} & rules]


def rules() -> list[Rule]:
    return [
        Rule(venue, row[0], row[1], row[-1])
        for title, venue in TITLES.items()
        for row in rows_below(title)
    ]


def called_name(name: str, venue: str) -> str | None:
    """The dotted name under which a call of it is noted; None if it is no function."""
    places = [f"market.venues.{venue}.{name}", f"market.venues.{name}", name]
    for place in places:
        module, _, attribute = place.rpartition(".")
        try:
            value = getattr(importlib.import_module(module), attribute)
        except (ImportError, AttributeError, ValueError):
            continue
        is_function = callable(value) and not isinstance(value, type)
        return f"{value.__module__}.{value.__qualname__}" if is_function else None
    raise AssertionError(f"{name}: no such rule in market.venues.{venue}")


@cache
def calls(venue: str) -> frozenset[str]:
    if venue == "deleveraging":
        return reached.reached_by_deleveraging()
    return reached.reached(venue)


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: f"{rule.venue}-{rule.title}")
def test_the_exchange_uses_a_rule_or_the_page_says_why_not(rule):
    named = [called_name(name, rule.venue) for name in WORD.findall(rule.functions)]
    own = {name for name in named if name}
    assert own, "a row names its functions"
    if rule.in_use.startswith("stand-alone: "):
        assert not own & calls(rule.venue), "it is used, and the page denies it"
        return
    if rule.in_use != "same":
        own = {called_name(name, rule.venue) for name in WORD.findall(rule.in_use)}
        assert own, "'same', where it is used, or 'stand-alone: …'"
    assert own <= calls(rule.venue), "the page says it is used"


def origins() -> dict[str, list[str]]:
    """By each backticked word of the first column, the cells behind it."""
    found = {}
    for first, *cells in rows_below("Which rule comes from where"):
        for name in WORD.findall(first):
            assert name not in found, f"{name}: twice"
            found[name] = cells
    return found


def preset(name: str):
    return VENUES[name](("BTC", "ETH"), accounts=4)


def choices() -> list[str]:
    """The rules of a venue that are chosen apart."""
    return [
        field.name
        for field in fields(VenueSpec)
        if isinstance(field.default, IntEnum) and field.name != "self_trade"
    ]


@pytest.mark.parametrize("place", range(3), ids=PRESETS)
def test_the_page_tells_every_choice_of_a_preset(place):
    spec, _ = preset(PRESETS[place])
    told = origins()
    shown = {name: told[name][place].strip("`") for name in choices()}
    assert shown == {name: getattr(spec, name).name for name in choices()}


def test_the_page_tells_every_number_and_choice_and_no_other():
    told = set(origins()) - {"VenueSpec", "VenueParams"}
    assert told == {field.name for field in fields(VenueParams)} | set(choices())


@pytest.mark.parametrize("place", range(3), ids=PRESETS)
def test_a_number_that_the_page_calls_off_has_no_effect_under_its_preset(place):
    _, params = preset(PRESETS[place])
    neutral, told = venue_params(2), origins()
    for field in fields(VenueParams):
        origin = told[field.name][place]
        assert ORIGIN.fullmatch(origin), (field.name, origin)
        value, none = (
            np.asarray(getattr(numbers, field.name)) for numbers in (params, neutral)
        )
        is_off = np.array_equal(np.broadcast_to(value, none.shape), none)
        assert is_off or origin != "off", field.name
