"""Trading: volume, fees and funding, and how good the market was."""

from agents.measure.contract import Metric, mean

METRICS = (
    Metric(
        "funding_paid",
        "quanta",
        "funding payments, both ways",
        None,
        lambda run: run.measures.funding_paid,
    ),
    Metric(
        "market_halts",
        "count",
        "market-blocks that a halt, breaker or stale price stopped",
        "low",
        lambda run: run.measures.market_halts,
    ),
    Metric(
        "volume_notional",
        "quanta",
        "traded value",
        "high",
        lambda run: run.measures.traded_quote,
        label="traded volume",
    ),
    Metric("trades", "count", "fills", "high", lambda run: run.measures.trades),
    Metric(
        "venue_fees",
        "quanta",
        "maker and taker fees, the sequencer's apart",
        None,
        lambda run: run.exchange.fees - run.chain.revenue,
    ),
    Metric(
        "sequencer_revenue",
        "quanta",
        "gas and priority fees",
        None,
        lambda run: run.chain.revenue,
    ),
    Metric(
        "spread_mean_ppm",
        "ppm",
        "mean quoted spread of the mid price",
        "low",
        lambda run: mean(run.measures.spread_ppm, run.measures.quoted),
        label="mean spread",
    ),
    Metric(
        "depth_mean",
        "quanta",
        "mean value quoted within 1 % of the mid",
        "high",
        lambda run: mean(run.measures.depth, run.measures.quoted) << 10,
        label="mean book depth",
    ),
    Metric(
        "one_sided",
        "count",
        "market-blocks without a bid or an ask",
        "low",
        lambda run: run.measures.one_sided,
    ),
    Metric(
        "price_gap_max_ppm",
        "ppm",
        "largest gap of mid to outside price",
        "low",
        lambda run: run.measures.gap_ppm,
    ),
)
