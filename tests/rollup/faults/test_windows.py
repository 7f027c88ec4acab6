"""Faults strike when they are scheduled, as severely as said, and whom they name."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from market.numbers.randomness import run_key
from market.numbers.units import PPM, as_int
from market.types.orders import Kind
from rollup.faults.windows import (
    FaultKind,
    FaultParams,
    draw_windows,
    is_active,
    is_censored,
    severity,
)

SECOND = 1_000_000
IDLE = {
    "kind": 0,
    "start_us": 0,
    "duration_us": 0,
    "severity_ppm": PPM,
    "families": 0,
    "kinds": 0,
    "bias_ppm": 0,
    "markets": 0,
    "chance_ppm": PPM,
    "jitter_us": 0,
    "sigma_ppm": 0,
}
RUNS = 2_000


def faults(*rows) -> FaultParams:
    filled = [{**IDLE, **row} for row in rows]
    return FaultParams(
        **{name: as_int([int(row[name]) for row in filled]) for name in IDLE}
    )


def windows(*rows, run=0):
    return draw_windows(run_key(7, run), faults(*rows))


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
    assert is_active(drawn, jnp.int64(at * SECOND)).tolist() == [strikes]


def test_of_several_faults_of_one_kind_the_most_severe_counts():
    halt = {"kind": FaultKind.SEQUENCER_HALT, "duration_us": SECOND}
    drawn = windows(
        {**halt, "severity_ppm": 200_000},
        {**halt, "severity_ppm": 700_000},
        {**halt, "severity_ppm": 900_000, "start_us": SECOND},
        {"kind": FaultKind.DA_OUTAGE, "duration_us": SECOND},
    )
    assert int(severity(drawn, FaultKind.SEQUENCER_HALT, jnp.int64(0))) == 700_000
    assert int(severity(drawn, FaultKind.PROVER_DELAY, jnp.int64(0))) == 0


def test_no_faults_have_no_severity():
    assert int(severity(windows(), FaultKind.DA_OUTAGE, jnp.int64(0))) == 0


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
    drawn = many_windows({"duration_us": 171 * 60 * SECOND, "sigma_ppm": 1_250_000})
    minutes = (drawn.end_us - drawn.start_us)[:, 0] / (60 * SECOND)
    logs = np.log(np.asarray(minutes))
    assert np.exp(np.median(logs)) == pytest.approx(171, rel=0.1)
    assert logs.std() == pytest.approx(1.25, rel=0.06)


def test_a_fault_added_at_the_end_leaves_the_earlier_ones_as_they_were():
    random = {"duration_us": SECOND, "sigma_ppm": PPM, "jitter_us": 9 * SECOND}
    alone, together = windows(random), windows(random, random)
    assert alone.start_us[0] == together.start_us[0]
    assert alone.end_us[0] == together.end_us[0]
    assert together.start_us[0] != together.start_us[1]


def censored(drawn, now_us=0, luck=(0, 0, 0, 0)):
    """Four transactions: families 1 and 3, an order and a liquidation of each."""
    return is_censored(
        drawn,
        jnp.int64(now_us),
        jnp.array([1, 1, 3, 3]),
        jnp.array([Kind.ORDER, Kind.LIQUIDATE] * 2),
        jnp.array(luck),
    ).tolist()


def test_censorship_names_families_kinds_or_both():
    base = {"kind": FaultKind.CENSORSHIP, "duration_us": SECOND}
    family = windows({**base, "families": 1 << 3})
    kind = windows({**base, "kinds": 1 << Kind.LIQUIDATE})
    both = windows({**base, "families": 1 << 1, "kinds": 1 << Kind.LIQUIDATE})
    assert censored(family) == [False, False, True, True]
    assert censored(kind) == [False, True, False, True]
    assert censored(both) == [True, True, False, True]


def test_censorship_ends_with_its_window_and_other_faults_censor_no_one():
    base = {"families": 0b1111, "duration_us": SECOND}
    over = windows({**base, "kind": FaultKind.CENSORSHIP})
    other = windows({**base, "kind": FaultKind.SEQUENCER_HALT})
    assert not any(censored(over, now_us=SECOND))
    assert not any(censored(other))


def test_partial_censorship_hits_those_whose_luck_is_below_the_severity():
    drawn = windows(
        {
            "kind": FaultKind.CENSORSHIP,
            "duration_us": SECOND,
            "families": 0b1010,
            "severity_ppm": 300_000,
        }
    )
    luck = (0, 299_999, 300_000, 999_999)
    assert censored(drawn, luck=luck) == [True, True, False, False]
