"""From a section of a config to the parameter class that declares its numbers."""

from dataclasses import fields, is_dataclass
from typing import Any, get_type_hints

from experiments.config.values import Section
from market.numbers.declared import key_of
from market.numbers.units import as_int


def numbers_of(kind: type, section: Section) -> Any:
    """A parameter class filled from the keys of a section, int64 scalars.

    A field's key is its name without the suffix of its unit. A field that is itself a
    parameter class is filled from the same section.

    Raises:
        TypeError: the section has no key for one of the fields.
    """
    types = get_type_hints(kind)
    given = {}
    for field in fields(kind):
        if is_dataclass(types[field.name]):
            given[field.name] = numbers_of(types[field.name], section)
            continue
        key = key_of(field.name)
        if key not in type(section).model_fields:
            raise TypeError(f"{type(section).__name__} has no key for {field.name}")
        given[field.name] = as_int(getattr(section, key))
    return kind(**given)
