"""Priority-fee ordering: the highest bid goes first and pays what it bid.

The mempool is public: searchers see waiting transactions and their bids. A bid is
paid on inclusion, whether or not the transaction succeeds. A sender's transactions
are numbered: a later one, whatever it bids, waits for the earlier ones, and so for one
that a censor passes over.

Source: first-price priority gas auctions (Daian et al., Flash Boys 2.0, 2019); ties by
arrival.
"""

from jax import Array

from market.types.orders import Kind, Tx
from rollup.sequencing.contract import Clock, SenderOrder, SequencerParams, Waiting
from rollup.sequencing.ranking import (
    MAX_BID,
    arrived,
    bid_of,
    by_key,
    by_time,
    hidden_but,
)
from rollup.sequencing.stateless import stateless


def by_bid(
    key: Array, waiting: Waiting, ready: Array, params: SequencerParams
) -> Array:
    """The highest bid first; equal bids by arrival."""
    # Of all that wait: `in_sequence` ranks by the same key, which is then sorted once.
    arrival = by_time(waiting.tx.arrival_us, waiting.tx, waiting.tx.kind != Kind.NONE)
    return by_key(MAX_BID - bid_of(waiting.tx, params), ready, arrival)


def bid_and_gas(waiting: Waiting, params: SequencerParams) -> Array:
    """Each pays what it bid, and gas."""
    return bid_of(waiting.tx, params) + params.gas_fee


def all_that_arrived(
    waiting: Waiting, clock: Clock, viewer: int, params: SequencerParams
) -> Tx:
    """Everyone sees whatever has reached the mempool."""
    return hidden_but(waiting.tx, arrived(waiting, clock))


PRIORITY_FEE = stateless(
    "priority_fee",
    by_bid,
    price=bid_and_gas,
    shows=all_that_arrived,
    sender_order=SenderOrder.NUMBERED,
)
