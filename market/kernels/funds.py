"""Deposits and withdrawals."""

from market.kernels.admission import BAD_LOTS
from market.kernels.gate import is_gated
from market.kernels.lane import NOTHING
from market.kernels.margin import transfer_slack, worst_case_slack
from market.kernels.matching import ACCEPTED
from market.native.ffi import kernel
from market.types.limits import MAX_COLLATERAL, MAX_PAID_IN
from market.types.orders import Status

NO_FUNDS = int(Status.NO_FUNDS)
WITHDRAWALS_GATED = int(Status.WITHDRAWALS_GATED)


@kernel
def deposit(lane, account, quanta):
    """Credits collateral that came in."""
    if quanta < 1 or quanta > MAX_COLLATERAL:
        return BAD_LOTS
    if lane.collateral[account] + quanta > MAX_COLLATERAL:
        return BAD_LOTS
    if lane.paid_in + quanta > MAX_PAID_IN:
        return BAD_LOTS
    lane.collateral[account] += quanta
    lane.paid_in += quanta
    return ACCEPTED


@kernel
def free_collateral(lane, account):
    """What may leave: all but what positions and open orders need, by either margin."""
    slack = worst_case_slack(lane, account, NOTHING, NOTHING, NOTHING)
    return min(slack, transfer_slack(lane, account))


@kernel
def withdraw(lane, account, quanta):
    """Moves free collateral out; the chain pays it when the batch is settled."""
    if quanta < 1:
        return BAD_LOTS
    if is_gated(lane, account):
        return WITHDRAWALS_GATED
    if quanta > free_collateral(lane, account):
        return NO_FUNDS
    lane.collateral[account] -= quanta
    lane.withdrawn[account] += quanta
    lane.info.withdrawn += quanta
    return ACCEPTED
