"""The rules of a price model (`market.prices.model`)."""

import pickle
from functools import cache, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from experiments.build.numbers import numbers_of
from experiments.config.declared import section_of
from experiments.conform.rules import Rule, must_be_integer, require, require_equal
from market.numbers.randomness import run_key
from market.numbers.units import as_int
from market.prices import PriceModel
from market.types.limits import MAX_OUTSIDE_TICKS

#: Half an hour of seconds, as in a ready scenario.
_BLOCKS, _BLOCK_US = 1800, 1_000_000
_START, _RUNS = 50_000, 4


def _params(model: PriceModel) -> Any:
    """Its numbers where a config says nothing."""
    return numbers_of(model.params, section_of("Numbers", model.params)())


def _path(model: PriceModel, run: Array, params: Any) -> Array:
    return model.path(
        run_key(7, run), as_int(_START), params, blocks=_BLOCKS, block_us=_BLOCK_US
    )


@cache
def _alone(model: PriceModel) -> np.ndarray:
    """The paths of some runs, each drawn alone; [R, T]."""
    draw = jax.jit(partial(_path, model))
    return np.stack([draw(as_int(run), _params(model)) for run in range(_RUNS)])


def _is_a_value(model: PriceModel) -> str:
    require(model.name.isidentifier(), f"name = {model.name!r}: must be a word")
    hash(model)
    again = pickle.loads(pickle.dumps(model))
    require(again == model, "a copy sent to a worker is not equal to it")
    model.check(_params(model), _BLOCKS, _BLOCK_US)
    return f"{model.name}: {len(jax.tree.leaves(_params(model)))} numbers"


def _shape(model: PriceModel) -> str:
    paths = _alone(model)
    require(paths.shape == (_RUNS, _BLOCKS), f"a path of the shape {paths.shape[1:]}")
    require(paths.dtype == np.int64, f"a path of {paths.dtype}")
    return f"{_BLOCKS} blocks of int64"


def _range(model: PriceModel) -> str:
    paths = _alone(model)
    low, high = int(paths.min()), int(paths.max())
    require(1 <= low and high <= MAX_OUTSIDE_TICKS, f"{low:,} to {high:,} ticks")
    starts = set(paths[:, 0].tolist())
    require(starts == {_START}, f"starts at {sorted(starts)} instead of {_START:,}")
    return f"{low:,} to {high:,} ticks, from {_START:,}"


def _again(model: PriceModel) -> str:
    draw = jax.jit(partial(_path, model))
    again = draw(as_int(0), _params(model))
    require_equal(_alone(model)[0], again, "the same run again is another")
    return "the same run twice, traced anew"


def _lanes(model: PriceModel) -> str:
    draw = jax.jit(jax.vmap(partial(_path, model), in_axes=(0, None)))
    together = draw(jnp.arange(_RUNS), _params(model))
    require_equal(_alone(model), together, "a lane beside others differs from it alone")
    return f"{_RUNS} lanes equal to {_RUNS} runs alone"


def _integers(model: PriceModel) -> str:
    return must_be_integer(partial(_path, model), as_int(0), _params(model))


RULES = (
    Rule("it is a value that a worker can be sent, and has numbers", _is_a_value),
    Rule("a path has a price for each block", _shape),
    Rule("prices stay in range, from the first price on", _range),
    Rule("the same run again is the same", _again),
    Rule("the same alone and in a lane", _lanes),
    Rule("integers only", _integers),
)
