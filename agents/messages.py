"""What an agent in plain Python may send: whole numbers, each within its bounds.

The compiled step holds every column in 64 bits and knows no exceptions, so what is no
number, or none that fits, is refused here, where the agent's author can see it. What is
a number but against the venue's rules is the exchange's to refuse; it is counted.
"""

from collections.abc import Mapping
from operator import index
from typing import Any

from market.types.limits import (
    MAX_ACCOUNTS,
    MAX_COLLATERAL,
    MAX_ORDER_LOTS,
    MAX_TICKS,
)
from market.types.orders import ALL_FLAGS, Kind, Tx

#: Columns that the lab fills in.
SIGNED = ("account", "sent_us", "arrival_us")
#: Kinds whose size is money.
_MONEY = (Kind.DEPOSIT, Kind.WITHDRAW, Kind.FORCED_WITHDRAW)
#: Longest way to the sequencer, as in a config.
MAX_LATENCY_US = 3_600_000_000
#: Least and most of each column; of the size, of an order.
_BOUNDS = {
    "kind": (1, max(Kind)),
    "market": (-1, MAX_ACCOUNTS),
    "side": (-1, 1),
    "ticks": (0, MAX_TICKS),
    "lots": (0, MAX_ORDER_LOTS),
    "flags": (0, ALL_FLAGS),
    "slot": (0, MAX_ACCOUNTS),
    "fee_bid": (0, MAX_COLLATERAL),
    "expiry_block": (0, 1 << 40),
}


def checked(sender: str, columns: Mapping[str, Any]) -> dict[str, int]:
    """The columns of one transaction as whole numbers.

    Args:
        sender: name of the agent's class, for the message.
        columns: values by the names of `market.types.orders.Tx`.

    Raises:
        TypeError: a value is no whole number.
        ValueError: a column is unknown, not the sender's, or out of its bounds.
    """
    if unknown := set(columns) - set(Tx.__dataclass_fields__):
        raise ValueError(f"{sender}: a transaction has no {', '.join(sorted(unknown))}")
    if fixed := set(columns) & set(SIGNED):
        raise ValueError(
            f"{sender}: a guest does not choose {', '.join(sorted(fixed))}"
        )
    values = {name: whole(sender, name, value) for name, value in columns.items()}
    for name, value in values.items():
        least, most = _BOUNDS[name]
        if name == "lots" and values.get("kind") in _MONEY:
            most = MAX_COLLATERAL
        within(sender, name, value, least, most)
    return values


def whole(sender: str, name: str, value: Any) -> int:
    """A value as a Python integer.

    Raises:
        TypeError: it is none, be it a number with decimals, a text or nothing.
    """
    try:
        return index(value)
    except TypeError:
        raise TypeError(
            f"{sender}: {name} = {value!r} is no whole number; prices are ticks, sizes "
            "lots, money quanta: round it first"
        ) from None


def within(sender: str, name: str, value: int, least: int, most: int) -> None:
    """Holds a value within its bounds.

    Raises:
        ValueError: it is outside.
    """
    if not least <= value <= most:
        raise ValueError(
            f"{sender}: {name} = {value}: must be from {least:,} to {most:,}"
        )
