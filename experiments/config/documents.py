"""Changing the values of a document by dotted keys, such as ``faults.0.start``."""

from collections.abc import Mapping
from typing import Any

from experiments.config.errors import ConfigError, Path, dotted, shown

#: More entries than this no list of a document has, so a longer part is a name.
_MOST_DIGITS = 9


def parse_key(key: str) -> Path:
    """``faults.0.start`` as a path; a part of digits counts list entries."""
    parts = key.split(".")
    if not all(parts):
        raise ConfigError(f"{shown(key)} is not a dotted key such as sequencer.policy")
    return tuple(int(part) if _is_number(part) else part for part in parts)


def _is_number(part: str) -> bool:
    return part.isascii() and part.isdecimal() and len(part) <= _MOST_DIGITS


def with_value(document: dict, key: str, value: Any) -> dict:
    """A document with one dotted key set; missing mappings are made.

    The original stays as it is, and shares what the key does not lead through.

    Raises:
        ConfigError: the key leads through a list entry or a value that is not there.
    """
    path = parse_key(key)
    node: Any = dict(document)
    changed = node
    for depth, part in enumerate(path[:-1]):
        node = _child(node, part, path[: depth + 1], key, path[depth + 1])
    last = path[-1]
    if isinstance(node, list):
        _entry(node, last, path, key)
        node[int(last)] = value
    else:
        node[str(last)] = value
    return changed


def _entry(node: list, part: str | int, path: Path, key: str) -> None:
    if not isinstance(part, int) or part >= len(node):
        raise ConfigError(
            f"{key}: {dotted(path[:-1])} has {len(node)} entries, so there is no "
            f"{dotted(path)}; entries are counted from 0"
        )


def _child(node: Any, part: str | int, path: Path, key: str, following) -> Any:
    """A copy of what stands below, put in its place; whatever is not on the way to the
    changed key is shared with the original.
    """
    if isinstance(node, list):
        _entry(node, part, path, key)
        place: Any = int(part)
        child = node[place]
    else:
        place = str(part)
        child = node.get(place)
        if child is None:
            child = [] if isinstance(following, int) else {}
    if isinstance(child, Mapping):
        child = node[place] = dict(child)
    elif isinstance(child, list):
        child = node[place] = list(child)
    else:
        raise ConfigError(
            f"{key}: {dotted(path)} is {shown(child)}, which has no keys of its own"
        )
    return child
