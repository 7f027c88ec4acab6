"""Everyone in the lab as a `mesa.Agent`: thin views of rows of the world's arrays.

A participant decides nothing here; its family does, as arrays (`agents.families`). Each
family has an agent class of its own, those from outside the lab too.
Reading a value costs an index into the model's snapshot of the block, not a transfer.
"""

from collections.abc import Iterator, Sequence
from functools import cache
from itertools import count
from typing import Any, Protocol, cast
from weakref import WeakKeyDictionary

import mesa
import numpy as np

from agents.families import FAMILIES
from agents.family import Family
from agents.lab.snapshot import Snapshot


class Lab(Protocol):
    """What a participant asks of the model that it is in."""

    @property
    def snapshot(self) -> Snapshot:
        """The world on the host, this block's."""
        ...

    @property
    def group_names(self) -> Sequence[str]:
        """The name of each account's group."""
        ...


class _Numbers(WeakKeyDictionary):
    """Counters of agents by model, that let go of a model nobody else holds."""

    def __getitem__(self, model) -> Iterator[int]:
        """The counter of a model."""
        return self.setdefault(model, count(1))


class Participant(mesa.Agent):
    """Someone with an account.

    What it says of its money, positions and orders is a view: these change by
    transactions alone, and setting them is refused.

    Attributes:
        account: number of the account, its row in the exchange's arrays.
        family: name of its family.
    """

    family = ""
    # Mesa 3.3 numbers agents in a table that keeps every model alive for good.
    _ids = _Numbers()

    def __init__(self, model, account: int):
        """Takes its place in the model under its account number."""
        super().__init__(model)
        self.account = account

    def __setattr__(self, name: str, value: Any) -> None:
        """Sets an attribute, unless it is the account or a view of it.

        Raises:
            AttributeError: setting it would reach nothing.
        """
        is_view = isinstance(getattr(Participant, name, None), property)
        if is_view or (name == "account" and "account" in vars(self)):
            raise AttributeError(
                f"{type(self).__name__}.{name} is a view of the exchange and cannot be "
                f"set: what account {self.account} has changes by transactions alone"
            )
        super().__setattr__(name, value)

    @property
    def lab(self) -> Lab:
        """The model, as what it is to its participants."""
        return cast(Lab, self.model)

    @property
    def group(self) -> str:
        """Name of its group."""
        return self.lab.group_names[self.account]

    @property
    def collateral(self) -> int:
        """Collateral in quanta; may be negative."""
        return int(self.lab.snapshot.collateral[self.account])

    @property
    def positions(self) -> np.ndarray:
        """Signed lots, [M]."""
        return self.lab.snapshot.position[self.account]

    @property
    def open_orders(self) -> np.ndarray:
        """Lots resting on the bid and ask side of each market, [M, 2]."""
        return self.lab.snapshot.open_lots[self.account]

    @property
    def equity(self) -> int:
        """Collateral plus positions at oracle prices, quanta."""
        return int(self.lab.snapshot.equity[self.account])

    @property
    def maintenance(self) -> int:
        """Maintenance requirement in quanta."""
        return int(self.lab.snapshot.maintenance[self.account])

    @property
    def is_in_danger(self) -> bool:
        """Whether the account may be liquidated."""
        return 0 < self.maintenance and self.maintenance > self.equity

    @property
    def profit(self) -> int:
        """Equity now less the first collateral; later deposits count as profit."""
        return self.equity - int(self.lab.snapshot.start[self.account])


class Member(Participant):
    """One of a family: all of it is a view, for the family decides as arrays."""

    #: What Mesa itself sets on an agent.
    _MESAS = frozenset({"model", "unique_id", "pos", "cell", "account"})

    def __setattr__(self, name: str, value: Any) -> None:
        """Refuses every attribute that is not Mesa's own.

        Raises:
            AttributeError: nobody would read what is set.
        """
        if name not in self._MESAS and not name.startswith("_"):
            raise AttributeError(
                f"{type(self).__name__}.{name} cannot be set: account {self.account} "
                f"is a view of the group {self.group}, which decides as arrays and "
                f"reads no agent; set populations.{self.group}.{name} in the config, "
                "before the run, or write a Guest"
            )
        super().__setattr__(name, value)


@cache
def participant_of(family: Family) -> type[Member]:
    """The agent class of a family: ``market_makers`` gives ``MarketMaker``."""
    name = "".join(word.title() for word in family.name.removesuffix("s").split("_"))
    told = f"A member of the family {family.name}, which decides for it as arrays."
    return type(name, (Member,), {"family": family.name, "__doc__": told})


MarketMaker = participant_of(FAMILIES["market_makers"])
LeveragedTrader = participant_of(FAMILIES["leveraged_traders"])
Searcher = participant_of(FAMILIES["searchers"])
Liquidator = participant_of(FAMILIES["liquidators"])
Vault = participant_of(FAMILIES["vault"])
