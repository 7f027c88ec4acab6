"""Reading YAML without its traps and within bounds.

YAML 1.1 reads ``1e-3`` as text and ``on`` as true, and lets a later key silently
replace an equal earlier one. Here numbers are numbers, only ``true`` and ``false`` are
truths, and a key stands once.

A few lines of YAML may stand for billions of values, since an alias repeats what its
anchor names; values may be nested without end, and a number may have any count of
digits. All are counted while the text is read, and refused before anything is made of
them.
"""

import re
from typing import Any, NamedTuple

import yaml
from yaml.composer import Composer
from yaml.constructor import SafeConstructor
from yaml.resolver import Resolver

from experiments.config.errors import ConfigError, Path, shown

#: Values that a text may stand for, aliases counted as often as they stand.
MAX_VALUES = 100_000
#: Mappings and lists within each other.
MAX_DEPTH = 32
#: Digits of a number; the lab's integers have 19.
MAX_DIGITS = 40

_INT, _FLOAT = "tag:yaml.org,2002:int", "tag:yaml.org,2002:float"
_NULL, _BOOL = "tag:yaml.org,2002:null", "tag:yaml.org,2002:bool"
_MAP, _STR = "tag:yaml.org,2002:map", "tag:yaml.org,2002:str"
_SEQ = "tag:yaml.org,2002:seq"


class Document(NamedTuple):
    """The value of a text, and the line of every key and list entry in it."""

    value: Any
    lines: dict[Path, int]


# The parser of libyaml, where PyYAML was built with it, is five times as fast.
_Parser: Any = getattr(getattr(yaml, "cyaml", None), "CParser", object)


class _Fast(Composer, _Parser, SafeConstructor, Resolver):
    """PyYAML's safe loader over the parser of libyaml."""

    def __init__(self, text: str):
        _Parser.__init__(self, text)
        Composer.__init__(self)
        SafeConstructor.__init__(self)
        Resolver.__init__(self)


_Safe: Any = _Fast if yaml.__with_libyaml__ else yaml.SafeLoader


class _Loader(_Safe):
    """Safe YAML with JSON's scalars, no repeated keys, and bounds."""

    def __init__(self, text: str):
        super().__init__(text)
        self.values = 0
        self.depth = 0
        self.sizes: dict[int, int] = {}

    def compose_node(self, parent: Any, index: Any) -> Any:
        """The node of the next value, counted with all that it stands for."""
        event = self.peek_event()
        line = event.start_mark.line + 1
        if isinstance(event, yaml.AliasEvent):
            node = super().compose_node(parent, index)
            if id(node) not in self.sizes:
                raise ConfigError(f"line {line}: *{event.anchor} stands in itself")
            self._count(self.sizes[id(node)], line)
            return node
        before = self.values
        self._count(1, line)
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise ConfigError(f"line {line}: nested more than {MAX_DEPTH} deep")
        node = super().compose_node(parent, index)
        self.depth -= 1
        self.sizes[id(node)] = self.values - before
        _check_node(node, line)
        return node

    def _count(self, values: int, line: int) -> None:
        self.values += values
        if self.values > MAX_VALUES:
            raise ConfigError(
                f"line {line}: stands for {self.values:,} values or more, aliases "
                f"counted each time; at most {MAX_VALUES:,} are read"
            )


_SCALARS = [
    (_BOOL, r"^(?:true|false)$", "tf"),
    (_INT, r"^[-+]?(?:0|[1-9][0-9_]*)$", "-+0123456789"),
    (
        _FLOAT,
        r"^[-+]?(?:(?:0|[1-9][0-9_]*)(?:\.[0-9_]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?$"
        r"|^[-+]?\.(?:inf|Inf|INF)$|^\.(?:nan|NaN|NAN)$",
        "-+0123456789.",
    ),
    (_NULL, r"^(?:~|null|)$", ["~", "n", ""]),
]
_FORMS = {tag: re.compile(pattern) for tag, pattern, _ in _SCALARS}
_Loader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in _SCALARS:
    _Loader.add_implicit_resolver(_tag, _FORMS[_tag], list(_first))


def _check_node(node: yaml.Node, line: int) -> None:
    """Refuses a tag, a number or a text that no config can hold."""
    if node.tag not in (*_FORMS, _MAP, _SEQ, _STR):
        raise ConfigError(
            f"line {line}: the tag {shown(node.tag)} says nothing here; leave it out"
        )
    if not isinstance(node, yaml.ScalarNode):
        return
    if node.tag in _FORMS and not _FORMS[node.tag].match(node.value):
        raise ConfigError(
            f"line {line}: {shown(node.value)} is not what its tag says; leave it out"
        )
    if node.tag in (_INT, _FLOAT) and len(node.value) > MAX_DIGITS:
        raise ConfigError(
            f"line {line}: a number of {len(node.value):,} characters; at most "
            f"{MAX_DIGITS}"
        )
    if not _is_unicode(node.value):
        raise ConfigError(f"line {line}: {shown(node.value)} is not Unicode text")


def _is_unicode(text: str) -> bool:
    """Whether a text can be written; halves of a surrogate pair cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict:
    seen: dict[Any, int] = {}
    for key_node, _ in node.value:
        key = loader.construct_object(key_node, deep=True)
        line = key_node.start_mark.line + 1
        if not isinstance(key, str | int) or isinstance(key, bool):
            raise ConfigError(f"line {line}: a key must be text, not {shown(key)}")
        if key in seen:
            raise ConfigError(
                f"line {line}: {shown(key)} stands on line {seen[key]} already"
            )
        seen[key] = line
    return yaml.SafeLoader.construct_mapping(loader, node, deep=True)


_Loader.add_constructor(_MAP, _mapping)


def read_yaml(text: str, source: str) -> Document:
    """The value of a YAML text, and where each part of it stands.

    Args:
        text: the text.
        source: what messages call it.

    Raises:
        ConfigError: it is no YAML, or stands for more than can be held; names the
            source and the line.
    """
    if not _is_unicode(text):
        raise ConfigError(f"{source}: {shown(text)} is not Unicode text")
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        if node is None:
            return Document(None, {})
        return Document(loader.construct_document(node), _lines(node))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or getattr(error, "reason", None)
        raise ConfigError(f"{source}{line}: {problem or 'not YAML'}") from None
    except ConfigError as error:
        raise ConfigError([f"{source}: {text}" for text in error.problems]) from None


def _lines(root: yaml.Node) -> dict[Path, int]:
    """The line of every key and list entry below a node."""
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

    walk(root, ())
    return lines
