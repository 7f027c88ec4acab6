"""Numbers as a reader wants them: `$2.94M`, `310 ms`, `4.2 bp`, `12,345`.

Every function takes the number in its stored unit (dollars, microseconds, parts per
million, ...) and returns text. Three significant digits, rounded to the nearest.
"""

import math
from collections.abc import Callable

MINUS = "\u2212"
THIN = "\u202f"  # narrow no-break space between a number and its unit


def significant(value: float, digits: int = 3, *, keep: bool = False) -> str:
    """The number with that many significant digits, thousands separated.

    A whole number goes without decimals, unless they are to be kept: 2, or 2.00.
    """
    if value == 0 or not math.isfinite(value):
        return "0" if value == 0 else "–"
    places = digits - 1 - math.floor(math.log10(abs(value)))
    rounded = round(value, places)
    places = digits - 1 - math.floor(math.log10(abs(rounded)))  # 0.9996 became 1
    if rounded == int(rounded) and places <= 0:
        return f"{int(rounded):,}"
    whole = float(rounded).is_integer() and not keep
    return f"{rounded:,.{0 if whole else max(places, 0)}f}"


def _scaled(value: float, steps: tuple[tuple[float, str], ...]) -> str:
    """The number in the largest step that it reaches after rounding."""
    for size, suffix in steps:
        if abs(value) >= size * 0.9995:
            return significant(value / size, keep=size > 1) + suffix
    return significant(value)


_MAGNITUDES = ((1e9, "bn"), (1e6, "M"), (1e3, "k"), (1, ""))
_DURATIONS = (
    (172_800e6, f"{THIN}d"),
    (7_200e6, f"{THIN}h"),
    (120e6, f"{THIN}min"),
    (1e6, f"{THIN}s"),
    (1e3, f"{THIN}ms"),
    (1, f"{THIN}µs"),
)
_DURATION_SIZES = (86_400e6, 3_600e6, 60e6, 1e6, 1e3, 1)


def _usd(value: float) -> str:
    if value < 0.005:
        return "$0"
    if value < 100:
        return f"${value:,.2f}".removesuffix(".00")
    return "$" + _scaled(value, _MAGNITUDES)


def _count(value: float) -> str:
    if value < 9_999.5:
        return f"{math.floor(value + 0.5):,}" if value >= 100 else significant(value)
    return _scaled(value, _MAGNITUDES)


def _duration(microseconds: float) -> str:
    for (threshold, suffix), size in zip(_DURATIONS, _DURATION_SIZES, strict=True):
        if microseconds >= threshold * 0.9995:
            return significant(microseconds / size) + suffix
    return f"0{THIN}s" if microseconds == 0 else f"{significant(microseconds)}{THIN}µs"


def _price(value: float) -> str:
    if value >= 10_000:
        return f"${value:,.0f}"
    return f"${value:,.2f}" if value >= 1 else "$" + significant(value, 4)


_FORMATS: dict[str, Callable[[float], str]] = {
    "USD": _usd,
    "price": _price,
    "us": _duration,
    "bp": lambda ppm: f"{significant(ppm / 100)}{THIN}bp",
    "ppm": lambda ppm: f"{significant(ppm / 10_000)}{THIN}%",
    "microblocks": lambda blocks: f"{_count(blocks / 1e6)}{THIN}blocks",
    "blocks": lambda blocks: f"{_count(blocks)}{THIN}blocks",
    "ticks": lambda ticks: f"{_count(ticks)}{THIN}ticks",
    "count": _count,
}


def number(value: float | None, unit: str) -> str:
    """A number in its unit; an en dash where there is none."""
    if value is None or not math.isfinite(value):
        return "–"
    text = _FORMATS.get(unit, _count)(abs(value))
    return MINUS + text if value < 0 and any(c in "123456789" for c in text) else text


def change(value: float | None, unit: str) -> str:
    """A difference: as `number`, with its sign shown; zero has none."""
    text = number(value, unit)
    if value is None or text == "–" or text.startswith(MINUS):
        return text
    return "+" + text if any(c in "123456789" for c in text) else text


def interval(low: float | None, high: float | None, unit: str) -> str:
    """Both ends of an interval of differences, `+$1.10M to +$4.60M`."""
    return f"{change(low, unit)} to {change(high, unit)}"


def span(seconds: float) -> str:
    """A length of time given in seconds."""
    return number(seconds * 1e6, "us")


def plural(count: int, noun: str, nouns: str | None = None) -> str:
    """`1 seed`, `16 seeds`."""
    return f"{count:,} {noun if count == 1 else nouns or noun + 's'}"
