"""Everyone in the lab as a `mesa.Agent`: thin views of rows of the world's arrays.

A participant decides nothing here; its family does, as arrays (`agents.families`).
Reading a value costs an index into the model's snapshot of the block, not a transfer.
"""

from collections.abc import Iterator
from itertools import count
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import mesa
import numpy as np

from agents.families import GUESTS
from market.types.orders import Flag, Kind, Tx

if TYPE_CHECKING:
    from agents.lab.model import LabModel


class _Numbers(WeakKeyDictionary):
    """Counters of agents by model, that let go of a model nobody else holds."""

    def __getitem__(self, model) -> Iterator[int]:
        """The counter of a model."""
        return self.setdefault(model, count(1))


class Participant(mesa.Agent):
    """Someone with an account.

    Attributes:
        account: number of the account, its row in the exchange's arrays.
    """

    family = ""
    model: "LabModel"
    # Mesa 3.3 numbers agents in a table that keeps every model alive for good.
    _ids = _Numbers()

    def __init__(self, model, account: int):
        """Takes its place in the model under its account number."""
        super().__init__(model)
        self.account = account

    @property
    def collateral(self) -> int:
        """Collateral in quanta; may be negative."""
        return int(self.model.snapshot.collateral[self.account])

    @property
    def positions(self) -> np.ndarray:
        """Signed lots, [M]."""
        return self.model.snapshot.position[self.account]

    @property
    def open_orders(self) -> np.ndarray:
        """Lots resting on the bid and ask side of each market, [M, 2]."""
        return self.model.snapshot.open_lots[self.account]

    @property
    def equity(self) -> int:
        """Collateral plus positions at oracle prices, quanta."""
        return int(self.model.snapshot.equity[self.account])

    @property
    def maintenance(self) -> int:
        """Maintenance requirement in quanta."""
        return int(self.model.snapshot.maintenance[self.account])

    @property
    def is_in_danger(self) -> bool:
        """Whether the account may be liquidated."""
        return 0 < self.maintenance and self.maintenance > self.equity

    @property
    def profit(self) -> int:
        """Equity now less the first collateral; later deposits count as profit."""
        return self.equity - int(self.model.snapshot.start[self.account])


class MarketMaker(Participant):
    """Quotes both sides; decides in `agents.families.makers`."""

    family = "market_makers"


class LeveragedTrader(Participant):
    """Trades with leverage; decides in `agents.families.traders`."""

    family = "leveraged_traders"


class Searcher(Participant):
    """Looks for extractable value; decides in `agents.families.searchers`."""

    family = "searchers"


class Liquidator(Participant):
    """Races for accounts in danger; decides in `agents.families.liquidators`."""

    family = "liquidators"


class Vault(Participant):
    """Takes over what the book does not; sells it off in `agents.families.vault`."""

    family = "vault"


#: The agent class of every family that decides as arrays.
PARTICIPANTS = {
    kind.family: kind
    for kind in (MarketMaker, LeveragedTrader, Searcher, Liquidator, Vault)
}


class Guest(Participant):
    """An agent in plain Python: derive from it and write `step`.

    In `step`, look at `self.model.snapshot` and at your own account, and call `buy`,
    `sell`, `cancel`, `deposit`, `withdraw` or `send`. What you send reaches the
    sequencer after your latency, like everyone's; the sequencer decides the order.
    """

    family = GUESTS
    #: Microseconds from the start of a block until a transaction arrives.
    latency_us = 100_000
    #: Transactions that a guest may send in one block; more raise an error.
    INTENTS = 8

    def __init__(self, model, account: int):
        """A guest without transactions."""
        super().__init__(model, account)
        self.outbox: list[dict[str, int]] = []

    def step(self) -> None:
        """Called once a block, before the families decide; override it."""
        raise NotImplementedError(f"{type(self).__name__} must say what it does: step")

    def buy(self, market: int, lots: int, ticks: int | None = None, **terms) -> None:
        """Buys at most ``lots``: at ``ticks`` or better, or at the market."""
        self._order(1, market, lots, ticks, terms)

    def sell(self, market: int, lots: int, ticks: int | None = None, **terms) -> None:
        """Sells at most ``lots``: at ``ticks`` or better, or at the market."""
        self._order(-1, market, lots, ticks, terms)

    def cancel(self, market: int, slot: int) -> None:
        """Cancels the own order in a slot."""
        self.send(kind=Kind.CANCEL, market=market, slot=slot)

    def deposit(self, quanta: int) -> None:
        """Brings in collateral."""
        self.send(kind=Kind.DEPOSIT, lots=quanta)

    def withdraw(self, quanta: int) -> None:
        """Takes out free collateral; it is paid when its batch has settled."""
        self.send(kind=Kind.WITHDRAW, lots=quanta)

    def send(self, **columns: int) -> None:
        """Sends any transaction by the columns of `market.types.orders.Tx`.

        The account and the times are not the sender's to choose.

        Raises:
            ValueError: more than `INTENTS` in one block, or a column that is unknown or
                not the sender's.
        """
        unknown = set(columns) - set(Tx.__dataclass_fields__)
        if unknown:
            raise ValueError(f"a transaction has no {', '.join(sorted(unknown))}")
        if fixed := set(columns) & {"account", "sent_us", "arrival_us"}:
            raise ValueError(f"a guest does not choose {', '.join(sorted(fixed))}")
        if len(self.outbox) >= self.INTENTS:
            raise ValueError(f"a guest sends at most {self.INTENTS} in one block")
        self.outbox.append({name: int(value) for name, value in columns.items()})

    def _order(self, side, market, lots, ticks, terms) -> None:
        flags = terms.pop("flags", Flag.MARKET if ticks is None else 0)
        self.send(
            kind=Kind.ORDER,
            market=market,
            side=side,
            lots=lots,
            ticks=ticks or 0,
            flags=flags,
            **terms,
        )
