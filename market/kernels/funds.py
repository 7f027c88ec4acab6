"""Deposits and withdrawals."""

from market.kernels.admission import BAD_LOTS
from market.kernels.lane import (
    ACCOUNTS,
    BLOCK,
    COLLATERAL,
    GATE_BLOCK,
    INFO_WITHDRAWN,
    MARKETS,
    NOTHING,
    OPEN_LOSS,
    PAID_IN,
    WITHDRAWN,
    amount,
    information,
    per_position,
    vector,
)
from market.kernels.margin import worst_case_slack
from market.kernels.matching import ACCEPTED
from market.native.ffi import kernel
from market.types.limits import MAX_COLLATERAL, MAX_PAID_IN
from market.types.orders import Status

NO_FUNDS = int(Status.NO_FUNDS)
WITHDRAWALS_GATED = int(Status.WITHDRAWALS_GATED)


@kernel
def deposit(t, account, quanta):
    """Credits collateral that came in."""
    collateral, paid_in = vector(t, COLLATERAL, t[ACCOUNTS]), amount(t, PAID_IN)
    if quanta < 1 or quanta > MAX_COLLATERAL:
        return BAD_LOTS
    if collateral[account] + quanta > MAX_COLLATERAL:
        return BAD_LOTS
    if paid_in[0] + quanta > MAX_PAID_IN:
        return BAD_LOTS
    collateral[account] += quanta
    paid_in[0] += quanta
    return ACCEPTED


@kernel
def free_collateral(t, account):
    """What may leave: the slack over initial margin, and cash beyond reservations."""
    cash = vector(t, COLLATERAL, t[ACCOUNTS])[account]
    open_loss = per_position(t, OPEN_LOSS)
    for market in range(t[MARKETS]):
        cash -= open_loss[account, market]
    return min(cash, worst_case_slack(t, account, NOTHING, NOTHING, NOTHING))


@kernel
def withdraw(t, account, quanta):
    """Moves free collateral out; the chain pays it when the batch is settled."""
    if quanta < 1:
        return BAD_LOTS
    gate = amount(t, GATE_BLOCK)[0]
    if gate > 0 and t[BLOCK] <= gate:
        return WITHDRAWALS_GATED
    if quanta > free_collateral(t, account):
        return NO_FUNDS
    vector(t, COLLATERAL, t[ACCOUNTS])[account] -= quanta
    vector(t, WITHDRAWN, t[ACCOUNTS])[account] += quanta
    information(t)[INFO_WITHDRAWN, 0] += quanta
    return ACCEPTED
