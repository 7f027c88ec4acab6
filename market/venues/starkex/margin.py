"""Total value, total risk and the transitions that StarkEx proves.

On plain ints, since the products pass 128 bits; in lab units, on arrays:
:mod:`market.rules.risk_steps`. TV is signed with 32 fractional bits, TR unsigned with
64.

Source: ``position/status.cairo``, ``definitions/general_config.cairo``,
``position/validate_state_transition.cairo``, ``check_smaller_holdings.cairo``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

FXP_32 = 1 << 32

BALANCE_BOUND = 1 << 63  # balances in [-2**63, 2**63)
AMOUNT_BOUND = 1 << 64  # amounts and prices below 2**64
TOTAL_VALUE_BOUND = 1 << 63  # integer part of TV in [-2**63, 2**63)
TOTAL_RISK_BOUND = 1 << 64  # integer part of TR in [0, 2**64)


class ErrorCode(IntEnum):
    """The program's return codes that the rules here can give."""

    SUCCESS = 0
    ENLARGING_SYNTHETIC_HOLDINGS = 1
    NO_RISK_REDUCED_VALUE = 2
    REDUCING_TOTAL_VALUE_RISK_RATIO = 3
    INVALID_ASSET_ORACLE_PRICE = 4
    INVALID_FULFILLMENT_ASSETS_RATIO = 6
    INVALID_FULFILLMENT_FEE_RATIO = 7
    OUT_OF_RANGE_AMOUNT = 15
    OUT_OF_RANGE_BALANCE = 16
    OUT_OF_RANGE_TOTAL_RISK = 19
    OUT_OF_RANGE_TOTAL_VALUE = 20
    UNDELEVERAGABLE_POSITION = 24
    UNFAIR_DELEVERAGE = 25
    UNLIQUIDATABLE_POSITION = 26


@dataclass(frozen=True)
class RiskSteps:
    """Risk factor of an asset as a step function of the position's size.

    Attributes:
      uppers: increasing bounds, each inclusive; the last is 2**128 - 1.
      factors: 0.32 fixed point, in [1, 2**32).
      by_balance: size is |balance|; otherwise |balance * price| (32 fractional bits).
    """

    uppers: tuple[int, ...]
    factors: tuple[int, ...]
    by_balance: bool = False


@dataclass(frozen=True)
class Position:
    """A StarkEx position.

    Attributes:
      collateral: integer balance of the collateral.
      balances: signed balance of each synthetic asset.
      cached: funding index of each asset up to which it last paid.
    """

    collateral: int
    balances: tuple[int, ...]
    cached: tuple[int, ...] = ()


# --- value and risk ----------------------------------------------------------------


def total_value(collateral: int, balances: Sequence[int], prices: Sequence[int]) -> int:
    """TV: ``collateral * 2**32 + sum of price * balance``, signed .32.

    Args:
      collateral: balance of the collateral.
      balances: signed balance of each asset.
      prices: 32.32, one an asset.
    """
    pairs = zip(balances, prices, strict=True)
    return collateral * FXP_32 + sum(price * balance for balance, price in pairs)


def risk_factor(balance: int, price: int, steps: RiskSteps) -> int:
    """The factor of the segment with ``previous upper < size <= upper``.

    One factor for the whole position, not marginal tiers.

    >>> steps = RiskSteps((10, 2**128 - 1), (100, 200), by_balance=True)
    >>> risk_factor(-10, 1, steps), risk_factor(11, 1, steps)
    (100, 200)

    Raises:
      ValueError: the position is larger than the last step.
    """
    size = abs(balance) if steps.by_balance else abs(balance) * price
    for upper, factor in zip(steps.uppers, steps.factors, strict=True):
        if size <= upper:
            return factor
    raise ValueError(f"a position of size {size} is above the last of its risk steps")


def total_risk(
    balances: Sequence[int], prices: Sequence[int], steps: Sequence[RiskSteps]
) -> int:
    """TR: ``sum of |balance * price| * risk factor``, unsigned .64.

    Args:
      balances: signed balance of each asset.
      prices: 32.32, one an asset.
      steps: one RiskSteps an asset.
    """
    rows = zip(balances, prices, steps, strict=True)
    return sum(abs(b * price) * risk_factor(b, price, s) for b, price, s in rows)


def status(position: Position, prices, steps) -> tuple[int, int]:
    """TV and TR of a position."""
    balances = position.balances
    return (
        total_value(position.collateral, balances, prices),
        total_risk(balances, prices, steps),
    )


def check_status(tv: int, tr: int) -> ErrorCode:
    """Whether the totals are in the range that the program proves."""
    if not -TOTAL_VALUE_BOUND * FXP_32 <= tv < TOTAL_VALUE_BOUND * FXP_32:
        return ErrorCode.OUT_OF_RANGE_TOTAL_VALUE
    if tr >= TOTAL_RISK_BOUND * FXP_32 * FXP_32:
        return ErrorCode.OUT_OF_RANGE_TOTAL_RISK
    return ErrorCode.SUCCESS


def is_well_leveraged(tv, tr):
    """TR <= TV * 2**32."""
    return tr <= tv * FXP_32


def is_liquidatable(tv, tr):
    """TV * 2**32 < TR: at exactly the requirement a position is safe."""
    return tv * FXP_32 < tr


def is_deleveragable(tv):
    """TV < 0."""
    return tv < 0


# --- transitions -------------------------------------------------------------------


def is_smaller(before: Sequence[int], after: Sequence[int]) -> bool:
    """Whether every asset kept its side and none grew.

    Args:
      before: signed balance of each asset.
      after: the same; an asset that was not held before may not be held now.
    """
    pairs = zip(before, after, strict=True)
    return all(b * a >= 0 and abs(a) <= abs(b) for b, a in pairs)


def is_ratio_kept(tv_0, tr_0, tv_1, tr_1):
    """Whether TV/TR did not fall: ``TV0 * TR1 <= TV1 * TR0``.

    TR is never negative, so the products compare as the ratios do, whatever the sign of
    TV. The trap is to divide: -1/100 is the better ratio than -3/100.
    """
    return tv_0 * tr_1 <= tv_1 * tr_0


def check_transition(tv_0, tr_0, tv_1, tr_1, smaller) -> ErrorCode:
    """Whether a funded position (0) may become an updated one (1).

    Well leveraged afterwards, or: (a) no holding enlarged, (b) TV/TR not reduced, and
    (c) with no risk to begin with, TV not reduced. Checked in this order.

    Args:
      tv_0: value before. tr_0, tv_1, tr_1 likewise.
      tr_0: risk before.
      tv_1: value after.
      tr_1: risk after.
      smaller: what :func:`is_smaller` says.
    """
    if is_well_leveraged(tv_1, tr_1):
        return ErrorCode.SUCCESS
    if not smaller:
        return ErrorCode.ENLARGING_SYNTHETIC_HOLDINGS
    if not is_ratio_kept(tv_0, tr_0, tv_1, tr_1):
        return ErrorCode.REDUCING_TOTAL_VALUE_RISK_RATIO
    if tr_0 == 0 and tv_1 < tv_0:
        return ErrorCode.NO_RISK_REDUCED_VALUE
    return ErrorCode.SUCCESS
