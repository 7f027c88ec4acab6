"""First come, first served by arrival at the sequencer; a private mempool.

A sender's transactions arrive in the order in which it sent them, so they are executed
in it too, but for those that a censor passes over.

Source: the first-come-first-served sequencers of Arbitrum and of OP-style rollups.
"""

from jax import Array

from rollup.sequencing.contract import SenderOrder, SequencerParams, Waiting
from rollup.sequencing.ranking import by_time
from rollup.sequencing.stateless import stateless


def by_arrival(
    key: Array, waiting: Waiting, ready: Array, params: SequencerParams
) -> Array:
    """The earliest arrival first; ties by lot."""
    return by_time(waiting.tx.arrival_us, waiting.tx, ready)


FCFS = stateless("fcfs", by_arrival, sender_order=SenderOrder.BY_TIME)
