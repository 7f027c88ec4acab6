"""Circuit breaker: a market whose index price runs away pauses, and reopens anew.

The model is that of volatility controls with a moving reference. Of the last
``window`` a market remembers `BREAKER_SAMPLES` of its index prices, taken at least a
`BREAKER_SAMPLES`-th of the window apart. Where the index of a block is more than
``move`` away from any of them, up or down, the market is halted from that block on for
``pause``: orders and liquidations are refused (`Status.HALTED`), cancels and
reductions pass, nobody is deleveraged. The first block at or after the end of the
pause trades again, and its index is the new reference: what was remembered before is
forgotten.

The index is watched, not the last trade: limits stay within the price band around the
index, so that a trade alone cannot leave it, and a cascade in the venue's own book
reaches the index by the weight that the oracle gives it. Prices older than the window
are no reference: a jump over a longer halt of the chain pauses nothing.

Source: the moving reference and the pause of five minutes are those of the SEC's
"Limit Up-Limit Down" plan (sections V and VII) and of HKEX's Volatility Control
Mechanism (10 % from the price five minutes ago); those watch trades, and the first lets
quotes at the band stand for 15 seconds before it pauses.
"""

import jax.numpy as jnp
from jax import Array

from market.numbers.units import PPM
from market.types.specs import VenueParams
from market.types.state import BREAKER_SAMPLES, BreakerState


def is_paused(state: BreakerState, now_us: Array) -> Array:
    """Which markets stand still in the block that starts at ``now_us``; bool [M]."""
    return now_us < state.paused_until_us


def watch_index(
    state: BreakerState, index: Array, now_us: Array, params: VenueParams
) -> BreakerState:
    """The breakers after they saw the index of a block.

    Args:
        state: before.
        index: [M] ticks, below 2**31.
        now_us: [] start of the block; a sample is a reference up to exactly the window.
        params: a move of exactly the threshold trips nothing; threshold 0 is off.
    """
    pauses = is_paused(state, now_us)
    reopens = ~pauses & (state.paused_until_us > 0)
    ticks = jnp.where(reopens[:, None], 0, state.ticks)
    age = now_us - state.taken_us
    known = (ticks > 0) & (age <= params.circuit_breaker_window_us)
    gap = jnp.abs(index[:, None] - ticks) * PPM
    moved = jnp.any(known & (gap > params.circuit_breaker_move_ppm * ticks), axis=1)
    is_on = params.circuit_breaker_move_ppm > 0
    trips = is_on & ~pauses & moved
    until = jnp.where(
        trips, now_us + params.circuit_breaker_pause_us, state.paused_until_us
    )
    step = params.circuit_breaker_window_us // BREAKER_SAMPLES
    due = is_on & ~pauses & ((ticks[:, 0] == 0) | (age[:, 0] >= step))

    def pushed(row, value):
        longer = jnp.concatenate([value[:, None], row[:, :-1]], axis=1)
        return jnp.where(due[:, None], longer, row)

    return BreakerState(
        ticks=pushed(ticks, index),
        taken_us=pushed(state.taken_us, jnp.broadcast_to(now_us, index.shape)),
        paused_until_us=jnp.where(reopens & ~trips, 0, until),
    )
