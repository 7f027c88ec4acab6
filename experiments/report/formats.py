"""Numbers as a reader wants them: `$2.94M`, `310 ms`, `4.2 bp`, `12,345`.

Every function takes the number in its stored unit (dollars, microseconds, parts per
million, ...) and returns text. Three significant digits, rounded to the nearest, or as
many as an interval leaves.
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


def _scaled(value: float, steps: tuple[tuple[float, str], ...], digits: int = 3) -> str:
    """The number in the largest step that it reaches after rounding."""
    for size, suffix in steps:
        if abs(value) >= size * 0.9995:
            return significant(value / size, digits, keep=size > 1) + suffix
    return significant(value, digits)


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


def _usd(value: float, digits: int) -> str:
    if value < 0.005:
        return "$0"
    if value < 100 and digits < 3:
        return "$" + significant(value, digits)
    if value < 100:
        return f"${value:,.2f}".removesuffix(".00")
    return "$" + _scaled(value, _MAGNITUDES, digits)


def _count(value: float, digits: int) -> str:
    if value < 9_999.5:
        whole = value >= 100 and digits >= 3
        return f"{math.floor(value + 0.5):,}" if whole else significant(value, digits)
    return _scaled(value, _MAGNITUDES, digits)


def _duration(microseconds: float, digits: int) -> str:
    for (threshold, suffix), size in zip(_DURATIONS, _DURATION_SIZES, strict=True):
        if microseconds >= threshold * 0.9995:
            return significant(microseconds / size, digits) + suffix
    if microseconds == 0:
        return f"0{THIN}s"
    return f"{significant(microseconds, digits)}{THIN}µs"


def _price(value: float, _digits: int) -> str:
    if value >= 10_000:
        return f"${value:,.0f}"
    return f"${value:,.2f}" if value >= 1 else "$" + significant(value, 4)


_FORMATS: dict[str, Callable[[float, int], str]] = {
    "USD": _usd,
    "price": _price,
    "us": _duration,
    "bp": lambda ppm, digits: f"{significant(ppm / 100, digits)}{THIN}bp",
    "ppm": lambda ppm, digits: f"{significant(ppm / 10_000, digits)}{THIN}%",
    "microblocks": lambda blocks, digits: f"{_count(blocks / 1e6, digits)}{THIN}blocks",
    "blocks": lambda blocks, digits: f"{_count(blocks, digits)}{THIN}blocks",
    "ticks": lambda ticks, digits: f"{_count(ticks, digits)}{THIN}ticks",
    "count": _count,
}


def digits_within(value: float, width: float) -> int:
    """How many digits of a number an uncertainty of that width leaves: 1, 2 or 3.

    The last digit shown is that of the second digit of half the width: 2.94 ± 0.12.
    """
    if not value or not width > 0 or not math.isfinite(width):
        return 3
    known = math.floor(math.log10(abs(value))) - math.floor(math.log10(width / 20))
    return min(max(known + 1, 1), 3)


def number(value: float | None, unit: str, digits: int = 3) -> str:
    """A number in its unit; an en dash where there is none."""
    if value is None or not math.isfinite(value):
        return "–"
    text = _FORMATS.get(unit, _count)(abs(value), digits)
    return MINUS + text if value < 0 and any(c in "123456789" for c in text) else text


def change(value: float | None, unit: str, digits: int = 3) -> str:
    """A difference: as `number`, with its sign shown; zero has none."""
    text = number(value, unit, digits)
    if value is None or text == "–" or text.startswith(MINUS):
        return text
    return "+" + text if any(c in "123456789" for c in text) else text


def interval(low: float | None, high: float | None, unit: str) -> str:
    """Both ends of an interval of differences, with the digits that its width leaves.

    Such as `+$1.1M to +$4.6M`.
    """
    if low is None or high is None:
        return "–"
    ends = [change(end, unit, digits_within(end, high - low)) for end in (low, high)]
    return " to ".join(dict.fromkeys(ends))


def share(part: float, whole: float) -> str:
    """A difference as a percentage of what it is a difference from, `+12 %`."""
    if not whole:
        return ""
    percent = 100 * part / abs(whole)
    if abs(percent) >= 100_000:
        return f"×{significant(1 + part / whole, 2)}"
    text = significant(abs(percent), 2)
    sign = "" if text == "0" else MINUS if percent < 0 else "+"
    return f"{sign}{text}{THIN}%"


def span(seconds: float) -> str:
    """A length of time given in seconds."""
    return number(seconds * 1e6, "us")


def plural(count: int, noun: str, nouns: str | None = None) -> str:
    """`1 seed`, `16 seeds`."""
    return f"{count:,} {noun if count == 1 else nouns or noun + 's'}"
