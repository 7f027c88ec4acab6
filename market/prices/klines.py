"""Reads one-minute klines (open, high, low, close) from a CSV file, on the host.

Two layouts are known: the public Binance dump, with or without its header, times in
milliseconds or microseconds; and a short one with a readable time beside the first
column. A file with anything wrong in it is refused whole: the message names the file,
the line, what was found and what is allowed.
"""

import csv
from collections.abc import Iterable, Iterator, Sequence
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from pathlib import Path
from typing import NamedTuple

import numpy as np

from market.prices.ticks import PriceError, exact_decimal
from market.types.limits import MAX_OUTSIDE_TICKS

MINUTE_US = 60_000_000
BINANCE_COLUMNS = (
    "open_time",
    "open",
    "high",
    "low",
    "close",
    "volume",
    "close_time",
    "quote_volume",
    "count",
    "taker_buy_volume",
    "taker_buy_quote_volume",
    "ignore",
)
LAB_COLUMNS = (
    "open_time_ms",
    "open_time_utc",
    "open",
    "high",
    "low",
    "close",
    "volume_base",
    "n_trades",
    "taker_buy_base",
)
#: A first column at or above this is in microseconds (in ms it would be year 5138).
_LEAST_MICROSECONDS = 10**14


class KlineError(PriceError):
    """A kline file that cannot be replayed; says where, what and what is allowed."""


class Klines(NamedTuple):
    """One-minute bars without gaps: microsecond open times and exact prices."""

    path: str
    open_us: tuple[int, ...]
    prices: tuple[tuple[Decimal, Decimal, Decimal, Decimal], ...]  # open high low close


class _Row(NamedTuple):
    where: str
    open_us: int
    prices: tuple[Decimal, Decimal, Decimal, Decimal]


def read_klines(path: str | Path) -> Klines:
    """The bars of a kline file.

    Raises:
        KlineError: the file cannot be read, has unknown columns, no rows, a price that
            is not a positive number, a high or low that does not bound its bar, or
            times that do not rise by exactly one minute.
    """
    rows = tuple(_checked_steps(_rows(Path(path))))
    if not rows:
        raise KlineError(f"{path}: holds no klines; at least one row is needed")
    return Klines(
        str(path), tuple(row.open_us for row in rows), tuple(row.prices for row in rows)
    )


def bars_in_ticks(
    klines: Klines, tick: Decimal | str | float, *, start_minute: int = 0
) -> np.ndarray:
    """Open, high, low and close in whole ticks, int64 [K, 4].

    Prices round to the nearest tick, halves to even, so that high and low still bound
    their bar.

    Args:
        klines: bars from `read_klines`.
        tick: the price of one tick, in the file's currency.
        start_minute: how many minutes to leave out at the start.

    Raises:
        KlineError: no minute is left, or a price is below half a tick or above
            `MAX_OUTSIDE_TICKS` ticks.
    """
    size = exact_decimal(tick, "tick")
    if not 0 <= start_minute < len(klines.prices):
        raise KlineError(
            f"{klines.path}: start minute {start_minute} is outside the file's "
            f"{len(klines.prices)} minutes; allowed are 0 to {len(klines.prices) - 1}"
        )
    bars = [
        [int((price / size).to_integral_value(ROUND_HALF_EVEN)) for price in prices]
        for prices in klines.prices[start_minute:]
    ]
    least, most = min(map(min, bars)), max(map(max, bars))
    if least < 1 or most > MAX_OUTSIDE_TICKS:
        raise KlineError(
            f"{klines.path}: prices are {least} to {most} ticks of {size}; allowed are "
            f"1 to {MAX_OUTSIDE_TICKS} ticks; choose another tick"
        )
    return np.array(bars, np.int64)


def _rows(path: Path) -> Iterator[_Row]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            lines = csv.reader(file)
            yield from _parsed(path, _numbered(lines))
    except OSError as error:
        raise KlineError(f"{path}: cannot be read ({error.strerror})") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise KlineError(f"{path}: is not a CSV text file ({error})") from error


def _numbered(lines) -> Iterator[tuple[int, list[str]]]:
    for fields in lines:
        if fields:
            yield lines.line_num, [field.strip() for field in fields]


def _parsed(path: Path, lines: Iterable[tuple[int, list[str]]]) -> Iterator[_Row]:
    columns: Sequence[str] | None = None
    for number, fields in lines:
        where = f"{path}, line {number}"
        if columns is None:
            columns = _columns(where, fields)
            if not _is_whole(fields[0]):
                continue
        if len(fields) != len(columns):
            raise KlineError(
                f"{where}: {len(fields)} columns where {len(columns)} are needed: "
                + ",".join(columns)
            )
        yield _row(where, dict(zip(columns, fields, strict=True)))


def _is_whole(text: str) -> bool:
    return text.lstrip("-").isdigit()


def _columns(where: str, fields: list[str]) -> Sequence[str]:
    """The layout of a file by its first line; a file without header is Binance's."""
    if _is_whole(fields[0]) and len(fields) == len(BINANCE_COLUMNS):
        return BINANCE_COLUMNS
    for known in (BINANCE_COLUMNS, LAB_COLUMNS):
        if tuple(fields) == known:
            return known
    raise KlineError(
        f"{where}: unknown columns {','.join(fields)}; allowed are "
        f"{','.join(BINANCE_COLUMNS)} (the header may be left out) or "
        f"{','.join(LAB_COLUMNS)}"
    )


def _row(where: str, fields: dict[str, str]) -> _Row:
    time = fields.get("open_time", fields.get("open_time_ms", ""))
    if not time.isdigit():
        raise KlineError(
            f"{where}: open time {time!r} is not a whole number of milliseconds or "
            "microseconds since 1970"
        )
    open_us = int(time) * (1 if int(time) >= _LEAST_MICROSECONDS else 1_000)
    opening, high, low, close = (
        _price(where, name, fields[name]) for name in ("open", "high", "low", "close")
    )
    if high < low:
        raise KlineError(f"{where}: high {high} is below low {low}")
    for name, value in (("open", opening), ("close", close)):
        if not low <= value <= high:
            raise KlineError(f"{where}: {name} {value} is outside {low} to {high}")
    return _Row(where, open_us, (opening, high, low, close))


def _price(where: str, name: str, text: str) -> Decimal:
    try:
        value = Decimal(text)
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite() or value <= 0:
        raise KlineError(f"{where}: {name} {text!r} is not a positive number")
    return value


def _checked_steps(rows: Iterable[_Row]) -> Iterator[_Row]:
    """The rows again, once each is known to open one minute after the last."""
    last = None
    for row in rows:
        step = None if last is None else row.open_us - last
        if step is not None and step <= 0:
            raise KlineError(
                f"{row.where}: opens at {row.open_us} us, not after the row before "
                f"({last} us); times must rise by one minute"
            )
        if step is not None and step != MINUTE_US:
            raise KlineError(
                f"{row.where}: a gap of {step // 1_000_000} s after the row before; "
                "times must rise by exactly 60 s, with no minute missing"
            )
        last = row.open_us
        yield row
