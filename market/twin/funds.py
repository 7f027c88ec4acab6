"""Money that comes in from L1, and money that leaves for it."""

from market.twin.gate import is_gated
from market.twin.lane import Fill, Lane, RejectError
from market.twin.margin import transfer_slack, worst_case_slack
from market.types.limits import MAX_COLLATERAL, MAX_PAID_IN
from market.types.orders import Status


def deposit(lane: Lane, account: int, quanta: int) -> Fill:
    """Credits collateral that came in."""
    if not 1 <= quanta <= MAX_COLLATERAL:
        raise RejectError(Status.BAD_LOTS)
    if lane.collateral[account] + quanta > MAX_COLLATERAL:
        raise RejectError(Status.BAD_LOTS)
    if lane.paid_in + quanta > MAX_PAID_IN:
        raise RejectError(Status.BAD_LOTS)
    lane.collateral[account] += quanta
    lane.paid_in += quanta
    return Fill(Status.ACCEPTED)


def free_collateral(lane: Lane, account: int) -> int:
    """What may leave: all but what positions and open orders need, by either margin.

    The balance alone says nothing: a purchase takes the whole price from it, a sale
    adds it. It may fall below zero by a withdrawal.
    """
    return min(worst_case_slack(lane, account), transfer_slack(lane, account))


def withdraw(lane: Lane, account: int, quanta: int) -> Fill:
    """Moves free collateral out; the chain pays it later."""
    if quanta < 1:
        raise RejectError(Status.BAD_LOTS)
    if is_gated(lane, account):
        raise RejectError(Status.WITHDRAWALS_GATED)
    if quanta > free_collateral(lane, account):
        raise RejectError(Status.NO_FUNDS)
    lane.collateral[account] -= quanta
    lane.withdrawn[account] += quanta
    lane.info.withdrawn += quanta
    return Fill(Status.ACCEPTED)
