"""Schemes that remember nothing: a ranking of those that are ready, and a price."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from jax import Array

from market.types.orders import Kind, Tx
from rollup.sequencing.contract import (
    Clock,
    Mode,
    Ordering,
    SenderOrder,
    SequencerParams,
    SequencerSpec,
    Waiting,
)
from rollup.sequencing.ranking import charge_senders, first_of, in_sequence, ready

#: (key, waiting, those ready [Q], params) -> the places in order, those not ready last.
Rank = Callable[[Array, Waiting, Array, Any], Array]
#: (waiting, params) -> quanta that an included transaction pays, [Q] or [].
Price = Callable[[Waiting, Any], Array]
#: (waiting, clock, viewer, params) -> what the viewer sees, as `Scheme.show`.
Show = Callable[[Waiting, Clock, int, Any], Tx | None]


def gas(waiting: Waiting, params: SequencerParams) -> Array:
    """Everyone pays the gas fee alone."""
    return params.gas_fee


def nothing(waiting: Waiting, clock: Clock, viewer: int, params: Any) -> None:
    """Nobody sees what waits."""


@dataclass(frozen=True)
class Stateless:
    """A scheme of one ranking and one price; made by `stateless`."""

    name: str
    rank: Rank
    price: Price
    shows: Show
    modes: tuple[Mode, ...]
    params: type[SequencerParams]
    sender_order: SenderOrder = SenderOrder.NOT_KEPT
    replicas: int = 1
    notes: int = 0
    intake: tuple[Kind, ...] = ()

    def init(self, params: Any, *, spec: SequencerSpec) -> tuple[()]:
        """No state."""
        return ()

    def show(
        self, state: Any, waiting: Waiting, clock: Clock, viewer: int, params: Any
    ) -> Tx | None:
        """What ``shows`` says."""
        return self.shows(waiting, clock, viewer, params)

    def order(
        self,
        key: Array,
        state: Any,
        waiting: Waiting,
        clock: Clock,
        room: Array,
        params: Any,
        *,
        spec: SequencerSpec,
    ) -> tuple[tuple[()], Ordering]:
        """The first of the ranking; each of them pays the price."""
        those = ready(waiting, clock)
        ranked = self.rank(key, waiting, those, params)
        if self.sender_order == SenderOrder.NUMBERED:
            ranked, those = in_sequence(ranked, waiting, those)
        index, live = first_of(ranked, those, room, spec)
        price = self.price(waiting, params)
        charge = charge_senders(waiting, index, live, price, spec)
        return (), Ordering(index, live, self.modes[0], charge)


def stateless(
    name: str,
    rank: Rank,
    *,
    price: Price = gas,
    shows: Show = nothing,
    mode: Mode = Mode.CONTINUOUS,
    params: type[SequencerParams] = SequencerParams,
    sender_order: SenderOrder = SenderOrder.NOT_KEPT,
) -> Stateless:
    """A scheme that remembers nothing, from what is its own.

    Args:
        name: what a config calls it.
        rank: how those that are ready stand.
        price: what each included transaction pays, whether or not it succeeds.
        shows: what others see before inclusion.
        mode: how its blocks match.
        params: the class of its numbers.
        sender_order: whether and how it keeps a sender's transactions in order.
    """
    return Stateless(name, rank, price, shows, (mode,), params, sender_order)
