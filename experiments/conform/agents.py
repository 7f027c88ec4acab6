"""The rules of an agent in plain Python (`agents.lab.guest`), in a small world."""

from functools import cache
from typing import Any

from agents.guests import Guests
from agents.lab.guest import Guest
from agents.lab.model import LabModel
from experiments.config.groups import GuestGroup, guest_model
from experiments.conform.rules import Rule, require
from experiments.conform.small import small_world
from market.types.orders import Kind

_BLOCKS = 10
_SEED = 7
#: Kinds of transactions that must have a size.
_SIZED = (Kind.ORDER, Kind.DEPOSIT, Kind.WITHDRAW)


def _keys(kind: type[Guest]) -> str:
    model = guest_model(kind)
    numbers = model.numbers
    needed = [name for name in numbers if model.model_fields[name].is_required()]
    taken = set(numbers) & set(GuestGroup.model_fields)
    require(not taken, f"every group of agents has {', '.join(sorted(taken))} already")
    said = f"keys {', '.join(numbers)}" if numbers else "no numbers of its own"
    return said + (f"; {', '.join(needed)} must be given" if needed else "")


def _latency(kind: type[Guest]) -> str:
    us = kind.latency_us
    require(isinstance(us, int) and us >= 0, f"latency_us = {us!r}: must be 0 or more")
    return f"{us:,} us"


@cache
def _sent(kind: type[Guest]) -> list[dict[str, int]]:
    """What one agent sends in ten blocks of the small world."""
    sent: list[dict[str, int]] = []

    class Watched(kind):
        """The agent, with all that it sends written down."""

        def send(self, **columns: int) -> None:
            super().send(**columns)
            sent.append(dict(self.outbox[-1]))

    Watched.__name__ = kind.__name__
    world = small_world()
    lab = LabModel(
        world.spec, world.params, seed=_SEED, guests=[Guests(Watched, name="trial")]
    )
    for _ in range(_BLOCKS):
        lab.step()
    lab.check()
    return sent


def _runs(kind: type[Guest]) -> str:
    return f"{len(_sent(kind))} transactions in {_BLOCKS} blocks, nothing lost"


def _readable(kind: type[Guest]) -> str:
    spec = small_world().spec.venue
    bounds: dict[str, Any] = {
        "kind": range(1, len(Kind)),
        "market": range(len(spec.markets)),
        "slot": range(spec.slots),
        "side": (-1, 0, 1),
    }
    for sent in _sent(kind):
        for name, allowed in bounds.items():
            value = sent.get(name, allowed[0])
            require(value in allowed, f"{name} = {value}: {sent}")
        if sent["kind"] in _SIZED:
            require(sent.get("lots", 0) > 0, f"lots = {sent.get('lots', 0)}: {sent}")
        require(sent.get("ticks", 0) >= 0, f"ticks = {sent.get('ticks')}: {sent}")
    return "kinds, markets, slots and sizes that the venue can read"


RULES = (
    Rule("a config can give its numbers", _keys),
    Rule("it says how long its messages take", _latency),
    Rule("it acts in a world for ten blocks", _runs),
    Rule("what it sends can be read", _readable),
)
