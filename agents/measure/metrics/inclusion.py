"""Inclusion: what became of the transactions that were sent, and how soon."""

import jax.numpy as jnp

from agents.measure.contract import Metric
from rollup import histogram


def _percentile(percent: int, meaning: str, label: str) -> tuple[Metric, Metric]:
    """A percentile of the inclusion time, and how far from the truth it may be."""
    share_ppm = percent * 10_000
    return (
        Metric(
            f"inclusion_p{percent}_us",
            "us",
            meaning,
            "low",
            lambda run: histogram.percentile_us(run.chain.latency, share_ppm),
            label=label,
        ),
        Metric(
            f"inclusion_p{percent}_error_us",
            "us",
            f"what inclusion_p{percent}_us is less than from the exact percentile",
            None,
            lambda run: histogram.error_us(run.chain.latency, share_ppm),
            label=f"error of the {label}",
        ),
    )


_PERCENTILES = (
    _percentile(
        50,
        "median time from sending to execution, interpolated in a histogram",
        "median inclusion time",
    ),
    _percentile(95, "95th percentile of the same", "p95 inclusion time"),
    _percentile(99, "99th percentile of the same", "p99 inclusion time"),
)

METRICS = (
    *(value for value, _ in _PERCENTILES),
    *(error for _, error in _PERCENTILES),
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
        lambda run: jnp.sum(run.chain.full) + jnp.sum(run.chain.dropped),
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
