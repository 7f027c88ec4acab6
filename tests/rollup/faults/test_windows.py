"""Faults strike when they are scheduled, as severely as said, and whom they name."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from market.numbers.randomness import run_key
from market.numbers.units import PPM, as_int
from rollup.faults import FAULTS
from rollup.faults.windows import (
    FaultParams,
    conditions_of,
    draw_windows,
    strikes_of,
)

SECOND = 1_000_000
IDLE = {
    "kind": 0,
    "start_us": 0,
    "duration_us": 0,
    "severity_ppm": PPM,
    "targets": 0,
    "transactions": 0,
    "bias_ppm": 0,
    "markets": 0,
    "chance_ppm": PPM,
    "jitter_us": 0,
    "spread_ppm": 0,
}
RUNS = 2_000
#: Kinds by name, as `rollup.chain.ChainSpec.faults` counts them by default.
KIND = {name: number for number, name in enumerate(FAULTS)}


def faults(*rows) -> FaultParams:
    """Parameters of faults from what matters of each; a kind may be a name."""
    filled = [{**IDLE, **row} for row in rows]
    for row in filled:
        row["kind"] = KIND.get(row["kind"], row["kind"])
    return FaultParams(
        **{name: as_int([int(row[name]) for row in filled]) for name in IDLE}
    )


def windows(*rows, run=0):
    return draw_windows(run_key(7, run), faults(*rows))


def conditions(drawn, now_us=0, markets=2, reporters=5):
    """The conditions of a block under our kinds of faults."""
    return conditions_of(
        drawn,
        jnp.int64(now_us),
        faults=tuple(FAULTS.values()),
        markets=markets,
        reporters=reporters,
    )


def many_windows(*rows):
    """The windows of many runs, [R, F]."""
    keys = jax.vmap(lambda run: run_key(7, run))(jnp.arange(RUNS))
    return jax.jit(jax.vmap(draw_windows, (0, None)))(keys, faults(*rows))


def test_a_scheduled_fault_strikes_exactly_when_it_says():
    drawn = windows({"start_us": 10 * SECOND, "duration_us": 5 * SECOND})
    assert drawn.start_us.tolist() == [10 * SECOND]
    assert drawn.end_us.tolist() == [15 * SECOND]


@pytest.mark.parametrize(
    ("at", "strikes"), [(9, False), (10, True), (14, True), (15, False)]
)
def test_a_window_holds_its_start_and_not_its_end(at, strikes):
    drawn = windows({"start_us": 10 * SECOND, "duration_us": 5 * SECOND})
    struck = strikes_of(drawn, 0, jnp.int64(at * SECOND))
    assert struck.struck.tolist() == [strikes]
    assert int(struck.worst_ppm()) == strikes * PPM
    assert struck.since_us.tolist() == [(at - 10) * SECOND if strikes else 0]


def test_a_strike_is_of_one_kind_alone():
    drawn = windows(
        {"kind": "da_outage", "duration_us": SECOND},
        {"kind": "censorship", "duration_us": SECOND, "severity_ppm": 7},
    )
    strikes = strikes_of(drawn, KIND["censorship"], jnp.int64(0))
    assert strikes.struck.tolist() == [False, True]
    assert strikes.severity_ppm.tolist() == [0, 7]


def test_a_fault_happens_in_its_share_of_the_runs():
    drawn = many_windows(
        {"duration_us": SECOND, "chance_ppm": 0},
        {"duration_us": SECOND, "chance_ppm": 250_000},
        {"duration_us": SECOND, "chance_ppm": PPM},
    )
    share = (np.asarray(drawn.end_us) > np.asarray(drawn.start_us)).mean(axis=0)
    assert share[0] == 0
    assert share[1] == pytest.approx(0.25, abs=4 * 0.433 / RUNS**0.5)
    assert share[2] == 1


def test_a_jittered_start_is_uniform_after_the_scheduled_one():
    drawn = many_windows(
        {"start_us": 60 * SECOND, "duration_us": SECOND, "jitter_us": 10 * SECOND}
    )
    start = np.asarray(drawn.start_us)[:, 0]
    assert 60 * SECOND <= start.min() and start.max() < 70 * SECOND
    assert start.mean() == pytest.approx(65 * SECOND, rel=0.01)
    assert np.unique(start).size > 1_500
    assert (np.asarray(drawn.end_us)[:, 0] - start == SECOND).all()


def test_a_random_duration_has_the_median_and_spread_that_it_is_given():
    # The press reports of twenty outages: median 171 minutes, sigma 1.25.
    drawn = many_windows({"duration_us": 171 * 60 * SECOND, "spread_ppm": 1_250_000})
    minutes = (drawn.end_us - drawn.start_us)[:, 0] / (60 * SECOND)
    logs = np.log(np.asarray(minutes))
    assert np.exp(np.median(logs)) == pytest.approx(171, rel=0.1)
    assert logs.std() == pytest.approx(1.25, rel=0.06)


def test_a_fault_added_at_the_end_leaves_the_earlier_ones_as_they_were():
    random = {"duration_us": SECOND, "spread_ppm": PPM, "jitter_us": 9 * SECOND}
    alone, together = windows(random), windows(random, random)
    assert alone.start_us[0] == together.start_us[0]
    assert alone.end_us[0] == together.end_us[0]
    assert together.start_us[0] != together.start_us[1]
