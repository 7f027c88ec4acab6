"""Which column of a price file is what: by its header, by its numbers, or as told.

Exchanges and tools name and order the columns of a bar in their own ways. A header is
read by the names that they use. Without one, the first column that holds times is the
time, and the four columns of numbers after it are open, high, low and close, as
Binance, Bybit, OKX and Kraken write them, or low, high, open and close, as Coinbase
does: the order in which high and low bound open and close in all rows. Where both do,
open equals low in every row, and both say the same.
"""

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from market.prices.containers import KlineError

PRICES = ("open", "high", "low", "close")
ROLES = ("time", *PRICES)
#: Rows that a layout without a header is known by.
SAMPLE = 1_000

_ORDERS = (PRICES, ("low", "high", "open", "close"))
#: Names of the columns, in letters and digits alone; of several times the first here.
_NAMES = {
    "time": (
        "opentimems opentime opentimestamp timeopen starttime startat start unix "
        "unixtimestamp unixtime epoch timestamp ts candlebegintime begintime time "
        "datetime opentimeutc timeutc date gmttime utctime"
    ).split(),
    "open": "open o openprice priceopen openingprice".split(),
    "high": "high h highprice pricehigh highestprice max".split(),
    "low": "low l lowprice pricelow lowestprice min".split(),
    "close": "close c closeprice priceclose closingprice last".split(),
}
_HEADER_EXAMPLE = "open_time,open,high,low,close"
_COLUMNS_EXAMPLE = "prices.columns: [time, open, high, low, close]"


class Layout(NamedTuple):
    """Where a bar's time and prices stand in a row.

    Attributes:
        places: of time, open, high, low and close, by role, from 0.
        header: the fields of the header; empty without one.
    """

    places: dict[str, int]
    header: tuple[str, ...] = ()


def plain(name: str) -> str:
    """A column's name in small letters and digits alone."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


def told_layout(columns: Sequence[str]) -> dict[str, int]:
    """The places that a user names, column by column from the left.

    Raises:
        KlineError: one of the five is not named, or named twice.
    """
    for role in ROLES:
        if columns.count(role) != 1:
            raise KlineError(
                f"prices.columns: {role} must stand once, it stands "
                f"{columns.count(role)} times; such as {_COLUMNS_EXAMPLE}"
            )
    return {role: list(columns).index(role) for role in ROLES}


def headed_layout(fields: Sequence[str], where: str) -> dict[str, int]:
    """The places by the names of a header.

    Raises:
        KlineError: one of the five has no known name, or two columns have it.
    """
    names = [plain(field) for field in fields]
    places = {}
    for role in ROLES:
        found = [name for name in _NAMES[role] if name in names]
        if not found:
            raise KlineError(
                f"{where}: unknown columns {','.join(fields)[:200]}: none is known as "
                f"the {role} of a bar; name them as in {_HEADER_EXAMPLE}, or say by "
                f"{_COLUMNS_EXAMPLE} what stands where"
            )
        if names.count(found[0]) > 1:
            raise KlineError(f"{where}: two columns are called {found[0]!r}")
        places[role] = names.index(found[0])
    return places


def guessed_layout(
    rows: Sequence[Sequence[str]], where: str, is_time: Callable[[str], bool]
) -> dict[str, int]:
    """The places in a file without a header, by what its first rows hold.

    Args:
        rows: of the file, fields as text.
        where: the file and its first line, for messages.
        is_time: whether a text can be a bar's time.

    Raises:
        KlineError: no column holds times, or no order of the prices is consistent.
    """
    first = rows[0]
    time = next((i for i, field in enumerate(first) if is_time(field)), None)
    numbers: list[int] = []
    if time is not None:
        numbers = [
            i
            for i in range(time + 1, len(first))
            if _number(first[i]) is not None and not is_time(first[i])
        ][:4]
    if time is None or len(numbers) < 4:
        raise KlineError(
            f"{where}: unknown columns {','.join(first)[:200]}: a time and four prices "
            f"are needed; give the file a header such as {_HEADER_EXAMPLE}, or say by "
            f"{_COLUMNS_EXAMPLE} what stands where"
        )
    sample = [[_number(row[i]) for i in numbers] for row in rows[:SAMPLE]]
    known = [bar for bar in sample if None not in bar]
    broken = [sum(not _bounds(order, bar) for bar in known) for order in _ORDERS]
    # A wrong bar or two are told with their line; more are another layout.
    if min(broken) * 4 > len(known):
        raise KlineError(
            f"{where}: no header, and the prices of {min(broken)} of the first "
            f"{len(known)} rows are neither open, high, low, close nor low, high, "
            f"open, close; say by {_COLUMNS_EXAMPLE} what stands where"
        )
    order = _ORDERS[broken.index(min(broken))]
    return {"time": time, **dict(zip(order, numbers, strict=True))}


def _number(text: str) -> float | None:
    """A number with a point, or with the comma of a spreadsheet."""
    try:
        return float(text.replace(",", "."))
    except ValueError:
        return None


def _bounds(order: Sequence[str], bar: Sequence) -> bool:
    """Whether high and low of a bar bound its open and close."""
    named = dict(zip(order, bar, strict=True))
    return named["low"] <= min(bar) and named["high"] >= max(bar)
