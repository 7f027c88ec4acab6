"""Measuring a block: how the accumulators of a run take it in."""

from dataclasses import replace

import jax.numpy as jnp
from jax import Array

from agents.measure.accumulators import Measures
from agents.measure.contract import Seen
from agents.measure.soundness import Fault, soundness
from agents.views import DANGER, Risk, best_quotes
from market.numbers.units import PPM
from market.types.orders import Kind, Status
from market.types.specs import VenueSpec
from market.types.state import ExchangeState


def take(measures: Measures, seen: Seen, blocks: int) -> Measures:
    """Measures one block of a run of so many."""
    info = seen.outcome.exchange
    measures = _check(measures, seen, blocks)
    measures = _watch_market(measures, seen)
    measures = _watch_danger(measures, seen.risk)
    measures = _follow_money(measures, seen)
    return replace(
        measures,
        traded_quote=measures.traded_quote + jnp.sum(info.traded_quote),
        trades=measures.trades + jnp.sum(info.trades),
        liquidations=measures.liquidations + info.liquidations,
        liquidated_quote=measures.liquidated_quote + info.liquidated_quote,
        liquidation_fees=measures.liquidation_fees + info.liquidation_fees,
        liquidation_loss=measures.liquidation_loss + _liquidation_loss(seen),
        insurance_paid=measures.insurance_paid + info.insurance_paid,
        deleveraged=measures.deleveraged + info.deleveraged,
        deleveraged_quote=measures.deleveraged_quote + info.deleveraged_quote,
        deleveraging_loss=measures.deleveraging_loss + info.deleveraging_loss,
        taken_over=measures.taken_over + info.taken_over,
        backstop_paid=measures.backstop_paid + info.backstop_paid,
        funding_paid=measures.funding_paid + info.funding_paid,
        market_halts=measures.market_halts + jnp.sum(info.halted),
    )


def _check(measures: Measures, seen: Seen, blocks: int) -> Measures:
    status, error = soundness(seen.after, seen.chain)
    status |= (seen.block >= blocks) * Fault.OVERRUN
    fresh = (measures.status == 0) & (status != 0)
    return replace(
        measures,
        status=measures.status | status,
        first_fault=jnp.where(fresh, seen.block, measures.first_fault),
        error=jnp.maximum(measures.error, error),
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


def _watch_market(measures: Measures, seen: Seen) -> Measures:
    spread, depth, mid = spread_and_depth(seen.after, seen.venue)
    quoted = mid > 0
    gap = jnp.where(quoted, jnp.abs(mid - seen.price) * PPM // seen.price, 0)
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
        unlisted=measures.unlisted + jnp.maximum(jnp.sum(now) - DANGER, 0),
        peak_negative=jnp.maximum(measures.peak_negative, negative),
    )


def _follow_money(measures: Measures, seen: Seen) -> Measures:
    txs, status = seen.outcome.txs, seen.outcome.receipts.status
    done = status == Status.ACCEPTED
    group = seen.group_of[jnp.clip(txs.account, 0, seen.group_of.shape[0] - 1)]
    came = done & (txs.kind == Kind.DEPOSIT)
    refused = (status >= Status.REJECTED).astype(jnp.int64)
    left = done & ((txs.kind == Kind.WITHDRAW) | (txs.kind == Kind.FORCED_WITHDRAW))
    return replace(
        measures,
        deposits=measures.deposits.at[group].add(jnp.where(came, txs.lots, 0)),
        withdrawals=measures.withdrawals.at[group].add(jnp.where(left, txs.lots, 0)),
        withdrawal_count=measures.withdrawal_count + jnp.sum(left),
        refused=measures.refused.at[group].add(refused),
    )


def _liquidation_loss(seen: Seen) -> Array:
    """What liquidated accounts gave up against the oracle price by being sold."""
    txs, receipts, before = seen.outcome.txs, seen.outcome.receipts, seen.before
    is_liquidation = (txs.kind == Kind.LIQUIDATE) & (receipts.filled_lots > 0)
    target = jnp.clip(txs.slot, 0, before.position.shape[0] - 1)
    market = jnp.clip(txs.market, 0, before.position.shape[1] - 1)
    multiplier = jnp.asarray(seen.venue.multipliers, jnp.int64)[market]
    fair = receipts.filled_lots * seen.outcome.oracle[market] * multiplier
    sign = jnp.sign(before.position[target, market])
    return jnp.sum(jnp.where(is_liquidation, sign * (fair - receipts.filled_quote), 0))


def negative_equity(risk: Risk) -> Array:
    """Bad debt standing now: what accounts owe beyond all they have; quanta."""
    return jnp.sum(jnp.maximum(-risk.equity, 0))
