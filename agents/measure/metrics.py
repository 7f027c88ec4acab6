"""The metrics of a finished run: what each means, and how it is read off the state."""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from agents.measure.measures import negative_equity
from agents.views import Risk, account_risk
from market.numbers.units import PPM
from market.types.orders import Status
from market.types.specs import VenueSpec
from rollup import histogram
from rollup.settlement.pipeline import POSTED, PROVEN, SETTLED


class Unit(NamedTuple):
    """What a number counts, and what it means."""

    unit: str  # quanta, count, ppm, us, blocks or ticks
    meaning: str
    better: str | None = None  # low, high or neither


#: What each reason of a refusal means; one that is not listed is told by its name.
_REFUSED: dict[str, str] = {
    "UNKNOWN_KIND": "kinds of transaction that the venue does not know",
    "UNKNOWN_ACCOUNT": "accounts that do not exist",
    "UNKNOWN_MARKET": "markets that do not exist",
    "UNKNOWN_SLOT": "order slots out of range",
    "UNKNOWN_ORDER": "cancels of an order that does not rest",
    "BAD_SIDE": "orders that neither buy nor sell",
    "BAD_LOTS": "sizes out of range",
    "BAD_PRICE": "prices out of range",
    "BAD_FLAGS": "flags that exclude each other",
    "PRICE_BAND": "limits too far from the oracle price",
    "HALTED": "orders in a halted market, liquidations that are held back",
    "EXPIRED": "transactions whose expiry block is past",
    "SLOT_BUSY": "orders into a slot in which one rests",
    "WOULD_TAKE": "post-only orders that would have taken",
    "WOULD_INCREASE": "reduce-only orders that would have increased",
    "CANNOT_FILL": "fill-or-kill orders without the volume",
    "MARGIN": "orders that the account's margin does not carry",
    "BOOK_FULL": "orders into a full side of a book",
    "TOO_MANY_ORDERS": "orders beyond the account's limit",
    "NOT_LIQUIDATABLE": "liquidations of an account in no danger",
    "ALREADY_LIQUIDATED": "liquidations beyond the limits of a block",
    "INSURANCE_EMPTY": "liquidations whose loss the fund cannot pay",
    "NOTHING_TO_TAKE": "liquidations without a price to take",
    "NO_FUNDS": "withdrawals of more than is free",
    "WITHDRAWALS_GATED": "withdrawals while they are blocked",
    "ISOLATED": "orders that would mix an isolated market with another",
    "UNFAIR_PRICE": "liquidations in which the account would get too little",
    "BANKRUPT": "liquidations of an account without equity",
    "SELF_TRADE": "orders dropped because they met their own account's",
}


def _meaning(status: Status) -> str:
    told = _REFUSED.get(status.name, status.name.lower().replace("_", " "))
    return f"refused: {told}"


#: Every metric of a run, by name: one column each in the results.
METRICS: dict[str, Unit] = {
    "conservation_error": Unit("count", "largest violation of any block", "low"),
    "bad_debt": Unit(
        "quanta",
        "losses nobody's collateral covered: paid by the fund, the vault or "
        "deleveraged counterparties, or standing as negative equity at the end",
        "low",
    ),
    "negative_equity_end": Unit("quanta", "negative equity at the end", "low"),
    "negative_equity_peak": Unit("quanta", "largest negative equity", "low"),
    "insurance_start": Unit("quanta", "insurance fund at the start"),
    "insurance_end": Unit("quanta", "insurance fund at the end", "high"),
    "insurance_paid": Unit("quanta", "losses the insurance fund paid", "low"),
    "liquidations": Unit("count", "liquidation orders that filled", "low"),
    "liquidated_notional": Unit("quanta", "value of liquidated positions", "low"),
    "liquidation_fees": Unit("quanta", "fees taken from liquidated accounts", "low"),
    "liquidation_loss": Unit(
        "quanta", "value liquidated accounts gave up against the oracle price", "low"
    ),
    "deleveraged": Unit("count", "counterparties deleveraged", "low"),
    "deleveraged_notional": Unit("quanta", "value of deleveraged positions", "low"),
    "deleveraging_loss": Unit(
        "quanta", "value deleveraged counterparties gave up against the oracle", "low"
    ),
    "taken_over": Unit("quanta", "value of positions the vault took over", "low"),
    "backstop_paid": Unit("quanta", "debts of deleveraged accounts it paid", "low"),
    "funding_paid": Unit("quanta", "funding payments, both ways"),
    "market_halts": Unit(
        "count", "market-blocks that a halt, breaker or stale price stopped", "low"
    ),
    "volume_notional": Unit("quanta", "traded value", "high"),
    "trades": Unit("count", "fills", "high"),
    "venue_fees": Unit("quanta", "maker and taker fees, the sequencer's apart"),
    "sequencer_revenue": Unit("quanta", "gas and priority fees"),
    "maker_pnl": Unit("quanta", "profit of the market makers", "high"),
    "trader_pnl": Unit("quanta", "profit of the leveraged traders", "high"),
    "searcher_pnl": Unit("quanta", "profit of the MEV searchers"),
    "liquidator_pnl": Unit("quanta", "profit of the liquidators"),
    "vault_pnl": Unit("quanta", "profit of the backstop vault", "high"),
    "guest_pnl": Unit("quanta", "profit of plain-Python agents"),
    "spread_mean_ppm": Unit("ppm", "mean quoted spread of the mid price", "low"),
    "depth_mean": Unit("quanta", "mean value quoted within 1 % of the mid", "high"),
    "one_sided": Unit("count", "market-blocks without a bid or an ask", "low"),
    "price_gap_max_ppm": Unit("ppm", "largest gap of mid to outside price", "low"),
    "inclusion_p50_us": Unit("us", "median time from sending to execution", "low"),
    "inclusion_p95_us": Unit("us", "95th percentile of the same", "low"),
    "inclusion_p99_us": Unit("us", "99th percentile of the same", "low"),
    "txs_entered": Unit("count", "transactions sent"),
    "txs_executed": Unit("count", "accepted by the exchange", "high"),
    "txs_rejected": Unit("count", "refused by the exchange", "low"),
    "txs_expired": Unit("count", "expired while waiting", "low"),
    "txs_dropped": Unit("count", "dropped by a full mempool or the scheme", "low"),
    "mempool_max": Unit("count", "most transactions waiting", "low"),
    "censored": Unit("count", "transaction-blocks passed over by a censor", "low"),
    "blocks_halted": Unit("blocks", "blocks the sequencer did not make", "low"),
    "danger_blocks_mean": Unit(
        "ppm", "mean blocks an account stays liquidatable, in millionths", "low"
    ),
    "danger_spells": Unit("count", "times an account became liquidatable", "low"),
    "withdrawals": Unit("count", "withdrawals asked for"),
    "withdrawals_paid": Unit("count", "payments made"),
    "withdrawal_delay_us": Unit("us", "mean time to payment", "low"),
    "batches_sealed": Unit("count", "batches sealed"),
    "batches_posted": Unit("count", "batches with their data posted"),
    "batches_proven": Unit("count", "batches proven"),
    "batches_settled": Unit("count", "batches settled", "high"),
    "settle_delay_us": Unit("us", "mean time from sealing to settlement", "low"),
    **{
        f"reject_{status.name.lower()}": Unit("count", _meaning(status), "low")
        for status in Status
        if status > Status.REJECTED
    },
}

