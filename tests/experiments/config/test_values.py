from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from experiments.config import values


@pytest.mark.parametrize(
    ("text", "us"),
    [
        ("250ms", 250_000),
        ("1.5h", 5_400_000_000),
        ("5 m", 300_000_000),
        ("7d", 604_800_000_000),
        ("3us", 3),
        ("0", 0),
        (0, 0),
    ],
)
def test_durations_are_microseconds(text, us):
    assert values.parse_duration(text) == us


@pytest.mark.parametrize("text", ["5", 5, "5 minutes", "-1s", "1m30s", True, None, "d"])
def test_a_duration_without_its_unit_is_refused(text):
    with pytest.raises(ValueError, match="duration such as"):
        values.parse_duration(text)


@given(st.integers(0, values.MAX_DURATION_US))
@settings(deadline=None)
def test_a_duration_survives_being_written_out(us):
    assert values.parse_duration(values.format_duration(us)) == us


@given(st.integers(-(2**52), 2**52))
@settings(deadline=None)
def test_a_ratio_and_an_amount_survive_being_written_out(whole):
    written = values.format_decimal(whole, 1_000_000)
    assert values.parse_ratio(written) == whole
    assert values.parse_usd(written) == whole


@pytest.mark.parametrize(
    ("text", "ppm"), [(0.02, 20_000), ("2%", 20_000), ("0.5 %", 5_000), (5, 5_000_000)]
)
def test_ratios_are_parts_per_million(text, ppm):
    assert values.parse_ratio(text) == ppm


def test_amounts_round_half_to_even_at_the_millionth():
    assert values.parse_usd(Decimal("0.0000015")) == 2
    assert values.parse_usd(Decimal("0.0000025")) == 2


@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), "1e400", "abc", [], True]
)
def test_a_number_that_is_none_is_refused(value):
    with pytest.raises(ValueError, match=r"must be|too large"):
        values.parse_ratio(value)


def test_a_number_that_would_vanish_is_refused():
    with pytest.raises(ValueError, match="finer than"):
        values.parse_ratio(1e-9)


def test_bounds_are_told_in_the_values_own_terms():
    adapter = TypeAdapter(values.ratio(0.001, 0.5))
    assert adapter.validate_python("50%") == 500_000
    with pytest.raises(ValidationError, match=r"at most 0\.5"):
        adapter.validate_python(0.6)
    with pytest.raises(ValidationError, match="at least 250ms"):
        TypeAdapter(values.duration("250ms")).validate_python("1ms")
