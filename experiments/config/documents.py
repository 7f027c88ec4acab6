"""Reading YAML without its traps, and changing values by dotted keys.

YAML 1.1 reads ``1e-3`` as text and ``on`` as true, and lets a later key silently
replace an equal earlier one. Here numbers are numbers, only ``true`` and ``false`` are
truths, and a key stands once.
"""

import copy
import re
from typing import Any

import yaml

from experiments.config.errors import ConfigError, Path, dotted, shown


class _Loader(yaml.SafeLoader):
    """Safe YAML with JSON's scalars and no repeated keys."""


_SCALARS = [
    ("tag:yaml.org,2002:bool", r"^(?:true|false)$", "tf"),
    ("tag:yaml.org,2002:int", r"^[-+]?(?:0|[1-9][0-9_]*)$", "-+0123456789"),
    (
        "tag:yaml.org,2002:float",
        r"^[-+]?(?:(?:0|[1-9][0-9_]*)(?:\.[0-9_]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?$"
        r"|^[-+]?\.(?:inf|Inf|INF)$|^\.(?:nan|NaN|NAN)$",
        "-+0123456789.",
    ),
    ("tag:yaml.org,2002:null", r"^(?:~|null|)$", ["~", "n", ""]),
]
_Loader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in _SCALARS:
    _Loader.add_implicit_resolver(_tag, re.compile(_pattern), list(_first))


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict:
    seen: dict[Any, int] = {}
    for key_node, _ in node.value:
        key = loader.construct_object(key_node, deep=True)
        line = key_node.start_mark.line + 1
        if not isinstance(key, str | int):
            raise ConfigError(f"line {line}: a key must be text, not {shown(key)}")
        if key in seen:
            raise ConfigError(
                f"line {line}: {key!r} stands on line {seen[key]} already"
            )
        seen[key] = line
    return yaml.SafeLoader.construct_mapping(loader, node, deep=True)


_Loader.add_constructor("tag:yaml.org,2002:map", _mapping)


def parse_yaml(text: str, source: str) -> Any:
    """The value of a YAML text; errors name the source and the line."""
    try:
        return yaml.load(text, Loader=_Loader)  # a subclass of SafeLoader
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "not YAML"
        raise ConfigError(f"{source}{line}: {problem}") from None
    except ConfigError as error:
        raise ConfigError([f"{source}: {text}" for text in error.problems]) from None


def line_numbers(text: str) -> dict[Path, int]:
    """The line of every key and list entry of a YAML text that parses."""
    lines: dict[Path, int] = {}

    def walk(node: yaml.Node, path: Path) -> None:
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                lines[(*path, key.value)] = key.start_mark.line + 1
                walk(value, (*path, key.value))
        elif isinstance(node, yaml.SequenceNode):
            for index, value in enumerate(node.value):
                lines[(*path, index)] = value.start_mark.line + 1
                walk(value, (*path, index))

    root = yaml.compose(text, Loader=_Loader)
    if root is not None:
        walk(root, ())
    return lines


def parse_key(key: str) -> Path:
    """``faults.0.start`` as a path; a part of digits counts list entries."""
    parts = key.split(".")
    if not all(parts):
        raise ConfigError(f"{key!r} is not a dotted key such as sequencer.policy")
    return tuple(int(part) if part.isdecimal() else part for part in parts)


def with_value(document: dict, key: str, value: Any) -> dict:
    """A copy of a document with one dotted key set; missing mappings are made.

    Raises:
        ConfigError: the key leads through a list entry or a value that is not there.
    """
    path = parse_key(key)
    changed = copy.deepcopy(document)
    node: Any = changed
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
    if isinstance(node, list):
        _entry(node, part, path, key)
        child = node[int(part)]
    else:
        child = node.get(str(part))
        if child is None:
            child = node[str(part)] = [] if isinstance(following, int) else {}
    if not isinstance(child, dict | list):
        raise ConfigError(
            f"{key}: {dotted(path)} is {shown(child)}, which has no keys of its own"
        )
    return child
