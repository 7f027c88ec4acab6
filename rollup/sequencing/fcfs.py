"""First come, first served by arrival at the sequencer; a private mempool.

Source: the first-come-first-served sequencers of Arbitrum and of OP-style rollups.
"""

from jax import Array

from rollup.sequencing.contract import SequencerParams, Waiting
from rollup.sequencing.ranking import by_key
from rollup.sequencing.stateless import stateless


def by_arrival(
    key: Array, waiting: Waiting, ready: Array, params: SequencerParams
) -> Array:
    """The earliest arrival first; ties by place in the mempool."""
    return by_key(waiting.tx.arrival_us, ready)


FCFS = stateless("fcfs", by_arrival)
