"""Sweeps: from axes of values to the points of an experiment.

An axis is a dotted key with a list of values, or a name of one's own with a list of
named variants, each a set of overrides. The points are the product of the axes, in
the order written, the last axis fastest.
"""

import itertools
import json
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from experiments.config.documents import with_value
from experiments.config.errors import ConfigError, shortened, shown
from experiments.config.kinds import without_old_kinds

#: Sections that say how an experiment is run, not what world a run lives in.
NOT_SWEPT = (
    "name",
    "seed",
    "runs",
    "sweep",
    "metrics",
    "checks",
    "record",
    "report",
    "plan",
)
#: Values of one axis.
MAX_VALUES = 100_000


@dataclass(frozen=True)
class Setting:
    """One value of one axis: what the table calls it, and what it overrides."""

    axis: str
    label: Any
    overrides: tuple[tuple[str, Any], ...] = field(hash=False)


@dataclass(frozen=True)
class Point:
    """One world of the sweep: its number, its axes, and the document it stands for."""

    number: int
    settings: tuple[Setting, ...]
    document: dict = field(hash=False, repr=False)

    @property
    def axes(self) -> dict[str, Any]:
        """Axis -> label, in the order of the sweep."""
        return {setting.axis: setting.label for setting in self.settings}

    @property
    def label(self) -> str:
        """What a table or a message calls the point."""
        return ", ".join(str(s.label) for s in self.settings) or "the only point"


def is_variant(value: Any) -> bool:
    """Whether an entry of an axis is a named set of overrides."""
    return isinstance(value, dict) and "name" in value and set(value) <= {"name", "set"}


def _variant(axis: str, value: dict) -> Setting:
    overrides = value.get("set") or {}
    if not isinstance(overrides, dict):
        raise ConfigError(f"sweep.{axis}.{value['name']}.set: must map keys to values")
    for key in overrides:
        _refuse_unswept(f"sweep.{axis}", key)
    return Setting(axis, str(value["name"]), tuple(overrides.items()))


def label_of(value: Any) -> Any:
    """Numbers and text stand for themselves in a table; the rest as short JSON."""
    if isinstance(value, bool) or value is None or isinstance(value, list | dict):
        # JSON's keys are texts: numbers among the keys could not be sorted beside them.
        return json.dumps(json.loads(json.dumps(value)), sort_keys=True)
    return value


def _refuse_unswept(where: str, key: str) -> None:
    if str(key).split(".")[0] in NOT_SWEPT:
        raise ConfigError(
            f"{where}: {key!r} cannot be swept: it says how the experiment is run, "
            f"and all points share it (neither can {', '.join(NOT_SWEPT)})"
        )


def axis_settings(axis: str, values: Any) -> list[Setting]:
    """The settings of one axis.

    Raises:
        ConfigError: not a list, empty, mixed, repeated, or a key that is not swept.
    """
    where = f"sweep.{axis}"
    if not isinstance(values, list) or not values:
        raise ConfigError(
            f"{where} = {shown(values)}: must be a list with at least one value"
        )
    if len(values) > MAX_VALUES:
        raise ConfigError(
            f"{where}: {len(values):,} values; at most {MAX_VALUES:,} are read"
        )
    named = [is_variant(value) for value in values]
    if all(named):
        settings = [_variant(axis, value) for value in values]
    elif any(named):
        raise ConfigError(f"{where}: mixes named variants with plain values")
    else:
        _refuse_unswept(where, axis)
        settings = [Setting(axis, label_of(v), ((axis, v),)) for v in values]
    counted = Counter(str(setting.label) for setting in settings)
    repeated = sorted(label for label, count in counted.items() if count > 1)
    if repeated:
        raise ConfigError(f"{where}: {shortened(', '.join(repeated))} stands twice")
    return settings


def axes_of(document: dict) -> list[list[Setting]]:
    """The settings of every axis of a document's sweep."""
    sweep = document.get("sweep") or {}
    if not isinstance(sweep, dict):
        raise ConfigError(f"sweep = {shown(sweep)}: must map keys to lists of values")
    return [axis_settings(str(axis), values) for axis, values in sweep.items()]


def count_of(axes: Sequence[Sequence[Setting]]) -> int:
    """How many points the product of axes has."""
    return math.prod(map(len, axes))


def expand(document: dict, axes: Sequence[Sequence[Setting]]) -> list[Point]:
    """The points of a document whose sweep has these axes: their product."""
    base = {key: value for key, value in document.items() if key != "sweep"}
    points = []
    for number, settings in enumerate(itertools.product(*axes)):
        changed = base
        overrides = [each for setting in settings for each in setting.overrides]
        for setting in settings:
            for key, value in setting.overrides:
                changed = _set(changed, setting, key, value)
        changed = without_old_kinds(base, changed, overrides)
        points.append(Point(number, settings, changed))
    return points


def _set(document: dict, setting: Setting, key: str, value: Any) -> dict:
    try:
        return with_value(document, str(key), value)
    except ConfigError as error:
        problems = [f"sweep.{setting.axis}: {text}" for text in error.problems]
        raise ConfigError(problems) from None
