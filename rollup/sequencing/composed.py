"""Composed schemes: hold, then rank, then pay.

Most rules that venues have tried are of three parts. Each class of transactions is
*held* at the gateway for a while; those released are *ranked* by the tick in which
they were released, by class and by arrival, fee or chance; those included *pay*. What
a composition is made of is static; its delays are numbers, which a sweep may vary
without compiling anew.

1. A transaction is released at its arrival plus the hold of its class: a fixed delay,
   or one drawn for it once, uniform over a range.
2. With a tick, it belongs to the tick in which it is released, and can be executed
   once that has ended; ticks begin at the start of the run and may be shorter or
   longer than a block. Without one, whatever is released before the block ends is
   ready.
3. Earlier ticks come first; in a tick (or, without ticks, among all that are ready)
   the classes as they are listed, those not listed after them; in a class the
   earliest release, the highest bid or a fresh random order. Ties go by release, and
   of the same release a lot decides.
4. What is included pays the gas fee, or its bid besides.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from market.numbers.randomness import draw_words, uniform_int
from market.numbers.units import as_int
from market.types.orders import Kind, Tx
from rollup.sequencing.classes import CLASSES, JUDGES
from rollup.sequencing.contract import (
    Clock,
    Mode,
    Ordering,
    SenderOrder,
    SequencerParams,
    SequencerSpec,
    Waiting,
)
from rollup.sequencing.ranking import (
    MAX_BID,
    arrived,
    bid_of,
    by_key,
    by_time,
    charge_senders,
    first_of,
    hidden_but,
)

RANKS = ("arrival", "fee", "random")
PAYS = ("gas", "bid")
#: A tick is at least this, so that number of the tick and class fit one sort key.
MIN_EVERY_US = 10
#: A hold is at most this: a uniform draw has 2^31 outcomes, half an hour of them.
MAX_HOLD_US = 1_800_000_000
#: Streams of the scheme's key.
_DELAYS, _SHUFFLE = 0, 1
#: Classes listed apart: up to this many places, the last for those not listed.
_PLACES = 8


@jax.tree_util.register_dataclass
@dataclass(frozen=True, kw_only=True)
class ComposedParams(SequencerParams):
    """Numbers of a composed scheme. C: classes, in the order of `CLASSES`."""

    hold_us: Array  # [C] the delay, or the least of its range
    hold_most_us: Array  # [C] the most of its range
    every_us: Array  # [] length of a tick; unused without ticks


class Delays(NamedTuple):
    """The delays that a composition was written with, in microseconds.

    Attributes:
        hold: least and most by class, in the order of `CLASSES`.
        every: length of a tick; 0 without ticks.
    """

    hold: tuple[tuple[int, int], ...]
    every: int


@dataclass(frozen=True)
class Composed:
    """A composed scheme; made by `composed`.

    Two that differ in nothing but their delays are equal: they share one program.

    Attributes:
        name: what a config calls it.
        held: some class has a delay.
        drawn: some delay is drawn from a range.
        ticks: it works in ticks.
        places: of each class in the order of execution, in the order of `CLASSES`.
        rank: one of `RANKS`.
        pay: one of `PAYS`.
        judged: a key of `JUDGES`.
        is_open: everyone sees what has arrived.
        delays: as written.
    """

    name: str
    held: bool
    drawn: bool
    ticks: bool
    places: tuple[int, ...]
    rank: str
    pay: str
    judged: str
    is_open: bool
    delays: Delays = field(compare=False)

    replicas = 1
    intake = ()
    modes = (Mode.CONTINUOUS,)
    params = ComposedParams

    @property
    def sender_order(self) -> SenderOrder:
        """Kept where nothing but the arrival decides; holds and classes break it."""
        by_arrival = self.rank == "arrival" and not self.held
        return SenderOrder(by_arrival and len(set(self.places)) == 1)

    @property
    def notes(self) -> int:
        """One, the release, where that is fixed once and for all on arrival."""
        return int(self.drawn or (self.held and self.judged == "outcome"))

    def numbers(self, common: SequencerParams) -> ComposedParams:
        """Its numbers: the delays as written, and those that every scheme has."""
        return ComposedParams(
            gas_fee=common.gas_fee,
            min_fee_bid=common.min_fee_bid,
            hold_us=as_int([least for least, _ in self.delays.hold]),
            hold_most_us=as_int([most for _, most in self.delays.hold]),
            every_us=as_int(self.delays.every),
        )

    def init(self, params: ComposedParams, *, spec: SequencerSpec) -> tuple[()]:
        """No state: what it must remember stands in its notes."""
        return ()

    def show(
        self, state: Any, waiting: Waiting, clock: Clock, viewer: int, params: Any
    ) -> Tx | None:
        """All that has arrived where the mempool is open, else nothing."""
        if not self.is_open:
            return None
        return hidden_but(waiting.tx, arrived(waiting, clock))

    def order(
        self,
        key: Array,
        state: Any,
        waiting: Waiting,
        clock: Clock,
        room: Array,
        params: ComposedParams,
        *,
        spec: SequencerSpec,
    ) -> tuple[tuple[()], Ordering]:
        """Hold, rank, pay."""
        number = JUDGES[self.judged](waiting)
        release, notes = self._hold(key, waiting, number, clock, params)
        due = self._is_due(release, clock, params)
        due &= (waiting.tx.kind != Kind.NONE) & ~waiting.censored
        ranked = self._ranked(key, waiting, number, release, due, params)
        index, live = first_of(ranked, due, room, spec)
        price = params.gas_fee
        if self.pay == "bid":
            price = price + bid_of(waiting.tx, params)
        charge = charge_senders(waiting, index, live, price, spec)
        return (), Ordering(index, live, Mode.CONTINUOUS, charge, notes=notes)

    def _hold(self, key, waiting: Waiting, number, clock: Clock, params):
        """When each is released, [Q], and the notes that keep it."""
        arrival_us = waiting.tx.arrival_us
        if not self.held:
            return arrival_us, None
        least = params.hold_us[number]
        release = arrival_us + least
        if self.drawn:
            words = draw_words(key, _DELAYS, arrival_us.shape) >> 1
            outcomes = params.hold_most_us[number] - least + 1
            release = release + uniform_int(words, outcomes, bits=31)
        if not self.notes:
            return release, None
        # A note is the release and one, so that 0 says: not arrived yet.
        noted = waiting.notes[:, 0]
        release = jnp.where(noted > 0, noted - 1, release)
        note = jnp.where(arrived(waiting, clock), release + 1, 0)
        return release, note[:, None]

    def _is_due(self, release: Array, clock: Clock, params: ComposedParams) -> Array:
        end_us = clock.now_us + clock.block_us
        if not self.ticks:
            return release < end_us
        return (release // params.every_us + 1) * params.every_us <= end_us

    def _ranked(self, key, waiting: Waiting, number, release, due, params) -> Array:
        """The places in order, those not due last."""
        ranked = by_time(release, waiting.tx, due)
        if self.rank == "fee":
            ranked = by_key(MAX_BID - bid_of(waiting.tx, params), due, ranked)
        if self.rank == "random":
            words = draw_words(key, _SHUFFLE, release.shape).astype(jnp.int64)
            ranked = by_key(words, due, ranked)
        if not self.ticks and len(set(self.places)) == 1:
            return ranked
        turn = jnp.asarray(self.places, jnp.int64)[number]
        if self.ticks:
            turn = turn + _PLACES * (release // params.every_us)
        return by_key(turn, due, ranked)


def composed(
    *,
    name: str = "composed",
    hold: Mapping[str, int | tuple[int, int]] | None = None,
    every: int | None = None,
    classes: Sequence[str | Sequence[str]] = (),
    rank: str = "arrival",
    pay: str = "gas",
    judged: str = "label",
    mempool: str = "sealed",
) -> Composed:
    """A scheme from its parts; without any, first come first served.

    >>> bump = composed(hold={"take": 5_000}, classes=["cancel", ["rest", "take"]])
    >>> bump == composed(hold={"take": 9_000}, classes=["cancel", ["rest", "take"]])
    True

    Args:
        name: what a config calls it.
        hold: microseconds by class: a delay, or the least and the most of a draw.
        every: microseconds of a tick; None for none.
        classes: in the order in which a tick executes them; a list in the list is of
            classes that stand together. Those not listed stand together at the end.
        rank: of those of a class: "arrival" (by release), "fee" or "random".
        pay: "gas", or "bid" for gas and bid.
        judged: "label", or "outcome" if an order counts as `take` only where it would
            trade at once as its first block starts.
        mempool: "sealed", or "open" for all to see what has arrived.

    Raises:
        ValueError: a part is unknown, a class is listed twice, a delay out of bounds.
    """
    _check("rank", rank, RANKS)
    _check("pay", pay, PAYS)
    _check("judged", judged, JUDGES)
    _check("mempool", mempool, ("sealed", "open"))
    ranges = _ranges(hold or {})
    if every is not None and every < MIN_EVERY_US:
        raise ValueError(f"every = {every}: a tick takes at least {MIN_EVERY_US} us")
    return Composed(
        name=name,
        held=bool(hold),
        drawn=any(isinstance(delay, tuple | list) for delay in (hold or {}).values()),
        ticks=every is not None,
        places=_places(classes),
        rank=rank,
        pay=pay,
        judged=judged,
        is_open=mempool == "open",
        delays=Delays(ranges, every or 0),
    )


def _check(what: str, name: str, known) -> None:
    if name not in known:
        raise ValueError(f"unknown {what} {name!r}; allowed: {', '.join(known)}")


def _ranges(hold: Mapping[str, int | tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """Least and most of every class's delay, 0 where it is not held."""
    ranges: dict[str, tuple[int, int]] = dict.fromkeys(CLASSES, (0, 0))
    for name, delay in hold.items():
        _check("class", name, CLASSES)
        least, most = delay if isinstance(delay, tuple | list) else (delay, delay)
        if not 0 <= least <= most <= MAX_HOLD_US:
            raise ValueError(
                f"hold.{name} = {delay}: must be from 0 to {MAX_HOLD_US} us, the least "
                "of a range first"
            )
        ranges[name] = (least, most)
    return tuple(ranges.values())


def _places(classes: Sequence[str | Sequence[str]]) -> tuple[int, ...]:
    """The place of each class in a tick, in the order of `CLASSES`."""
    places: dict[str, int] = {}
    for place, entry in enumerate(classes):
        for name in [entry] if isinstance(entry, str) else entry:
            _check("class", name, CLASSES)
            if name in places:
                raise ValueError(f"classes: {name} stands twice")
            places[name] = place
    return tuple(places.get(name, len(classes)) for name in CLASSES)


#: What the parts in a config are laid over.
COMPOSED = composed()
