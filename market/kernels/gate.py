"""The gate that closes on withdrawals, one for each pool; rule: `market.twin.gate`."""

from market.kernels.lane import fund_of
from market.kernels.margin import account_equity
from market.native.ffi import kernel
from market.types.limits import GATE_BLOCKS
from market.types.specs import Gate

NONE = int(Gate.NONE)


@kernel
def pool_of(lane, account):
    """The pool that an account's positions are in; -1 without any."""
    for market in range(lane.markets):
        if lane.position[account, market] != 0:
            return fund_of(lane, market)
    return -1


@kernel
def is_gated(lane, account):
    """Whether withdrawals of the account's pool are blocked in this block."""
    until = lane.gate_block[max(pool_of(lane, account), 0)]
    return until > 0 and lane.block <= until


@kernel
def close_gate(lane):
    """Blocks withdrawals of every pool with a position that nobody can pay for."""
    if lane.gate == NONE:
        return
    for account in range(lane.accounts):
        if account_equity(lane, account) < 0:
            pool = pool_of(lane, account)
            if pool >= 0:
                lane.gate_block[pool] = lane.block + GATE_BLOCKS
