"""A price model of a user's own: named in a config, its numbers checked and built."""

import numpy as np
import pytest

from experiments import config
from experiments.build.worlds import build
from experiments.config.errors import ConfigError

MODEL = """
from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jax import Array

from market.numbers.declared import ratio
from market.prices import PriceModel


@jax.tree_util.register_dataclass
@dataclass(frozen=True, kw_only=True)
class SlopeParams:
    slope_ppm: Array = ratio(0.001, -0.01, 0.01, what="change in a block")


def path(key, start_ticks, params, *, blocks, block_us):
    change = start_ticks * params.slope_ppm // 1_000_000
    return start_ticks + change * jnp.arange(blocks)


SLOPE = PriceModel("slope", SlopeParams, path)
"""


@pytest.fixture
def slope(lab):
    return f"{lab.write(MODEL)}:SLOPE"


def test_its_numbers_are_keys_that_a_sweep_may_vary(slope):
    document = {
        "world": {"blocks": 30},
        "prices": {"model": slope, "shocks": [{"at": "9s", "size": 0.1}]},
        "sweep": {"prices.slope": [0.002, "1%"]},
    }
    experiment = config.expand(document)
    assert list(experiment.plugins) == [slope]
    worlds = build(experiment.configs)
    slopes = [int(world.params.prices.model.slope_ppm) for world in worlds]
    assert slopes == [2_000, 10_000]
    assert worlds[0].spec == worlds[1].spec
    assert worlds[0].spec.prices.model.name == "slope"
    np.testing.assert_array_equal(worlds[0].params.prices.shocks.at_us, [9_000_000])
    assert config.expand(experiment.as_document()).hash == experiment.hash


@pytest.mark.parametrize(
    ("prices", "problem"),
    [
        ({"slope": 1}, r"prices\.slope = 1: must be at most 0\.01"),
        ({"slop": 1}, r"prices: unknown key 'slop' \(did you mean 'slope'\?\)"),
        ({"start": {"BTC": -1}}, r"prices\.start\.BTC = -1: must be at least"),
    ],
)
def test_its_numbers_are_checked_like_all_others(slope, prices, problem):
    with pytest.raises(ConfigError, match=problem):
        config.expand({"prices": {"model": slope, **prices}})


def test_what_is_no_price_model_is_refused():
    with pytest.raises(ConfigError, match=r"prices: .* is not a price model"):
        config.expand({"prices": {"model": "json.decoder:WHITESPACE"}})
