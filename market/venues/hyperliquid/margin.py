"""Margin of Hyperliquid: initial by chosen leverage, maintenance by the largest.

Source: the venue's documentation, "Margining", "Margin tiers".
"""

from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

from market.numbers.refusals import above_zero

#: A transfer leaves at least this part of the notional: a tenth.
TRANSFER_DIVISOR = 10


def account_value(collateral, positions) -> Fraction:
    """Cross account value: collateral plus the profit of every position.

    Args:
      collateral: deposits plus realised profit.
      positions: (signed size, entry price, mark price) each.
    """
    profit = sum(size * (Fraction(mark) - entry) for size, entry, mark in positions)
    return collateral + Fraction(profit)


def initial_margin(notional, leverage) -> Fraction:
    """``notional / leverage``, exact; leverage above zero."""
    above_zero(leverage=leverage)
    return Fraction(notional) / leverage


def maintenance_leverage(max_leverage) -> Fraction:
    """Twice the largest leverage: maintenance is half the initial margin there."""
    above_zero(max_leverage=max_leverage)
    return Fraction(2 * max_leverage)


def maintenance_margin(notional, max_leverage) -> Fraction:
    """``notional / (2 * max_leverage)``: 1.25 % at 40, 16.7 % at 3.

    >>> maintenance_margin(10_000, 40)
    Fraction(125, 1)
    """
    return Fraction(notional) / maintenance_leverage(max_leverage)


def transfer_margin(initial, notional) -> Fraction:
    """What a withdrawal or transfer must leave: ``max(initial, 0.1 * notional)``.

    Args:
        initial: initial margin of the account's positions.
        notional: |notional| of all of them.

    >>> transfer_margin(250, 10_000), transfer_margin(3_334, 10_000)
    (Fraction(1000, 1), Fraction(3334, 1))
    """
    return max(Fraction(initial), Fraction(notional) / TRANSFER_DIVISOR)


class MarginTier(NamedTuple):
    """From this notional on, this is the largest leverage."""

    lower_bound: int
    max_leverage: int


def tiered_maintenance(notional, tiers: Sequence[MarginTier]) -> Fraction:
    """Maintenance margin where the largest leverage falls with size.

    ``notional * rate(tier) - deduction(tier)``, a deduction that keeps it continuous at
    the bounds: ``deduction(n) = deduction(n-1) + bound(n) * (rate(n) - rate(n-1))``.

    Args:
      notional: |notional| of the position.
      tiers: by lower bound, the first at zero; a tier begins at its bound.

    >>> tiered_maintenance(200, [MarginTier(0, 50), MarginTier(100, 10)])
    Fraction(6, 1)
    """
    rate, deduction = Fraction(0), Fraction(0)
    for tier in tiers:
        if notional < tier.lower_bound:
            break
        next_rate = 1 / maintenance_leverage(tier.max_leverage)
        deduction += tier.lower_bound * (next_rate - rate)
        rate = next_rate
    return notional * rate - deduction


def margin_available(value, maintenance) -> Fraction:
    """What is left above the requirement.

    Args:
      value: account value (cross) or margin of the position (isolated).
      maintenance: requirement of the account, or of the position.
    """
    return Fraction(value) - maintenance
