"""The families of the lab, registered by the name that a config uses."""

from agents.families import liquidators, makers, searchers, traders, vault
from agents.family import Family

#: By name, in the order of their accounts; a family from outside the lab needs no line.
FAMILIES: dict[str, Family] = {
    family.name: family
    for family in (
        makers.FAMILY,
        traders.FAMILY,
        searchers.FAMILY,
        liquidators.FAMILY,
        vault.FAMILY,
    )
}
#: What agents in plain Python are called, as a family and one of them.
GUESTS, GUEST = "guests", "guest"
