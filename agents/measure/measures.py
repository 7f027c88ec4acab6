"""What a run is measured by: accumulators carried in its state, and its soundness.

Each costs O(1) in the number of blocks. They are read as `agents.measure.metrics` at
the end of a run and sampled as `agents.measure.series` on the way.
"""

from dataclasses import dataclass, replace
from enum import IntFlag
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from agents.views import Risk, best_quotes
from market.numbers.units import PPM
from market.types.limits import MAX_COLLATERAL
from market.types.orders import Kind, Status
from market.types.specs import VenueSpec
from market.types.state import ExchangeState
from rollup.chain import BlockOutcome, ChainState, unaccounted


class Fault(IntFlag):
    """Bits of a run's status; 0 is a sound run."""

    MONEY = 1  # the conservation of money failed
    CONTRACTS = 2  # positions of a market do not sum to zero
    ORDERS = 4  # lots in a book differ from the lots of open orders
    TRANSACTIONS = 8  # a transaction is unaccounted for
    RANGE = 16  # an amount left the range in which arithmetic is exact


@jax.tree_util.register_dataclass
@dataclass(frozen=True, kw_only=True)
class Measures:
    """Accumulators of one run; int64. F: families, guests included."""

    status: Array  # [] bits of `Fault`
    first_fault: Array  # [] block of the first one, -1 without
    error: Array  # [] largest |conservation error| of any block, quanta, lots or txs
    traded_quote: Array  # []
    trades: Array  # []
    liquidations: Array  # []
    liquidated_quote: Array  # []
    liquidation_fees: Array  # []
    liquidation_loss: Array  # [] quanta given up against the oracle price, fees apart
    insurance_paid: Array  # []
    deleveraged: Array  # []
    deleveraged_quote: Array  # []
    deleveraging_loss: Array  # []
    taken_over: Array  # [] value of positions that the vault took over
    backstop_paid: Array  # [] debts of deleveraged accounts that the vault paid
    funding_paid: Array  # []
    market_halts: Array  # [] market-blocks in which a market stood still
    spread_ppm: Array  # [] sum over blocks and markets with two sides
    depth: Array  # [] sum over the same of quanta within one percent of the mid
    quoted: Array  # [] how many there were
    one_sided: Array  # [] market-blocks without a bid or without an ask
    gap_ppm: Array  # [] largest |mid - outside price| of any block and market
    endangered: Array  # [] account-blocks in danger
    spells: Array  # [] times an account came into danger
    was_in_danger: Array  # [A] 0 or 1
    peak_negative: Array  # [] largest sum of negative equity
    deposits: Array  # [F] quanta that came in later
    withdrawals: Array  # [F] quanta that left
    withdrawal_count: Array  # []


def open_measures(accounts: int, families: int) -> Measures:
    """Nothing measured yet."""
    zero = jnp.zeros((), jnp.int64)
    fields = dict.fromkeys(Measures.__dataclass_fields__, zero)
    fields["first_fault"] = zero - 1
    fields["was_in_danger"] = jnp.zeros((accounts,), jnp.int64)
    fields["deposits"] = jnp.zeros((families,), jnp.int64)
    fields["withdrawals"] = jnp.zeros((families,), jnp.int64)
    return Measures(**fields)


class Errors(NamedTuple):
    """By how much each conservation law fails; all zero in a sound state."""

    money: Array
    contracts: Array
    orders: Array


def conservation_errors(state: ExchangeState, paid_out: Array) -> Errors:
    """Exact conservation of money, contracts and orders.

    Money: collateral + insurance + fees + residue + unpaid withdrawals + paid out =
    paid in. Contracts: the positions of each market sum to zero. Orders: lots resting
    in a book are the lots of open orders.
    """
    held = jnp.sum(state.collateral) + jnp.sum(state.withdrawn)
    funds = jnp.sum(state.insurance) + state.fees + state.residue
    resting = jnp.sum(state.book.lots, axis=2)
    reserved = jnp.sum(state.open_lots, axis=0)
    return Errors(
        money=jnp.abs(held + funds + paid_out - state.paid_in),
        contracts=jnp.max(jnp.abs(jnp.sum(state.position, axis=0))),
        orders=jnp.max(jnp.abs(resting - reserved)),
    )


def take(
    measures: Measures,
    before: ExchangeState,
    after: ExchangeState,
    outcome: BlockOutcome,
    chain: ChainState,
    risk: Risk,
    price: Array,
    family_of: Array,
    block: Array,
    *,
    spec: VenueSpec,
) -> Measures:
    """Measures one block.

    Args:
        measures: so far.
        before: the exchange before the block.
        after: the exchange after it.
        outcome: what the chain did.
        chain: the chain after the block.
        risk: of all accounts before the block.
        price: [M] outside price in ticks.
        family_of: [A].
        block: [] its number.
        spec: the venue.
    """
    info = outcome.exchange
    measures = _check(measures, after, chain, block)
    measures = _watch_market(measures, after, price, spec)
    measures = _watch_danger(measures, risk)
    measures = _follow_money(measures, outcome, family_of)
    loss = _liquidation_loss(before, outcome, spec)
    return replace(
        measures,
        traded_quote=measures.traded_quote + jnp.sum(info.traded_quote),
        trades=measures.trades + jnp.sum(info.trades),
        liquidations=measures.liquidations + info.liquidations,
        liquidated_quote=measures.liquidated_quote + info.liquidated_quote,
        liquidation_fees=measures.liquidation_fees + info.liquidation_fees,
        liquidation_loss=measures.liquidation_loss + loss,
        insurance_paid=measures.insurance_paid + info.insurance_paid,
        deleveraged=measures.deleveraged + info.deleveraged,
        deleveraged_quote=measures.deleveraged_quote + info.deleveraged_quote,
        deleveraging_loss=measures.deleveraging_loss + info.deleveraging_loss,
        taken_over=measures.taken_over + info.taken_over,
        backstop_paid=measures.backstop_paid + info.backstop_paid,
        funding_paid=measures.funding_paid + info.funding_paid,
        market_halts=measures.market_halts + jnp.sum(info.halted),
    )


