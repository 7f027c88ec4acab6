"""The config of an experiment: its schema, how it is read, and its identity."""

from experiments.config.experiment import Experiment, expand
from experiments.config.reading import SCENARIOS, load, scenario_names
from experiments.config.schema import Config, json_schema

__all__ = [
    "SCENARIOS",
    "Config",
    "Experiment",
    "expand",
    "json_schema",
    "load",
    "scenario_names",
]
