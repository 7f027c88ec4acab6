"""Auto-deleveraging of Hyperliquid: the index, the queue, the price.

Source: the venue's documentation, "Auto-deleveraging".
"""

from collections.abc import Sequence
from fractions import Fraction

from market.numbers.refusals import above_zero
from market.numbers.wide import IntLike
from market.venues.rankings import in_order, ranked


def is_adl_due(value: IntLike):
    """Account value, or value of an isolated position, below zero."""
    return value < 0


def adl_index(
    mark, entry, notional, account_value, is_long: bool, invert_shorts: bool = True
) -> Fraction:
    """Sorting index: ``(mark / entry) * (notional / account value)``, exact.

    Args:
      mark: mark price, > 0.
      entry: entry price, > 0.
      notional: |position| at the mark.
      account_value: value of the account, > 0.
      is_long: side of the position.
      invert_shorts: use entry / mark for shorts, which ranks them by profit. The
        documented text says mark / entry for both.

    >>> adl_index(50, 100, 200, 100, is_long=False)
    Fraction(4, 1)
    >>> adl_index(50, 100, 200, 100, is_long=False, invert_shorts=False)
    Fraction(1, 1)
    """
    above_zero(mark=mark, entry=entry, account_value=account_value)
    profit = Fraction(mark) / entry
    if not is_long and invert_shorts:
        profit = 1 / profit
    return profit * (Fraction(notional) / account_value)


def adl_queue(
    indices: Sequence[Fraction], sizes: Sequence[int], amount: int
) -> list[int]:
    """Size closed of each counterparty: highest index first, equal ones in order.

    >>> adl_queue([Fraction(1), Fraction(3)], [5, 2], 4)
    [2, 2]
    """
    return in_order(ranked(indices), sizes, amount)


def adl_quote(size: int, previous_mark: int, multiplier: int = 1) -> int:
    """Quote that changes hands, at the previous mark price.

    Against the account that is underwater. An older text: at the previous oracle price.
    """
    return size * previous_mark * multiplier
