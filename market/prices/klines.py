"""Reads the rows of price files of the trade, on the host.

What the exchanges publish and common tools write is read as it is: any column layout of
`market.prices.layouts`, a comma, semicolon, tab or bar between fields, seconds to
nanoseconds or readable times (UTC), newest or oldest first, a header once, again or
never, zipped or not (`market.prices.containers`).

What a run makes of the rows, and what is refused in them: `market.prices.bars`.
"""

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from market.prices.bar_times import is_time, microseconds
from market.prices.containers import KlineError, read_price_file, text_of
from market.prices.layouts import (
    PRICES,
    ROLES,
    Layout,
    guessed_layout,
    headed_layout,
    plain,
    told_layout,
)

#: Lines at the top of a file within which its header or first bar stands.
_TOP = 20
_SEPARATORS = ",;\t|"
_NOTHING = ("", "nan", "null", "none", "n/a", "na", "-")


class Klines(NamedTuple):
    """The rows of a file, by time; prices are still text.

    Attributes:
        name: of the file.
        open_us: microseconds since 1970 at which each row opens, rising, int64 [K].
        line: of each row in the file, from 1, int64 [K].
        prices: open, high, low and close as written, object [K, 4].
    """

    name: str
    open_us: np.ndarray
    line: np.ndarray
    prices: np.ndarray

    def where(self, row: int) -> str:
        """The place of a row, for a message."""
        return f"{self.name}, line {self.line[row]}"


def read_klines(path: str | Path, columns: Sequence[str] = ()) -> Klines:
    """The rows of a price file, as `parse_klines`."""
    return parse_klines(read_price_file(path), str(path), columns)


def parse_klines(data: bytes, name: str, columns: Sequence[str] = ()) -> Klines:
    """The rows of a price file.

    Args:
        data: the bytes of the file.
        name: of the file, for messages.
        columns: what each column is, from the left; empty: as header or numbers say.

    Raises:
        KlineError: it is no CSV, its columns are not known, or a time is none.
    """
    text = text_of(data, name)
    top = _top_lines(text, name)
    start, separator = _first_line(top, name)
    table = _table(text, name, start, separator)
    layout = _layout(table, f"{name}, line {start + 1}", columns)
    fields = table.iloc[:, [layout.places[role] for role in ROLES]]
    fields = fields.set_axis(list(ROLES), axis=1)
    kept = fields[_is_bar(table, fields, layout)]
    if kept.empty:
        raise KlineError(f"{name}: holds no klines; at least one row is needed")
    lines = kept.index.to_numpy() + start + 1
    unit = plain(layout.header[layout.places["time"]]) if layout.header else ""
    opened = microseconds(kept["time"], lines, name, in_ms=unit.endswith("ms"))
    order = np.argsort(opened, kind="stable")
    prices = kept[list(PRICES)].to_numpy(dtype=object)
    return Klines(name, opened[order], lines[order], prices[order])


def _top_lines(text: str, name: str) -> list[str]:
    lines = text[:100_000].splitlines()[:_TOP]
    if not any(line.strip() for line in lines):
        raise KlineError(f"{name}: holds no klines; at least one row is needed")
    return lines


def _first_line(top: Sequence[str], name: str) -> tuple[int, str]:
    """Where the header or the first bar stands, from 0, and what parts its fields.

    Notes above it, such as an address of the publisher, have fewer fields.
    """
    for number, line in enumerate(top):
        separator = max(_SEPARATORS, key=line.count)
        if line.count(separator) >= len(ROLES) - 1:
            return number, separator
    raise KlineError(
        f"{name}, line 1: unknown columns {top[0][:80]}; a time and four prices are "
        "needed, with a comma, semicolon or tab between them"
    )


def _table(text: str, name: str, start: int, separator: str) -> Any:
    """Every line from ``start`` on as text fields, so that row K is line K + start."""
    import pandas as pd

    try:
        table = pd.read_csv(
            io.StringIO(text),
            header=None,
            sep=separator,
            skiprows=start,
            dtype="string[pyarrow]",
            na_filter=False,
            skip_blank_lines=False,
            skipinitialspace=True,
        )
    except (pd.errors.ParserError, csv.Error, ValueError) as error:
        told = str(error).split("C error: ")[-1].strip()
        raise KlineError(f"{name}: is not a CSV table ({told})") from None
    return table.apply(lambda column: column.fillna("").str.strip())


def _layout(table: Any, where: str, columns: Sequence[str]) -> Layout:
    first = tuple(table.iloc[0])
    has_header = not any(map(is_time, first))
    if columns:
        if len(columns) > len(first):
            raise KlineError(
                f"{where}: {len(first)} columns, and prices.columns names "
                f"{len(columns)}"
            )
        return Layout(told_layout(columns), first if has_header else ())
    if has_header:
        return Layout(headed_layout(first, where), first)
    rows = table.head(2_000).to_numpy(dtype=object)
    bars = [row for row in rows if is_time(row[_time_place(first)])]
    return Layout(guessed_layout(bars, where, is_time))


def _time_place(first: Sequence[str]) -> int:
    return next(i for i, field in enumerate(first) if is_time(field))


def _is_bar(table: Any, fields: Any, layout: Layout) -> Any:
    """Which rows are bars: no blank line, no header again, no bar without a trade."""
    blank = (table == "").all(axis=1)
    again = (table == list(layout.header)).all(axis=1) if layout.header else blank
    prices = fields[list(PRICES)]
    untraded = prices.apply(lambda c: c.str.lower().isin(_NOTHING)).all(axis=1)
    untraded[untraded] = fields["time"][untraded].map(is_time)
    return ~(blank | again | untraded)
