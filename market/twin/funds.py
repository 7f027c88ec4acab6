"""Money that comes in from L1, and money that leaves for it."""

from market.twin.lane import Fill, Lane, RejectError, open_loss
from market.twin.margin import worst_case_slack
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
    """What may leave: the slack over initial margin, and cash beyond reservations."""
    reserved = sum(open_loss(lane, account, market) for market in lane.markets)
    cash = lane.collateral[account] - reserved
    return min(cash, worst_case_slack(lane, account))


def withdraw(lane: Lane, account: int, quanta: int) -> Fill:
    """Moves free collateral out; the chain pays it later."""
    if quanta < 1:
        raise RejectError(Status.BAD_LOTS)
    if lane.gate_block > 0 and lane.block <= lane.gate_block:
        raise RejectError(Status.WITHDRAWALS_GATED)
    if quanta > free_collateral(lane, account):
        raise RejectError(Status.NO_FUNDS)
    lane.collateral[account] -= quanta
    lane.withdrawn[account] += quanta
    lane.info.withdrawn += quanta
    return Fill(Status.ACCEPTED)
