"""The gate that closes on withdrawals while losses are uncovered, one for each pool.

Under `Gate.BAD_DEBT` (dYdX v4) nobody of a pool of collateral takes money out for a
while after a block at whose end an account of that pool has a position and negative
equity: neither book nor fund nor deleveraging could bear its loss, and what is left in
the pool may have to. An account without a position has nothing left to be closed: its
debt is final and closes no gate.

Every isolated market has a pool of its own; all other accounts share one. The outage
that closes the gate of every pool: `market.upkeep.outage`.

Source: dYdX v4, ``x/subaccounts/keeper/negative_tnc_subaccount.go``,
``x/subaccounts/keeper/subaccount.go``, ``x/clob/keeper/deleveraging.go``; that accounts
without positions are not looked at: its liquidation daemon.
"""

from market.twin.lane import Lane
from market.twin.margin import account_equity
from market.types.limits import GATE_BLOCKS
from market.types.specs import Gate


def pool_of(lane: Lane, account: int) -> int:
    """The pool that an account's positions are in; -1 without any.

    The vault alone may have positions in more than one: its first one's counts.
    """
    for market, lots in enumerate(lane.position[account]):
        if lots:
            return lane.spec.funds[market]
    return -1


def is_gated(lane: Lane, account: int) -> bool:
    """Whether withdrawals of the account's pool are blocked in this block.

    Whoever has no position is in the shared pool.
    """
    until = lane.gate_block[max(pool_of(lane, account), 0)]
    return until > 0 and lane.block <= until


def close_gate(lane: Lane) -> None:
    """Blocks withdrawals of every pool with a position that nobody can pay for."""
    if lane.spec.gate == Gate.NONE:
        return
    for account in lane.accounts:
        pool = pool_of(lane, account)
        if pool >= 0 and account_equity(lane, account) < 0:
            lane.gate_block[pool] = lane.block + GATE_BLOCKS
