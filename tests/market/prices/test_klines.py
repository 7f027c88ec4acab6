"""Files of the trade are read as they are, or refused with the place and what to do."""

import gzip
import io
import zipfile
from decimal import Decimal

import numpy as np
import pytest

from market.prices import KlineError
from market.prices.klines import parse_klines, read_klines

START = 1_735_689_600  # 2025-01-01 00:00 UTC
BARS = [
    ("93576.00", "93610.93", "93537.50", "93610.93"),
    ("93610.93", "93652.00", "93606.20", "93652.00"),
    ("93651.10", "93702.15", "93649.88", "93680.01"),
]


def rows(shape, bars=BARS, unit=1):
    """A file's rows from a pattern in the names of `names`."""
    return [shape.format(*names(n, bar, unit)) for n, bar in enumerate(bars)]


def names(number, bar, unit):
    """0 time, 1-4 open high low close, 5 readable time."""
    readable = f"2025-01-01 00:0{number}:00"
    return (START + 60 * number) * unit, *bar, readable


BINANCE = "{0},{1},{2},{3},{4},9.1,{0},852000.5,804,4.2,393000.1,0"
HEADS = {
    "binance": "open_time,open,high,low,close,volume,close_time,quote_volume,count,"
    "taker_buy_volume,taker_buy_quote_volume,ignore",
    "kaggle": "Open time,Open,High,Low,Close,Volume,Close time,Quote asset volume,"
    "Number of trades,Taker buy base,Taker buy quote,Ignore",
}
#: What exchanges and tools write: the rows' pattern, the unit of time, what is above.
LAYOUTS = {
    "binance in ms": (BINANCE, 1_000, []),
    "binance in us": (BINANCE, 1_000_000, []),
    "binance with its header": (BINANCE, 1_000, [HEADS["binance"]]),
    "kaggle": (BINANCE, 1_000, [HEADS["kaggle"]]),
    "bybit": ("{0},{1},{2},{3},{4},9.1,852000.5", 1_000, []),
    "bybit for metatrader": ("{5},{1},{2},{3},{4},9", 1, []),
    "okx": ("{0},{1},{2},{3},{4},9.1,9.1,852000,1", 1_000, []),
    "okx with its header": (
        "BTC-USDT,{1},{2},{3},{4},9,9,852000,{0},1",
        1_000,
        ["instrument_name,open,high,low,close,vol,vol_ccy,vol_quote,open_time,confirm"],
    ),
    "kraken": ("{0},{1},{2},{3},{4},9.1,5", 1, []),
    "kraken over http": ("{0},{1},{2},{3},{4},93600.0,9.1,5", 1, []),
    "coinbase": ("{0},{3},{2},{1},{4},9.1", 1, []),
    "coinbase with its header": (
        "{0},{3},{2},{1},{4},9.1",
        1,
        ["time,low,high,open,close,volume"],
    ),
    "bitstamp": (
        "{4},{2},{3},{1},{0},9.1",
        1,
        ["close,high,low,open,timestamp,volume"],
    ),
    "cryptodatadownload": (
        "{0},{5},BTC/USD,{1},{2},{3},{4},9.1,852000",
        1,
        [
            "https://www.CryptoDataDownload.com",
            "unix,date,symbol,open,high,low,close,Volume BTC,Volume USD",
        ],
    ),
    "readable times alone": (
        "{5},{1},{2},{3},{4}",
        1,
        ["Date,Open,High,Low,Close"],
    ),
    "nanoseconds": ("{0},{1},{2},{3},{4}", 1_000_000_000, []),
    "beside a readable time": ("{0},{5},{1},{2},{3},{4},9", 1_000, []),
    "symbol first": ("BTCUSDT,{0},{1},{2},{3},{4}", 1, []),
}


def read(lines, encode=str.encode, join="\n"):
    return parse_klines(encode(join.join(lines) + join), "p.csv")


def is_right(klines):
    assert [tuple(map(Decimal, bar)) for bar in klines.prices] == [
        tuple(map(Decimal, bar)) for bar in BARS
    ]
    np.testing.assert_array_equal(
        klines.open_us, [(START + 60 * n) * 1_000_000 for n in range(3)]
    )


@pytest.mark.parametrize("newest_first", [False, True])
@pytest.mark.parametrize("name", LAYOUTS)
def test_the_layouts_of_the_trade_are_read(name, newest_first):
    shape, unit, head = LAYOUTS[name]
    bars = rows(shape, unit=unit)
    is_right(read([*head, *(reversed(bars) if newest_first else bars)]))


def quoted(line):
    return ",".join(f'"{field}"' for field in line.split(","))


def mixed_units():
    return [*rows(BINANCE, unit=1_000)[:1], *rows(BINANCE, unit=1_000_000)[1:]]


def untraded():
    """A minute without a trade, as one archive has it, is a minute that is missing."""
    shape = "{0},{1},{2},{3},{4},9"
    return [*rows(shape), f"{START + 180},NaN,NaN,NaN,NaN,NaN"]


PLAIN = rows(BINANCE, unit=1_000)
HABITS = {
    "semicolons": [line.replace(",", ";") for line in PLAIN],
    "semicolons and commas in numbers": [
        line.replace(",", ";").replace(".", ",") for line in PLAIN
    ],
    "tabs": [line.replace(",", "\t") for line in PLAIN],
    "quotes": list(map(quoted, PLAIN)),
    "spaces around fields": [line.replace(",", " , ") + "  " for line in PLAIN],
    "blank lines at the end": [*PLAIN, "   ", "", ""],
    "a blank line at the top": ["", *PLAIN],
    "a comma at the end": [line + "," for line in PLAIN],
    "times with a fraction": [line.replace("000,", "000.0,", 1) for line in PLAIN],
    "milliseconds, then microseconds": mixed_units(),
    "volume that is no number": [line.replace(",9.1,", ",NaN,") for line in PLAIN],
    "the header again": [HEADS["binance"], PLAIN[0], HEADS["binance"], *PLAIN[1:]],
    "a minute twice": [*PLAIN, PLAIN[1]],
    "out of order": [PLAIN[1], PLAIN[0], PLAIN[2]],
    "a minute without a trade": untraded(),
}


