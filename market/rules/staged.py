"""Staged liquidation in lab units: how much of a position is sent to the book.

Functions of plain ints or int64 arrays. The stages themselves stand in
:mod:`market.venues.hyperliquid.liquidation`.

Source: Hyperliquid's documentation, "Liquidations".
"""

from typing import NamedTuple

from market.numbers.units import ppm_ceil
from market.numbers.wide import IntLike, both, select


class StagedRules(NamedTuple):
    """Parameters of the venue.

    Attributes:
      partial_above: quanta; a position worth more is sent in part first.
      portion_ppm: that part.
      cooldown_us: time after a partial liquidation.
      waits: 1: nothing is sent during the cooldown and everything from its end on; 0,
        as documented: everything is sent during the cooldown, and a part after it.
    """

    partial_above: IntLike
    portion_ppm: IntLike
    cooldown_us: IntLike
    waits: IntLike


def lots_to_send(
    size: IntLike,
    notional: IntLike,
    now_us: IntLike,
    until_us: IntLike,
    rules: StagedRules,
) -> IntLike:
    """Lots of a liquidation order; 0 while it has to wait.

    All of a position up to the limit inclusive, a part of a larger one, rounded up.
    The cooldown begins after the block of the partial liquidation: in that block
    another large position of the account is sent in part too.

    Args:
      size: |position|.
      notional: |position| at the mark.
      now_us: time of the block.
      until_us: end of the account's cooldown; 0 if it never had one.
      rules: parameters.

    >>> rules = StagedRules(100, 200_000, 30, 0)
    >>> [lots_to_send(11, 110, now, 40, rules) for now in (10, 11, 39, 40)]
    [3, 11, 11, 3]
    >>> rules = rules._replace(waits=1)
    >>> [lots_to_send(11, 110, now, 40, rules) for now in (10, 11, 39, 40)]
    [3, 0, 0, 11]
    """
    part = ppm_ceil(size, rules.portion_ppm)
    part = select(notional > rules.partial_above, part, size)
    begun = both(until_us > 0, until_us < now_us + rules.cooldown_us)
    is_cooling = both(begun, now_us < until_us)
    at_once = select(is_cooling, size, part)
    waiting = select(begun, select(is_cooling, 0, size), part)
    return select(rules.waits == 0, at_once, waiting)
