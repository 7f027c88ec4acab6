"""Deposits and withdrawals; see `market.kernels.funds`."""

import jax.numpy as jnp

from market.arrays.lane import Env, Lane, first_reason, note
from market.arrays.margin import exposures, slack
from market.kernels.lane import INFO_WITHDRAWN
from market.types.limits import MAX_COLLATERAL, MAX_PAID_IN
from market.types.orders import Kind, Status


def transfer(lane: Lane, env: Env, on, kind, account, quanta):
    """A deposit or a withdrawal: ``(lane, status)``."""
    amount = jnp.clip(quanta, 0, MAX_COLLATERAL)
    cash = lane.collateral[account]
    bad = (quanta < 1) | (quanta > MAX_COLLATERAL) | (cash + amount > MAX_COLLATERAL)
    bad = bad | (lane.paid_in + amount > MAX_PAID_IN)
    is_deposit = kind == Kind.DEPOSIT
    free = cash - lane.open_loss[account].sum()
    exposure = exposures(lane, account, 0, 0, 0)
    free = jnp.minimum(free, slack(lane, env, account, exposure))
    gated = (lane.gate_block > 0) & (env.block <= lane.gate_block)
    reason = first_reason(
        (jnp.where(is_deposit, bad, quanta < 1), Status.BAD_LOTS),
        (~is_deposit & gated, Status.WITHDRAWALS_GATED),
        (~is_deposit & (quanta > free), Status.NO_FUNDS),
    )
    done = on & (reason == 0)
    come = jnp.where(done & is_deposit, amount, 0)
    gone = jnp.where(done & ~is_deposit, amount, 0)
    lane = lane._replace(
        collateral=lane.collateral.at[account].add(come - gone),
        withdrawn=lane.withdrawn.at[account].add(gone),
        paid_in=lane.paid_in + come,
    )
    lane = note(lane, INFO_WITHDRAWN, gone)
    return lane, jnp.where(reason == 0, int(Status.ACCEPTED), reason)
