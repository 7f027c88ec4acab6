"""Priority-fee ordering: the highest bid goes first and pays what it bid.

The mempool is public: searchers see waiting transactions and their bids. A bid is
paid on inclusion, whether or not the transaction succeeds.

Source: reference page on ordering, A2 (first-price, ties by arrival).
"""

from dataclasses import dataclass

import jax.numpy as jnp
from jax import Array

from market.types.orders import Kind, Tx
from rollup.mempool import sorted_positions
from rollup.sequencing.contract import Ordering, SequencerParams
from rollup.sequencing.fcfs import by_arrival, first_of

#: Bids above this (2,147 USD) rank and pay as this.
MAX_BID = (1 << 31) - 1


@dataclass(frozen=True)
class PriorityFee:
    """Highest bid first; equal bids by arrival."""

    name: str = "priority_fee"
    auction: bool = False

    def visible(self, queue: Tx) -> Array:
        """Every waiting transaction is visible."""
        return queue.kind != Kind.NONE

    def order(
        self,
        queue: Tx,
        eligible: Array,
        room: Array,
        params: SequencerParams,
        size: int,
    ) -> Ordering:
        """Two stable rankings: by arrival, then by falling bid."""
        arrival = by_arrival(queue, eligible)
        bid = jnp.clip(queue.fee_bid, params.min_fee_bid, MAX_BID)
        key = jnp.where(eligible, MAX_BID - bid, MAX_BID + 1)
        ranked = arrival[sorted_positions(key[arrival])]
        block = first_of(ranked, eligible, room, size)
        payment = bid[block.index] + params.gas_fee
        return block._replace(payment=jnp.where(block.live, payment, 0))
