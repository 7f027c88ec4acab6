"""The time-series panels: what each draws, and the finding that is its title."""

from collections.abc import Callable
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


@dataclass(frozen=True, kw_only=True)
class Panel:
    """One chart over time.

    Attributes:
        key: its identity in the page.
        question: what it answers.
        note: what is drawn, under the title.
        series: (series name, label at the line's end, role of its colour).
        unit: key of `formats.number`; where None, the stated unit of its first series.
        title: the finding for one sample, given the unit.
        noun, statistic: what is compared between points: `peak`, `low` or `end` of
            the first series.
        per_market: whether it follows the market selector.
        band: series drawn with their 5-95 % band; where empty, a lone series has one.
        zero: whether the axis starts at zero.
    """

    key: str
    question: str
    note: str
    series: tuple[tuple[str, str, str], ...]
    title: Callable[[Sample, str], str]
    noun: str
    statistic: str
    unit: str | None = None
    per_market: bool = False
    band: tuple[str, ...] = ()
    zero: bool = True


def _percent(share: float, digits: int = 3) -> str:
    return f"{significant(share * 100, digits)}{THIN}%"


def _last(curve: np.ndarray) -> float:
    return float(curve[np.isfinite(curve)][-1])


def _price_title(sample: Sample, unit: str) -> str:
    name = next(n for n in ("fundamental", "oracle", "mark") if sample.has(n))
    price = sample.median(name)
    low = int(np.nanargmin(price / np.fmax.accumulate(price)))
    peak = int(np.nanargmax(price[: low + 1]))
    fall = 1 - price[low] / price[peak]
    who = sample.market or "The price"
    if not fall >= 0.0005:
        return f"{who} hardly falls: {number(_last(price), unit)} at the end"
    minutes = span(float(sample.times[low] - sample.times[peak]))
    return f"{who} falls {_percent(fall)} in {minutes}{_mark_gap(sample, name)}"


def _mark_gap(sample: Sample, name: str) -> str:
    """How far the mark strays from the price that it should follow."""
    if name == "mark" or not sample.has("mark"):
        return ""
    gap = np.abs(sample.median("mark") / sample.median(name) - 1)
    return f"; the mark strays up to {_percent(float(np.nanmax(gap)), 2)}"


def _spread_title(sample: Sample, unit: str) -> str:
    curve = sample.median("spread_ppm")
    usual, worst = float(np.nanmedian(curve)), int(np.nanargmax(curve))
    peak = float(curve[worst])
    if peak <= usual * 1.05:
        return f"The spread holds at {number(usual, unit)}"
    wide = f"{number(peak, unit)} at {sample.at(worst)}"
    return f"The spread widens from {number(usual, unit)} to {wide}"


def _depth_title(sample: Sample, unit: str) -> str:
    curve = sample.median("depth")
    usual, low = float(np.nanmedian(curve)), int(np.nanargmin(curve))
    least = float(curve[low])
    if usual <= 0 or least >= usual * 0.95:
        return f"The book keeps its depth of {number(usual, unit)}"
    if least <= usual * 0.001:
        return f"The book of {number(usual, unit)} is empty at {sample.at(low)}"
    thin = f"{number(least, unit)} at {sample.at(low)}"
    return f"The book thins from {number(usual, unit)} to {thin}"


def _liquidations_title(sample: Sample, unit: str) -> str:
    low, middle, high = (_last(row) for row in sample.curves["liquidations"])
    if high == 0:
        return "Nobody is liquidated"
    text = f"{number(middle, unit)} liquidations by the end"
    if low != high:
        text += f" ({number(low, unit)} to {number(high, unit)})"
    if middle > 0:
        half = int(np.argmax(sample.median("liquidations") >= middle / 2))
        text += f", half of them by {sample.at(half)}"
    return text


