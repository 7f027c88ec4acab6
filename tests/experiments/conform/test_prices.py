"""Price models that keep their contract, and some that break one rule each."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import pytest
from jax import Array

from experiments.conform.prices import RULES
from experiments.conform.rules import findings
from market.numbers.declared import ratio
from market.prices import MODELS, PriceModel

VALUE, SHAPE, RANGE, AGAIN, LANES, INTEGERS = RULES


@jax.tree_util.register_dataclass
@dataclass(frozen=True, kw_only=True)
class SlopeParams:
    slope_ppm: Array = ratio(0.001, -0.01, 0.01, what="change in a block")


def straight(key, start_ticks, params, *, blocks, block_us):
    change = start_ticks * params.slope_ppm // 1_000_000
    return start_ticks + change * jnp.arange(blocks)


def falls_through(key, start_ticks, params, *, blocks, block_us):
    return start_ticks - start_ticks * jnp.arange(blocks) // 100


def one_short(key, start_ticks, params, *, blocks, block_us):
    return straight(key, start_ticks, params, blocks=blocks - 1, block_us=block_us)


def in_floats(key, start_ticks, params, *, blocks, block_us):
    path = straight(key, start_ticks, params, blocks=blocks, block_us=block_us)
    return (path * 1.0).astype(jnp.int64)


def broken(model):
    return [found.says for found in findings(model, RULES) if not found.holds]


def test_our_own_jump_diffusion_keeps_every_rule():
    assert broken(MODELS["jump_diffusion"]) == []


@pytest.mark.parametrize(
    ("path", "rules"),
    [
        (straight, []),
        (one_short, [SHAPE]),
        (falls_through, [RANGE]),
        (in_floats, [INTEGERS]),
    ],
)
def test_a_rule_that_is_broken_is_named(path, rules):
    model = PriceModel("slope", SlopeParams, path)
    assert broken(model) == [rule.says for rule in rules]


def test_a_model_that_a_worker_cannot_be_sent_is_refused():
    model = PriceModel("slope", SlopeParams, lambda *given, **terms: straight(*given))
    assert VALUE.says in broken(model)
