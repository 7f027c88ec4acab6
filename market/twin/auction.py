"""The uniform-price auction as a specification: plain Python, no JAX.

1. *Volume.* At a price p, buyers with a limit of at least p want ``D(p)`` lots and
   sellers with a limit of at most p offer ``S(p)``; ``min(D, S)`` would trade.
2. *Price.* The clearing price maximises that. Where an interval of prices does, it is
   the midpoint of the interval, rounded down to a tick.
3. *Rationing.* Each side fills the volume by price: better limits first. Both sides
   being treated alike, only the long one is left with unfilled lots. The limit at which
   the volume runs out is the margin of the side: everyone better fills whole. (Where
   the clearing price is a limit of the long side, it is the margin.)
4. *At the margin* earlier batches come first: time priority across batches.
5. *Within one batch* at the margin the lots left are shared in proportion to size:
   everyone the floor of the exact share, and what is left over one lot each by largest
   remainder, ties to the earlier order. No lot is lost.

Source: Budish, Cramton and Shim, "The High-Frequency Trading Arms Race", Quarterly
Journal of Economics 130 (2015), section VII, for the rules; the midpoint over all
maximising prices and the integer shares are ours.
"""

from dataclasses import dataclass

from market.types.orders import BUY, SELL


@dataclass(frozen=True)
class Bid:
    """An order of the auction, on either side."""

    side: int
    ticks: int
    lots: int
    batch: int = 0  # when it came; smaller is earlier


def demand(orders: list[Bid], ticks: int) -> int:
    """Lots that buyers take at a price."""
    return sum(o.lots for o in orders if o.side == BUY and o.ticks >= ticks)


def supply(orders: list[Bid], ticks: int) -> int:
    """Lots that sellers give at a price."""
    return sum(o.lots for o in orders if o.side == SELL and o.ticks <= ticks)


def clearing(orders: list[Bid]) -> tuple[int, int]:
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


def shares(sizes: list[int], lots: int) -> list[int]:
    """``lots`` shared in proportion to sizes; largest remainder, ties to the first."""
    whole = sum(sizes)
    parts = [size * lots // whole for size in sizes]
    by_remainder = sorted(
        range(len(sizes)), key=lambda i: (-(sizes[i] * lots % whole), i)
    )
    for i in by_remainder[: lots - sum(parts)]:
        parts[i] += 1
    return parts


def fill_side(orders: list[Bid], side: int, volume: int) -> dict[int, int]:
    """Lots of each order (by index) of one side that fill."""
    groups = {}
    for index, order in enumerate(orders):
        if order.side == side and order.lots > 0:
            key = (-side * order.ticks, order.batch)
            groups.setdefault(key, []).append(index)
    filled, left = {}, volume
    for key in sorted(groups):
        sizes = [orders[index].lots for index in groups[key]]
        here = min(left, sum(sizes))
        filled.update(zip(groups[key], shares(sizes, here), strict=True))
        left -= here
    return filled


def clear(orders: list[Bid]) -> tuple[int, int, list[int]]:
    """``(ticks, volume, lots filled of each order)``."""
    ticks, volume = clearing(orders)
    filled = {**fill_side(orders, BUY, volume), **fill_side(orders, SELL, volume)}
    return ticks, volume, [filled.get(index, 0) for index in range(len(orders))]
