"""The examples in the docstrings of the rules are true."""

import doctest
import importlib
import pkgutil

import pytest

import market.rules

ROOMS = ["margin", "liquidation", "funding", "oracle", "deleveraging", "allocation"]
MODULES = [f"market.{room}" for room in ROOMS] + [
    module.name
    for module in pkgutil.walk_packages(market.rules.__path__, "market.rules.")
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
