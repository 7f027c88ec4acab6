"""Limit orders of StarkEx: a fill is fair up to the rounding of the collateral.

Source: ``order/validate_limit_order.cairo``.
"""

from dataclasses import dataclass

from market.numbers.refusals import above_zero
from market.venues.starkex.margin import ErrorCode


@dataclass(frozen=True)
class LimitOrder:
    """What a user signed; amounts in [1, 2**64), the fee in [0, 2**64)."""

    is_buying: bool
    amount_synthetic: int
    amount_collateral: int
    amount_fee: int


def check_fairness(
    order: LimitOrder, collateral: int, synthetic: int, fee: int
) -> ErrorCode:
    """Whether a fill keeps to the signed price and fee.

    The fee may not be a larger share of the collateral than signed. The price may be
    worse than signed by less than one unit of collateral, either way round: a buyer's
    collateral may be rounded up, a seller's down. A buyer takes synthetic for free.

    >>> order = LimitOrder(True, amount_synthetic=3, amount_collateral=10, amount_fee=1)
    >>> check_fairness(order, 4, 1, 0).name  # 3.33 rounded up
    'SUCCESS'
    >>> check_fairness(order, 5, 1, 0).name
    'INVALID_FULFILLMENT_ASSETS_RATIO'
    """
    if fee * order.amount_collateral > order.amount_fee * collateral:
        return ErrorCode.INVALID_FULFILLMENT_FEE_RATIO
    signed, filled = order.amount_collateral * synthetic, order.amount_synthetic
    if order.is_buying:
        is_fair = collateral == 0 or (collateral - 1) * filled < signed
    else:
        is_fair = signed < filled * (collateral + 1)
    if not is_fair:
        return ErrorCode.INVALID_FULFILLMENT_ASSETS_RATIO
    return ErrorCode.SUCCESS


def worst_collateral(order: LimitOrder, synthetic: int) -> int:
    """Collateral of the worst fair fill: the most a buyer pays, least a seller gets.

    >>> worst_collateral(LimitOrder(True, 3, 10, 0), 1)
    4
    >>> worst_collateral(LimitOrder(False, 3, 10, 0), 1)
    3
    """
    above_zero(amount_synthetic=order.amount_synthetic)
    signed = order.amount_collateral * synthetic
    if order.is_buying:
        return -(-signed // order.amount_synthetic)
    return signed // order.amount_synthetic
