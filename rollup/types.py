"""What a rollup is made of: its spec, numbers and state, and the records of a block."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
from jax import Array

from market.types.limits import check_range
from market.types.orders import Receipt, Tx
from market.types.state import ExchangeInfo, ExchangeState
from rollup.faults import FAULTS, Conditions, Fault
from rollup.sequencing.contract import (
    Scheme,
    SequencerParams,
    SequencerSpec,
    Waiting,
)
from rollup.sequencing.fcfs import FCFS
from rollup.sequencing.ranking import MAX_PLACES
from rollup.settlement.pipeline import BatchParams, BatchState


@dataclass(frozen=True)
class ChainSpec:
    """Shapes and code of a rollup.

    Attributes:
        scheme: the ordering scheme.
        queue: Q, capacity of the mempool.
        block_txs: B, transactions of one block.
        batch_blocks: blocks of one batch.
        faults: the kinds of faults that may strike; `FaultParams.kind` counts them.
    """

    scheme: Scheme = FCFS
    queue: int = 512
    block_txs: int = 256
    batch_blocks: int = 60
    faults: tuple[Fault, ...] = tuple(FAULTS.values())

    def __post_init__(self) -> None:
        """Refuses shapes that do not fit into one another.

        Raises:
            ValueError: a number is out of range; says which.
        """
        check_range("queue", self.queue, 1, MAX_PLACES)
        check_range("block_txs", self.block_txs, 1, self.queue)
        check_range("batch_blocks", self.batch_blocks, 1)

    def sequencer(self, accounts: int) -> SequencerSpec:
        """The shapes in which the scheme works, for so many accounts."""
        return SequencerSpec(accounts, self.queue, self.block_txs)


@jax.tree_util.register_dataclass
@dataclass(frozen=True, kw_only=True)
class ChainParams:
    """Numbers of a rollup."""

    sequencer: SequencerParams  # of the scheme's own class
    batches: BatchParams


@jax.tree_util.register_dataclass
@dataclass(frozen=True, kw_only=True)
class ChainState:
    """The rollup between two blocks."""

    waiting: Waiting  # [Q]
    scheme: Any  # state of the ordering scheme
    height: Array  # [] blocks made; stands still while the sequencer is halted
    batches: BatchState
    latency: Array  # [BUCKETS] send-to-execution, by `rollup.histogram`
    entered: Array  # [] transactions offered to the mempool
    executed: Array  # [] accepted by the exchange
    rejected: Array  # [] refused by the exchange, with a reason in its counters
    expired: Array  # []
    full: Array  # [G, KINDS] dropped because the mempool was full, by group and kind
    full_blocks: Array  # [] blocks in which it dropped anything
    filled_blocks: Array  # [] blocks that had no room for all that had arrived
    dropped: Array  # [REASONS] taken out by the scheme, by its reason
    censored: Array  # [] transaction-blocks passed over by a censor
    halted: Array  # [] blocks not made
    queue_peak: Array  # []
    inclusion_us: Array  # [] mean send-to-execution of the last block
    revenue: Array  # [] quanta the sequencer earned, refunds taken off


class Offered(NamedTuple):
    """What was sent in a block.

    Attributes:
        txs: [N] transactions.
        group_of: [A] number of the group of each account.
        seen_us: [N, R] when each clock of the scheme saw them; None if all of them saw
            each as it arrived.
    """

    txs: Tx
    group_of: Array
    seen_us: Array | None = None


class Moment(NamedTuple):
    """When a block is made, and under which conditions.

    Attributes:
        block: [] its number in time, made or not.
        block_us: its length.
        conditions: what works in it.
    """

    block: Array
    block_us: int
    conditions: Conditions

    @property
    def now_us(self) -> Array:
        """Start of the block, in microseconds since the start of the run."""
        return self.block * self.block_us

    @property
    def end_us(self) -> Array:
        """Its end."""
        return self.now_us + self.block_us


#: What a scheme charges once a block has executed: receipts [B] -> (its state, [A]).
After = Callable[[Receipt], tuple[Any, Array]]


class Ordered(NamedTuple):
    """A block as its scheme made it, ready to be executed.

    Attributes:
        txs: [B] in order; kind `NONE` beyond the last.
        mode: [] a `Mode`.
        charge: [A] quanta asked of each account before it executes.
        after: charges afterwards; None if the scheme has none.
    """

    txs: Tx
    mode: Array
    charge: Array
    after: After | None


@jax.tree_util.register_dataclass
@dataclass(frozen=True, kw_only=True)
class BlockOutcome:
    """What one block of the chain did."""

    txs: Tx  # [B] in the order they executed; kind NONE beyond the last
    receipts: Receipt  # [B]
    mode: Array  # [] a `Mode`
    charge: Array  # [A] quanta asked before execution, refunds negative
    charge_after: Array  # [A] the same after it; [0] where the scheme has none
    exchange: ExchangeInfo
    oracle: Array  # [M] prices the block was margined at
    is_halted: Array  # [] bool


class Executor(NamedTuple):
    """The exchange as the chain knows it.

    Attributes:
        execute: one block: (state, txs, mode, height) -> (state, receipts, info).
        equity: what each account is worth now, [A] quanta: what it can be charged.
    """

    execute: Callable[
        [ExchangeState, Tx, Array, Array],
        tuple[ExchangeState, Receipt, ExchangeInfo],
    ]
    equity: Callable[[ExchangeState], Array]
