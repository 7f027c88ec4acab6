"""The gate that closes on withdrawals, one for each pool; see `market.twin.gate`."""

import jax.numpy as jnp
from jax import Array

from market.arrays.lane import Env, Lane
from market.arrays.margin import account_equity
from market.types.limits import GATE_BLOCKS
from market.types.specs import Gate


def pool_of(env: Env, position: Array) -> Array:
    """The pool that accounts with those positions [..., M] are in; -1 without any."""
    held = position != 0
    return jnp.where(held.any(axis=-1), env.fund[jnp.argmax(held, axis=-1)], -1)


def is_gated(lane: Lane, env: Env, account) -> Array:
    """Whether withdrawals of the account's pool are blocked in this block."""
    until = lane.gate_block[jnp.maximum(pool_of(env, lane.position[account]), 0)]
    return (until > 0) & (env.block <= until)


def close_gate(lane: Lane, env: Env) -> Lane:
    """Blocks withdrawals of every pool with a position that nobody can pay for."""
    if env.sizes.gate == Gate.NONE:
        return lane
    owes, pools = account_equity(lane, env) < 0, jnp.arange(lane.gate_block.shape[0])
    closes = (owes[:, None] & (pool_of(env, lane.position)[:, None] == pools)).any(0)
    until = jnp.where(closes, env.block + GATE_BLOCKS, lane.gate_block)
    return lane._replace(gate_block=until)
