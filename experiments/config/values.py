"""Values of a config: durations, ratios and dollars; friendly text in, whole units out.

Decimals become integers here, once, on the host: microseconds, parts per million,
quote quanta. In JSON a value is written back in its friendly form, and reading that
form gives the same integer again.
"""

import re
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

from market.numbers.units import PPM, QUANTA_PER_USD

#: Microseconds in each unit that a duration may carry.
DURATION_UNITS = {
    "us": 1,
    "ms": 1_000,
    "s": 1_000_000,
    "m": 60_000_000,
    "h": 3_600_000_000,
    "d": 86_400_000_000,
}
#: Longest duration: about 17 years, so that sums of a few stay far below 2**63.
MAX_DURATION_US = 1 << 49
_DURATION = re.compile(r"^([0-9]+(?:\.[0-9]+)?)\s*(us|ms|s|m|h|d)$")
_LENGTHS = "a duration such as 250ms, 30s, 5m, 2h or 7d"


class Section(BaseModel):
    """A part of the config: immutable, and no key that it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


def wrong_value(message: str) -> PydanticCustomError:
    """An error that names what is allowed; braces in the text are taken literally."""
    return PydanticCustomError("wrong_value", "{message}", {"message": message})


def _decimal(value: Any, allowed: str) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        raise wrong_value(f"must be {allowed}")
    try:
        number = Decimal(str(value).strip().replace("_", ""))
    except InvalidOperation:
        raise wrong_value(f"must be {allowed}") from None
    if not number.is_finite():
        raise wrong_value(f"must be {allowed}, and finite")
    return number


def _scaled(number: Decimal, scale: int, what: str) -> int:
    """``number * scale`` rounded half to even; a value that vanishes is refused."""
    # No multiplication of a number whose exponent alone would fill the memory.
    size = number.adjusted() if number else 0
    whole = int((number * scale).to_integral_value()) if abs(size) < 40 else 0
    if size >= 40 or abs(whole) >= 1 << 62:
        raise wrong_value("is too large: it does not fit the lab's 63-bit integers")
    if whole == 0 and number != 0:
        raise wrong_value(f"is finer than {what}, the lab's smallest step")
    return whole


def parse_duration(value: Any) -> int:
    """Microseconds of ``"5m"``, ``"1.5h"``, ``"250ms"``; 0 needs no unit."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise wrong_value(f"must be {_LENGTHS}")
    text = str(value).strip()
    if text in ("0", "0.0"):
        return 0
    match = _DURATION.match(text)
    if match is None:
        raise wrong_value(f"must be {_LENGTHS}")
    us = _scaled(Decimal(match[1]), DURATION_UNITS[match[2]], "a microsecond")
    if us > MAX_DURATION_US:
        raise wrong_value(f"must be at most {format_duration(MAX_DURATION_US)}")
    return us


def format_duration(us: int) -> str:
    """The duration in the largest unit that holds it exactly."""
    if us == 0:
        return "0s"
    for unit in ("d", "h", "m", "s", "ms", "us"):
        if us % DURATION_UNITS[unit] == 0:
            return f"{us // DURATION_UNITS[unit]}{unit}"
    raise ValueError(f"{us!r} is not a whole number of microseconds")


def parse_ratio(value: Any) -> int:
    """Parts per million of ``0.02`` or ``"2%"``."""
    allowed = "a fraction such as 0.02 or 2%"
    if isinstance(value, str) and value.strip().endswith("%"):
        number = _decimal(value.strip()[:-1], allowed) / 100
    else:
        number = _decimal(value, allowed)
    return _scaled(number, PPM, "0.000001")


def parse_usd(value: Any) -> int:
    """Quote quanta of a decimal amount of dollars."""
    return _scaled(_decimal(value, "an amount in USD"), QUANTA_PER_USD, "0.000001 USD")


def exact_number(value: Any) -> Decimal | None:
    """A number, percentage or duration (in microseconds) before any rounding.

    None where the value is none of these.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    text = str(value).strip()
    if match := _DURATION.match(text):
        return Decimal(match[1]) * DURATION_UNITS[match[2]]
    share = text.endswith("%")
    try:
        number = Decimal(text.removesuffix("%").strip().replace("_", ""))
    except InvalidOperation:
        return None
    if not number.is_finite():
        return None
    return number / 100 if share else number


def format_decimal(whole: int, scale: int) -> int | float:
    """``whole / scale`` as a JSON number that parses back to ``whole``.

    An int where it is one; a float up to 2**53, which holds six decimals exactly
    enough that rounding gives the same integer.
    """
    return whole // scale if whole % scale == 0 else float(Decimal(whole) / scale)


def _within(parse: Callable, least, most, show: Callable) -> BeforeValidator:
    """The parser, with inclusive bounds that are stated in the value's own terms."""
    low = None if least is None else parse(least)
    high = None if most is None else parse(most)

    def bounded(value: Any) -> int:
        whole = parse(value)
        if low is not None and whole < low:
            raise wrong_value(f"must be at least {show(low)}")
        if high is not None and whole > high:
            raise wrong_value(f"must be at most {show(high)}")
        return whole

    return BeforeValidator(bounded)


def _number_type(parse: Callable, scale: int, unit: str, least, most) -> Any:
    def show(whole: int) -> str:
        return f"{format_decimal(whole, scale):,}"

    schema: dict[str, Any] = {"type": ["number", "string"], "unit": unit}
    if least is not None:
        schema["minimum"] = least
    if most is not None:
        schema["maximum"] = most
    return Annotated[
        int,
        _within(parse, least, most, show),
        PlainSerializer(lambda w: format_decimal(w, scale), when_used="json"),
        WithJsonSchema(schema),
    ]


def duration(least: str | None = None, most: str | None = None) -> Any:
    """The type of a duration, in microseconds once read."""
    return Annotated[
        int,
        _within(parse_duration, least, most, format_duration),
        PlainSerializer(format_duration, when_used="json"),
        WithJsonSchema({"type": "string", "pattern": _DURATION.pattern}),
    ]


def ratio(least: float | None = None, most: float | None = None) -> Any:
    """The type of a fraction, in parts per million once read."""
    return _number_type(parse_ratio, PPM, "fraction", least, most)


def usd(least: float | None = None, most: float | None = None) -> Any:
    """The type of an amount of dollars, in quote quanta once read."""
    return _number_type(parse_usd, QUANTA_PER_USD, "USD", least, most)


def whole(least: int | None = None, most: int | None = None) -> Any:
    """The type of a whole number: never a bool, a float or text."""
    return Annotated[int, Field(strict=True, ge=least, le=most)]


#: A fraction from nothing to all.
Share = ratio(0, 1)
