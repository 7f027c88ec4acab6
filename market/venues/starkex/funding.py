"""Funding of StarkEx: lazily paid, floored, and bounded per second.

Source: ``position/funding.cairo``, ``transactions/funding_tick.cairo``,
``execute_batch.cairo``.
"""

from collections.abc import Sequence
from dataclasses import replace

from market.venues.starkex.margin import FXP_32, Position


def funded_collateral(
    collateral: int, balances: Sequence[int], index_moves: Sequence[int]
) -> int:
    """Collateral after funding: floored, so that funding never creates any.

    ``floor((collateral * 2**32 - sum of move * balance) / 2**32)``. Of three users owed
    -0.5, -0.5 and +1 the first two lose 1, the third gains 1, and 1 is lost.

    Args:
      collateral: balance of the collateral.
      balances: signed balance of each asset.
      index_moves: global minus cached index, 32.32, one an asset.

    >>> half = 2**31
    >>> [funded_collateral(0, [b], [half]) for b in (1, 1, -2)]
    [-1, -1, 1]
    """
    pairs = zip(balances, index_moves, strict=True)
    return (collateral * FXP_32 - sum(m * b for b, m in pairs)) >> 32


def apply_funding(position: Position, indices: tuple[int, ...]) -> Position:
    """The position with its funding paid up to the global indices.

    The program writes the funded position even when the transaction that touched it
    then fails.
    """
    moves = [g - c for g, c in zip(indices, position.cached, strict=True)]
    collateral = funded_collateral(position.collateral, position.balances, moves)
    return replace(position, collateral=collateral, cached=tuple(indices))


def is_funding_tick_valid(
    old_index: int, new_index: int, max_funding_rate: int, price: int, seconds: int
):
    """Whether an index may move so far in this time.

    ``|new - old| * 2**32 <= max_funding_rate * price * seconds``, with the rate in 0.32
    per second and the price in 32.32. A rate of 1120 is 0.751 % in eight hours.

    >>> is_funding_tick_valid(0, 1120, 1120, 2**32, 1)
    True
    >>> is_funding_tick_valid(0, -1121, 1120, 2**32, 1)
    False
    """
    move = abs(new_index - old_index)
    return move * FXP_32 <= max_funding_rate * price * seconds


def is_funding_fresh(system_time, funding_time, validity_period):
    """Whether a transaction may still use the last funding tick (inclusive)."""
    return system_time <= funding_time + validity_period
