"""What an ordering scheme is: the records it meets and the functions it has.

A scheme decides what others see of a waiting transaction, which transactions a block
executes, in which order and by which kind of matching, and who pays whom for that. It
judges for itself when a transaction is ready, so that speed bumps, express lanes and
rounds longer than a block are schemes like any other.

A scheme is a frozen, hashable value: it is static under jit, and its functions are
pure. What it remembers from block to block is its *state*, any pytree of integer
arrays. Its numbers are a parameter class whose fields are declared
(`market.numbers.declared`), so that a config can give and sweep them. One that
remembers nothing is written in ten lines with `rollup.sequencing.stateless`; one that
holds, sorts and charges by class is a `rollup.sequencing.composed`.

Axes: Q places of the mempool, B transactions of a block, A accounts, R clocks that see
a transaction, K notes of the scheme. Times are microseconds since the start of the
run, amounts quote quanta, prices ticks; everything is int64 unless it says bool.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Any, NamedTuple, Protocol

import jax
from jax import Array

from market.numbers.declared import usd
from market.types.orders import Kind, Receipt, Tx


class Mode(IntEnum):
    """How the exchange matches the orders of a block."""

    CONTINUOUS = 0  # one after the other, in the block's order
    AUCTION = 1  # at one uniform price a market


class SenderOrder(IntEnum):
    """How a scheme treats the transactions that one sender sends one after the other.

    Over its connection they arrive in the order sent (`agents.network`); deposits and
    forced withdrawals come through the settlement layer and have no place in it.
    """

    NOT_KEPT = 0  # a later one may go first: by class, fee, chance or delay
    BY_TIME = 1  # its own ranking keeps the order, but for what a censor passes over
    NUMBERED = 2  # a later one waits for every earlier one, censored ones too


class Drop(IntEnum):
    """Why a scheme takes a transaction out of the mempool without executing it.

    Numbers from 2 to `REASONS` - 1 are a scheme's own.
    """

    KEPT = 0
    CONSUMED = 1  # it was meant for the scheme: a bid, a commitment


#: How many reasons are counted; a larger one counts as the last.
REASONS = 8


@dataclass(frozen=True)
class SequencerSpec:
    """The shapes in which a scheme works.

    Attributes:
        accounts: A.
        queue: Q, capacity of the mempool.
        block_txs: B, transactions of one block.
    """

    accounts: int
    queue: int
    block_txs: int


@jax.tree_util.register_dataclass
@dataclass(frozen=True, kw_only=True)
class SequencerParams:
    """Numbers that every scheme has; a scheme's own class derives from this one."""

    gas_fee: Array = usd(0.01, 0, 1000, what="of each included transaction")
    min_fee_bid: Array = usd(0, 0, 1000, what="bids below count as this")


@jax.tree_util.register_dataclass
@dataclass(frozen=True, kw_only=True)
class Waiting:
    """The mempool: transactions and what is known of each; the first come first kept.

    The record moves as one when gaps close. The last four columns are the facts of a
    block, made anew before the scheme is asked.
    """

    tx: Tx  # [Q] kind `NONE` where the place is free
    seen_us: Array  # [Q, R] when each clock saw it; of a single clock its arrival
    notes: Array  # [Q, K] what the scheme noted, 0 at first
    censored: Array  # [Q] bool: a censor passes it over, so it must not be taken
    came_from: Array  # [Q] its place in the block before, -1 if it is new
    group: Array  # [Q] number of the sender's group
    touch: Array  # [Q, 2] best bid and ask of its market as the block starts; 0: none


class Clock(NamedTuple):
    """When a block is made."""

    block: Array  # [] its number in time, the same in every lane
    height: Array  # [] blocks made before it; stands still in a halt
    now_us: Array  # [] its start
    block_us: int  # its length


class Ordering(NamedTuple):
    """The transactions of one block, in order, and what else becomes of those waiting.

    Attributes:
        index: [B] places in the mempool, each at most once where `live`.
        live: [B] bool; false where the block has room left. At most `room` are live,
            all of them waiting, arrived and not censored.
        mode: [] a `Mode` of the scheme's `modes`; read only if there are two. The
            cheap way is a function of `Clock.block` alone: then all lanes agree, and
            only one of the two programs runs.
        charge: [A] quanta taken from each account before the block executes, as far
            as its money goes; below zero is a refund, paid by the fee account.
        drop: [Q] a `Drop` or a reason of one's own; None drops nothing.
        notes: [Q, K] the new notes; None keeps the old ones.
    """

    index: Array
    live: Array
    mode: Array | int
    charge: Array
    drop: Array | None = None
    notes: Array | None = None


class Scheme(Protocol):
    """An ordering scheme; `rollup.sequencing.SCHEMES` has ours by name."""

    @property
    def name(self) -> str:
        """What a config and a report call it."""
        ...

    @property
    def modes(self) -> tuple[Mode, ...]:
        """Every mode in which its blocks match; no other is compiled."""
        ...

    @property
    def sender_order(self) -> SenderOrder:
        """Whether it keeps the order in which a sender sent, and how."""
        ...

    @property
    def replicas(self) -> int:
        """R, clocks that see a transaction: 1 for a single sequencer."""
        ...

    @property
    def notes(self) -> int:
        """K, numbers that it keeps with a waiting transaction."""
        ...

    @property
    def intake(self) -> tuple[Kind, ...]:
        """Kinds of transactions that it consumes itself: the exchange never sees them.

        It takes them out of the mempool by `Ordering.drop`.
        """
        ...

    @property
    def params(self) -> type[SequencerParams]:
        """The class of its numbers: a registered dataclass of int64 scalars."""
        ...

    def init(self, params: Any, *, spec: SequencerSpec) -> Any:
        """Its state before the first block; ``()`` if it has none."""
        ...

    def show(
        self, state: Any, waiting: Waiting, clock: Clock, viewer: int, params: Any
    ) -> Tx | None:
        """What a viewer sees of the mempool while the block is still open.

        Args:
            state: the scheme's.
            waiting: those of earlier blocks and those sent in this one, of any length.
            clock: the block's.
            viewer: number of the group that looks.
            params: the scheme's numbers.

        Returns:
            The transactions with every hidden column zero, and kind `NONE` where all
            is hidden; None if nothing is ever shown, which costs nothing.
        """
        ...

    def order(
        self,
        key: Array,
        state: Any,
        waiting: Waiting,
        clock: Clock,
        room: Array,
        params: Any,
        *,
        spec: SequencerSpec,
    ) -> tuple[Any, Ordering]:
        """Makes the block.

        Args:
            key: the scheme's own key for this block; streams below it are its own.
            state: the scheme's.
            waiting: the mempool.
            clock: the block's.
            room: [] how many transactions it may carry; 0 while the sequencer stands.
            params: the scheme's numbers.
            spec: the shapes.

        Returns:
            The new state and the block.
        """
        ...


class ChargesAfterwards(Scheme, Protocol):
    """A scheme that also charges once it is known what became of the block."""

    def after(
        self, state: Any, ordering: Ordering, receipts: Receipt, params: Any
    ) -> tuple[Any, Array]:
        """Charges by outcome: cost of a revert, rebate to the maker hit, refund.

        Args:
            state: the scheme's, as `order` left it.
            ordering: the block as it was executed.
            receipts: [B] what became of each.
            params: the scheme's numbers.

        Returns:
            The new state, and [A] quanta like `Ordering.charge`.
        """
        ...
