"""The state of the exchange: books, accounts, funds; and what a block reports.

All arrays are int64. Axes: A accounts, M markets, C book capacity, 2 sides (0 bids,
1 asks).
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jax import Array

from market.types.orders import STATUS_COUNT
from market.types.specs import VenueSpec

#: K, index prices that the breaker of a market remembers.
BREAKER_SAMPLES = 8


@jax.tree_util.register_dataclass
@dataclass(frozen=True, kw_only=True)
class BookState:
    """Resting orders, each side sorted from worst to best priority.

    The best order of a side stands at `count - 1`, so that taking pops from the end
    and orders near the touch move few others. Entries from `count` on are zero.
    """

    ticks: Array  # [M, 2, C]
    lots: Array  # [M, 2, C] what is left
    owner: Array  # [M, 2, C] account * slots + slot: the name of the order
    loss: Array  # [M, 2, C] quanta reserved per lot at admission (StarkEx: block open)
    expiry: Array  # [M, 2, C] last block in which it rests; 0 is never
    came: Array  # [M, 2, C] block in which it came to rest
    count: Array  # [M, 2]


@jax.tree_util.register_dataclass
@dataclass(frozen=True, kw_only=True)
class BreakerState:
    """What the circuit breakers remember (`market.upkeep.breaker`)."""

    ticks: Array  # [M, K] index prices, the newest first; 0 is none
    taken_us: Array  # [M, K] when
    paused_until_us: Array  # [M] end of the pause; 0 without one


@jax.tree_util.register_dataclass
@dataclass(frozen=True, kw_only=True)
class ExchangeState:
    """Everything the exchange owns between two blocks."""

    book: BookState
    collateral: Array  # [A] quanta, may be negative
    position: Array  # [A, M] lots, signed
    cost: Array  # [A, M] quanta paid for the position (signed like it): entry value
    open_lots: Array  # [A, M, 2] lots resting on each side
    open_loss: Array  # [A, M] quanta reserved for fills worse than the oracle, and fees
    adl_pending: Array  # [A, M] 1 where a liquidation failed for want of money
    withdrawn: Array  # [A] quanta that left the exchange, not yet paid out by the chain
    insurance: Array  # [1 + M] the shared fund, then those of isolated markets
    fees: Array  # [] venue fees
    residue: Array  # [] what rounding left over, so that conservation is exact
    paid_in: Array  # [] deposits since the start
    oracle: Array  # [M] ticks
    mark: Array  # [M] ticks (`market.upkeep.mark`)
    previous_mark: Array  # [M] ticks: the mark of the block before
    basis_ema: Array  # [M, 2] numerator, denominator of the mean of middle - oracle
    book_ema: Array  # [M, 2] the same of the median of bid, ask and last trade
    last: Array  # [M] ticks of the last fill
    funding_index: Array  # [M] 1e-6 quanta per lot, cumulative
    premium_sum: Array  # [M] ppm: premium samples of this funding interval
    premium_samples: Array  # [] samples taken in this funding interval
    votes: Array  # [M, V] ppm: premium votes of this sample interval, one a block
    vote_count: Array  # [] blocks since the last sample
    oracle_us: Array  # [M] when the oracle price was last published
    counters: Array  # [STATUS_COUNT] outcomes since the start, by `Status`
    gate_block: Array  # [1 + M] up to when withdrawals are blocked, by `pool_of`
    cooldown_us: Array  # [A] end of the cooldown after a partial liquidation; 0: none
    restarted_us: Array  # [] when the last halt of the chain ended; 0: never halted
    made_us: Array  # [] start of the last block that was made
    samples_due: Array  # [] funding samples whose time came while the chain was halted
    payments_due: Array  # [] funding payments whose time came then
    breaker: BreakerState


@jax.tree_util.register_dataclass
@dataclass(frozen=True, kw_only=True)
class ExchangeInfo:
    """What one block did; int64, [M] or scalar."""

    traded_lots: Array  # [M]
    traded_quote: Array  # [M] quanta
    trades: Array  # [M] number of fills
    high: Array  # [M] highest fill in ticks, 0 without a fill
    low: Array  # [M] lowest fill in ticks, 0 without a fill
    liquidations: Array  # [] liquidation orders that filled
    liquidated_quote: Array  # [] quanta
    liquidation_fees: Array  # [] quanta taken from liquidated accounts
    insurance_paid: Array  # [] quanta the fund paid
    deleveraged: Array  # [] counterparties deleveraged
    deleveraged_quote: Array  # [] quanta
    deleveraging_loss: Array  # [] quanta counterparties lost against the oracle price
    withdrawn: Array  # [] quanta withdrawn in this block
    taken_over: Array  # [] quanta of positions that the vault took over
    backstop_paid: Array  # [] quanta of deleveraged accounts' debts the vault paid
    funding_paid: Array  # [] sum of absolute funding payments
    halted: Array  # [M] 1 where the market stood still in a block that was made


def empty_book(spec: VenueSpec) -> BookState:
    """A book without orders."""
    markets, capacity = len(spec.markets), spec.book_capacity
    zero = jnp.zeros((markets, 2, capacity), jnp.int64)
    return BookState(
        ticks=zero,
        lots=zero,
        owner=zero,
        loss=zero,
        expiry=zero,
        came=zero,
        count=jnp.zeros((markets, 2), jnp.int64),
    )


def open_breaker(markets: int) -> BreakerState:
    """Breakers that remember nothing and pause nothing."""
    none = jnp.zeros((markets, BREAKER_SAMPLES), jnp.int64)
    return BreakerState(
        ticks=none, taken_us=none, paused_until_us=jnp.zeros((markets,), jnp.int64)
    )


def open_exchange(
    spec: VenueSpec, collateral: Array, insurance: Array, ticks: Array
) -> ExchangeState:
    """An exchange before its first block.

    Args:
        spec: the venue.
        collateral: [A] quanta paid in by each account.
        insurance: quanta paid in by the venue: [] into the shared fund, or [1 + M]
            into that and those of isolated markets.
        ticks: [M] first oracle prices.
    """
    accounts, markets = spec.accounts, len(spec.markets)
    zero = jnp.zeros((), jnp.int64)
    if jnp.ndim(insurance) == 0:
        insurance = jnp.zeros((1 + markets,), jnp.int64).at[0].set(insurance)
    per_market = jnp.zeros((markets,), jnp.int64)
    per_position = jnp.zeros((accounts, markets), jnp.int64)
    return ExchangeState(
        book=empty_book(spec),
        collateral=collateral,
        position=per_position,
        cost=per_position,
        open_lots=jnp.zeros((accounts, markets, 2), jnp.int64),
        open_loss=per_position,
        adl_pending=per_position,
        withdrawn=jnp.zeros((accounts,), jnp.int64),
        insurance=insurance,
        fees=zero,
        residue=zero,
        paid_in=collateral.sum() + insurance.sum(),
        oracle=ticks,
        mark=ticks,
        previous_mark=ticks,
        basis_ema=jnp.zeros((markets, 2), jnp.int64),
        book_ema=jnp.zeros((markets, 2), jnp.int64),
        last=ticks,
        funding_index=per_market,
        premium_sum=per_market,
        premium_samples=zero,
        votes=jnp.zeros((markets, spec.votes_per_sample), jnp.int64),
        vote_count=zero,
        oracle_us=per_market,
        counters=jnp.zeros((STATUS_COUNT,), jnp.int64),
        gate_block=jnp.zeros((1 + markets,), jnp.int64),
        cooldown_us=jnp.zeros((accounts,), jnp.int64),
        restarted_us=zero,
        made_us=zero,
        samples_due=zero,
        payments_due=zero,
        breaker=open_breaker(markets),
    )
