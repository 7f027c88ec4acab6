"""The times of a price file: seconds to nanoseconds since 1970, or readable in UTC."""

import re
from typing import Any

import numpy as np

from market.prices.containers import KlineError

#: From these numbers on a time is in the next finer unit: in the coarser one it would
#: lie beyond the year 5138.
_FINER = (10**11, 10**14, 10**17)
_US_PER_SECOND = 1_000_000
_NUMBER = re.compile(r"[0-9]{9,19}(?:\.0*)?|[0-9](?:\.[0-9]+)?[eE]\+?[0-9]{1,2}")
_READABLE = re.compile(
    r"[0-9]{4}([-/.])[0-9]{2}\1[0-9]{2}[ T][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]+)?)?"
    r" ?(?:Z|UTC|GMT|[-+][0-9]{2}:?[0-9]{2})?"
)
#: Latest time that is read: the year 2262, where microseconds are far from their end.
_LATEST_US = 9_223_372_036_854_775


def is_time(text: str) -> bool:
    """Whether a field can be the time of a bar: no price has nine digits."""
    return bool(_NUMBER.fullmatch(text) or _READABLE.fullmatch(text))


def microseconds(
    times: Any, lines: np.ndarray, name: str, *, in_ms: bool = False
) -> np.ndarray:
    """The times of a column in microseconds since 1970, int64 [K].

    Each number is taken in the unit in which it is a time of this age, since dumps
    change from milliseconds to microseconds in the middle.

    Args:
        times: pandas strings.
        lines: of each in the file, for messages.
        name: of the file.
        in_ms: the header says that they are milliseconds.

    Raises:
        KlineError: one is no time; names its line.
    """
    import pandas as pd

    column: Any = pd.to_numeric(times, errors="coerce")
    numbers = column.to_numpy(np.float64, na_value=-1)
    whole = np.where((numbers >= 0) & (numbers < 9e18), numbers, 0).astype(np.int64)
    readable = times.where(times.str.fullmatch(_READABLE)).to_numpy(object, na_value="")
    found = np.where(
        numbers >= 0, _by_age(whole, in_ms), _of_readable(readable, pd)
    ).astype(np.int64)
    wrong = (found < 0) | (found > _LATEST_US) | (numbers >= 9e18)
    wrong |= (numbers >= 0) & (numbers != np.floor(numbers))
    if wrong.any():
        row = int(np.argmax(wrong))
        raise KlineError(
            f"{name}, line {lines[row]}: open time {times.iloc[row][:40]!r} is not a "
            "whole number of seconds, milliseconds or microseconds since 1970, nor a "
            "time such as 2025-01-31 23:59:00 (UTC)"
        )
    return found


def _by_age(numbers: np.ndarray, in_ms: bool) -> np.ndarray:
    seconds, milli, micro = _FINER
    factors = [_US_PER_SECOND, 1_000, 1]
    if in_ms:
        factors[0] = 1_000
    coarse = np.select(
        [numbers < seconds, numbers < milli, numbers < micro],
        [numbers * factors[0], numbers * factors[1], numbers],
        numbers // 1_000,
    )
    return coarse


def _of_readable(texts: np.ndarray, pd: Any) -> np.ndarray:
    """Microseconds of readable times; -1 of what is none."""
    plain = [re.sub(r"[/.](?=[0-9]{2}[/. T])", "-", text) for text in texts]
    moments = pd.to_datetime(plain, utc=True, format="ISO8601", errors="coerce")
    whole = moments.as_unit("us").asi8
    return np.where(moments.isna(), -1, whole)
