"""Sections of a config made from the numbers that a parameter class declares.

`market.numbers.declared` says in the parameter class how a person writes a number, its
default, its bounds and its meaning; here that becomes a field of a pydantic model. The
way back, from a section to the parameter class, is `experiments.build.numbers`.
"""

# pyright: reportInvalidTypeForm=false

from collections.abc import Mapping
from typing import Any

from pydantic import Field, create_model

from experiments.config import values
from experiments.config.values import Section
from market.numbers.declared import Declared, declared_of, key_of

#: The type of a number once read, by how a person writes it.
_TYPES = {
    "usd": values.usd,
    "ratio": values.ratio,
    "duration": values.duration,
    "whole": values.whole,
}


def fields_of(
    kind: type, defaults: Mapping[str, Any] | None = None
) -> dict[str, tuple[Any, Any]]:
    """The declared numbers of a parameter class as fields of a model, by config key.

    Args:
        kind: a dataclass with declared numbers.
        defaults: values by config key, as a person writes them, that hold instead of
            the declared defaults.
    """
    chosen = defaults or {}
    fields = {}
    for name, number in declared_of(kind).items():
        key = key_of(name)
        default = chosen.get(key, number.default)
        fields[key] = (type_of(number), Field(default=default, description=number.what))
    return fields


def type_of(number: Declared) -> Any:
    """The type of a declared number: whole units once read, within its bounds."""
    return _TYPES[number.unit](number.least, number.most)


def section_of(
    name: str, kind: type, *, base: type[Section] = Section, what: str = ""
) -> type[Section]:
    """A section with one key for each number that a parameter class declares.

    Args:
        name: name of the model, for its schema.
        kind: the parameter class.
        base: a section whose keys it has too.
        what: one sentence on it; the class's own, if it is empty.
    """
    text = what or (kind.__doc__ or "").split("\n")[0]
    fields: dict[str, Any] = fields_of(kind)
    return create_model(name, __base__=base, __doc__=text, **fields)
