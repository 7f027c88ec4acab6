"""The section of a config on who takes part: groups of people, by name.

A group says which family its members are of, how many there are, and whatever numbers
it has of its own; its keys are made from what the family declares. A group that names
no family is of the family of its own name. Families of the lab that no group names take
part with their usual group. A group may also be of agents in plain Python; its keys are
then the attributes of their class that have a type.
"""

# pyright: reportInvalidTypeForm=false

import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import (
    GetJsonSchemaHandler,
    PlainSerializer,
    PlainValidator,
    ValidationError,
)
from pydantic_core import InitErrorDetails

from experiments.config.errors import nearest, reason, shown, unknown
from experiments.config.groups import (
    AnyGroup,
    Group,
    GuestGroup,
    group_model,
    guest_model,
)
from experiments.config.plugins import AGENT, FAMILY, PluginError, resolve
from experiments.config.values import wrong_value

#: Fault targets are bits of one 64-bit word.
MAX_GROUPS = 62
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,47}")


def read_groups(raw: Any) -> dict[str, AnyGroup]:
    """Every group of a world by name, in the order of their accounts.

    The first group of each family of the lab stands where its family always stands;
    further groups and families from outside follow in the order of the config, agents
    in plain Python come last. A group added at the end thus moves nobody's account.
    """
    if not isinstance(raw, Mapping):
        raise wrong_value("must be a mapping of names to groups")
    groups: dict[str, AnyGroup] = {}
    problems: list[InitErrorDetails] = []
    for name, section in raw.items():
        try:
            groups[name] = _read_group(name, section)
        except ValidationError as error:
            problems += [_at(name, item, error) for item in error.errors()]
        except ValueError as error:
            problems.append(_problem((name,), str(error), section))
    if problems:
        raise ValidationError.from_exception_data("populations", problems)
    groups = _in_order(_with_usual(groups))
    _check_together(groups)
    return groups


def _read_group(name: Any, section: Any) -> AnyGroup:
    if isinstance(section, Group | GuestGroup):
        return section
    if not _NAME.fullmatch(str(name)):
        raise ValueError("a group's name is made of letters, digits and _")
    if section is None:
        section = {}
    if not isinstance(section, Mapping):
        raise ValueError("must be a mapping of keys to values")
    model = _model_for(str(name), section)
    unknowns = [key for key in section if key not in model.model_fields]
    if unknowns:
        raise ValidationError.from_exception_data(
            model.__name__,
            [
                _problem((key,), unknown("key", key, model.model_fields), section[key])
                for key in unknowns
            ],
        )
    return model.model_validate(dict(section))


def _model_for(name: str, section: Mapping) -> type[AnyGroup]:
    """The model of a group: by its agent class, its family, or its name."""
    from agents.families import FAMILIES

    if "agent" in section:
        if "family" in section:
            raise ValueError("has a family and an agent; give one of them")
        return guest_model(_resolved("agent", section["agent"], AGENT))
    family = section.get("family", name)
    if "family" not in section and name not in FAMILIES:
        hint = nearest(name, FAMILIES)
        raise ValueError(
            f"is no family{hint}; a group of another name says which family it is of "
            f"(family: one of {', '.join(FAMILIES)}, or an import path) or which agent"
        )
    if name in FAMILIES and family != name:
        raise ValueError(f"is the name of a family, and cannot be of {shown(family)}")
    return group_model(_resolved("family", family, FAMILY))


def _resolved(key: str, text: Any, kind: Any) -> Any:
    try:
        return resolve(str(text), kind)
    except PluginError as error:
        raise ValidationError.from_exception_data(
            key, [_problem((key,), str(error), text)]
        ) from None


def _at(name: str, item: Any, error: ValidationError) -> InitErrorDetails:
    """A problem of one group, told in the lab's words, under the group's name."""
    key = str(item["loc"][-1]) if item["loc"] else ""
    return _problem((name, *item["loc"]), reason(dict(item), key, None), item["input"])


def _problem(location: tuple, text: str, given: Any) -> InitErrorDetails:
    return InitErrorDetails(type=wrong_value(text), loc=location, input=given)


def _with_usual(groups: dict[str, AnyGroup]) -> dict[str, AnyGroup]:
    """The groups, and the usual one of every family of the lab that none is of."""
    from agents.families import FAMILIES

    present = {group.of.name for group in groups.values() if isinstance(group, Group)}
    missing = [family for name, family in FAMILIES.items() if name not in present]
    return {
        **groups,
        **{each.name: group_model(each).model_validate({}) for each in missing},
    }


def _in_order(groups: dict[str, AnyGroup]) -> dict[str, AnyGroup]:
    from agents.families import FAMILIES

    first: dict[str, str] = {}
    for name, group in groups.items():
        if isinstance(group, Group):
            first.setdefault(group.of.name, name)
    heads = [first[family] for family in FAMILIES]
    guests = [name for name, group in groups.items() if isinstance(group, GuestGroup)]
    others = [name for name in groups if name not in {*heads, *guests}]
    return {name: groups[name] for name in (*heads, *others, *guests)}


def _check_together(groups: dict[str, AnyGroup]) -> None:
    if not sum(group.count or 0 for group in groups.values()):
        raise wrong_value("every count is 0; somebody must take part")
    if len(groups) > MAX_GROUPS:
        raise wrong_value(f"{len(groups)} groups; at most {MAX_GROUPS}")
    families = {g.of.name: g.of for g in groups.values() if isinstance(g, Group)}
    titles = [family.title for family in families.values()]
    streams = [family.words for family in families.values()]
    for family in families.values():
        if titles.count(family.title) > 1 or streams.count(family.words) > 1:
            raise wrong_value(
                f"family {family.name}: another one has its title {family.title!r} or "
                "its random stream; give it another title or name"
            )
        backstops = [g for g in groups.values() if g.of == family]
        if family.is_backstop and len(backstops) > 1:
            raise wrong_value(f"{family.name}: a venue has one backstop")


def _write(groups: dict[str, AnyGroup], info: Any) -> dict[str, Any]:
    """The groups as they can be read again; a family that the name says is left out."""
    written = {}
    for name, group in groups.items():
        implied = isinstance(group, Group) and group.of.name == name
        written[name] = group.model_dump(
            mode=info.mode,
            exclude_none=info.exclude_none,
            exclude={"family"} if implied else None,
        )
    return written


class _Schema:
    """What an editor is told: groups of the lab's families, and that others may be.

    Group models are made when they are first needed, so that the command line begins
    without the families' code.
    """

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: Any, handler: GetJsonSchemaHandler):
        from agents.families import FAMILIES

        usual = {n: group_model(f).model_json_schema() for n, f in FAMILIES.items()}
        for group in usual.values():
            del group["properties"]["family"]  # the group's name says it
        return {
            "type": "object",
            "properties": usual,
            "additionalProperties": {
                "type": "object",
                "properties": {
                    "family": {"type": "string", "description": "a family, or a path"},
                    "agent": {"type": "string", "description": "path of a class"},
                },
            },
        }


#: The type of the section.
Populations = Annotated[
    dict[str, AnyGroup],
    PlainValidator(read_groups),
    PlainSerializer(_write),
    _Schema,
]
