"""First come, first served by arrival at the sequencer; a private mempool.

Source: reference page on ordering, A1 (Arbitrum and OP-style sequencers).
"""

from dataclasses import dataclass

import jax.numpy as jnp
from jax import Array

from market.types.orders import Tx
from rollup.mempool import sorted_positions
from rollup.sequencing.contract import Ordering, SequencerParams

#: Sorts behind every real arrival; arrivals stay below 2^49 us (17 years).
_LAST = (1 << 50) - 1


def by_arrival(queue: Tx, eligible: Array) -> Array:
    """Positions of the mempool in order of arrival, the ineligible ones last; [Q]."""
    return sorted_positions(jnp.where(eligible, queue.arrival_us, _LAST))


def first_of(ranked: Array, eligible: Array, room: Array, size: int) -> Ordering:
    """The block made of the first ``room`` eligible positions of a ranking."""
    index = ranked[:size]
    places = jnp.arange(size)
    live = eligible[index] & (places < room)
    return Ordering(index=index, live=live, payment=jnp.zeros((size,), jnp.int64))


@dataclass(frozen=True)
class FirstComeFirstServed:
    """Arrival order; ties by place in the mempool."""

    name: str = "fcfs"
    auction: bool = False

    def visible(self, queue: Tx) -> None:
        """Nothing is visible before inclusion."""
        return None

    def order(
        self,
        queue: Tx,
        eligible: Array,
        room: Array,
        params: SequencerParams,
        size: int,
    ) -> Ordering:
        """The earliest arrivals; everyone pays the gas fee."""
        block = first_of(by_arrival(queue, eligible), eligible, room, size)
        return block._replace(payment=jnp.where(block.live, params.gas_fee, 0))
