"""How metrics, series, faults and axes are called on the page, and in what unit."""

from typing import NamedTuple

PRICE_SERIES = ("fundamental", "oracle", "mark", "mid")

# Metrics in the order in which a reader wants them; the rest follow as they come.
MAIN_METRICS = (
    "bad_debt",
    "liquidation_loss",
    "insurance_paid",
    "liquidations",
    "liquidated_notional",
    "inclusion_p95_us",
    "spread_mean_ppm",
    "depth_mean",
    "deleveraging_loss",
    "withdrawal_delay_us",
    "settle_delay_us",
    "volume_notional",
    "searcher_pnl",
    "maker_pnl",
    "sequencer_revenue",
    "danger_blocks_mean",
    "time_to_liquidation_blocks",
    "negative_equity_peak",
)

_LABELS = {
    "adl": "ADL",
    "bad_debt": "bad debt",
    "batches_settled": "batches settled",
    "danger_blocks_mean": "time to liquidation",
    "danger_spells": "accounts falling below margin",
    "deleveraged": "counterparties deleveraged",
    "deleveraged_notional": "deleveraged notional",
    "deleveraging_loss": "deleveraging loss",
    "depth_mean": "mean book depth",
    "inclusion_p50_us": "median inclusion time",
    "inclusion_p95_us": "p95 inclusion time",
    "inclusion_p99_us": "p99 inclusion time",
    "insurance_end": "insurance fund at the end",
    "insurance_paid": "insurance payouts",
    "insurance_start": "insurance fund at the start",
    "liquidated_notional": "liquidated notional",
    "liquidation_loss": "liquidation losses",
    "liquidator_pnl": "liquidators’ profit",
    "vault_pnl": "vault’s profit",
    "maker_pnl": "makers’ profit",
    "negative_equity_end": "negative equity at the end",
    "negative_equity_peak": "peak negative equity",
    "mempool_max": "longest mempool queue",
    "searcher_pnl": "searchers’ profit",
    "settle_delay_us": "settlement delay",
    "spread_mean_ppm": "mean spread",
    "time_to_liquidation_blocks": "time to liquidation",
    "trader_pnl": "traders’ profit",
    "txs_dropped": "transactions dropped",
    "txs_entered": "transactions entered",
    "txs_executed": "transactions executed",
    "txs_expired": "transactions expired",
    "txs_rejected": "transactions rejected",
    "volume_notional": "traded volume",
    "withdrawal_delay_us": "withdrawal delay",
    # axes and their usual values
    "sequencer.policy": "ordering",
    "fcfs": "FCFS",
    "hyperliquid": "Hyperliquid",
    "starkex": "StarkEx",
    "none": "no fault",
    "no_fault": "no fault",
}

_BASE_VALUES = ("none", "no_fault", "no fault", "baseline", "base", "control", "calm")


class Metric(NamedTuple):
    """One measured quantity as the page shows it.

    Attributes:
        name: its column.
        label: its name in a sentence, lower case.
        unit: key of `formats.number`.
        meaning: one sentence, or empty.
        better: "low", "high" or empty.
    """

    name: str
    label: str
    unit: str
    meaning: str
    better: str


def humanise(name: object) -> str:
    """A key of the config or a column as words."""
    text = str(name)
    if text in _LABELS:
        return _LABELS[text]
    for suffix in ("_us", "_ppm"):
        text = text.removesuffix(suffix)
    text = text.removeprefix("reject_")
    return text.split(".")[-1].replace("_", " ").strip()


def sentence_case(text: str) -> str:
    """First letter large, the rest as it is."""
    return text[:1].upper() + text[1:]


def unit_of(name: str, stated: str | None) -> str:
    """The display unit of a column: its stated unit, finer where the name tells.

    A spread in ppm reads better in basis points; a price needs all its digits.
    """
    base = name.split(".")[0]
    if base in PRICE_SERIES:
        return "price" if stated in (None, "USD") else stated
    unit = stated or ("us" if base.endswith("_us") else None)
    unit = unit or ("ppm" if base.endswith("_ppm") else "count")
    if unit == "ppm" and "spread" in base:
        return "bp"
    if unit == "ppm" and "blocks" in base:
        return "microblocks"
    return unit


def metric(name: str, info: dict | None) -> Metric:
    """A metric from its column and the manifest's entry about it."""
    info = info or {}
    return Metric(
        name,
        humanise(name),
        unit_of(name, info.get("unit")),
        info.get("meaning") or "",
        info.get("better") or "",
    )


def is_base(value: object) -> bool:
    """Whether a sweep value is called like an untouched control."""
    return str(value).lower() in _BASE_VALUES
