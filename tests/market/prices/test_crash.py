"""A drawn crash has its published figures, whatever the seed, and is random else."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from market.numbers.randomness import run_key
from market.prices import (
    FIGURES,
    PriceError,
    Quote,
    check_prices,
    crash_prices,
    price_path,
)
from market.prices.crash import Figures, bar_plan, crash_phases

SECOND = 1_000_000
START = Quote(7344, "0.1")
RUNS = 12


def paths_of(name, blocks, block_us=SECOND, runs=RUNS):
    spec, params = crash_prices(START, figures=name)
    check_prices(params, spec=spec, blocks=blocks, block_us=block_us)
    path = _compiled(spec, blocks, block_us)
    return np.asarray(path(jnp.arange(runs), params))[:, :, 0]


_PROGRAMS = {}


def _compiled(spec, blocks, block_us):
    name = (spec, blocks, block_us)
    if name not in _PROGRAMS:
        _PROGRAMS[name] = jax.jit(
            jax.vmap(
                lambda run, params: price_path(
                    run_key(3, run), params, spec=spec, blocks=blocks, block_us=block_us
                ),
                in_axes=(0, None),
            )
        )
    return _PROGRAMS[name]


def measured(path, bars):
    """The figures as they are measured on recorded one-minute bars."""
    minutes = path.reshape(bars, -1)
    opened, closed = minutes[:, 0], minutes[:, -1]
    high, low = minutes.max(axis=1), minutes.min(axis=1)
    at_low = int(low.argmin())
    at_peak = int(high[: at_low + 1].argmax())
    return {
        "depth": 1 - low[at_low] / high[at_peak],
        "minutes": at_low - at_peak,
        "worst": -(closed / opened - 1).min(),
        "widest": ((high - low) / opened).max(),
        "rebound": high[at_low:].max() / low[at_low] - 1,
        "deviation": np.log(closed[1:] / closed[:-1]).std(),
    }


@pytest.mark.parametrize("name", FIGURES)
def test_an_hour_has_every_published_figure(name):
    published = FIGURES[name]
    for path in paths_of(name, 3600):
        found = measured(path, 60)
        assert found["minutes"] == published.minutes
        for figure in ("depth", "worst", "widest", "rebound"):
            exact = float(getattr(published, figure))
            assert found[figure] == pytest.approx(exact, abs=3e-5), figure
        ratio = found["deviation"] / float(published.deviation)
        assert 0.55 < ratio < 1.4


@pytest.mark.parametrize("name", ["2020-03-12", "2020-03-13", "2025-10-10"])
def test_half_an_hour_falls_faster_but_as_deep(name):
    published = FIGURES[name]
    for path in paths_of(name, 1800):
        found = measured(path, 30)
        assert found["minutes"] == 15
        for figure in ("depth", "worst", "widest", "rebound"):
            exact = float(getattr(published, figure))
            assert found[figure] == pytest.approx(exact, abs=3e-5), figure


def test_the_crash_starts_at_its_first_price_after_a_calm_lead_in():
    paths = paths_of("2020-03-12", 1800)
    assert (paths[:, 0] == 73_440).all()
    calm = paths[:, : 3 * 60]
    assert calm.max() / 73_440 < 1.003
    assert calm.min() / 73_440 > 0.995


def test_runs_differ_and_a_run_repeats():
    paths = paths_of("2020-03-12", 1800)
    assert len({path.tobytes() for path in paths}) == RUNS
    np.testing.assert_array_equal(paths, paths_of("2020-03-12", 1800))
    worst = [
        int((path.reshape(30, 60)[:, -1] / path.reshape(30, 60)[:, 0]).argmin())
        for path in paths
    ]
    assert len(set(worst)) >= 3


@pytest.mark.parametrize(
    ("blocks", "block_us"), [(3, SECOND), (64, SECOND), (60, 60 * SECOND)]
)
def test_short_runs_and_long_blocks_still_crash(blocks, block_us):
    paths = paths_of("2020-03-12", blocks, block_us)
    assert paths.shape == (RUNS, blocks)
    assert paths.min() >= 73_440 * 0.7
    assert (paths.min(axis=1) < 73_440 * 0.9).all()


@pytest.mark.parametrize("blocks", [1, 30, 96, 1800, 3600, 36_000])
@pytest.mark.parametrize("block_us", [50_000, SECOND, 12 * SECOND, 600 * SECOND])
@pytest.mark.parametrize("minutes", [8, 20, 38])
def test_the_timetable_covers_the_run_in_order(blocks, block_us, minutes):
    plan = bar_plan(blocks, block_us)
    phases = crash_phases(minutes, plan.bars)
    assert 0 < phases.peak < phases.low < phases.rebound < plan.bars
    assert plan.bars * plan.bar_us > (blocks * block_us - plan.bars) * plan.finer
    assert plan.bar_us >= 4 * block_us
    if blocks * block_us >= 60 * 60 * SECOND and block_us <= 15 * SECOND:
        assert phases.low - phases.peak == minutes


def test_figures_of_ones_own_are_hit_too():
    own = Figures("0.40", 12, "0.06", "0.15", "0.03", "0.30")
    spec, params = crash_prices(START, figures=own)
    check_prices(params, spec=spec, blocks=3600, block_us=SECOND)
    path = _compiled(spec, 3600, SECOND)(jnp.arange(RUNS), params)[0]
    found = measured(np.asarray(path)[:, 0], 60)
    assert found["depth"] == pytest.approx(0.40, abs=3e-5)
    assert found["minutes"] == 12


BAD_FIGURES = {
    "unknown": ("2008-09-15", "unknown crash '2008-09-15'; allowed are 2020-03-12"),
    "depth": (Figures("1.2", 20, "0.05", "0.1", "0.02", "0.2"), "depth must be from"),
    "order": (Figures("0.3", 20, "0.2", "0.1", "0.02", "0.2"), "widest minute"),
    "rebound": (Figures("0.3", 20, "0.05", "0.1", "0.02", "0.05"), "lie above that"),
    "minutes": (Figures("0.3", 3, "0.05", "0.1", "0.02", "0.2"), "8 or more"),
}


@pytest.mark.parametrize("name", BAD_FIGURES)
def test_figures_that_contradict_each_other_are_refused(name):
    figures, message = BAD_FIGURES[name]
    with pytest.raises(PriceError, match=message):
        crash_prices(START, figures=figures)


def test_a_fall_too_deep_for_its_minutes_is_refused_before_the_run():
    figures = Figures("0.6", 10, "0.02", "0.1", "0.01", "0.15")
    spec, params = crash_prices(START, figures=figures)
    with pytest.raises(PriceError, match=r"depth of 0\.600 needs more than 9"):
        check_prices(params, spec=spec, blocks=3600, block_us=SECOND)
