"""Faults that keep their contract, and some that break one rule each."""

from dataclasses import replace

import jax.numpy as jnp
import pytest

from experiments.conform.faults import RULES
from experiments.conform.rules import findings
from market.numbers.units import PPM
from rollup.faults import FAULTS
from rollup.faults.contract import Fault

NAMES, SHAPES, RANGE, IDLE, SOMETHING, LANES, INTEGERS = RULES


def broken(fault):
    return [found.says for found in findings(fault, RULES) if not found.holds]


def one(effect, **terms):
    return Fault("mine", "what it does", effect, **terms)


def half_room(conditions, strikes):
    struck = jnp.any(strikes.struck)
    room = jnp.where(struck, conditions.room_ppm // 2, conditions.room_ppm)
    return replace(conditions, room_ppm=room)


def doubles_room(conditions, strikes):
    struck = jnp.any(strikes.struck)
    return replace(conditions, room_ppm=conditions.room_ppm * jnp.where(struck, 2, 1))


def always_halts(conditions, strikes):
    return replace(conditions, halted=jnp.asarray(True))


def in_floats(conditions, strikes):
    struck = jnp.any(strikes.struck)
    half = (conditions.room_ppm * 0.5).astype(jnp.int64)
    return replace(conditions, room_ppm=jnp.where(struck, half, conditions.room_ppm))


def wrong_type(conditions, strikes):
    stopped = strikes.worst_ppm() >= PPM
    return replace(conditions, halted=jnp.where(stopped, 1, conditions.halted))


@pytest.mark.parametrize("fault", FAULTS.values(), ids=list(FAULTS))
def test_our_own_faults_keep_every_rule(fault):
    assert broken(fault) == []


@pytest.mark.parametrize(
    ("fault", "rules"),
    [
        (one(half_room), []),
        (one(doubles_room), [RANGE]),
        (one(always_halts), [IDLE]),
        (one(in_floats), [INTEGERS]),
        (one(wrong_type), [SHAPES]),
        (one(lambda conditions, strikes: conditions), [SOMETHING]),
        (one(half_room, reads=("depth",)), [NAMES]),
        (one(half_room, needs=(("targets",),)), [NAMES]),
    ],
)
def test_a_rule_that_is_broken_is_named(fault, rules):
    assert broken(fault) == [rule.says for rule in rules]
