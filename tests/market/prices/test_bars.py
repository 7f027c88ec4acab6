"""What a run uses of a price file is right, filled as asked, or named with its line."""

import numpy as np
import pytest

from market.prices import KlineError, PriceError
from market.prices.bars import bars_in_ticks
from market.prices.klines import parse_klines

START = 1_735_689_600
BARS = [
    ("7342.62", "7349.69", "7342.23", "7345.06"),
    ("7344.39", "7345.97", "7331.36", "7334.04"),
    ("7334.12", "7338.57", "7311.64", "7323.65"),
]


def file_of(minutes, bars=None):
    """Klines of these minutes, as Kraken writes them."""
    bars = bars or [BARS[i % 3] for i in range(len(minutes))]
    lines = [
        f"{START + int(60 * minute)},{','.join(bar)},1,1"
        for minute, bar in zip(minutes, bars, strict=True)
    ]
    return parse_klines("\n".join(lines).encode(), "p.csv", ["time", *ORDER])


ORDER = ["open", "high", "low", "close"]


def test_prices_become_the_nearest_ticks():
    bars = bars_in_ticks(file_of(range(3)), "0.5", start_minute=1)
    np.testing.assert_array_equal(bars[0], [14689, 14692, 14663, 14668])
    assert bars.dtype == np.int64
    assert bars.shape == (2, 4)


def test_a_tick_too_coarse_or_too_fine_is_refused():
    klines = file_of(range(3))
    with pytest.raises(KlineError, match="0 to 0 ticks"):
        bars_in_ticks(klines, 20_000)
    with pytest.raises(KlineError, match="allowed are 1 to"):
        bars_in_ticks(klines, "0.00001")
    with pytest.raises(PriceError, match="tick must be a positive number"):
        bars_in_ticks(klines, 0)


def test_a_start_outside_the_file_is_refused():
    with pytest.raises(KlineError, match="allowed are 0 to 2"):
        bars_in_ticks(file_of(range(3)), 1, start_minute=3)


GOOD = BARS[1]
BAD_PRICES = {
    "not_a_number": (("7344.39", "NaN", "7331.36", "7334.04"), "high 'NaN' is not"),
    "infinite": (("7344.39", "inf", "7331.36", "7334.04"), "high 'inf' is not"),
    "endless": (("7344.39", "1e999999", "7331.36", "7334.04"), "high '1e999999' is"),
    "vanishing": ((*GOOD[:2], "1e-99999", GOOD[3]), "low '1e-99999' is not"),
    "empty_field": (("", *GOOD[1:]), "open '' is not a positive number"),
    "words": (("x", *GOOD[1:]), "open 'x' is not a positive number"),
    "zero": ((*GOOD[:2], "0", GOOD[3]), "low '0' is not a positive number"),
    "negative": ((*GOOD[:3], "-7334.04"), "close '-7334.04' is not a positive"),
    "high_below_low": (("7340", "7331", "7345", "7340"), "high 7331 is below low 7345"),
    "open_outside": (("7400", *GOOD[1:]), "open 7400 is outside 7331.36 to 7345.97"),
    "close_outside": ((*GOOD[:3], "7300"), "close 7300 is outside 7331.36 to"),
}


@pytest.mark.parametrize("name", BAD_PRICES)
def test_a_bad_price_names_file_and_line(name):
    bar, message = BAD_PRICES[name]
    klines = file_of(range(3), [BARS[0], bar, BARS[2]])
    with pytest.raises(KlineError) as caught:
        bars_in_ticks(klines, 1)
    assert str(caught.value).startswith(f"p.csv, line 2: {message}")


def test_what_lies_outside_of_the_window_is_not_asked():
    bad = ("7340", "7331", "7345", "7340")
    klines = file_of([0, 1, 2, 3, 9], [bad, *BARS, bad])
    assert bars_in_ticks(klines, 1, start_minute=1, minutes=3).shape == (3, 4)


BAD_TIMES = {
    "gap": ([0, 1, 3], r"line 3: a gap of 120 s .*00:02 UTC.*prices\.gaps"),
    "twice_with_other_prices": ([0, 1, 1], "line 3: its minute stands on line 2"),
    "within_a_minute": ([0, 0.5], "line 2: opens 30 s after a whole minute"),
    "longer_bars": ([0, 5, 10, 15], "a gap of 300 s .*holds longer bars"),
}


@pytest.mark.parametrize("name", BAD_TIMES)
def test_every_minute_of_the_window_stands_once(name):
    minutes, message = BAD_TIMES[name]
    with pytest.raises(KlineError, match=message):
        bars_in_ticks(file_of(minutes), 1)


CLOSE = 7334


@pytest.mark.parametrize(
    ("gaps", "filled"),
    [
        ("hold", [[CLOSE] * 4, [CLOSE] * 4]),
        ("interpolate", [[7334, 7335, 7334, 7335], [7335, 7336, 7335, 7336]]),
    ],
)
def test_missing_minutes_are_filled_as_asked(gaps, filled):
    bars = [BARS[0], BARS[1], ("7337.04", "7338", "7335", "7336")]
    ticks = bars_in_ticks(file_of([0, 1, 4], bars), 1, gaps=gaps)
    assert ticks.shape == (5, 4)
    assert ticks[1, 3] == CLOSE
    np.testing.assert_array_equal(ticks[2:4], filled)


def test_a_line_over_the_end_of_the_window_leads_to_the_row_after_it():
    klines = file_of([0, 1, 4])
    whole = bars_in_ticks(klines, "0.01", gaps="interpolate")
    cut = bars_in_ticks(klines, "0.01", minutes=3, gaps="interpolate")
    np.testing.assert_array_equal(cut, whole[:3])


@pytest.mark.parametrize("gaps", ["hold", "interpolate"])
def test_a_row_of_another_century_costs_no_more_than_the_window(gaps):
    far = file_of([0, 1, 3e7])
    ticks = bars_in_ticks(far, "0.01", minutes=30, gaps=gaps)
    assert ticks.shape == (30, 4)


def test_a_window_that_begins_in_a_gap_has_no_price_to_begin_with():
    with pytest.raises(KlineError, match="first minute that the run uses is missing"):
        bars_in_ticks(file_of([0, 1, 4, 5]), 1, start_minute=2, gaps="hold")
