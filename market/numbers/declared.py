"""Numbers that a config may give, declared once, beside the code that reads them.

A parameter class is a frozen dataclass of int64 arrays. Each of its fields that a
person may set is made by one of the functions here, which says how the person writes
the number, what it may be, what it is where nothing is said, and what it means:

    @jax.tree_util.register_dataclass
    @dataclass(frozen=True, kw_only=True)
    class RacerParams:
        edge_ppm: Array = ratio(0.001, 0, 1, what="mispricing worth a race")
        wait_us: Array = duration("5ms", "0s", "1s", what="before it answers")

The config key is the field's name without the suffix of its unit: ``edge``, ``wait``.
The config's schema, its checks, its documentation and the conversion to integers are
made from the declaration, so a number has one name and stands in one place.
"""

from dataclasses import dataclass, field, fields
from typing import Any, Literal

#: How a person writes a number, and the integer that it becomes: dollars become quote
#: quanta, fractions parts per million, durations microseconds.
Unit = Literal["usd", "ratio", "duration", "whole"]

_MARK = "declared"
#: Suffixes that say a field's unit and are no part of the config key.
_SUFFIXES = ("_ppm", "_us")


@dataclass(frozen=True)
class Declared:
    """One number that a config may give.

    Attributes:
        unit: how it is written.
        default: its value in that unit where the config does not say.
        least, most: inclusive bounds in that unit; None is no bound.
        what: its meaning, a few words without a full stop.
    """

    unit: Unit
    default: int | float | str
    least: int | float | str | None
    most: int | float | str | None
    what: str


def usd(
    default: float, least: float | None = 0, most: float | None = 1e9, *, what: str
) -> Any:
    """An amount of dollars; quote quanta in the program."""
    return _declared("usd", default, least, most, what)


def ratio(
    default: float, least: float | None = 0, most: float | None = 1, *, what: str
) -> Any:
    """A fraction; parts per million in the program."""
    return _declared("ratio", default, least, most, what)


def duration(
    default: str, least: str | None = "0s", most: str | None = None, *, what: str
) -> Any:
    """A length of time such as ``250ms`` or ``2h``; microseconds in the program."""
    return _declared("duration", default, least, most, what)


def whole(
    default: int, least: int | None = 0, most: int | None = None, *, what: str
) -> Any:
    """A whole number, the same in the program."""
    return _declared("whole", default, least, most, what)


def _declared(unit: Unit, default: Any, least: Any, most: Any, what: str) -> Any:
    number = Declared(unit, default, least, most, what)
    return field(metadata={_MARK: number})


def declared_of(kind: type) -> dict[str, Declared]:
    """The declared numbers of a dataclass by name of their fields, in their order."""
    return {
        each.name: each.metadata[_MARK]
        for each in fields(kind)
        if _MARK in each.metadata
    }


def key_of(name: str) -> str:
    """The config key of a field: its name without the suffix of its unit."""
    for suffix in _SUFFIXES:
        if name.endswith(suffix):
            return name.removesuffix(suffix)
    return name
