"""The examples in the docstrings of the rules are true."""

import doctest
import importlib
import pkgutil

import pytest

import market.rules
import market.upkeep
import market.venues

MODULES = [
    module.name
    for room in (market.rules, market.upkeep, market.venues)
    for module in pkgutil.walk_packages(room.__path__, f"{room.__name__}.")
]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name):
    failed, _ = doctest.testmod(importlib.import_module(name))
    assert failed == 0


def test_there_are_examples():
    found = doctest.DocTestFinder()
    count = sum(
        len(test.examples)
        for name in MODULES
        for test in found.find(importlib.import_module(name))
    )
    assert count > 50
