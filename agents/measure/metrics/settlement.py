"""Settlement: batches on their way to L1, and the withdrawals that wait for them."""

import jax.numpy as jnp
from jax import Array

from agents.measure.contract import Metric, Reading, mean
from rollup.settlement.pipeline import POSTED, PROVEN, SETTLED


def _settle_delay(run: Reading) -> Array:
    settled_us = run.chain.batches.stage_us[SETTLED]
    settled = settled_us >= 0
    delays = jnp.where(settled, settled_us - run.chain.batches.sealed_us, 0)
    return mean(jnp.sum(delays), jnp.sum(settled))


METRICS = (
    Metric(
        "withdrawals",
        "count",
        "withdrawals asked for",
        None,
        lambda run: run.measures.withdrawal_count,
    ),
    Metric(
        "withdrawals_paid",
        "count",
        "of these, paid",
        None,
        lambda run: run.chain.batches.payouts.payments,
    ),
    Metric(
        "withdrawal_delay_us",
        "us",
        "mean time to payment",
        "low",
        lambda run: mean(
            run.chain.batches.payouts.delay_us, run.chain.batches.payouts.payments
        ),
    ),
    Metric(
        "batches_sealed",
        "count",
        "batches sealed",
        None,
        lambda run: run.chain.batches.sealed,
    ),
    Metric(
        "batches_posted",
        "count",
        "batches with their data posted",
        None,
        lambda run: run.chain.batches.done[POSTED],
    ),
    Metric(
        "batches_proven",
        "count",
        "batches proven",
        None,
        lambda run: run.chain.batches.done[PROVEN],
    ),
    Metric(
        "batches_settled",
        "count",
        "batches settled",
        "high",
        lambda run: run.chain.batches.done[SETTLED],
    ),
    Metric(
        "seals_postponed",
        "count",
        "batches not sealed when due because as many as have room are on their way",
        "low",
        lambda run: run.chain.batches.postponed,
    ),
    Metric(
        "settle_delay_us",
        "us",
        "mean time from sealing to settlement",
        "low",
        _settle_delay,
        label="settlement delay",
    ),
)
