"""The gate that closes on all withdrawals after an outage of the chain.

A block that comes five minutes or more after the one before it, because the sequencer
stood still, closes the gate of every pool of collateral for itself and the blocks that
follow, as an account below zero does (`market.twin.gate`): prices and positions that
nobody could act on may hide losses. Venues without that gate (`Gate.NONE`) have none
after an outage either.

Source: dYdX v4, ``x/subaccounts/types/update.go``
(``WITHDRAWAL_AND_TRANSFERS_BLOCKED_AFTER_CHAIN_OUTAGE_DURATION``).
"""

from dataclasses import replace

import jax.numpy as jnp

from market.numbers.units import US_PER_SECOND
from market.types.environment import Environment
from market.types.limits import GATE_BLOCKS
from market.types.specs import Gate, VenueSpec
from market.types.state import ExchangeState
from market.venues.dydx_v4.gate import is_outage


def note_block(
    state: ExchangeState, given: Environment, *, spec: VenueSpec
) -> ExchangeState:
    """The state that knows of this block, if it is made; its gates after an outage.

    Only halts count: blocks that are long by themselves are no outage.
    """
    made_us = jnp.where(given.is_halted, state.made_us, given.now_us)
    if spec.gate == Gate.NONE:
        return replace(state, made_us=made_us)
    is_restart = ~given.is_halted & (state.restarted_us == given.now_us)
    closes = is_restart & is_outage((given.now_us - state.made_us) // US_PER_SECOND)
    until = jnp.maximum(state.gate_block, given.height + GATE_BLOCKS - 1)
    gates = jnp.where(closes, until, state.gate_block)
    return replace(state, gate_block=gates, made_us=made_us)
