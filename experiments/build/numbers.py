"""From sections of a config to the parameter class that declares its numbers."""

from dataclasses import fields, is_dataclass
from typing import Any, get_type_hints

from experiments.config.values import Section
from market.numbers.declared import key_of
from market.numbers.units import as_int


def numbers_of(kind: type, *sections: Section) -> Any:
    """A parameter class filled from the keys of sections, int64 scalars.

    A field's key is its name without the suffix of its unit; the first section that
    has it gives the number. A field that is itself a parameter class is filled from the
    same sections.

    Raises:
        TypeError: no section has a key for one of the fields.
    """
    types = get_type_hints(kind)
    given = {}
    for field in fields(kind):
        if is_dataclass(types[field.name]):
            given[field.name] = numbers_of(types[field.name], *sections)
            continue
        key = key_of(field.name)
        holder = next((s for s in sections if key in type(s).model_fields), None)
        if holder is None:
            names = " and ".join(type(section).__name__ for section in sections)
            raise TypeError(f"{names} has no key for {field.name}")
        given[field.name] = as_int(getattr(holder, key))
    return kind(**given)
