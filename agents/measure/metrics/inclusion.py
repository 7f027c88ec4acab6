"""Inclusion: what became of the transactions that were sent, and how soon."""

import jax.numpy as jnp

from agents.measure.contract import Metric
from rollup import histogram

METRICS = (
    Metric(
        "inclusion_p50_us",
        "us",
        "median time from sending to execution",
        "low",
        lambda run: histogram.percentile_us(run.chain.latency, 500_000),
        label="median inclusion time",
    ),
    Metric(
        "inclusion_p95_us",
        "us",
        "95th percentile of the same",
        "low",
        lambda run: histogram.percentile_us(run.chain.latency, 950_000),
        label="p95 inclusion time",
    ),
    Metric(
        "inclusion_p99_us",
        "us",
        "99th percentile of the same",
        "low",
        lambda run: histogram.percentile_us(run.chain.latency, 990_000),
        label="p99 inclusion time",
    ),
    Metric(
        "txs_entered",
        "count",
        "transactions sent",
        None,
        lambda run: run.chain.entered,
        label="transactions entered",
    ),
    Metric(
        "txs_executed",
        "count",
        "accepted by the exchange",
        "high",
        lambda run: run.chain.executed,
        label="transactions executed",
    ),
    Metric(
        "txs_rejected",
        "count",
        "refused by the exchange",
        "low",
        lambda run: run.chain.rejected,
        label="transactions rejected",
    ),
    Metric(
        "txs_expired",
        "count",
        "expired while waiting",
        "low",
        lambda run: run.chain.expired,
        label="transactions expired",
    ),
    Metric(
        "txs_dropped",
        "count",
        "dropped by a full mempool or the scheme",
        "low",
        lambda run: run.chain.full + jnp.sum(run.chain.dropped),
        label="transactions dropped",
    ),
    Metric(
        "mempool_max",
        "count",
        "most transactions waiting",
        "low",
        lambda run: run.chain.queue_peak,
        label="longest mempool queue",
    ),
    Metric(
        "censored",
        "count",
        "transaction-blocks passed over by a censor",
        "low",
        lambda run: run.chain.censored,
    ),
    Metric(
        "blocks_halted",
        "blocks",
        "blocks the sequencer did not make",
        "low",
        lambda run: run.chain.halted,
    ),
)
