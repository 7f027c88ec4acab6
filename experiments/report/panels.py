"""The time-series panels: what each draws, and the finding that is its title."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from experiments.report import panel_titles as titles
from experiments.report.formats import number
from experiments.report.panel_titles import Sample


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
        title=titles.price_title,
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
        title=titles.liquidations_title,
        noun="Liquidations",
        statistic="end",
    ),
    Panel(
        key="in_danger",
        question="Who should have been liquidated and is not?",
        note="accounts below their maintenance margin",
        series=(("in_danger", "", "first"),),
        unit="count",
        title=titles.danger_title,
        noun="Accounts to be liquidated",
        statistic="peak",
    ),
    Panel(
        key="bad_debt",
        question="Who owes more than they have?",
        note="negative equity standing at the time, US dollars",
        series=(("bad_debt", "", "first"),),
        title=titles.bad_debt_title,
        noun="Negative equity",
        statistic="peak",
    ),
    Panel(
        key="insurance",
        question="Does the insurance fund last?",
        note="insurance fund, US dollars",
        series=(("insurance", "", "first"),),
        title=titles.insurance_title,
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
        title=titles.spread_title,
        noun="Spread",
        statistic="peak",
    ),
    Panel(
        key="depth",
        question="How much can be traded near the price?",
        note="value resting in the book near the mid",
        series=(("depth", "", "first"),),
        per_market=True,
        title=titles.depth_title,
        noun="Depth",
        statistic="low",
    ),
    Panel(
        key="open_interest",
        question="How much exposure is left?",
        note="open interest",
        series=(("open_interest", "", "first"),),
        per_market=True,
        title=titles.interest_title,
        noun="Open interest",
        statistic="end",
    ),
    Panel(
        key="mempool",
        question="How many wait for the sequencer?",
        note="transactions in the mempool",
        series=(("mempool", "", "first"),),
        unit="count",
        title=titles.queue_title,
        noun="Mempool",
        statistic="peak",
    ),
    Panel(
        key="inclusion",
        question="How long does inclusion take?",
        note="mean time from sending to execution, of the block",
        series=(("inclusion_us", "", "first"),),
        unit="us",
        title=titles.inclusion_title,
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
        title=titles.batches_title,
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
    figure = {"peak": np.nanmax, "low": np.nanmin, "end": titles.last}[panel.statistic]
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
