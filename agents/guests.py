"""Agents in plain Python: what a world has to know of them before it can be drawn.

Their code is a class for Mesa (`agents.lab.guest.Guest`); to the compiled step they are
accounts at the end of the list, whose transactions come from outside in every block.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from agents.family import MAX_MEMBERS, Endowment, GroupParams, GroupSpec
from agents.messages import whole, within
from agents.world import WorldParams, WorldSpec
from market.numbers.units import QUANTA_PER_USD, as_int
from market.types.limits import MAX_COLLATERAL


@dataclass(frozen=True)
class Guests:
    """A group of agents in plain Python.

    Attributes:
        kind: their class, derived from `agents.lab.guest.Guest`.
        count: how many; one account each.
        name: of the group; the name of the class where it is empty.
        collateral: quanta that they start with, the median.
        collateral_spread_ppm: sigma of its logarithm; 0: everyone has the median.
        numbers: values of the class's attributes, set on every agent once it is made.
    """

    kind: type
    count: int = 1
    name: str = ""
    collateral: int = 10_000 * QUANTA_PER_USD
    collateral_spread_ppm: int = 0
    numbers: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        """Refuses numbers that are not whole, before they are cut to it unseen.

        Raises:
            TypeError: a count or an amount is no whole number.
            ValueError: it is negative or more than an account may hold.
        """
        most = {"count": MAX_MEMBERS, "collateral": MAX_COLLATERAL}
        for name in ("count", "collateral", "collateral_spread_ppm"):
            value = whole(self.group, name, getattr(self, name))
            within(self.group, name, value, 0, most.get(name, 3_000_000))

    @property
    def group(self) -> str:
        """The name of the group."""
        return self.name or self.kind.__name__


def with_guests(
    spec: WorldSpec, params: WorldParams, guests: Sequence[Guests]
) -> tuple[WorldSpec, WorldParams]:
    """The same world with accounts for agents in plain Python after everyone else.

    Raises:
        ValueError: two groups have one name.
    """
    for group in guests:
        if any(group.group == other.name for other in spec.groups):
            raise ValueError(f"two groups are called {group.group}")
        seats = GroupSpec(
            family=None,
            name=group.group,
            count=group.count,
            first=spec.venue.accounts,
            number=len(spec.groups),
            nth=len(spec.guests),
        )
        spec = replace(
            spec,
            venue=replace(spec.venue, accounts=spec.venue.accounts + group.count),
            groups=(*spec.groups, seats),
        )
        money = Endowment(
            collateral=as_int(group.collateral),
            collateral_spread_ppm=as_int(group.collateral_spread_ppm),
        )
        own = GroupParams(endowment=money, latency=None, numbers=None)
        params = replace(params, groups={**params.groups, group.group: own})
    return spec, params