def _danger_title(sample: Sample, unit: str) -> str:
    curve = sample.median("in_danger")
    worst = int(np.nanargmax(curve))
    if curve[worst] <= 0:
        return "No account waits to be liquidated in the median run"
    most = number(float(curve[worst]), unit)
    return f"{most} accounts wait to be liquidated at {sample.at(worst)}"


def _insurance_title(sample: Sample, unit: str) -> str:
    curve = sample.median("insurance")
    start, low, end = float(curve[0]), int(np.nanargmin(curve)), _last(curve)
    least = float(curve[low])
    fund = f"The insurance fund of {number(start, unit)}"
    if least >= start:
        grows = f"grows to {number(end, unit)}"
        return f"{fund} {grows if end > start else 'is never touched'}"
    if least <= start * 0.001:
        return f"{fund} is empty at {sample.at(low)}"
    return f"{fund} falls to {number(least, unit)} at {sample.at(low)}"


def _bad_debt_title(sample: Sample, unit: str) -> str:
    curve, high = sample.median("bad_debt"), sample.curves["bad_debt"][HIGH]
    worst = int(np.nanargmax(curve))
    if curve[worst] > 0:
        peak = number(float(curve[worst]), unit)
        return f"Accounts owe {peak} more than they have at {sample.at(worst)}"
    peak = float(np.nanmax(high))
    if peak > 0:
        return f"Nobody in the median run; {number(peak, unit)} in the worst twentieth"
    return "Nobody, in nineteen runs of twenty"


def _queue_title(sample: Sample, unit: str) -> str:
    curve = sample.median("mempool")
    worst = int(np.nanargmax(curve))
    if curve[worst] <= 0:
        return "The mempool empties with every block"
    most = number(float(curve[worst]), unit)
    return f"Up to {most} transactions wait, at {sample.at(worst)}"


def _inclusion_title(sample: Sample, unit: str) -> str:
    curve = sample.median("inclusion_us")
    usual, worst = float(np.nanmedian(curve)), int(np.nanargmax(curve))
    peak = float(curve[worst])
    if peak <= usual * 1.2:
        return f"Inclusion stays near {number(usual, unit)}"
    slow = f"{number(peak, unit)} at {sample.at(worst)}"
    return f"Inclusion slows from {number(usual, unit)} to {slow}"


def _batches_title(sample: Sample, unit: str) -> str:
    curve = sample.median("backlog_settled")
    worst = int(np.nanargmax(curve))
    most = round(float(curve[worst]))
    if most == 0:
        return "Every sealed batch is settled at once"
    noun = "batch waits" if most == 1 else "batches wait"
    return f"Up to {most} sealed {noun} for settlement, at {sample.at(worst)}"


def _interest_title(sample: Sample, unit: str) -> str:
    curve = sample.median("open_interest")
    most, end = float(np.nanmax(curve)), _last(curve)
    if most <= 0:
        return "No open interest"
    fall = 1 - end / most
    if fall < 0.02:
        return f"Open interest ends at its peak, {number(most, unit)}"
    return f"Open interest ends {_percent(fall, 2)} below its peak of " + number(
        most, unit
    )


