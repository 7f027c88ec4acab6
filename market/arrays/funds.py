"""Deposits and withdrawals; see `market.kernels.funds`."""

import jax.numpy as jnp
from jax import Array

from market.arrays.gate import is_gated
from market.arrays.lane import Env, Lane, first_reason, note
from market.arrays.margin import transfer_slack, worst_case_slack, worst_exposure
from market.types.limits import MAX_COLLATERAL, MAX_PAID_IN
from market.types.orders import Status


def deposit(lane: Lane, on, account, quanta) -> tuple[Lane, Array]:
    """Credits collateral that came in: ``(lane, status)``."""
    amount = jnp.clip(quanta, 0, MAX_COLLATERAL)
    bad = (quanta < 1) | (quanta > MAX_COLLATERAL)
    bad |= lane.collateral[account] + amount > MAX_COLLATERAL
    bad |= lane.paid_in + amount > MAX_PAID_IN
    come = jnp.where(on & ~bad, amount, 0)
    lane = lane._replace(
        collateral=lane.collateral.at[account].add(come),
        paid_in=lane.paid_in + come,
    )
    return lane, jnp.where(bad, int(Status.BAD_LOTS), int(Status.ACCEPTED))


def free_collateral(lane: Lane, env: Env, account) -> Array:
    """What may leave: all but what positions and open orders need, by either margin."""
    exposure = worst_exposure(lane, account)
    slack = worst_case_slack(lane, env, account, exposure)
    return jnp.minimum(slack, transfer_slack(lane, env, account))


def withdraw(lane: Lane, env: Env, on, account, quanta) -> tuple[Lane, Array]:
    """Moves free collateral out, which the chain pays later: ``(lane, status)``."""
    gated = is_gated(lane, env, account)
    reason = first_reason(
        (quanta < 1, Status.BAD_LOTS),
        (gated, Status.WITHDRAWALS_GATED),
        (quanta > free_collateral(lane, env, account), Status.NO_FUNDS),
    )
    gone = jnp.where(on & (reason == 0), quanta, 0)
    lane = lane._replace(
        collateral=lane.collateral.at[account].add(-gone),
        withdrawn=lane.withdrawn.at[account].add(gone),
    )
    lane = note(lane, "withdrawn", gone)
    return lane, jnp.where(reason == 0, int(Status.ACCEPTED), reason)
