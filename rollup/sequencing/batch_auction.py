"""Frequent batch auction: the block is one sealed uniform-price auction.

Orders stay sealed until the block closes; inside it time has no value. Cancels of the
block are effective whenever they came. Matching: `market.arrays.auction`.

Source: reference page on ordering, A4 (Budish, Cramton and Shim 2015).
"""

from dataclasses import dataclass

import jax.numpy as jnp
from jax import Array

from market.types.orders import Tx
from rollup.sequencing.contract import Ordering, SequencerParams
from rollup.sequencing.fcfs import by_arrival, first_of


@dataclass(frozen=True)
class BatchAuction:
    """Admission in order of arrival, execution at one price a market."""

    name: str = "batch_auction"
    auction: bool = True

    def visible(self, queue: Tx) -> None:
        """Nothing is visible: orders are sealed."""
        return None

    def order(
        self,
        queue: Tx,
        eligible: Array,
        room: Array,
        params: SequencerParams,
        size: int,
    ) -> Ordering:
        """The earliest arrivals enter this auction; everyone pays the gas fee."""
        block = first_of(by_arrival(queue, eligible), eligible, room, size)
        return block._replace(payment=jnp.where(block.live, params.gas_fee, 0))
