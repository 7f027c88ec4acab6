"""An agent in plain Python, with an account of its own and a voice in every block."""

from typing import SupportsIndex

from agents.families import GUESTS
from agents.lab.participants import Participant
from agents.messages import checked
from market.types.orders import Flag, Kind


class Guest(Participant):
    """An agent in plain Python: derive from it and write `step`.

    Attributes with a type (``threshold: float = 0.02``) are its numbers: a config sets
    them, and a sweep varies them. They are set once the agent is made, so read them in
    `step`.

    In `step`, look at `self.model.snapshot` and at your own account, and call `buy`,
    `sell`, `cancel`, `deposit`, `withdraw` or `send`. What you send reaches the
    sequencer after your latency, like everyone's; the sequencer decides the order. On
    your connection nothing overtakes what you sent before.

    `remove` takes the agent out of the model: it sends nothing any more, and its money,
    positions and orders stay in the exchange.
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
        #: When its last message over its own connection arrives.
        self.heard_us = -1

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

    def send(self, **columns: SupportsIndex) -> None:
        """Sends any transaction by the columns of `market.types.orders.Tx`.

        The account and the times are not the sender's to choose.

        Raises:
            TypeError: a value is no whole number.
            ValueError: more than `INTENTS` in one block, or a column that is unknown,
                not the sender's, or out of its bounds.
        """
        sender = type(self).__name__
        if len(self.outbox) >= self.INTENTS:
            raise ValueError(
                f"{sender}: a guest sends at most {self.INTENTS} in one block"
            )
        self.outbox.append(checked(sender, columns))

    def _order(self, side, market, lots, ticks, terms) -> None:
        flags = terms.pop("flags", Flag.MARKET if ticks is None else 0)
        self.send(
            kind=Kind.ORDER,
            market=market,
            side=side,
            lots=lots,
            ticks=0 if ticks is None else ticks,
            flags=flags,
            **terms,
        )