@pytest.mark.parametrize("name", HABITS)
def test_the_habits_of_tools_are_read(name):
    klines = read(HABITS[name])
    seen = np.unique(klines.open_us, return_index=True)[1]
    klines = klines._replace(open_us=klines.open_us[seen], prices=klines.prices[seen])
    if name == "semicolons and commas in numbers":
        klines.prices[:] = [[p.replace(",", ".") for p in b] for b in klines.prices]
    is_right(klines)


def zipped(data, *others):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("BTCUSDT-1m-2025-01-01.csv", data)
        for other in others:
            archive.writestr(other, "x")
    return packed.getvalue()


@pytest.mark.parametrize(
    "encode",
    [
        str.encode,
        lambda text: text.encode("utf-8-sig"),
        lambda text: text.encode("utf-16"),
        lambda text: b"\xfe\xff" + text.encode("utf-16-be"),
        lambda text: gzip.compress(text.encode()),
        lambda text: zipped(text.encode()),
        lambda text: zipped(text.encode(), "__MACOSX/._x"),
    ],
)
def test_packed_and_encoded_files_are_read(encode):
    is_right(read(PLAIN, encode))
    is_right(read(PLAIN, encode, join="\r\n"))


def test_a_file_without_a_header_is_read_as_told():
    told = ["high", "low", "_", "close", "open", "time"]
    lines = rows("{2},{3},7,{4},{1},{0}")
    is_right(parse_klines("\n".join(lines).encode(), "p.csv", told))


BROKEN = {
    "empty": ([], "holds no klines"),
    "header_only": ([HEADS["binance"]], "holds no klines"),
    "no_table": (["hello"], "line 1: unknown columns hello"),
    "unknown": (["a,b,c,d,e", "1,2,3,4,5"], "none is known as the time .*prices.col"),
    "no_low": (["time,open,high,close,x", "1,2,3,4,5"], "known as the low of a bar"),
    "narrow": (["1735689600000,1,2"], "unknown columns"),
    "four": (["1735689600000,1,2,3,x"], "a time and four prices are needed"),
    "shuffled": (rows("{0},{2},{1},{4},{3}"), "no header, .*prices.columns"),
    "short_row": ([*PLAIN, "1735689780000,1"], None),
    "long_row": ([*PLAIN, PLAIN[0] + ",1,2"], r"not a CSV table \(Expected 12 fields"),
    "bad_time": ([*PLAIN, PLAIN[0].replace("17", "x7", 1)], "line 4: open time 'x7"),
    "digit_that_is_none": ([*PLAIN, "²" + PLAIN[0][1:]], "line 4: open time '²735"),
    "half_a_second": ([*PLAIN, "1735689780000.5" + PLAIN[0][13:]], "line 4: open time"),
    "endless_time": ([*PLAIN, "9" * 30 + PLAIN[0][13:]], "line 4: open time '999"),
    "json": (['[["1735689600000","1"]]'], "JSON; save it as CSV"),
    "web_page": (["<html><body>"], "a web page; download the file"),
    "two_times": (["time,time,open,high,low,close", "1,1,1,1,1,1"], "two columns"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_no_price_file_is_refused_with_what_to_do(name):
    lines, message = BROKEN[name]
    if message is None:
        assert (
            len(read(lines).line) == 4
        )  # a bar that is short is told where it is used
        return
    with pytest.raises(KlineError, match=f"p.csv.*{message}"):
        read(lines)


DAMAGED = {
    "binary": (b"\xff\x00\x81\x00\xfe", "not a CSV text file"),
    "zeros": (b"\x00" * 100, "not a CSV text file"),
    "cut_zip": (zipped(b"x" * 9000)[:60], "damaged zip"),
    "zip_of_two": (zipped(b"x", "other.csv"), "holds 2 files"),
    "cut_gzip": (gzip.compress(b"x" * 9000)[:20], "damaged gzip"),
    "parquet": (b"PAR1xxxx", "a Parquet file; save it as CSV"),
    "cut_utf16": ("1,2,3,4".encode("utf-16")[:-1], "not a CSV text file"),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_damaged_and_foreign_files_are_named(name):
    data, message = DAMAGED[name]
    with pytest.raises(KlineError, match=f"p.csv: .*{message}"):
        parse_klines(data, "p.csv")


@pytest.mark.parametrize("pack", [gzip.compress, zipped])
def test_a_file_that_unpacks_to_too_much_is_refused(pack, monkeypatch):
    monkeypatch.setattr("market.prices.containers.MAX_BYTES", 1_000)
    with pytest.raises(KlineError, match=r"unpacked: 1,001 bytes; at most 1,000"):
        parse_klines(pack(b"0" * 100_000), "p.csv")


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    with pytest.raises(KlineError, match="cannot be read"):
        read_klines(tmp_path / "nowhere.csv")
    with pytest.raises(KlineError, match="is not a regular file"):
        read_klines(tmp_path)


@pytest.mark.parametrize("columns", [["time", "open"], ["time"] * 5])
def test_columns_that_leave_something_out_are_refused(columns):
    with pytest.raises(KlineError, match=r"prices\.columns: .* must stand once"):
        parse_klines("\n".join(PLAIN).encode(), "p.csv", columns)
