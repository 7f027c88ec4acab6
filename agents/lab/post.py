"""What agents in plain Python sent in a block, dated and laid out for the step."""

import warnings
from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np

from agents.guests import Guests
from agents.lab.guest import Guest
from agents.messages import MAX_LATENCY_US, whole, within
from agents.world import WorldSpec
from market.types.orders import Kind, Tx

_TRADES = (Kind.ORDER, Kind.REPLACE)
#: These come through the settlement layer, not over their sender's connection.
_THROUGH_L1 = (Kind.DEPOSIT, Kind.FORCED_WITHDRAW)


class Post:
    """Takes the guests' messages of a block, agent by agent, and hands them on."""

    def __init__(self, spec: WorldSpec, guests: Sequence[Guests]):
        """The post of a world with these guests, if it has any."""
        members = sum(group.count for group in spec.guests)
        places = max((group.kind.INTENTS for group in guests), default=0)
        self._first = spec.guests[0].first if members else 0
        self._columns = {
            name: np.zeros((members, places), np.int64)
            for name in Tx.__dataclass_fields__
        }
        # Groups that start without money and of which no order was seen yet.
        self._poor = {group.group for group in guests if group.collateral <= 0}

    def take(self, guest: Guest, now_us: int) -> None:
        """Takes what the guest sent, in the order of its calls, from its outbox.

        Nothing overtakes an earlier message of its sender, as in `agents.network`.

        Raises:
            TypeError: the guest's latency is no whole number.
            ValueError: it is out of its bounds.
        """
        if not guest.outbox:
            return
        sender = type(guest).__name__
        latency_us = whole(sender, "latency_us", guest.latency_us)
        within(sender, "latency_us", latency_us, 0, MAX_LATENCY_US)
        self._warn_of_want(guest)
        row = guest.account - self._first
        for place, sent in enumerate(guest.outbox):
            sent_us = now_us + place
            arrival_us = sent_us + latency_us
            if sent["kind"] not in _THROUGH_L1:
                arrival_us = max(arrival_us, guest.heard_us + 1)
                guest.heard_us = arrival_us
            signed = {
                **sent,
                "account": guest.account,
                "sent_us": sent_us,
                "arrival_us": arrival_us,
            }
            for name, value in signed.items():
                self._columns[name][row, place] = value
        guest.outbox.clear()

    def sent(self) -> Tx:
        """All that was taken, [G, K]; the next block begins with nothing."""
        txs = Tx(**{name: jnp.asarray(rows) for name, rows in self._columns.items()})
        self._columns = {
            name: np.zeros_like(rows) for name, rows in self._columns.items()
        }
        return txs

    def _warn_of_want(self, guest: Guest) -> None:
        """Says once that a group sends orders and has no money to back them."""
        if guest.group not in self._poor:
            return
        if not any(sent["kind"] in _TRADES for sent in guest.outbox):
            return
        self._poor.discard(guest.group)
        if guest.equity <= 0:
            warnings.warn(
                f"{type(guest).__name__} of account {guest.account} sends orders and "
                "has no money, so the venue refuses them all (refused_of_"
                f"{guest.group} counts them); give the group some: "
                f"populations.{guest.group}.collateral in a config, "
                "Guests(..., collateral=...) in Python",
                UserWarning,
                stacklevel=2,
            )
