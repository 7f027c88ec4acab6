"""What a population is: one family of participants, decided as arrays.

A family's members share code and differ by drawn parameters. `init` draws them into
the family's memory; `act` looks at a `View` and answers with transactions. A view
holds only what the family may see: public market data with the family's own delay,
its own accounts, and of the mempool only what the ordering scheme exposes.
"""

from dataclasses import dataclass, fields, replace

import jax
import jax.numpy as jnp
from jax import Array

from market.types.orders import Tx
from market.types.specs import Liquidation


@dataclass(frozen=True)
class FamilySpec:
    """A family of one world: who, how many, and their accounts.

    Attributes:
        name: a name in `agents.families.FAMILIES`.
        count: N members; one account each.
        first: number of the first member's account.
        number: the family's bit in fault targets.
        liquidation: the rule by which keepers act.
    """

    name: str
    count: int
    first: int
    number: int
    liquidation: Liquidation = Liquidation.FILLABLE_PRICE

    @property
    def accounts(self) -> slice:
        """The members' rows in account arrays."""
        return slice(self.first, self.first + self.count)


@jax.tree_util.register_dataclass
@dataclass(frozen=True, kw_only=True)
class Endowment:
    """What members start with, int64 scalars; every family's parameters hold one."""

    collateral: Array  # quanta: the median
    spread_ppm: Array  # sigma of the log-normal spread; 0: everyone has the median


@jax.tree_util.register_dataclass
@dataclass(frozen=True, kw_only=True)
class Latency:
    """How long a family takes to think and to be heard, int64 scalars."""

    think_us: Array  # decisions are sent uniformly within this after a block starts
    median_us: Array  # of the way to the sequencer
    sigma_ppm: Array  # spread of its logarithm
    data_blocks: Array  # age of the outside price that the family sees


@jax.tree_util.register_dataclass
@dataclass(frozen=True, kw_only=True)
class Pending:
    """Waiting transactions as the ordering scheme shows them."""

    txs: Tx  # [W] empty records where hidden


@jax.tree_util.register_dataclass
@dataclass(frozen=True, kw_only=True)
class View:
    """What a family of N members sees before it decides; int64.

    Of the outside price: what is as old as the family's data. Of the venue: what the
    last block left for everyone to read. Of accounts: the members' own, and who may be
    liquidated, which an open ledger shows to all.
    """

    block: Array  # [] number of the block in time
    height: Array  # [] blocks made: expiry counts in it
    now_us: Array  # [] start of the block
    block_us: Array  # [] its length
    price: Array  # [M] outside price in ticks, as old as the family's data
    change_ppm: Array  # [M] smoothed return of that price, a block
    swing_ppm: Array  # [M] smoothed absolute return of it, a block
    oracle: Array  # [M]
    oracle_age_us: Array  # [M]
    bid: Array  # [M] best bid, 0 without
    ask: Array  # [M] best ask, 0 without
    bid_lots: Array  # [M] of the best order
    ask_lots: Array  # [M]
    collateral: Array  # [N]
    position: Array  # [N, M]
    cost: Array  # [N, M]
    open_lots: Array  # [N, M, 2]
    equity: Array  # [N] at oracle prices
    maintenance: Array  # [N] requirement
    initial: Array  # [N] requirement of the positions
    multiplier: Array  # [M] quanta per lot and tick
    danger: Array  # [D] accounts that may be liquidated, worst first; -1 beyond
    danger_market: Array  # [D] their largest position's market
    danger_lots: Array  # [D] that position, signed
    pending: Pending | None  # only for families that watch the mempool

    def reference(self) -> Array:
        """Mid price where both sides quote, else the outside price; [M]."""
        quoted = (self.bid > 0) & (self.ask > 0)
        return jnp.where(quoted, (self.bid + self.ask) // 2, self.price)

    def worth(self) -> Array:
        """Quanta per lot at oracle prices; [M]."""
        return self.oracle * self.multiplier


def transactions(shape: tuple[int, ...], **columns: Array | int) -> Tx:
    """Transactions of a shape from the columns that matter; the rest is zero."""
    values = {}
    for field in fields(Tx):
        value = jnp.asarray(columns.pop(field.name, 0), jnp.int64)
        values[field.name] = jnp.broadcast_to(value, shape)
    if columns:
        raise TypeError(f"a transaction has no {', '.join(columns)}")
    return Tx(**values)


def stacked(*intents: Tx) -> Tx:
    """Intents [N] each, stacked to [N, K] in this order."""
    return jax.tree.map(lambda *columns: jnp.stack(columns, axis=1), *intents)


def only(intents: Tx, wanted: Array) -> Tx:
    """Empties the intents that are not ``wanted``."""
    return replace(intents, kind=jnp.where(wanted, intents.kind, 0))


def pick(table: Array, market: Array) -> Array:
    """Row-wise choice: table [N, M] or [M] at market [N]."""
    if table.ndim == 1:
        return table[market]
    return jnp.take_along_axis(table, market[:, None], axis=1)[:, 0]


def lots_for(notional: Array, ticks: Array, multiplier: Array) -> Array:
    """Lots that a notional buys at a price, rounded down; 0 for nothing."""
    return jnp.maximum(notional, 0) // jnp.maximum(ticks * multiplier, 1)
