"""A family that keeps its contract, and some that break one rule each."""

from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
import pytest
from jax import Array

from agents.families import FAMILIES
from agents.family import Family
from agents.intents import stacked, transactions
from experiments.conform.families import RULES
from experiments.conform.rules import findings
from market.numbers.declared import whole
from market.types.orders import Kind

VALUE, SHAPE, OWN, READABLE, SEALED, AGAIN, LANES, INTEGERS = RULES
#: Rules that need no second compilation of the family.
CHEAP = [VALUE, SHAPE, OWN, READABLE]


@jax.tree_util.register_dataclass
@dataclass(frozen=True, kw_only=True)
class SteadyParams:
    """Somebody who buys the same every block."""

    lots: Array = whole(3, 1, 100, what="bought each block")


def init(key, params, collateral, *, spec, markets):
    return jnp.zeros((spec.count,), jnp.int64)


def act(key, memory, view, params, *, spec):
    intent = transactions(
        (view.members,),
        kind=Kind.ORDER,
        account=view.accounts,
        side=1,
        lots=params.lots,
        ticks=view.price[0],
    )
    return memory + 1, stacked(intent)


def for_others(key, memory, view, params, *, spec):
    memory, intents = act(key, memory, view, params, spec=spec)
    return memory, replace(intents, account=intents.account + 1)


def elsewhere(key, memory, view, params, *, spec):
    memory, intents = act(key, memory, view, params, spec=spec)
    return memory, replace(intents, market=intents.market + len(view.price))


def two_each(key, memory, view, params, *, spec):
    memory, intents = act(key, memory, view, params, spec=spec)
    return memory, jax.tree.map(lambda c: jnp.concatenate([c, c], axis=1), intents)


def in_floats(key, memory, view, params, *, spec):
    memory, intents = act(key, memory, view, params, spec=spec)
    lots = (intents.lots * 0.5).astype(jnp.int64)
    return memory, replace(intents, lots=lots)


def needs_the_mempool(key, memory, view, params, *, spec):
    seen = jnp.sum(view.pending.txs.lots)
    memory, intents = act(key, memory, view, params, spec=spec)
    return memory, replace(intents, lots=intents.lots + 0 * seen)


def steady(act, **terms):
    return Family("steady_buyers", "buyer", SteadyParams, init, act, 1, **terms)


def broken(family, rules=RULES):
    return [found.says for found in findings(family, rules) if not found.holds]


@pytest.mark.parametrize("family", [steady(act), FAMILIES["vault"]])
def test_a_family_keeps_every_rule(family):
    assert broken(family) == []


@pytest.mark.parametrize(
    ("act", "rule"), [(for_others, OWN), (elsewhere, READABLE), (two_each, SHAPE)]
)
def test_a_rule_that_is_broken_is_named(act, rule):
    # What has too many columns cannot be asked whose accounts they are.
    assert rule.says in broken(steady(act), CHEAP)
    assert broken(steady(act), [VALUE]) == []


def test_a_float_in_the_family_is_found():
    assert broken(steady(in_floats), [OWN, INTEGERS]) == [INTEGERS.says]


def test_a_sealed_mempool_must_not_stop_it():
    family = steady(needs_the_mempool, watches=True)
    (found,) = findings(family, [SEALED])
    assert not found.holds
    assert "AttributeError" in found.seen
