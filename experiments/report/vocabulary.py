"""How metrics, series, faults and axes are called on the page, and in what unit."""

import re
from typing import NamedTuple

PRICE_SERIES = ("fundamental", "oracle", "mark", "mid")

# Metrics in the order in which a reader wants them; the rest follow as they come.
MAIN_METRICS = (
    "bad_debt",
    "liquidation_loss",
    "insurance_paid",
    "deleveraged",
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


# What tells of other columns, or is given and not measured: shown where it explains.
_AIDS = ("insurance_start", "mempool_room")
_PROFIT = re.compile(r"^(?:(?!pnl_)\w+_pnl|venue_fees|sequencer_revenue)$")


class Metric(NamedTuple):
    """One measured quantity as the page shows it.

    Attributes:
        name: its column.
        label: its name in a sentence, lower case.
        unit: key of `formats.number`.
        meaning: one sentence, or empty.
        better: "low", "high" or empty.
        resolution: the smallest difference that the measure can tell, in its unit.
    """

    name: str
    label: str
    unit: str
    meaning: str
    better: str
    resolution: float = 0.0


def humanise(name: object) -> str:
    """A key of the config or a column as words."""
    text = str(name)
    if text in _LABELS:
        return _LABELS[text]
    for suffix in ("_us", "_ppm"):
        text = text.removesuffix(suffix)
    text = text.removeprefix("reject_")
    return text.split(".")[-1].replace("_", " ").strip()


def value_in_words(value: object) -> str:
    """A value of a sweep: a name as words; a number, a path and JSON as they are."""
    text = str(value)
    return humanise(text) if re.fullmatch(r"[A-Za-z][A-Za-z0-9_ -]*", text) else text


def is_aid(name: str) -> bool:
    """Whether a column explains another, and is no finding of its own."""
    return name in _AIDS or name.endswith("_error_us")


def is_profit(name: str) -> bool:
    """Whether a column says what a family of people, the venue or the sequencer earned.

    The profits of single groups are `pnl_NAME`; families stand as `NAME_pnl`.
    """
    return bool(_PROFIT.match(name))


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
    unit = unit_of(name, info.get("unit"))
    return Metric(
        name,
        info.get("label") or humanise(name),
        unit,
        info.get("meaning") or "",
        info.get("better") or "",
        1e-6 if unit == "USD" else 1.0,
    )


def is_base(value: object) -> bool:
    """Whether a sweep value is called like an untouched control."""
    return str(value).lower() in _BASE_VALUES
