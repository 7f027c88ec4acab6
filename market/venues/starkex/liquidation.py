"""Liquidation by a keeper, and deleveraging with maximal fairness.

Source: ``transactions/liquidate.cairo``, ``transactions/deleverage.cairo``.
"""

from dataclasses import replace

from market.numbers.refusals import above_zero, within
from market.venues.starkex.margin import (
    BALANCE_BOUND,
    FXP_32,
    ErrorCode,
    Position,
    check_status,
    check_transition,
    is_deleveragable,
    is_liquidatable,
    is_smaller,
    status,
)


def traded(position: Position, asset: int, synthetic: int, collateral: int) -> Position:
    """The position after signed changes of one asset and of the collateral.

    Raises:
      ValueError: the position has no such asset.
    """
    within(0, len(position.balances) - 1, asset=asset)
    balances = list(position.balances)
    balances[asset] += synthetic
    return replace(
        position, collateral=position.collateral + collateral, balances=tuple(balances)
    )


def check_update(before: Position, after: Position, prices, steps) -> ErrorCode:
    """Whether a funded position may become another: ranges, then the transition."""
    balances = (after.collateral, *after.balances)
    if not all(-BALANCE_BOUND <= b < BALANCE_BOUND for b in balances):
        return ErrorCode.OUT_OF_RANGE_BALANCE
    tv_1, tr_1 = status(after, prices, steps)
    code = check_status(tv_1, tr_1)
    if code:
        return code
    tv_0, tr_0 = status(before, prices, steps)
    smaller = is_smaller(before.balances, after.balances)
    return check_transition(tv_0, tr_0, tv_1, tr_1, smaller)


def check_liquidation(
    liquidated: Position,
    asset: int,
    synthetic: int,
    collateral: int,
    is_liquidator_buying: bool,
    prices,
    steps,
) -> ErrorCode:
    """Whether a keeper may take this much over from a (funded) position.

    It has to be liquidatable; its holding may only shrink, on the same side; and TV/TR
    may not fall, unless it becomes well leveraged. The keeper's side is an ordinary
    signed limit order (:func:`market.venues.starkex.orders.check_fairness`).

    Args:
      liquidated: the position, funding applied.
      asset: index of the synthetic.
      synthetic: amount taken over, >= 0.
      collateral: amount paid for it, >= 0.
      is_liquidator_buying: whether the keeper buys the synthetic.
      prices: 32.32, one an asset.
      steps: risk steps, one an asset.
    """
    within(0, len(liquidated.balances) - 1, asset=asset)
    if not is_liquidatable(*status(liquidated, prices, steps)):
        return ErrorCode.UNLIQUIDATABLE_POSITION
    held = liquidated.balances[asset]
    if not 0 <= synthetic <= (held if is_liquidator_buying else -held):
        return ErrorCode.ENLARGING_SYNTHETIC_HOLDINGS
    sign = 1 if is_liquidator_buying else -1
    after = traded(liquidated, asset, -sign * synthetic, sign * collateral)
    return check_update(liquidated, after, prices, steps)


def is_deleverage_maximal(tv_0, tr_0, tv_1, tr_1):
    """Whether one collateral unit less for the bankrupt would be invalid.

    ``TV0 * TR1 > (TV1 - 2**32) * TR0``: the deleverager pays no more than it has to.
    With a full close (TR1 = 0) this is 0 <= TV1 < 2**32 together with the transition:
    the bankrupt ends at exactly zero.
    """
    return tv_0 * tr_1 > (tv_1 - FXP_32) * tr_0


def check_deleverage(
    bankrupt: Position,
    other: Position,
    asset: int,
    synthetic: int,
    collateral: int,
    is_other_buying: bool,
    prices,
    steps,
) -> ErrorCode:
    """Whether the operator may deleverage ``bankrupt`` against ``other``.

    Both updates have to be valid, the other side has to hold enough of the opposite
    position, TV of the bankrupt has to be negative, and the price has to be the best
    one for the other side that is still valid. No signatures.

    Args:
      bankrupt: position with TV < 0, funding applied.
      other: position on the opposite side, funding applied.
      asset: index of the synthetic.
      synthetic: amount, >= 0.
      collateral: amount, >= 0.
      is_other_buying: whether the deleverager buys (the bankrupt is long).
      prices: 32.32, one an asset.
      steps: risk steps, one an asset.
    """
    sign = 1 if is_other_buying else -1
    bankrupt_after = traded(bankrupt, asset, -sign * synthetic, sign * collateral)
    other_after = traded(other, asset, sign * synthetic, -sign * collateral)
    for before, after in ((bankrupt, bankrupt_after), (other, other_after)):
        code = check_update(before, after, prices, steps)
        if code:
            return code
    held = other.balances[asset]
    if not 0 <= synthetic <= (-held if is_other_buying else held):
        return ErrorCode.ENLARGING_SYNTHETIC_HOLDINGS
    tv_0, tr_0 = status(bankrupt, prices, steps)
    if not is_deleveragable(tv_0):
        return ErrorCode.UNDELEVERAGABLE_POSITION
    if not is_deleverage_maximal(tv_0, tr_0, *status(bankrupt_after, prices, steps)):
        return ErrorCode.UNFAIR_DELEVERAGE
    return ErrorCode.SUCCESS


def deleverage_collateral(
    bankrupt: Position, asset: int, synthetic: int, prices, steps
) -> int:
    """The signed collateral change of the bankrupt in the one fair deleveraging.

    The least integer that does not lower its TV/TR: the bankruptcy price, rounded in
    its favour by less than a unit.

    Args:
      bankrupt: position with TV < 0, funding applied.
      asset: index of the synthetic.
      synthetic: signed change of its balance, toward zero.
      prices: 32.32, one an asset.
      steps: risk steps, one an asset.

    Raises:
      ValueError: the bankrupt carries no risk, so that there is no ratio to keep.
    """
    tv_0, tr_0 = status(bankrupt, prices, steps)
    above_zero(total_risk=tr_0)
    tv_1, tr_1 = status(traded(bankrupt, asset, synthetic, 0), prices, steps)
    # Least c with TV0 * TR1 <= (TV1 + c * 2**32) * TR0.
    return -((tv_1 * tr_0 - tv_0 * tr_1) // (FXP_32 * tr_0))
