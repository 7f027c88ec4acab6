"""A kline file is read exactly, or refused with the place and what is allowed."""

from decimal import Decimal

import numpy as np
import pytest

from market.prices import KlineError, PriceError
from market.prices.klines import (
    BINANCE_COLUMNS,
    LAB_COLUMNS,
    bars_in_ticks,
    read_klines,
)

START_MS = 1_584_007_800_000
BARS = [
    ("7342.62", "7349.69", "7342.23", "7345.06"),
    ("7344.39", "7345.97", "7331.36", "7334.04"),
    ("7334.12", "7338.57", "7311.64", "7323.65"),
]
BINANCE_REST = "69.8,{close},512000,193,21.6,158000,0"


def binance_line(number, prices, unit=1):
    opened = (START_MS + 60_000 * number) * unit
    rest = BINANCE_REST.format(close=opened + 60_000 * unit - 1)
    return ",".join([str(opened), *prices, rest])


def lab_line(number, prices):
    opened = START_MS + 60_000 * number
    return f"{opened},2020-03-12T10:1{number}:00Z,{','.join(prices)},69.8,193,21.6"


def write(tmp_path, lines):
    path = tmp_path / "prices.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def binance(tmp_path, bars=BARS, unit=1, header=False):
    lines = [",".join(BINANCE_COLUMNS)] if header else []
    return write(
        tmp_path, lines + [binance_line(i, bar, unit) for i, bar in enumerate(bars)]
    )


@pytest.mark.parametrize("unit", [1, 1000])
@pytest.mark.parametrize("header", [False, True])
def test_binance_layout_is_read_with_and_without_header(tmp_path, unit, header):
    klines = read_klines(binance(tmp_path, unit=unit, header=header))
    assert klines.prices[1] == tuple(map(Decimal, BARS[1]))
    assert klines.open_us == tuple(1000 * START_MS + 60_000_000 * i for i in range(3))


def test_the_layout_with_readable_times_is_read(tmp_path):
    lines = [",".join(LAB_COLUMNS), *(lab_line(i, bar) for i, bar in enumerate(BARS))]
    assert read_klines(write(tmp_path, lines)).prices[2] == tuple(map(Decimal, BARS[2]))


def test_prices_become_the_nearest_ticks(tmp_path):
    bars = bars_in_ticks(read_klines(binance(tmp_path)), "0.5", start_minute=1)
    np.testing.assert_array_equal(bars[0], [14689, 14692, 14663, 14668])
    assert bars.dtype == np.int64
    assert bars.shape == (2, 4)


def test_a_tick_too_coarse_or_too_fine_is_refused(tmp_path):
    klines = read_klines(binance(tmp_path))
    with pytest.raises(KlineError, match="0 to 0 ticks"):
        bars_in_ticks(klines, 20_000)
    with pytest.raises(KlineError, match="allowed are 1 to"):
        bars_in_ticks(klines, "0.00001")
    with pytest.raises(PriceError, match="tick must be a positive number"):
        bars_in_ticks(klines, 0)


def test_a_start_outside_the_file_is_refused(tmp_path):
    with pytest.raises(KlineError, match="allowed are 0 to 2"):
        bars_in_ticks(read_klines(binance(tmp_path)), 1, start_minute=3)


GOOD = BARS[1]
BAD_PRICES = {
    "not_a_number": (("7344.39", "NaN", "7331.36", "7334.04"), "high 'NaN' is not"),
    "infinite": (("7344.39", "inf", "7331.36", "7334.04"), "high 'inf' is not"),
    "empty_field": (("", *GOOD[1:]), "open '' is not a positive number"),
    "zero": ((*GOOD[:2], "0", GOOD[3]), "low '0' is not a positive number"),
    "negative": ((*GOOD[:3], "-7334.04"), "close '-7334.04' is not a positive"),
    "high_below_low": (("7340", "7331", "7345", "7340"), "high 7331 is below low 7345"),
    "open_outside": (("7400", *GOOD[1:]), "open 7400 is outside 7331.36 to 7345.97"),
    "close_outside": ((*GOOD[:3], "7300"), "close 7300 is outside 7331.36 to"),
}


@pytest.mark.parametrize("name", BAD_PRICES)
def test_a_bad_price_names_file_and_line(tmp_path, name):
    bar, message = BAD_PRICES[name]
    path = binance(tmp_path, [BARS[0], bar, BARS[2]], header=True)
    with pytest.raises(KlineError) as caught:
        read_klines(path)
    assert str(caught.value).startswith(f"{path}, line 3: ")
    assert message in str(caught.value)


BAD_ROWS = {
    "gap": ([0, 1, 3], "line 3: a gap of 120 s"),
    "repeated": ([0, 1, 1], "line 3: opens at .* not after the row before"),
    "backwards": ([0, 2, 1], "line 2: a gap of 120 s"),
    "earlier": ([1, 0], "line 2: opens at .* not after"),
    "within_a_minute": ([0, 0.5], "line 2: a gap of 30 s"),
}


@pytest.mark.parametrize("name", BAD_ROWS)
def test_times_rise_by_one_minute(tmp_path, name):
    minutes, message = BAD_ROWS[name]
    lines = []
    for minute in minutes:
        opened = START_MS + int(60_000 * minute)
        lines.append(",".join([str(opened), *GOOD, BINANCE_REST.format(close=0)]))
    with pytest.raises(KlineError, match=message):
        read_klines(write(tmp_path, lines))


BAD_FILES = {
    "empty": ("", "holds no klines"),
    "header_only": (",".join(BINANCE_COLUMNS), "holds no klines"),
    "other_columns": ("time,price\n1,2", "line 1: unknown columns time,price"),
    "headless_but_narrow": ("1584007800000,1,1,1,1", "line 1: unknown columns"),
    "short_row": (",".join(BINANCE_COLUMNS) + "\n1,2,3", "line 2: 3 columns where 12"),
    "bad_time": (
        ",".join(LAB_COLUMNS) + "\nnoon,x,1,1,1,1,1,1,1",
        "line 2: open time 'noon' is not a whole number",
    ),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_bad_file_is_refused(tmp_path, name):
    text, message = BAD_FILES[name]
    path = tmp_path / "prices.csv"
    path.write_text(text)
    with pytest.raises(KlineError, match=message):
        read_klines(path)


def test_a_missing_and_a_binary_file_are_refused(tmp_path):
    with pytest.raises(KlineError, match="cannot be read"):
        read_klines(tmp_path / "nowhere.csv")
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(KlineError, match="not a CSV text file"):
        read_klines(tmp_path / "binary.csv")
