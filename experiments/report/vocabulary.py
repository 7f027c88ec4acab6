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
    "negative_equity_peak",
)

_LABELS = {
    "adl": "ADL",
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
        info.get("label") or humanise(name),
        unit_of(name, info.get("unit")),
        info.get("meaning") or "",
        info.get("better") or "",
    )


def is_base(value: object) -> bool:
    """Whether a sweep value is called like an untouched control."""
    return str(value).lower() in _BASE_VALUES
