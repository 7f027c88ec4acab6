"""The families of participants, registered by the name that a config uses."""

from typing import Any, NamedTuple, Protocol

from jax import Array

from agents.families import liquidators, makers, searchers, traders, vault
from agents.family import FamilySpec, View
from market.types.orders import Tx


class Init(Protocol):
    """Draws the members of a family for one run."""

    def __call__(
        self,
        key: Array,
        params: Any,
        collateral: Array,
        *,
        spec: FamilySpec,
        markets: int,
    ) -> Any:
        """Memory of the N members, from their first collateral [N]."""
        ...


class Act(Protocol):
    """Decides for all members of a family."""

    def __call__(
        self, key: Array, memory: Any, view: View, params: Any, *, spec: FamilySpec
    ) -> tuple[Any, Tx]:
        """New memory and transactions [N, K], for the block of ``key``."""
        ...


class Family(NamedTuple):
    """A kind of participant.

    Attributes:
        init: draws the members.
        act: decides for them.
        intents: K, transactions that a member may send in one block.
        watches: whether it looks at the mempool, where the scheme shows it.
    """

    init: Init
    act: Act
    intents: int
    watches: bool = False


#: By config name, in the order of their accounts and of their bits in fault targets.
FAMILIES: dict[str, Family] = {
    "market_makers": Family(makers.init, makers.act, makers.INTENTS),
    "leveraged_traders": Family(traders.init, traders.act, traders.INTENTS),
    "searchers": Family(searchers.init, searchers.act, searchers.INTENTS, watches=True),
    "liquidators": Family(liquidators.init, liquidators.act, liquidators.INTENTS),
    "vault": Family(vault.init, vault.act, vault.INTENTS),
}
#: The family of agents written in plain Python, which send through the world's inputs.
GUESTS = "guests"
FAMILY_NUMBERS = {name: number for number, name in enumerate((*FAMILIES, GUESTS))}
