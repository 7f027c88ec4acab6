"""The keys of a group of people, made from what its family or agent class declares."""

# pyright: reportInvalidTypeForm=false

from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, get_origin, get_type_hints

from pydantic import Field, create_model

from experiments.config.declared import fields_of
from experiments.config.plugins import AGENT, FAMILY, named
from experiments.config.values import Section, duration, ratio, usd, whole

if TYPE_CHECKING:
    from agents.family import Family


class Group(Section):
    """Members of one family, side by side with the groups of others."""

    of: ClassVar["Family"]

    family: named(FAMILY) = Field(description="which family its members are of")
    count: whole(0) | None = Field(
        default=None, description="members, one account each"
    )


class GuestGroup(Section):
    """Agents in plain Python."""

    of: ClassVar[type]
    #: Names of the class's own attributes among the keys.
    numbers: ClassVar[tuple[str, ...]] = ()

    agent: named(AGENT) = Field(description="import path of their class")
    count: whole(0, 10_000) = Field(default=1, description="one account each")
    collateral: usd(0, 1e9) = Field(default=10_000, description="median at the start")
    collateral_spread: ratio(0, 3) = Field(
        default=0, description="sigma of its logarithm"
    )
    latency: duration("0s", "1h") | None = Field(
        default=None, description="way to the sequencer; the class's where unsaid"
    )


AnyGroup = Group | GuestGroup


@cache
def group_model(family: "Family") -> type[Group]:
    """The keys of a group of this family: its numbers, its money, its latency.

    Raises:
        ValueError: the family declares a number under a key that every group has.
    """
    from agents.family import Endowment, Latency

    usual = family.defaults
    shared = {**fields_of(Endowment, usual), **fields_of(Latency, usual)}
    own = fields_of(family.params, usual)
    if taken := set(own) & {*shared, "family", "count", "agent"}:
        raise ValueError(f"family {family.name}: every group has {', '.join(taken)}")
    count = whole(0, family.most)
    fields: dict[str, Any] = {
        "family": (named(FAMILY), Field(default=family.name)),
        "count": (count, Field(default=usual.get("count", 0))),
        **shared,
        **own,
    }
    if family.is_backstop:
        text = "one where the venue has a vault, else none"
        fields["count"] = (count | None, Field(default=None, description=text))
    told = (family.params.__doc__ or "").split("\n")[0]
    model = create_model(family.name, __base__=Group, __doc__=told, **fields)
    model.of = family
    return model


@cache
def guest_model(kind: type) -> type[GuestGroup]:
    """The keys of a group of agents of this class: its attributes that have a type.

    An attribute without a value must be given.
    """
    from agents.lab.guest import Guest

    own = [each for each in kind.__mro__ if issubclass(each, Guest) and each != Guest]
    typed = [vars(each).get("__annotations__", {}) for each in reversed(own)]
    names = dict.fromkeys(name for each in typed for name in each)
    hints = get_type_hints(kind, include_extras=True)
    fields: dict[str, Any] = {
        name: (hints[name], getattr(kind, name, ...))
        for name in names
        if not name.startswith("_") and get_origin(hints[name]) is not ClassVar
    }
    told = (kind.__doc__ or GuestGroup.__doc__ or "").split("\n")[0]
    model = create_model(kind.__name__, __base__=GuestGroup, __doc__=told, **fields)
    model.of, model.numbers = kind, tuple(fields)
    return model
