"""What a sweep calls its points has to be what they are.

A row of the results is known by the labels of its axes. So two axes may not set one
key, an override of the whole experiment may not be lost under an axis, each point's
config is read back and must hold what its labels say, and two labels may not stand for
one world. Whatever breaks this is refused before anything is run.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from pathlib import PurePath
from typing import Any

from pydantic import BaseModel, ValidationError

from experiments.config.documents import parse_key, with_value
from experiments.config.errors import ConfigError, Path, dotted, shown
from experiments.config.schema import Config
from experiments.config.sweep import Point, Setting
from experiments.config.values import exact_number

#: Floats that an API was given may be off by their own rounding, and no more.
_ROUNDING = Decimal("1e-9")
_ABSENT = object()


def _paths(settings: Iterable[Setting]) -> list[Path]:
    """The keys that some value of an axis sets, in order, each once."""
    keys = [str(key) for setting in settings for key, _ in setting.overrides]
    return list(dict.fromkeys(map(parse_key, keys)))


def _meet(one: Path, other: Path) -> bool:
    """Whether two keys are one, or one lies inside the other."""
    shared = min(len(one), len(other))
    return one[:shared] == other[:shared]


def refuse_conflicts(axes: Sequence[Sequence[Setting]]) -> None:
    """No two axes set one key, or a section and a key in it; nor does one variant.

    Raises:
        ConfigError: names both axes, or the variant, and the keys.
    """
    taken: list[tuple[Path, str]] = []
    for settings in axes:
        axis = settings[0].axis
        for setting in settings:
            _refuse_inner_conflict(setting)
        for path in _paths(settings):
            for other, owner in taken:
                if owner != axis and _meet(path, other):
                    raise ConfigError(
                        f"sweep.{axis}: sets {dotted(path)}, and sweep.{owner} sets "
                        f"{dotted(other)}: only one of them would hold, and the other "
                        "would label its rows with a value that no run had; let one "
                        "axis of named variants set both"
                    )
        taken += [(path, axis) for path in _paths(settings)]


def _refuse_inner_conflict(setting: Setting) -> None:
    paths = [parse_key(str(key)) for key, _ in setting.overrides]
    for place, path in enumerate(paths):
        for other in paths[:place]:
            if _meet(path, other):
                raise ConfigError(
                    f"sweep.{setting.axis}.{setting.label}.set: {dotted(other)} and "
                    f"{dotted(path)} set one key; give it once"
                )


def refuse_lost_override(
    key: str, value: Any, axes: Sequence[Sequence[Setting]]
) -> None:
    """An override of the whole experiment may not set what an axis sets.

    Raises:
        ConfigError: some point would not have it, or under a label that denies it.
    """
    path = parse_key(key)
    for settings in axes:
        for swept in _paths(settings):
            inside = swept[: len(path)] == path and _has(value, swept[len(path) :])
            if path[: len(swept)] == swept or inside:
                axis = settings[0].axis
                raise ConfigError(
                    f"{key} = {shown(value)}: the axis sweep.{axis} sets "
                    f"{dotted(swept)}, so this would not hold at all of its points; "
                    f"change the axis (sweep.{axis}=[…]), or remove the sweep "
                    "(sweep={})"
                )


def _has(value: Any, path: Path) -> bool:
    for part in path:
        if isinstance(value, Mapping) and str(part) in value:
            value = value[str(part)]
        elif isinstance(value, list) and isinstance(part, int) and part < len(value):
            value = value[part]
        else:
            return False
    return True


# --- reading back ------------------------------------------------------------------


def refuse_untrue(points: Sequence[Point], configs: Sequence[Config]) -> None:
    """Every point's config holds what the values of its axes say.

    Raises:
        ConfigError: one does not; names the axis, the label and what is held instead.
    """
    for point, config in zip(points, configs, strict=True):
        for setting in point.settings:
            for key, value in setting.overrides:
                _refuse_not_held(point, setting, str(key), value, config)
            _refuse_false_name(setting, config)


def _refuse_not_held(
    point: Point, setting: Setting, key: str, value: Any, config: Config
) -> None:
    held = _held(config, parse_key(key))
    same = _same(value, held)
    if same or (same is None and _changes_nothing(point, key, value, config)):
        return
    found = "nothing of that key" if held is _ABSENT else shown(held)
    raise ConfigError(
        f"sweep.{setting.axis}: at point {point.number} ({point.label}) {key} is to be "
        f"{shown(value)}, and its config holds {found}: the label would be wrong; "
        "write the value that is held, or remove what replaces it"
    )


def _held(config: Config, path: Path) -> Any:
    """The value at a path of a config, as it is written in a file."""
    node: Any = config
    for depth, part in enumerate(path):
        if depth == len(path) - 1 and isinstance(node, BaseModel):
            return node.model_dump(mode="json").get(str(part), _ABSENT)
        if isinstance(node, BaseModel):
            node = getattr(node, str(part), _ABSENT)
        elif isinstance(node, Mapping):
            node = node.get(str(part), _ABSENT)
        elif isinstance(node, list | tuple) and isinstance(part, int):
            node = node[part] if part < len(node) else _ABSENT
        else:
            return _ABSENT
    return node


def _same(value: Any, held: Any) -> bool | None:
    """Whether two scalars say the same; None where only the config's reader can tell.

    Numbers, durations and percentages are compared as exact decimals, so that a value
    finer than the lab's smallest step, which is read as another, is seen.
    """
    if isinstance(value, bool) or value is None or isinstance(held, bool):
        return value is held or None
    ours, theirs = exact_number(value), exact_number(held)
    if ours is not None and theirs is not None:
        return abs(ours - theirs) <= _ROUNDING * max(abs(ours), abs(theirs))
    if isinstance(value, str) and isinstance(held, str):
        # A file that was looked for and found is held with its folder.
        found = PurePath(held)
        is_file = found.is_absolute() and found.name == PurePath(value).name
        return value == held or is_file or None
    return None


def _changes_nothing(point: Point, key: str, value: Any, config: Config) -> bool:
    """Whether setting the key once more, after all axes, gives the same config."""
    try:
        again = Config.model_validate(with_value(point.document, key, value))
    except (ConfigError, ValidationError):
        return False
    return again == config


def _refuse_false_name(setting: Setting, config: Config) -> None:
    """A variant of an axis that is called like a key is called like its value."""
    try:
        held = _held(config, parse_key(setting.axis))
    except ConfigError:
        return  # the axis is no key at all, but a name with dots of its own
    if held is _ABSENT or held is None or isinstance(held, Mapping | list | BaseModel):
        return
    named = not any(str(key) == setting.axis for key, _ in setting.overrides)
    if named and str(held) != str(setting.label) and not _same(setting.label, held):
        raise ConfigError(
            f"sweep.{setting.axis}: its variant {setting.label!r} leaves "
            f"{setting.axis} at {shown(held)}, which the column {setting.axis} would "
            "deny; give the axis a name that is no key"
        )


def refuse_equal(points: Sequence[Point], identities: Iterable[Any]) -> None:
    """No two points are one world.

    Args:
        points: of the sweep.
        identities: what decides the results of each, as JSON can hold it.

    Raises:
        ConfigError: two values of an axis are read as the same, or one has no effect.
    """
    seen: dict[str, Point] = {}
    for point, identity in zip(points, identities, strict=True):
        text = json.dumps(identity, sort_keys=True)
        twin = seen.setdefault(text, point)
        if twin is not point:
            axes = [
                f"sweep.{one.axis}: {one.label} and {other.label}"
                for one, other in zip(twin.settings, point.settings, strict=True)
                if one.label != other.label
            ]
            raise ConfigError(
                f"{'; '.join(axes)} are the same world (points {twin.number} and "
                f"{point.number}), so that their rows would be equal under two labels; "
                "keep one of them"
            )