PANELS = (
    Panel(
        key="price",
        question="Do oracle and mark follow the price?",
        note="US dollars, median over seeds; band: 5–95\u202f% of the mark",
        series=(
            ("fundamental", "price", "ink"),
            ("oracle", "oracle", "second"),
            ("mark", "mark", "first"),
        ),
        unit="price",
        per_market=True,
        title=_price_title,
        noun="Price",
        statistic="low",
        band=("mark",),
        zero=False,
    ),
    Panel(
        key="liquidations",
        question="How much is liquidated?",
        note="liquidations so far",
        series=(("liquidations", "", "first"),),
        unit="count",
        title=_liquidations_title,
        noun="Liquidations",
        statistic="end",
    ),
    Panel(
        key="in_danger",
        question="Who should have been liquidated and is not?",
        note="accounts below their maintenance margin",
        series=(("in_danger", "", "first"),),
        unit="count",
        title=_danger_title,
        noun="Accounts to be liquidated",
        statistic="peak",
    ),
    Panel(
        key="bad_debt",
        question="Who owes more than they have?",
        note="negative equity standing at the time, US dollars",
        series=(("bad_debt", "", "first"),),
        title=_bad_debt_title,
        noun="Negative equity",
        statistic="peak",
    ),
    Panel(
        key="insurance",
        question="Does the insurance fund last?",
        note="insurance fund, US dollars",
        series=(("insurance", "", "first"),),
        title=_insurance_title,
        noun="Insurance fund",
        statistic="low",
    ),
    Panel(
        key="spread",
        question="What does it cost to trade at once?",
        note="best bid to best ask, basis points of the mid",
        series=(("spread_ppm", "", "first"),),
        unit="bp",
        per_market=True,
        title=_spread_title,
        noun="Spread",
        statistic="peak",
    ),
    Panel(
        key="depth",
        question="How much can be traded near the price?",
        note="value resting in the book near the mid",
        series=(("depth", "", "first"),),
        per_market=True,
        title=_depth_title,
        noun="Depth",
        statistic="low",
    ),
    Panel(
        key="open_interest",
        question="How much exposure is left?",
        note="open interest",
        series=(("open_interest", "", "first"),),
        per_market=True,
        title=_interest_title,
        noun="Open interest",
        statistic="end",
    ),
    Panel(
        key="mempool",
        question="How many wait for the sequencer?",
        note="transactions in the mempool",
        series=(("mempool", "", "first"),),
        unit="count",
        title=_queue_title,
        noun="Mempool",
        statistic="peak",
    ),
    Panel(
        key="inclusion",
        question="How long does inclusion take?",
        note="mean time from sending to execution, of the block",
        series=(("inclusion_us", "", "first"),),
        unit="us",
        title=_inclusion_title,
        noun="Inclusion time",
        statistic="peak",
    ),
    Panel(
        key="batches",
        question="How far behind is settlement?",
        note="sealed batches that are not yet …",
        series=(
            ("backlog_settled", "settled", "first"),
            ("backlog_proven", "proven", "second"),
            ("backlog_posted", "posted", "third"),
        ),
        unit="count",
        title=_batches_title,
        noun="Settlement backlog",
        statistic="peak",
    ),
)

SHOWN_SERIES = frozenset(
    {name for panel in PANELS for name, _, _ in panel.series} | {"halted"}
)

_VERBS = {"peak": "peaks at", "low": "falls to", "end": "ends at"}


def title(panel: Panel, sample: Sample, unit: str) -> str | None:
    """The finding of a panel; None where the series it speaks of hold no number."""
    names = [name for name, _, _ in panel.series]
    needed = names if panel.key == "price" else names[:1]
    known = any(sample.has(name) for name in needed)
    return panel.title(sample, unit) if known else None


def statistic(panel: Panel, sample: Sample) -> float | None:
    """The figure by which points are compared: of the median of the first series."""
    name = next((n for n, _, _ in panel.series if sample.has(n)), None)
    if name is None:
        return None
    curve = sample.median(name)
    figure = {"peak": np.nanmax, "low": np.nanmin, "end": _last}[panel.statistic]
    return float(figure(curve))


def compared(panel: Panel, unit: str, figures: dict[str, float], base: str) -> str:
    """Title over several points: the one furthest from the base against it.

    `figures` maps the points' labels to their `statistic`.
    """
    verb = _VERBS[panel.statistic]
    if panel.noun.endswith("s"):
        verb = verb.replace("s at", " at").replace("s to", " to")
    start = figures[base]
    furthest = max(figures, key=lambda label: abs(figures[label] - start))
    at, there = number(start, unit), number(figures[furthest], unit)
    if there == at:
        return f"{panel.noun} {verb} {at} in all of them"
    return f"{panel.noun} {verb} {there} with {furthest}, {at} with {base}"
