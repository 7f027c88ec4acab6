"""Titles of the time-series panels: each says what its curves show."""

from dataclasses import dataclass

import numpy as np

from experiments.report.formats import THIN, number, significant, span

MEDIAN, HIGH = 1, 2  # rows of a quantile curve, see `curves.QUANTILES`


@dataclass(frozen=True)
class Sample:
    """The curves of one point in one market: what a title may speak of."""

    times: np.ndarray
    curves: dict[str, np.ndarray]
    market: str

    def at(self, position: int) -> str:
        """The time of a sample, in words."""
        return span(float(self.times[position]))

    def median(self, name: str) -> np.ndarray:
        """The median over the seeds."""
        return self.curves[name][MEDIAN]

    def has(self, name: str) -> bool:
        """Whether a series has a median at any time."""
        return name in self.curves and bool(np.isfinite(self.median(name)).any())


def _percent(share: float, digits: int = 3) -> str:
    return f"{significant(share * 100, digits)}{THIN}%"


def last(curve: np.ndarray) -> float:
    """The last finite value."""
    return float(curve[np.isfinite(curve)][-1])


def price_title(sample: Sample, unit: str) -> str:
    """How far the price falls and in what time; how far the mark strays."""
    name = next(n for n in ("fundamental", "oracle", "mark") if sample.has(n))
    price = sample.median(name)
    low = int(np.nanargmin(price / np.fmax.accumulate(price)))
    peak = int(np.nanargmax(price[: low + 1]))
    fall = 1 - price[low] / price[peak]
    who = sample.market or "The price"
    if not fall >= 0.0005:
        return f"{who} hardly falls: {number(last(price), unit)} at the end"
    minutes = span(float(sample.times[low] - sample.times[peak]))
    return f"{who} falls {_percent(fall)} in {minutes}{_mark_gap(sample, name)}"


def _mark_gap(sample: Sample, name: str) -> str:
    """How far the mark strays from the price that it should follow."""
    if name == "mark" or not sample.has("mark"):
        return ""
    gap = np.abs(sample.median("mark") / sample.median(name) - 1)
    return f"; the mark strays up to {_percent(float(np.nanmax(gap)), 2)}"


def spread_title(sample: Sample, unit: str) -> str:
    """From what to what the spread widens."""
    curve = sample.median("spread_ppm")
    usual, worst = float(np.nanmedian(curve)), int(np.nanargmax(curve))
    peak = float(curve[worst])
    if peak <= usual * 1.05:
        return f"The spread holds at {number(usual, unit)}"
    wide = f"{number(peak, unit)} at {sample.at(worst)}"
    return f"The spread widens from {number(usual, unit)} to {wide}"


def depth_title(sample: Sample, unit: str) -> str:
    """From what to what the book thins."""
    curve = sample.median("depth")
    usual, low = float(np.nanmedian(curve)), int(np.nanargmin(curve))
    least = float(curve[low])
    if usual <= 0 or least >= usual * 0.95:
        return f"The book keeps its depth of {number(usual, unit)}"
    if least <= usual * 0.001:
        return f"The book of {number(usual, unit)} is empty at {sample.at(low)}"
    thin = f"{number(least, unit)} at {sample.at(low)}"
    return f"The book thins from {number(usual, unit)} to {thin}"


def liquidations_title(sample: Sample, unit: str) -> str:
    """How many there are, and by when half of them."""
    low, middle, high = (last(row) for row in sample.curves["liquidations"])
    if high == 0:
        return "Nobody is liquidated"
    text = f"{number(middle, unit)} liquidations by the end"
    if low != high:
        text += f" ({number(low, unit)} to {number(high, unit)})"
    if middle > 0:
        half = int(np.argmax(sample.median("liquidations") >= middle / 2))
        text += f", half of them by {sample.at(half)}"
    return text


def danger_title(sample: Sample, unit: str) -> str:
    """How many accounts wait to be liquidated, and when."""
    curve = sample.median("in_danger")
    worst = int(np.nanargmax(curve))
    if curve[worst] <= 0:
        return "No account waits to be liquidated in the median run"
    most = number(float(curve[worst]), unit)
    return f"{most} accounts wait to be liquidated at {sample.at(worst)}"


def insurance_title(sample: Sample, unit: str) -> str:
    """What becomes of the insurance fund."""
    curve = sample.median("insurance")
    start, low, end = float(curve[0]), int(np.nanargmin(curve)), last(curve)
    least = float(curve[low])
    fund = f"The insurance fund of {number(start, unit)}"
    if least >= start:
        grows = f"grows to {number(end, unit)}"
        return f"{fund} {grows if end > start else 'is never touched'}"
    if least <= start * 0.001:
        return f"{fund} is empty at {sample.at(low)}"
    return f"{fund} falls to {number(least, unit)} at {sample.at(low)}"


def bad_debt_title(sample: Sample, unit: str) -> str:
    """What accounts owe beyond what they have, and when."""
    curve, high = sample.median("bad_debt"), sample.curves["bad_debt"][HIGH]
    worst = int(np.nanargmax(curve))
    if curve[worst] > 0:
        peak = number(float(curve[worst]), unit)
        return f"Accounts owe {peak} more than they have at {sample.at(worst)}"
    peak = float(np.nanmax(high))
    if peak > 0:
        return f"Nobody in the median run; {number(peak, unit)} in the worst twentieth"
    return "Nobody, in nineteen runs of twenty"


def queue_title(sample: Sample, unit: str) -> str:
    """How many transactions wait, and when."""
    curve = sample.median("mempool")
    worst = int(np.nanargmax(curve))
    if curve[worst] <= 0:
        return "The mempool empties with every block"
    most = number(float(curve[worst]), unit)
    return f"Up to {most} transactions wait, at {sample.at(worst)}"


def inclusion_title(sample: Sample, unit: str) -> str:
    """From what to what inclusion slows."""
    curve = sample.median("inclusion_us")
    usual, worst = float(np.nanmedian(curve)), int(np.nanargmax(curve))
    peak = float(curve[worst])
    if peak <= usual * 1.2:
        return f"Inclusion stays near {number(usual, unit)}"
    slow = f"{number(peak, unit)} at {sample.at(worst)}"
    return f"Inclusion slows from {number(usual, unit)} to {slow}"


def batches_title(sample: Sample, unit: str) -> str:
    """How many batches wait for settlement, and when."""
    curve = sample.median("backlog_settled")
    worst = int(np.nanargmax(curve))
    most = round(float(curve[worst]))
    if most == 0:
        return "Every sealed batch is settled at once"
    noun = "batch waits" if most == 1 else "batches wait"
    return f"Up to {most} sealed {noun} for settlement, at {sample.at(worst)}"


def interest_title(sample: Sample, unit: str) -> str:
    """How far open interest ends below its peak."""
    curve = sample.median("open_interest")
    most, end = float(np.nanmax(curve)), last(curve)
    if most <= 0:
        return "No open interest"
    fall = 1 - end / most
    if fall < 0.02:
        return f"Open interest ends at its peak, {number(most, unit)}"
    return f"Open interest ends {_percent(fall, 2)} below its peak of " + number(
        most, unit
    )
