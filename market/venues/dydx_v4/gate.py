"""The gate that dYdX v4 closes on withdrawals and transfers.

Source: dYdX v4 ``x/subaccounts/types/update.go``, ``x/subaccounts/keeper``.
"""

from market.numbers.wide import IntLike
from market.types.limits import GATE_BLOCKS

#: An interval between blocks of this many seconds counts as an outage.
OUTAGE_SECONDS = 300


def are_withdrawals_blocked(
    block: int, negative_seen: int | None, outage_seen: int | None = None
) -> bool:
    """Whether withdrawals and transfers are refused in this block.

    They are for 50 blocks from one in which an account with negative equity was seen,
    or that came after an outage of five minutes or more.

    Args:
      block: height now.
      negative_seen: last height with an account below zero; None if never.
      outage_seen: last height after an outage; None if never.

    >>> [are_withdrawals_blocked(height, 100) for height in (100, 149, 150)]
    [True, True, False]
    """
    seen = [height for height in (negative_seen, outage_seen) if height is not None]
    return any(block - height < GATE_BLOCKS for height in seen)


def is_outage(seconds_between_blocks: IntLike) -> IntLike:
    """Whether the chain stood still long enough to close the gate (inclusive)."""
    return seconds_between_blocks >= OUTAGE_SECONDS
