"""A number declared beside its code: its key, its bounds, the way to its integer."""

from dataclasses import dataclass

import jax
import numpy as np
import pytest
from jax import Array
from pydantic import ValidationError

from experiments.build.numbers import numbers_of
from experiments.config.declared import fields_of, section_of
from experiments.config.values import Section
from market.numbers import declared


@jax.tree_util.register_dataclass
@dataclass(frozen=True, kw_only=True)
class Inner:
    patience_blocks: Array = declared.whole(4, 1, 9, what="blocks it waits")


@jax.tree_util.register_dataclass
@dataclass(frozen=True, kw_only=True)
class Racer:
    """Someone who races."""

    inner: Inner
    edge_ppm: Array = declared.ratio(0.001, 0, 1, what="mispricing worth a race")
    wait_us: Array = declared.duration("5ms", "0s", "1s", what="before it answers")
    fee_bid: Array = declared.usd(2, 0, 100, what="largest bid")


class WithPatience(Section):
    patience_blocks: int = 7


RACER = section_of("Racer", Racer, base=WithPatience)


def test_a_key_is_the_name_without_its_unit_and_has_the_declared_default():
    section = RACER()
    assert {name: getattr(section, name) for name in type(section).model_fields} == {
        "patience_blocks": 7,
        "edge": 1_000,
        "wait": 5_000,
        "fee_bid": 2_000_000,
    }
    assert RACER.model_fields["wait"].description == "before it answers"
    assert RACER.__doc__ == "Someone who races."


@pytest.mark.parametrize(
    ("key", "value", "problem"),
    [
        ("edge", 1.1, "must be at most 1"),
        ("wait", "2s", "must be at most 1s"),
        ("wait", 5, "must be a duration"),
        ("fee_bid", -1, "must be at least 0"),
    ],
)
def test_a_declared_bound_holds(key, value, problem):
    with pytest.raises(ValidationError, match=problem):
        RACER(**{key: value})


def test_another_default_may_be_chosen():
    _, field = fields_of(Racer, {"wait": "9ms"})["wait"]
    assert field.default == "9ms"


def test_numbers_fill_the_class_and_the_classes_in_it():
    numbers = numbers_of(Racer, RACER(edge="2%", wait="8ms"))
    assert int(numbers.edge_ppm) == 20_000
    assert int(numbers.wait_us) == 8_000
    assert int(numbers.inner.patience_blocks) == 7
    assert all(leaf.dtype == np.int64 for leaf in jax.tree.leaves(numbers))


def test_a_number_without_a_key_is_an_error():
    with pytest.raises(TypeError, match="WithPatience has no key for edge_ppm"):
        numbers_of(Racer, WithPatience())
