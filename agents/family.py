"""A family: one kind of participant, decided as arrays. The contract, on one page.

A family's code is two pure functions. `init` draws the members of a group and gives
their memory; `act` looks at a `View` once a block and answers with transactions. Its
numbers are declared in a parameter class (`market.numbers.declared`), from which the
config's keys are made. It is registered by one line in `agents.families`, or stays
outside the lab and is named in a config by its import path.

A world holds *groups*: so many members of a family with numbers, money and a latency of
their own, so that a fast and a slow searcher stand side by side. Axes: `N` members of a
group, `K` transactions that a member may send in a block, `M` markets, `D` places of
the danger list, `W` waiting transactions.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import jax
import jax.numpy as jnp
from jax import Array

from market.numbers.declared import duration, ratio, usd, whole
from market.numbers.randomness import Stream, outside_stream, stream_key
from market.types.orders import Tx
from market.types.specs import Liquidation

#: Most members of a group: accounts share arrays, so more is a slip of the pen.
MAX_MEMBERS = 1_000_000


@jax.tree_util.register_dataclass
@dataclass(frozen=True, kw_only=True)
class Endowment:
    """What the members of a group start with, int64 scalars."""

    collateral: Array = usd(10_000, 0, 1e9, what="median at the start")
    collateral_spread_ppm: Array = ratio(0, 0, 3, what="sigma of its logarithm")


@jax.tree_util.register_dataclass
@dataclass(frozen=True, kw_only=True)
class Latency:
    """How long a group takes to think and to be heard, int64 scalars."""

    latency_us: Array = duration("50ms", "0s", "1h", what="median way to the sequencer")
    latency_spread_ppm: Array = ratio(0.5, 0, 3, what="sigma of its logarithm")
    think_us: Array = duration(
        "800ms", "0s", "1h", what="decisions are sent within this of a block's start"
    )
    data_blocks: Array = whole(0, 0, 16, what="age of the outside price seen")


@jax.tree_util.register_dataclass
@dataclass(frozen=True, kw_only=True)
class GroupParams:
    """The numbers of one group of a world; leaves that may differ from lane to lane."""

    endowment: Endowment
    latency: Any  # a `Latency`; None of agents in plain Python, who have one each
    numbers: Any  # the family's own, an instance of `Family.params`; None likewise


@jax.tree_util.register_dataclass
@dataclass(frozen=True, kw_only=True)
class Pending:
    """Waiting transactions as the ordering scheme shows them."""

    txs: Tx  # [W] empty records where hidden


@jax.tree_util.register_dataclass
@dataclass(frozen=True, kw_only=True)
class View:
    """What a group of N members sees before it decides; int64.

    Of the outside price: what is as old as the group's data. Of the venue: what the
    last block left for everyone to read. Of accounts: the members' own, and who may be
    liquidated, which an open ledger shows to all.
    """

    accounts: Array  # [N] numbers of the members' accounts
    block: Array  # [] number of the block in time
    height: Array  # [] blocks made: expiry counts in it
    now_us: Array  # [] start of the block
    block_us: Array  # [] its length
    price: Array  # [M] outside price in ticks, as old as the group's data
    change_ppm: Array  # [M] smoothed return of that price, a block
    swing_ppm: Array  # [M] smoothed absolute return of it, a block
    oracle: Array  # [M] ticks
    oracle_age_us: Array  # [M]
    bid: Array  # [M] best bid in ticks, 0 without
    ask: Array  # [M] best ask in ticks, 0 without
    bid_lots: Array  # [M] of the best order
    ask_lots: Array  # [M]
    collateral: Array  # [N] quanta: a balance, not wealth; a long paid its price
    position: Array  # [N, M] signed lots
    cost: Array  # [N, M] quanta paid for the position
    open_lots: Array  # [N, M, 2] resting on the bid and the ask side
    equity: Array  # [N] quanta at oracle prices
    maintenance: Array  # [N] requirement, quanta
    initial: Array  # [N] requirement of the positions, quanta
    multiplier: Array  # [M] quanta per lot and tick
    danger: Array  # [D] accounts that may be liquidated, worst first; -1 beyond. Of
    # more than D the second half names the others in turn, block after block
    danger_market: Array  # [D] market of their largest position; sometimes of another
    danger_lots: Array  # [D] that position, signed
    pending: Pending | None  # only for families that watch the mempool

    @property
    def members(self) -> int:
        """N, the members that decide."""
        return self.accounts.shape[0]

    def reference(self) -> Array:
        """Mid price where both sides quote, else the outside price; [M]."""
        quoted = (self.bid > 0) & (self.ask > 0)
        return jnp.where(quoted, (self.bid + self.ask) // 2, self.price)

    def worth(self) -> Array:
        """Quanta per lot at oracle prices; [M]."""
        return self.oracle * self.multiplier


class Init(Protocol):
    """Draws the members of a group for one run."""

    def __call__(
        self,
        key: Array,
        params: Any,
        collateral: Array,
        *,
        spec: "GroupSpec",
        markets: int,
    ) -> Any:
        """Memory of the N members, a pytree of integers; ``()`` remembers nothing.

        Args:
            key: the group's own stream of the run; drawn from once, by `words_of`.
            params: the family's numbers.
            collateral: [N] quanta that they start with.
            spec: the group.
            markets: M.
        """
        ...


class Act(Protocol):
    """Decides for all members of a group."""

    def __call__(
        self, key: Array, memory: Any, view: View, params: Any, *, spec: "GroupSpec"
    ) -> tuple[Any, Tx]:
        """New memory, and transactions [N, K] of the members' own accounts.

        Args:
            key: the group's own stream of the block; drawn from once, by `words_of`.
            memory: as `init` or the last block left it.
            view: what the members see.
            params: the family's numbers.
            spec: the group.
        """
        ...


@dataclass(frozen=True)
class Family:
    """A kind of participant.

    Attributes:
        name: what a config calls it, a plural: ``market_makers``.
        title: one of them in a word: ``maker``; results are called by it.
        params: class of its declared numbers. The first line of its docstring describes
            the family.
        init: draws the members.
        act: decides for them.
        intents: K, transactions that a member may send in one block.
        watches: whether it looks at the mempool, where the scheme shows it; it decides
            after those who do not.
        stream: of its random words, registered in `Stream`. A family from outside the
            lab leaves it out and gets one by its name.
        defaults: values by config key, as a person writes them, of a group that does
            not say: ``count``, collateral, latency. What is not named here has the
            default of its declaration.
        most: members that a group may have.
        is_backstop: whether it is the account that a venue with a vault hands positions
            to; it takes part only at such a venue, and once.
        is_welcome: whether the venue wishes it to earn, which colours the report.
    """

    name: str
    title: str
    params: type
    init: Init
    act: Act
    intents: int
    watches: bool = False
    stream: int = 0
    defaults: Mapping[str, Any] = field(
        default_factory=dict, hash=False, compare=False, repr=False
    )
    most: int = MAX_MEMBERS
    is_backstop: bool = False
    is_welcome: bool = False

    @property
    def words(self) -> int:
        """The number of its stream of random words."""
        return self.stream or outside_stream(self.name)


@dataclass(frozen=True)
class GroupSpec:
    """A group of one world: who, how many, and their accounts.

    Attributes:
        family: what its members are; None where each is an agent in plain Python, which
            sends through the world's inputs.
        name: what the config calls the group.
        count: N members; one account each.
        first: number of the first member's account.
        number: place among the world's groups, and its bit in fault targets.
        nth: which of its family's groups it is, from 0: groups draw apart by it.
        liquidation: the venue's rule of liquidation, by which keepers act.
    """

    family: Family | None
    name: str
    count: int
    first: int
    number: int
    nth: int = 0
    liquidation: Liquidation = Liquidation.FILLABLE_PRICE

    @property
    def rows(self) -> slice:
        """The members' rows in account arrays."""
        return slice(self.first, self.first + self.count)

    @property
    def accounts(self) -> Array:
        """Numbers of the members' accounts; int64 [N]."""
        return self.first + jnp.arange(self.count)

    @property
    def code(self) -> Family:
        """The family, of a group that decides as arrays."""
        if self.family is None:
            raise TypeError(f"{self.name}: agents in plain Python decide themselves")
        return self.family

    def key(self, block: Array) -> Array:
        """The key of the group's own stream in the block of this key."""
        if self.nth:
            block = stream_key(block, Stream.GROUP + self.nth)
        return stream_key(block, self.code.words)
