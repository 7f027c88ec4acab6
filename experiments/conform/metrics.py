"""The rules of a metric (`agents.measure.contract`), in a world that is only traced."""

import pickle
from dataclasses import replace
from functools import partial
from typing import get_args

import jax
import numpy as np

from agents import run
from agents.measure.contract import Better, Metric, Unit
from agents.measure.metrics import METRICS
from experiments.conform.rules import Rule, must_be_integer, require
from experiments.conform.small import small_world
from experiments.results.columns import IDENTITY, SAMPLE
from market.numbers.units import as_int


def _whole_run(metric: Metric):
    """A run of the small world with the metric, and its arguments."""
    world = small_world()
    spec = replace(world.spec, metrics=(metric,))
    return partial(run.run, spec=spec), (as_int(0), as_int(0), world.params)


def _is_a_value(metric: Metric) -> str:
    require(metric.name.isidentifier(), f"name = {metric.name!r}: must be a word")
    require(metric.name not in METRICS, f"{metric.name} is a metric of the lab's own")
    taken = {*IDENTITY, *SAMPLE}
    require(metric.name not in taken, f"{metric.name} is a column of every table")
    units, ways = get_args(Unit), get_args(Better)
    require(metric.unit in units, f"unit = {metric.unit!r}, not of {', '.join(units)}")
    require(
        metric.better in (*ways, None), f"better = {metric.better!r}: low, high or None"
    )
    require(metric.meaning, "it does not say what it means")
    hash(metric)
    again = pickle.loads(pickle.dumps(metric))
    require(again == metric, "a copy sent to a worker is not equal to it")
    return f"{metric.name} in {metric.unit}: {metric.meaning}"


def _accumulator(metric: Metric) -> str:
    require(
        bool(metric.init) or not metric.take, "`take` without `init`: it is never asked"
    )
    return "has an accumulator of its own" if metric.init else "needs none"


def _scalar(metric: Metric) -> str:
    whole, arguments = _whole_run(metric)
    found = jax.eval_shape(whole, *arguments).metrics[metric.name]
    require(found.shape == (), f"a number of the shape {found.shape}")
    require(found.dtype == np.int64, f"a number of {found.dtype}")
    return "one int64 a run"


def _integers(metric: Metric) -> str:
    whole, arguments = _whole_run(metric)
    return must_be_integer(whole, *arguments)


RULES = (
    Rule("it is a value that a worker can be sent, with unit and meaning", _is_a_value),
    Rule("an accumulator is opened before it is taken on", _accumulator),
    Rule("it reads one whole number off a run", _scalar),
    Rule("integers only", _integers),
)
