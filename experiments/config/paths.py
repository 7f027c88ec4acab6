"""Names of files in a config, made whole once, where it is read.

A file is looked for beside whoever names it: a name in a config file beside that file,
one given by ``--set`` or from Python in the current folder; each then in the other's
place. From there on it is known by its full name, so that checks, runs, replays and
resumed runs, wherever they are started, read the same file. What it holds is part of
the experiment by its digest; its name is not.

A sweep over files keeps what it calls them: a value becomes a variant of its name.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from experiments.config import files
from experiments.config.documents import parse_key
from experiments.config.errors import ConfigError
from experiments.config.errors import Path as KeyPath
from experiments.config.sweep import MAX_VALUES, is_variant, label_of

#: The keys whose values name files.
FILES: tuple[KeyPath, ...] = (("prices", "file"), ("rollup", "proving_law"))


def in_document(document: dict, homes: Sequence[Path]) -> dict:
    """A document whose names of files, in its sweep too, are whole.

    Args:
        document: as read.
        homes: folders in which relative names are looked for, in order.
    """
    whole = in_value((), document, homes)
    swept = document.get("sweep")
    if isinstance(swept, Mapping):
        axes = {axis: in_axis(axis, values, homes) for axis, values in swept.items()}
        whole = {**whole, "sweep": axes}
    return whole


def in_value(key: KeyPath, value: Any, homes: Sequence[Path]) -> Any:
    """A value that is set at a key, with whole names of files in it."""
    for path in FILES:
        if path[: len(key)] == key:
            value = _inside(value, path[len(key) :], homes)
    return value


def in_axis(axis: Any, values: Any, homes: Sequence[Path]) -> Any:
    """The values of an axis; where they name files, as variants of their old names."""
    if not isinstance(values, list) or len(values) > MAX_VALUES:
        return values  # which is refused where the axis is read
    key = _key_of(axis)
    found = []
    changed = False
    for value in values:
        if is_variant(value):
            found.append(_in_variant(value, homes))
            continue
        whole = in_value(key, value, homes) if key is not None else value
        changed |= whole != value
        found.append({"name": label_of(value), "set": {axis: whole}})
    plain = not all(map(is_variant, values))
    return values if plain and not changed else found


def _in_variant(variant: Mapping, homes: Sequence[Path]) -> Mapping:
    overrides = variant.get("set")
    if not isinstance(overrides, Mapping):
        return variant
    whole = {}
    for name, value in overrides.items():
        key = _key_of(name)
        whole[name] = in_value(key, value, homes) if key is not None else value
    return {**variant, "set": whole}


def _key_of(name: Any) -> KeyPath | None:
    try:
        return parse_key(str(name))
    except ConfigError:
        return None  # whoever sets it says what is wrong


def _inside(value: Any, rest: KeyPath, homes: Sequence[Path]) -> Any:
    if not rest:
        return _whole(value, homes) if isinstance(value, str) else value
    if isinstance(value, Mapping) and rest[0] in value:
        return {**value, rest[0]: _inside(value[rest[0]], rest[1:], homes)}
    return value


def _whole(name: str, homes: Sequence[Path]) -> str:
    path = files.expanded(name)
    places = [Path(os.path.abspath(home / path)) for home in homes]
    return str(next((place for place in places if os.path.lexists(place)), places[0]))
