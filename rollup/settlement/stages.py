"""The stages that a sealed batch passes on its way to settlement.

A stage is a server that takes batches in order, one at a time. What it needs for one
is its work; how fast it works is the speed of what it relies on
(`rollup.faults.contract.Conditions.work_ppm`), so that a fault slows every stage that
relies on the same thing.

Source: a validity rollup posts the data of a batch, proves it and has its contract on
the settlement layer verify the proof, as the documentation of ZKsync, Starknet and
Linea describes it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
from jax import Array

from market.numbers.declared import duration, ratio, whole


@jax.tree_util.register_dataclass
@dataclass(frozen=True, kw_only=True)
class BatchParams:
    """Numbers of the settlement path, int64 scalars."""

    posting_us: Array = duration("12s", "0s", "7d", what="of a batch's data")
    proving_us: Array = duration("30s", "0s", "7d", what="of a batch")
    proving_tx_us: Array = duration("1ms", "0s", "1h", what="more, per transaction")
    settling_us: Array = duration("24s", "0s", "30d", what="of a proven batch")
    throttle_backlog: Array = whole(
        3,
        0,
        1_000_000,
        what="unposted batches from which blocks are throttled; 0: never",
    )
    throttle_ppm: Array = ratio(0.25, 0, 1, what="room that is left in a block then")


class Batch(NamedTuple):
    """What the work of a stage may depend on.

    Attributes:
        txs: [] transactions in the batch.
    """

    txs: Array


@dataclass(frozen=True)
class Stage:
    """One stage.

    Attributes:
        name: what has become of a batch that passed it.
        work: (params, batch) -> [] microseconds that the batch takes at full speed.
        relies_on: one of `rollup.faults.contract.RESOURCES`.
    """

    name: str
    work: Callable[[Any, Batch], Array]
    relies_on: str


def _posting(params: BatchParams, batch: Batch) -> Array:
    return params.posting_us


def _proving(params: BatchParams, batch: Batch) -> Array:
    return params.proving_us + params.proving_tx_us * batch.txs


def _settling(params: BatchParams, batch: Batch) -> Array:
    return params.settling_us


#: The stages of a validity rollup, in order.
STAGES = (
    Stage("posted", _posting, "data"),
    Stage("proven", _proving, "prover"),
    Stage("settled", _settling, "l1"),
)
#: Their places in arrays over stages, S.
POSTED, PROVEN, SETTLED = range(len(STAGES))
