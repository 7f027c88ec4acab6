"""Losses: bad debt, insurance, liquidations and deleveraging, accounts in danger."""

import jax.numpy as jnp

from agents.measure.contract import Metric, mean
from agents.measure.measures import negative_equity
from market.numbers.units import PPM

METRICS = (
    Metric(
        "conservation_error",
        "count",
        "largest violation of any block",
        "low",
        lambda run: run.measures.error,
    ),
    Metric(
        "bad_debt",
        "quanta",
        "losses nobody's collateral covered: paid by the fund, the vault or "
        "deleveraged counterparties, or standing as negative equity at the end",
        "low",
        lambda run: (
            negative_equity(run.risk)
            + run.measures.insurance_paid
            + run.measures.backstop_paid
            + run.measures.deleveraging_loss
        ),
    ),
    Metric(
        "negative_equity_end",
        "quanta",
        "negative equity at the end",
        "low",
        lambda run: negative_equity(run.risk),
        label="negative equity at the end",
    ),
    Metric(
        "negative_equity_peak",
        "quanta",
        "largest negative equity",
        "low",
        lambda run: run.measures.peak_negative,
        label="peak negative equity",
    ),
    Metric(
        "insurance_start",
        "quanta",
        "insurance fund at the start",
        None,
        lambda run: jnp.sum(run.insurance),
        label="insurance fund at the start",
    ),
    Metric(
        "insurance_end",
        "quanta",
        "insurance fund at the end",
        "high",
        lambda run: jnp.sum(run.exchange.insurance),
        label="insurance fund at the end",
    ),
    Metric(
        "insurance_paid",
        "quanta",
        "losses the insurance fund paid",
        "low",
        lambda run: run.measures.insurance_paid,
        label="insurance payouts",
    ),
    Metric(
        "liquidations",
        "count",
        "liquidation orders that filled",
        "low",
        lambda run: run.measures.liquidations,
    ),
    Metric(
        "liquidated_notional",
        "quanta",
        "value of liquidated positions",
        "low",
        lambda run: run.measures.liquidated_quote,
    ),
    Metric(
        "liquidation_fees",
        "quanta",
        "fees taken from liquidated accounts",
        "low",
        lambda run: run.measures.liquidation_fees,
    ),
    Metric(
        "liquidation_loss",
        "quanta",
        "value liquidated accounts gave up against the oracle price",
        "low",
        lambda run: run.measures.liquidation_loss,
        label="liquidation losses",
    ),
    Metric(
        "deleveraged",
        "count",
        "counterparties deleveraged",
        "low",
        lambda run: run.measures.deleveraged,
        label="counterparties deleveraged",
    ),
    Metric(
        "deleveraged_notional",
        "quanta",
        "value of deleveraged positions",
        "low",
        lambda run: run.measures.deleveraged_quote,
    ),
    Metric(
        "deleveraging_loss",
        "quanta",
        "value deleveraged counterparties gave up against the oracle",
        "low",
        lambda run: run.measures.deleveraging_loss,
    ),
    Metric(
        "taken_over",
        "quanta",
        "value of positions the vault took over",
        "low",
        lambda run: run.measures.taken_over,
    ),
    Metric(
        "backstop_paid",
        "quanta",
        "debts of deleveraged accounts it paid",
        "low",
        lambda run: run.measures.backstop_paid,
    ),
    Metric(
        "danger_blocks_mean",
        "ppm",
        "mean blocks an account stays liquidatable, in millionths",
        "low",
        lambda run: mean(run.measures.endangered * PPM, run.measures.spells),
        label="time to liquidation",
    ),
    Metric(
        "danger_spells",
        "count",
        "times an account became liquidatable",
        "low",
        lambda run: run.measures.spells,
        label="accounts falling below margin",
    ),
)
