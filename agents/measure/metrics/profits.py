"""Profits: what each family and each group of a world earned."""

from collections.abc import Iterable, Sequence

import jax.numpy as jnp

from agents.families import FAMILIES, GUEST, GUESTS
from agents.family import Family, GroupSpec
from agents.measure.contract import Metric


def profits(groups: Sequence[GroupSpec]) -> tuple[Metric, ...]:
    """One metric a family, by its title, and one a group, by its name.

    Every family of the lab has its metric in every world, 0 where it has no members, so
    that worlds with other people have the same columns.
    """
    families = dict(FAMILIES)
    families |= {group.family.name: group.family for group in groups if group.family}
    return (
        *(_of_family(family, groups) for family in families.values()),
        _of_guests(groups),
        *(_of_group(group) for group in groups),
    )


def _of_family(family: Family, groups: Sequence[GroupSpec]) -> Metric:
    people = family.name.replace("_", " ")
    return _profit(
        f"{family.title}_pnl",
        f"profit of the {people}",
        [group.number for group in groups if group.family == family],
        family.is_welcome,
        f"{_possessive(people.split()[-1])} profit",
    )


def _of_guests(groups: Sequence[GroupSpec]) -> Metric:
    numbers = [group.number for group in groups if group.family is None]
    return _profit(
        f"{GUEST}_pnl",
        "profit of plain-Python agents",
        numbers,
        False,
        f"{_possessive(GUESTS)} profit",
    )


def _of_group(group: GroupSpec) -> Metric:
    family = group.family
    kind = family.name.replace("_", " ") if family else "agents in plain Python"
    welcome = family is not None and family.is_welcome
    name = group.name.replace("_", " ")
    return _profit(
        f"pnl_{group.name}",
        f"profit of the group {group.name}: {kind}",
        [group.number],
        welcome,
        f"profit of {name}",
    )


def _profit(
    name: str, meaning: str, numbers: Iterable[int], welcome: bool, label: str
) -> Metric:
    rows = list(numbers)
    return Metric(
        name,
        "quanta",
        meaning,
        "high" if welcome else None,
        lambda run: sum((run.profit[row] for row in rows), jnp.int64(0)),
        label=label,
    )


def _possessive(word: str) -> str:
    return f"{word}’" if word.endswith("s") else f"{word}’s"
