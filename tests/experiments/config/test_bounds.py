"""What is too large is refused by its number, before anything is made of it."""

import time

import pytest

from experiments import config
from experiments.config.errors import ConfigError

FEES = [fee * 1e-6 for fee in range(1, 401)]
TOO_LARGE = [
    (
        {"sweep": {"venue.taker_fee": FEES, "venue.maker_fee": FEES[:300]}},
        r"120,000 points; plan\.most_points = 10,000",
    ),
    (
        {"sweep": {"venue.taker_fee": [*range(1_000_000)]}},
        r"sweep\.venue\.taker_fee: 1,000,000 values; at most 100,000",
    ),
    (
        {"sweep": {"venue.taker_fee": FEES}, "runs": 5_000},
        r"400 points x 5,000 runs are 2,000,000; plan\.most_runs = 1,000,000",
    ),
    (
        {"populations": {"leveraged_traders": {"count": 1_000_001}}},
        "must be at most 1000000",
    ),
    ({"seed": 10**5000}, "seed = a number of thousands of digits"),
    ({"prices": {"model": "crash", "start": {"BTC": "1e999999"}}}, "too large"),
    ({"prices": {"model": "crash", "start": {"BTC": "1e-999999"}}}, "is finer than"),
    ({"oracle": {"delay": "9" * 5000 + "s"}}, "is too large"),
    ({"oracle": {"delay": "٣s"}}, "must be a duration"),
    ({"venue": {"taker_fee": "²"}}, "must be a fraction"),
    ({"x" * 5000: 1}, "unknown key"),
    ({"checks": ["bad_debt"] * 3, "name": "\ud800"}, "name"),
]


@pytest.mark.parametrize(("document", "problem"), TOO_LARGE)
def test_what_is_too_large_is_named_at_once(document, problem):
    started = time.monotonic()
    with pytest.raises(ConfigError, match=problem) as caught:
        config.load(document)
    assert time.monotonic() - started < 5
    assert all(len(text) < 2_000 for text in caught.value.problems)


def test_a_bound_of_points_can_be_raised():
    sweep = {"venue.taker_fee": FEES[:3]}
    with pytest.raises(ConfigError, match="3 points"):
        config.load({"sweep": sweep, "plan": {"most_points": 2}})
    assert len(config.load({"sweep": sweep, "plan": {"most_points": 3}}).points) == 3


@pytest.mark.parametrize("key", ["9" * 5000, "faults.²", "a" * 9000, "..", "faults.00"])
def test_a_key_of_any_kind_is_answered(key):
    with pytest.raises(ConfigError):
        config.load({}, {key: 1})