_FAMILY_PNL = (
    "maker_pnl",
    "trader_pnl",
    "searcher_pnl",
    "liquidator_pnl",
    "vault_pnl",
    "guest_pnl",
)


def metrics_of(world, setting, params, *, spec: VenueSpec) -> dict[str, Array]:
    """Every metric of a finished run, by the names of `METRICS`; int64 scalars.

    Profits are marked at the last oracle prices.
    """
    measures, state, chain = world.measures, world.exchange, world.chain
    risk = account_risk(state, params.venue, spec)
    standing = negative_equity(risk)
    pipeline = chain.batches
    settled = pipeline.stage_us[SETTLED] >= 0
    delays = jnp.where(settled, pipeline.stage_us[SETTLED] - pipeline.sealed_us, 0)
    return {
        "conservation_error": measures.error,
        "bad_debt": standing
        + measures.insurance_paid
        + measures.backstop_paid
        + measures.deleveraging_loss,
        "negative_equity_end": standing,
        "negative_equity_peak": measures.peak_negative,
        "insurance_start": jnp.sum(params.insurance),
        "insurance_end": jnp.sum(state.insurance),
        "insurance_paid": measures.insurance_paid,
        "liquidations": measures.liquidations,
        "liquidated_notional": measures.liquidated_quote,
        "liquidation_fees": measures.liquidation_fees,
        "liquidation_loss": measures.liquidation_loss,
        "deleveraged": measures.deleveraged,
        "deleveraged_notional": measures.deleveraged_quote,
        "deleveraging_loss": measures.deleveraging_loss,
        "taken_over": measures.taken_over,
        "backstop_paid": measures.backstop_paid,
        "funding_paid": measures.funding_paid,
        "market_halts": measures.market_halts,
        "volume_notional": measures.traded_quote,
        "trades": measures.trades,
        "venue_fees": state.fees - chain.revenue,
        "sequencer_revenue": chain.revenue,
        **_family_profits(world, setting, risk),
        "spread_mean_ppm": _mean(measures.spread_ppm, measures.quoted),
        "depth_mean": _mean(measures.depth, measures.quoted) << 10,
        "one_sided": measures.one_sided,
        "price_gap_max_ppm": measures.gap_ppm,
        "inclusion_p50_us": histogram.percentile_us(chain.latency, 500_000),
        "inclusion_p95_us": histogram.percentile_us(chain.latency, 950_000),
        "inclusion_p99_us": histogram.percentile_us(chain.latency, 990_000),
        "txs_entered": chain.entered,
        "txs_executed": chain.executed,
        "txs_rejected": chain.rejected,
        "txs_expired": chain.expired,
        "txs_dropped": chain.full + jnp.sum(chain.dropped),
        "mempool_max": chain.queue_peak,
        "censored": chain.censored,
        "blocks_halted": chain.halted,
        "danger_blocks_mean": _mean(measures.endangered * PPM, measures.spells),
        "danger_spells": measures.spells,
        "withdrawals": measures.withdrawal_count,
        "withdrawals_paid": pipeline.payouts,
        "withdrawal_delay_us": _mean(pipeline.payout_delay_us, pipeline.payouts),
        "batches_sealed": pipeline.sealed,
        "batches_posted": pipeline.done[POSTED],
        "batches_proven": pipeline.done[PROVEN],
        "batches_settled": pipeline.done[SETTLED],
        "settle_delay_us": _mean(jnp.sum(delays), jnp.sum(settled)),
        **{
            f"reject_{status.name.lower()}": state.counters[status]
            for status in Status
            if status > Status.REJECTED
        },
    }


def _mean(total: Array, count: Array) -> Array:
    return total // jnp.maximum(count, 1)


def _family_profits(world, setting, risk: Risk) -> dict[str, Array]:
    measures = world.measures
    families = len(_FAMILY_PNL)
    gain = risk.equity - setting.start
    gained = jnp.zeros((families,), jnp.int64).at[setting.family_of].add(gain)
    profit = gained + measures.withdrawals - measures.deposits
    return {name: profit[number] for number, name in enumerate(_FAMILY_PNL)}
