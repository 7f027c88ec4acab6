"""An agent in plain Python that keeps its contract, and some that break one rule."""

import pytest

from agents.lab.guest import Guest
from experiments.conform.agents import RULES
from experiments.conform.rules import findings

KEYS, LATENCY, RUNS, READABLE = RULES


class Buyer(Guest):
    """Buys a little in every block."""

    lots: int = 3

    def step(self):
        self.buy(market=0, lots=self.lots)


class Late(Buyer):
    latency_us = -1


class Named(Buyer):
    collateral: int = 3


class Nonsense(Buyer):
    def step(self):
        self.buy(market=9, lots=1)


class Silent(Guest):
    """Forgot to say what it does."""


def broken(kind, rules):
    return [found.says for found in findings(kind, rules) if not found.holds]


@pytest.mark.parametrize(("kind", "rule"), [(Late, LATENCY), (Named, KEYS)])
def test_a_class_that_a_config_cannot_use_is_told(kind, rule):
    assert broken(Buyer, [KEYS, LATENCY]) == []
    assert broken(kind, [KEYS, LATENCY]) == [rule.says]


@pytest.mark.slow
def test_an_agent_acts_for_ten_blocks_and_nonsense_is_named():
    assert broken(Buyer, RULES) == []
    assert broken(Nonsense, [RUNS, READABLE]) == [READABLE.says]
    (found,) = findings(Silent, [RUNS])
    assert "Silent must say what it does" in found.seen
