"""Funding of StarkEx: lazily paid, floored, and bounded per second.

Source: ``position/funding.cairo``, ``transactions/funding_tick.cairo``,
``execute_batch.cairo``.
"""

from dataclasses import replace

from market.numbers.int256 import wide_total, widened
from market.numbers.wide import is_host
from market.venues.starkex.margin import FXP_32, Position


def funded_collateral(collateral, balances, index_moves):
    """Collateral after funding: floored, so that funding never creates any.

    ``floor((collateral * 2**32 - sum of move * balance) / 2**32)``. Of three users owed
    -0.5, -0.5 and +1 the first two lose 1, the third gains 1, and 1 is lost.

    Args:
      collateral: int, or int64[...].
      balances: list of ints, or int64[... N].
      index_moves: global minus cached index, 32.32: list of ints or int64[N].

    >>> half = 2**31
    >>> [funded_collateral(0, [b], [half]) for b in (1, 1, -2)]
    [-1, -1, 1]
    """
    if isinstance(balances, list | tuple):
        pairs = zip(balances, index_moves, strict=True)
        return (collateral * FXP_32 - sum(m * b for b, m in pairs)) >> 32
    paid = wide_total(widened(balances) * index_moves)
    return ((widened(collateral) * FXP_32 - paid) >> 32).to_int64()


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
    move = abs(widened(new_index) - widened(old_index))
    return move * FXP_32 <= widened(max_funding_rate) * price * seconds


def is_funding_fresh(system_time, funding_time, validity_period):
    """Whether a transaction may still use the last funding tick (inclusive)."""
    return system_time <= funding_time + validity_period


def max_index_move(max_funding_rate: int, price: int, seconds: int) -> int:
    """The furthest an index may move, rounded down (plain ints)."""
    if not is_host(max_funding_rate, price, seconds):
        raise TypeError("max_index_move takes plain ints")
    return max_funding_rate * price * seconds // FXP_32
