"""Staged liquidation of Hyperliquid: the book, then the backstop vault.

Source: the venue's documentation, "Liquidations".
"""

from enum import Enum
from fractions import Fraction
from typing import NamedTuple

from market.numbers.refusals import above_zero, within
from market.numbers.wide import IntLike, divide_ceil, either, select

#: Positions above this are sent to the book in part (quote quanta: 100,000 USDC).
PARTIAL_ABOVE = 100_000_000_000
#: The part is a fifth: 20 %.
PARTIAL_DIVISOR = 5
#: Seconds after a partial liquidation.
COOLDOWN_SECONDS = 30


class LiquidationStage(Enum):
    """What happens to an account."""

    SAFE = "safe"
    BOOK = "market orders to the book"
    BACKSTOP = "taken over by the liquidator vault"


def is_liquidatable(value: IntLike, maintenance: IntLike):
    """Account value below the maintenance margin, at the mark price (strict)."""
    return value < maintenance


def is_backstop(value: IntLike, maintenance: IntLike):
    """Account value below two thirds of the maintenance margin (strict)."""
    return 3 * value < 2 * maintenance


def liquidation_stage(value: IntLike, maintenance: IntLike) -> LiquidationStage:
    """The stage of an account, or of an isolated position.

    >>> [liquidation_stage(v, 90).name for v in (90, 89, 60, 59)]
    ['SAFE', 'BOOK', 'BOOK', 'BACKSTOP']
    """
    if not is_liquidatable(value, maintenance):
        return LiquidationStage.SAFE
    if is_backstop(value, maintenance):
        return LiquidationStage.BACKSTOP
    return LiquidationStage.BOOK


def liquidation_size(
    size: IntLike,
    notional: IntLike,
    seconds_since_partial: IntLike,
    partial_above: IntLike = PARTIAL_ABOVE,
    waits: bool = False,
) -> IntLike:
    """How much of a position is sent to the book now (plain ints or int64 arrays).

    All of it up to the limit inclusive; 20 % above it, rounded up to a unit. After a
    partial liquidation the rest follows whole: within the next 30 seconds as the
    documents say, or only after them (``waits``) as others describe it.

    Args:
      size: |position|.
      notional: |position| at the mark, in quote quanta.
      seconds_since_partial: since the user's last partial liquidation; negative: none.
      partial_above: limit in quote quanta.
      waits: send nothing during the cool-down, and everything from its end on.
    """
    part = select(notional > partial_above, divide_ceil(size, PARTIAL_DIVISOR), size)
    never = seconds_since_partial < 0
    is_over = seconds_since_partial >= COOLDOWN_SECONDS
    if waits:
        return select(never, part, select(is_over, size, 0))
    return select(either(never, is_over), part, size)


def liquidation_price(price, is_long: bool, available, size, maintenance_leverage):
    """Price at which the account value meets the requirement, exact.

    ``price - side * margin_available / size / (1 - l * side)`` with
    ``l = 1 / maintenance_leverage``.

    Args:
      price: mark price now.
      is_long: side of the position.
      available: margin above the requirement, cross or isolated.
      size: |position|.
      maintenance_leverage: twice the largest leverage.

    >>> liquidation_price(100, True, 9, 1, 20)
    Fraction(1720, 19)

    Raises:
      ValueError: no size or leverage; or a long that needs its whole notional for
        margin, which no price can bring under it.
    """
    above_zero(size=size, maintenance_leverage=maintenance_leverage)
    side = 1 if is_long else -1
    share = Fraction(1) / maintenance_leverage
    if share * side == 1:
        raise ValueError("a long at a maintenance leverage of 1 has no such price")
    return Fraction(price) - side * Fraction(available) / size / (1 - share * side)


class Takeover(NamedTuple):
    """What the liquidator vault receives, and what the user keeps.

    Attributes:
      margin: collateral that moves to the vault with the positions (may be negative).
      positions: signed sizes that move to the vault.
      kept: positions that the user keeps.
    """

    margin: int
    positions: tuple[int, ...]
    kept: tuple[int, ...]


def backstop(
    margin: int, positions: tuple[int, ...], isolated: int | None = None
) -> Takeover:
    """The vault takes all cross positions with their margin, or one isolated position.

    The user ends at zero: the maintenance margin is not returned.

    Args:
      margin: cross collateral, or the isolated margin.
      positions: signed sizes; for a cross take-over the cross ones.
      isolated: index of the isolated position; None takes all.

    >>> backstop(40, (3, -2), isolated=1)
    Takeover(margin=40, positions=(0, -2), kept=(3, 0))
    """
    if isolated is None:
        return Takeover(margin, positions, (0,) * len(positions))
    within(0, len(positions) - 1, isolated=isolated)
    taken = tuple(q if i == isolated else 0 for i, q in enumerate(positions))
    kept = tuple(q - t for q, t in zip(positions, taken, strict=True))
    return Takeover(margin, taken, kept)
