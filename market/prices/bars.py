"""One-minute bars in whole ticks from the rows of a price file, on the host.

What a run uses of a file has to be right: every minute once, or filled as asked; prices
positive; high and low around open and close. A wrong row is named with its line. Of the
rest of the file only the times are read.
"""

from collections.abc import Iterator, Sequence
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from itertools import islice
from typing import Literal

import numpy as np

from market.prices.containers import KlineError
from market.prices.klines import Klines
from market.prices.layouts import PRICES
from market.prices.ticks import exact_decimal
from market.types.limits import MAX_OUTSIDE_TICKS

MINUTE_US = 60_000_000
#: What to do about minutes that a file leaves out.
Gaps = Literal["refuse", "hold", "interpolate"]

Bar = tuple[Decimal, Decimal, Decimal, Decimal]


def bars_in_ticks(
    klines: Klines,
    tick: Decimal | str | float,
    *,
    start_minute: int = 0,
    minutes: int | None = None,
    gaps: Gaps = "refuse",
) -> np.ndarray:
    """Open, high, low and close in whole ticks, int64 [K, 4].

    Prices round to the nearest tick, halves to even, so that high and low still bound
    their bar.

    Args:
        klines: rows of a file.
        tick: the price of one tick, in the file's currency.
        start_minute: how many minutes to leave out, from the first of the file.
        minutes: how many are used; all that follow, if None. Fewer are given where the
            file ends before.
        gaps: what to do about minutes that the file leaves out: refuse the file; hold
            the last close; or a straight line from that close to the next open.

    Raises:
        KlineError: no minute is left, one is missing, stands twice or is wrong, or a
            price is below half a tick or above `MAX_OUTSIDE_TICKS` ticks.
    """
    size = exact_decimal(tick, "tick")
    bars = _window(klines, start_minute, minutes, gaps)
    ticks = [
        [int((price / size).to_integral_value(ROUND_HALF_EVEN)) for price in bar]
        for bar in bars
    ]
    least, most = min(map(min, ticks)), max(map(max, ticks))
    if least < 1 or most > MAX_OUTSIDE_TICKS:
        raise KlineError(
            f"{klines.name}: prices are {least} to {most} ticks of {size}; allowed are "
            f"1 to {MAX_OUTSIDE_TICKS} ticks; choose another tick"
        )
    return np.array(ticks, np.int64)


def _window(
    klines: Klines, start_minute: int, minutes: int | None, gaps: Gaps
) -> list[Bar]:
    """The bars that are used, a minute each."""
    _check_step(klines)
    first = int(klines.open_us[0])
    whole = (int(klines.open_us[-1]) - first) // MINUTE_US + 1
    if not 0 <= start_minute < whole:
        raise KlineError(
            f"{klines.name}: start minute {start_minute} is outside the file's "
            f"{whole} minutes; allowed are 0 to {whole - 1}"
        )
    begin = first + start_minute * MINUTE_US
    count = min(whole - start_minute, whole if minutes is None else minutes)
    low, high = np.searchsorted(klines.open_us, [begin, begin + count * MINUTE_US])
    held: list[tuple[int, Bar]] = []
    # A line over the window's end leads to the row after it.
    beyond = int(gaps == "interpolate" and high < len(klines.open_us))
    for row in range(int(low), int(high) + beyond):
        step, rest = divmod(int(klines.open_us[row]) - begin, MINUTE_US)
        if rest:
            raise KlineError(
                f"{klines.where(row)}: opens {rest / 1e6:g} s after a whole minute of "
                "the file; bars of one minute are needed"
            )
        bar = _bar(klines, row)
        if held and held[-1][0] == step:
            _check_twin(klines, row, held[-1][1], bar)
        else:
            held.append((step, bar))
    return list(islice(_filled(klines, held, count, begin, gaps), count))


def _check_step(klines: Klines) -> None:
    """Refuses a file of longer bars, in which every minute would seem to be missing."""
    steps = np.diff(klines.open_us)
    steps = steps[steps > 0]
    if len(steps) and steps.min() > MINUTE_US and (steps == steps.min()).mean() > 0.5:
        raise KlineError(
            f"{klines.where(1)}: a gap of {steps.min() / 1e6:g} s after the row "
            "before, as after most rows: the file holds longer bars, and one-minute "
            "bars are needed"
        )


def _bar(klines: Klines, row: int) -> Bar:
    opening, high, low, close = (
        _price(klines, row, name, text)
        for name, text in zip(PRICES, klines.prices[row], strict=True)
    )
    if high < low:
        raise KlineError(f"{klines.where(row)}: high {high} is below low {low}")
    for name, value in (("open", opening), ("close", close)):
        if not low <= value <= high:
            raise KlineError(
                f"{klines.where(row)}: {name} {value} is outside {low} to {high}"
            )
    return opening, high, low, close


def _price(klines: Klines, row: int, name: str, text: str) -> Decimal:
    try:
        # A spreadsheet's comma; a file whose fields commas part has none in them.
        value = Decimal(text.replace(",", ".") if text.count(",") == 1 else text)
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite() or value <= 0 or abs(value.adjusted()) > 30:
        raise KlineError(
            f"{klines.where(row)}: {name} {text[:40]!r} is not a positive number"
        )
    return value


def _check_twin(klines: Klines, row: int, before: Bar, bar: Bar) -> None:
    """A minute may stand twice if both rows say the same."""
    if bar != before:
        raise KlineError(
            f"{klines.where(row)}: its minute stands on line {klines.line[row - 1]} "
            "already, with other prices; keep one of them"
        )


def _filled(
    klines: Klines, held: list[tuple[int, Bar]], count: int, begin: int, gaps: Gaps
) -> Iterator[Bar]:
    """A bar for each of ``count`` minutes, from those that the file holds by number."""
    steps = [step for step, _ in held if step < count]
    if len(steps) < count and gaps == "refuse":
        raise KlineError(_told_gap(klines, steps, count, begin))
    if not steps or steps[0]:
        raise KlineError(
            f"{klines.name}: the first minute that the run uses is missing, so there "
            "is no price to begin with; choose another prices.start_minute"
        )
    following = [*held[1:], None]
    for (step, bar), later in zip(held, following, strict=True):
        end, after = later or (count, None)
        yield bar
        yield from _between(bar, after, end - step - 1, gaps)


def _between(before: Bar, after: Bar | None, missing: int, gaps: Gaps) -> Iterator[Bar]:
    """The bars of missing minutes between two bars, as many as somebody asks for.

    The next row may be years away and the run end long before, so none is made ahead.
    """
    close = before[3]
    end = after[0] if after is not None and gaps == "interpolate" else close
    for step in range(missing):
        opening, closing = (
            close + (end - close) * each / (missing + 1) for each in (step, step + 1)
        )
        yield opening, max(opening, closing), min(opening, closing), closing


def _told_gap(klines: Klines, steps: Sequence[int], count: int, begin: int) -> str:
    """The first gap of the window, and what can be done about it."""
    present = set(steps)
    gone = next(step for step in range(count) if step not in present)
    after = next((step for step in steps if step > gone), count)
    row = int(np.searchsorted(klines.open_us, begin + after * MINUTE_US))
    place = klines.where(min(row, len(klines.line) - 1))
    moment = np.datetime64(begin + gone * MINUTE_US, "us").astype("datetime64[m]")
    return (
        f"{place}: a gap of {(after - gone + 1) * 60} s after the row before: minute "
        f"{moment} UTC is missing, in all {count - len(steps)} of the {count} minutes "
        "that the run uses; set prices.gaps to hold (the last close) or interpolate, "
        "or choose another prices.start_minute"
    )