def _check(measures: Measures, state, chain: ChainState, block) -> Measures:
    errors = conservation_errors(state, chain.batches.paid)
    lost = jnp.abs(unaccounted(chain))
    largest = jnp.max(jnp.abs(state.collateral))
    status = (
        (errors.money > 0) * Fault.MONEY
        | (errors.contracts > 0) * Fault.CONTRACTS
        | (errors.orders > 0) * Fault.ORDERS
        | (lost > 0) * Fault.TRANSACTIONS
        | (largest >= MAX_COLLATERAL) * Fault.RANGE
    )
    worst = jnp.maximum(jnp.maximum(errors.money, errors.contracts), errors.orders)
    fresh = (measures.status == 0) & (status != 0)
    return replace(
        measures,
        status=measures.status | status,
        first_fault=jnp.where(fresh, block, measures.first_fault),
        error=jnp.maximum(measures.error, jnp.maximum(worst, lost)),
    )


def spread_and_depth(state: ExchangeState, spec: VenueSpec):
    """Spread in ppm of the mid and quanta within 1 % of it; [M]; and the mids, 0
    where a side is empty.
    """
    ticks, _ = best_quotes(state)
    bid, ask = ticks[:, 0], ticks[:, 1]
    quoted = (bid > 0) & (ask > 0)
    mid = jnp.where(quoted, (bid + ask) // 2, 0)
    spread = jnp.where(quoted, (ask - bid) * PPM // jnp.maximum(mid, 1), 0)
    book = state.book
    near = jnp.abs(book.ticks - mid[:, None, None]) * 100 <= mid[:, None, None]
    lots = jnp.sum(jnp.where(near, book.lots, 0), axis=(1, 2))
    depth = lots * mid * jnp.asarray(spec.multipliers, jnp.int64)
    return spread, depth, mid


def _watch_market(measures: Measures, state, price, spec: VenueSpec) -> Measures:
    spread, depth, mid = spread_and_depth(state, spec)
    quoted = mid > 0
    gap = jnp.where(quoted, jnp.abs(mid - price) * PPM // price, 0)
    return replace(
        measures,
        spread_ppm=measures.spread_ppm + jnp.sum(spread),
        depth=measures.depth + jnp.sum(depth >> 10),
        quoted=measures.quoted + jnp.sum(quoted),
        one_sided=measures.one_sided + jnp.sum(~quoted),
        gap_ppm=jnp.maximum(measures.gap_ppm, jnp.max(gap)),
    )


def _watch_danger(measures: Measures, risk: Risk) -> Measures:
    now = risk.in_danger().astype(jnp.int64)
    negative = jnp.sum(jnp.maximum(-risk.equity, 0))
    return replace(
        measures,
        endangered=measures.endangered + jnp.sum(now),
        spells=measures.spells + jnp.sum(now * (1 - measures.was_in_danger)),
        was_in_danger=now,
        peak_negative=jnp.maximum(measures.peak_negative, negative),
    )


def _follow_money(measures: Measures, outcome: BlockOutcome, family_of) -> Measures:
    txs, status = outcome.txs, outcome.receipts.status
    done = status == Status.ACCEPTED
    family = family_of[jnp.clip(txs.account, 0, family_of.shape[0] - 1)]
    came = done & (txs.kind == Kind.DEPOSIT)
    left = done & ((txs.kind == Kind.WITHDRAW) | (txs.kind == Kind.FORCED_WITHDRAW))
    return replace(
        measures,
        deposits=measures.deposits.at[family].add(jnp.where(came, txs.lots, 0)),
        withdrawals=measures.withdrawals.at[family].add(jnp.where(left, txs.lots, 0)),
        withdrawal_count=measures.withdrawal_count + jnp.sum(left),
    )


def _liquidation_loss(before: ExchangeState, outcome: BlockOutcome, spec: VenueSpec):
    """What liquidated accounts gave up against the oracle price by being sold."""
    txs, receipts = outcome.txs, outcome.receipts
    is_liquidation = (txs.kind == Kind.LIQUIDATE) & (receipts.filled_lots > 0)
    target = jnp.clip(txs.slot, 0, before.position.shape[0] - 1)
    market = jnp.clip(txs.market, 0, before.position.shape[1] - 1)
    multiplier = jnp.asarray(spec.multipliers, jnp.int64)[market]
    fair = receipts.filled_lots * outcome.oracle[market] * multiplier
    sign = jnp.sign(before.position[target, market])
    return jnp.sum(jnp.where(is_liquidation, sign * (fair - receipts.filled_quote), 0))


def negative_equity(risk: Risk) -> Array:
    """Bad debt standing now: what accounts owe beyond all they have; quanta."""
    return jnp.sum(jnp.maximum(-risk.equity, 0))


#: Kept for readers of a status: what each bit says.
FAULT_MEANINGS = {
    Fault.MONEY: "money was created or lost",
    Fault.CONTRACTS: "positions of a market do not sum to zero",
    Fault.ORDERS: "a book holds other lots than the accounts' open orders",
    Fault.TRANSACTIONS: "a transaction is unaccounted for",
    Fault.RANGE: "an amount left the range of exact arithmetic",
}


def explain(status: int, block: int, run: int) -> str:
    """One sentence for a run that is not sound."""
    found = [text for bit, text in FAULT_MEANINGS.items() if status & bit]
    return f"run {run}, block {block}: {'; '.join(found)}"
