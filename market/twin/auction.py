"""The uniform-price auction: one price for everybody, and who gets how much.

1. *Volume.* At a price p, buyers with a limit of at least p want ``D(p)`` lots and
   sellers with a limit of at most p offer ``S(p)``; ``min(D, S)`` would trade.
2. *Price.* The clearing price maximises that. Where an interval of prices does, it is
   the midpoint of the interval, rounded down to a tick.
3. *Rationing.* Each side fills the volume by price: better limits first. Both sides
   being treated alike, only the long one is left with unfilled lots. The limit at which
   the volume runs out is the margin of the side: everyone better fills whole. (Where
   the clearing price is a limit of the long side, it is the margin.)
4. *At the margin* earlier blocks come first: time priority across rounds.
5. *Within one round* at the margin the lots left are shared in proportion to size:
   everyone the floor of the exact share, and what is left over one lot each by largest
   remainder, ties to the earlier order. No lot is lost.

Of an order only side, ticks, lots and the block in which it came are read.

Source: Budish, Cramton and Shim, "The High-Frequency Trading Arms Race", Quarterly
Journal of Economics 130 (2015), section VII, for the rules; the midpoint over all
maximising prices and the integer shares are ours.
"""

from collections.abc import Sequence

from market.twin.lane import Order
from market.types.orders import BUY, SELL


def demand(orders: Sequence[Order], ticks: int) -> int:
    """Lots that buyers take at a price."""
    return sum(o.lots for o in orders if o.side == BUY and o.ticks >= ticks)


def supply(orders: Sequence[Order], ticks: int) -> int:
    """Lots that sellers give at a price."""
    return sum(o.lots for o in orders if o.side == SELL and o.ticks <= ticks)


def find_price(orders: Sequence[Order]) -> tuple[int, int]:
    """``(ticks, volume)``; (0, 0) where nobody can trade.

    ``min(D, S)`` reaches its maximum V first at the lowest price with ``S(p) >= V``,
    which is a seller's limit, and last at the highest with ``D(p) >= V``, a buyer's.
    """
    limits = sorted({order.ticks for order in orders})
    volumes = {p: min(demand(orders, p), supply(orders, p)) for p in limits}
    volume = max(volumes.values(), default=0)
    if volume == 0:
        return 0, 0
    best = [p for p in limits if volumes[p] == volume]
    return (best[0] + best[-1]) // 2, volume


def shares(sizes: Sequence[int], lots: int) -> list[int]:
    """``lots`` shared in proportion to sizes; largest remainder, ties to the first."""
    whole = sum(sizes)
    parts = [size * lots // whole for size in sizes]
    by_remainder = sorted(
        range(len(sizes)), key=lambda i: (-(sizes[i] * lots % whole), i)
    )
    for i in by_remainder[: lots - sum(parts)]:
        parts[i] += 1
    return parts


def fill_side(orders: Sequence[Order], side: int, volume: int) -> dict[int, int]:
    """Lots of each order (by index) of one side that fill."""
    groups: dict[tuple[int, int], list[int]] = {}
    for index, order in enumerate(orders):
        if order.side == side and order.lots > 0:
            groups.setdefault((-side * order.ticks, order.came), []).append(index)
    filled, left = {}, volume
    for key in sorted(groups):
        sizes = [orders[index].lots for index in groups[key]]
        here = min(left, sum(sizes))
        filled.update(zip(groups[key], shares(sizes, here), strict=True))
        left -= here
    return filled


def clear(orders: Sequence[Order]) -> tuple[int, int, list[int]]:
    """``(ticks, volume, lots filled of each order)``."""
    ticks, volume = find_price(orders)
    filled = {**fill_side(orders, BUY, volume), **fill_side(orders, SELL, volume)}
    return ticks, volume, [filled.get(index, 0) for index in range(len(orders))]
