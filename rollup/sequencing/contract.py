"""What an ordering scheme is.

A policy decides what others may see of a waiting transaction, in which order and in
which matching mode a block executes, and who pays for priority. It is a frozen,
hashable value, so it is static under jit; its numbers are in `ChainParams`.
"""

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import jax
from jax import Array

from market.types.orders import Tx


class Ordering(NamedTuple):
    """The transactions of one block, in order."""

    index: Array  # [B] positions in the mempool
    live: Array  # [B] false where the block has room left
    payment: Array  # [B] quanta paid to the sequencer by the sender


@jax.tree_util.register_dataclass
@dataclass(frozen=True, kw_only=True)
class SequencerParams:
    """Numbers of the sequencer, int64 scalars."""

    gas_fee: Array  # quanta each included transaction pays
    min_fee_bid: Array  # quanta: bids below count as this


class Policy(Protocol):
    """An ordering scheme; see `rollup.sequencing.POLICIES` for the ones there are."""

    @property
    def name(self) -> str:
        """What a config calls it."""
        ...

    @property
    def auction(self) -> bool:
        """Whether it executes by uniform-price auction instead of continuously."""
        ...

    def visible(self, queue: Tx) -> Array | None:
        """Which waiting transactions others may see before inclusion; bool [Q].

        None where the scheme shows nothing, ever: then no view has a mempool in it.
        """
        ...

    def order(
        self,
        queue: Tx,
        eligible: Array,
        room: Array,
        params: SequencerParams,
        size: int,
    ) -> Ordering:
        """Chooses and orders the block.

        Args:
            queue: [Q] the mempool.
            eligible: [Q] arrived in time and not censored.
            room: [] how many transactions the block may carry.
            params: numbers of the sequencer.
            size: B, the static size of a block.
        """
        ...
