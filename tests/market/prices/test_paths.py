"""The one interface: replay, jump-diffusion, shocks and driven markets."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from market.numbers.randomness import run_key
from market.prices import (
    Driven,
    PriceError,
    Quote,
    Shock,
    check_prices,
    crash_prices,
    jump_diffusion_prices,
    price_path,
    read_klines,
    replay_prices,
)
from market.types.limits import MAX_OUTSIDE_TICKS
from tests.market.forms.jaxprs import inexact_dtypes

SECOND = 1_000_000
BLOCKS = 600
FIRST = Quote(50_000, 1)
DRIVEN = (
    Driven(Quote("2500", "0.1"), "1.2", "0.85"),
    Driven(Quote("30", "0.001"), "-0.8", "0.6"),
)


def kline_file(tmp_path, minutes=10):
    rows = []
    price = 50_000
    for minute in range(minutes):
        close = price + (-1) ** minute * 150 - 40
        high, low = max(price, close) + 60, min(price, close) - 70
        opened = 1_584_007_800_000 + 60_000 * minute
        rows.append(f"{opened},{price},{high},{low},{close},1,2,3,4,5,6,0")
        price = close
    path = tmp_path / "klines.csv"
    path.write_text("\n".join(rows) + "\n")
    return path


def one_path(spec, params, blocks=BLOCKS, block_us=SECOND):
    def path(run):
        return price_path(
            run_key(1, run), params, spec=spec, blocks=blocks, block_us=block_us
        )

    return np.asarray(jax.jit(path)(0))


def build(model, tmp_path):
    if model == "replay":
        return replay_prices(read_klines(kline_file(tmp_path)), 1, DRIVEN)
    if model == "crash":
        return crash_prices(FIRST, DRIVEN)
    return jump_diffusion_prices(
        FIRST,
        DRIVEN,
        jumps_per_hour=20,
        jump_mean="-0.01",
        jump_deviation="0.01",
        reversion_per_second="0.01",
        volatility_of_volatility="0.05",
    )


@pytest.mark.parametrize("model", ["replay", "crash", "jump_diffusion"])
def test_a_path_is_positive_repeatable_integer_and_free_of_lanes(model, tmp_path):
    spec, params = build(model, tmp_path)
    check_prices(params, spec=spec, blocks=BLOCKS, block_us=SECOND)

    def path(run):
        return price_path(
            run_key(5, run), params, spec=spec, blocks=BLOCKS, block_us=SECOND
        )

    lanes = np.asarray(jax.jit(jax.vmap(path))(jnp.arange(4)))
    single = np.asarray(jax.jit(path)(2))
    assert lanes.dtype == np.int64
    assert lanes.shape == (4, BLOCKS, 3)
    assert lanes.min() >= 1
    assert lanes.max() <= MAX_OUTSIDE_TICKS
    np.testing.assert_array_equal(single, lanes[2])
    assert all((lanes[0, 1:] != lanes[1, 1:]).any(axis=0))
    np.testing.assert_array_equal(
        lanes[:, 0], np.tile([50_000, 25_000, 30_000], (4, 1))
    )
    assert inexact_dtypes(path, 0) == set()


def test_a_replay_touches_every_minutes_extremes(tmp_path):
    spec, params = replay_prices(read_klines(kline_file(tmp_path)), 1)
    path = one_path(spec, params)
    minutes = np.asarray(path)[:, 0].reshape(10, 60)
    bars = np.asarray(params.model.bars)
    np.testing.assert_array_equal(minutes[:, 0], bars[:, 0])
    np.testing.assert_array_equal(minutes.max(axis=1), bars[:, 1])
    np.testing.assert_array_equal(minutes.min(axis=1), bars[:, 2])
    np.testing.assert_array_equal(minutes[:, -1], bars[:, 3])


def test_blocks_of_minutes_touch_the_extremes_of_merged_bars(tmp_path):
    spec, params = replay_prices(read_klines(kline_file(tmp_path, 16)), 1)
    path = one_path(spec, params, blocks=8, block_us=120 * SECOND)
    merged = np.asarray(path)[:, 0].reshape(2, 4)
    bars = np.asarray(params.model.bars).reshape(2, 8, 4)
    np.testing.assert_array_equal(merged.max(axis=1), bars[:, :, 1].max(axis=1))
    np.testing.assert_array_equal(merged.min(axis=1), bars[:, :, 2].min(axis=1))
    np.testing.assert_array_equal(merged[:, 0], bars[:, 0, 0])
    np.testing.assert_array_equal(merged[:, -1], bars[:, -1, 3])


def test_a_run_longer_than_its_file_is_refused(tmp_path):
    spec, params = replay_prices(read_klines(kline_file(tmp_path)), 1, start_minute=2)
    check_prices(params, spec=spec, blocks=480, block_us=SECOND)
    with pytest.raises(PriceError, match=r"holds 8 minutes .* lasts 9"):
        check_prices(params, spec=spec, blocks=481, block_us=SECOND)


def diffusion(runs=64, blocks=1000, block_us=SECOND, driven=(), shocks=(), **numbers):
    spec, params = jump_diffusion_prices(
        Quote(1_000_000, "0.01"), driven, shocks, **numbers
    )

    def path(run):
        return price_path(
            run_key(9, run), params, spec=spec, blocks=blocks, block_us=block_us
        )

    return np.asarray(jax.jit(jax.vmap(path))(jnp.arange(runs)))


def returns_of(paths):
    return np.diff(np.log(paths), axis=1)


@pytest.mark.parametrize("block_us", [50_000, 4 * SECOND])
def test_volatility_grows_with_the_root_of_time(block_us):
    steps = returns_of(diffusion(volatility="0.0003", block_us=block_us))
    assert steps.std() == pytest.approx(0.0003 * np.sqrt(block_us / 1e6), rel=0.02)
    assert abs(steps.mean()) < 4 * steps.std() / np.sqrt(steps.size)


def test_drift_is_per_hour():
    path = diffusion(runs=1, volatility=0, drift_per_hour="-0.36", blocks=1001)
    assert path[0, -1, 0] == pytest.approx(1e8 * np.exp(-0.1), rel=1e-6)


def test_jumps_come_at_their_rate_and_size():
    steps = returns_of(
        diffusion(
            volatility=0, jumps_per_hour=360, jump_mean="-0.01", jump_deviation="0.002"
        )
    )
    jumps = steps[steps != 0]
    expected = 0.1 * steps.size
    assert abs(jumps.size - expected) < 4 * np.sqrt(expected)
    assert jumps.mean() == pytest.approx(-0.01, rel=0.02)
    assert jumps.std() == pytest.approx(0.002, rel=0.05)


def test_stochastic_volatility_fattens_the_tails_and_clusters():
    steps = returns_of(
        diffusion(volatility_of_volatility="0.08", reversion_per_second="0.01")
    )[:, :, 0]
    plain = returns_of(diffusion())[:, :, 0]

    def kurtosis(x):
        return (x**4).mean() / (x**2).mean() ** 2

    assert kurtosis(plain) < 3.2
    assert kurtosis(steps) > 4
    size = np.abs(steps) - np.abs(steps).mean()
    assert (size[:, 1:] * size[:, :-1]).mean() / (size**2).mean() > 0.1


def test_a_shock_is_one_lasting_step_of_its_size():
    shocks = (Shock(100, "-0.1"), Shock("200.5", "0.05"))
    path = diffusion(runs=1, volatility=0, shocks=shocks)[0, :, 0]
    assert (path[:100] == 100_000_000).all()
    assert path[100:201] == pytest.approx(np.full(101, 9e7), abs=1)
    assert path[201:] == pytest.approx(np.full(799, 9e7 * 1.05), abs=1)


def test_driven_markets_have_their_beta_and_correlation():
    steps = returns_of(diffusion(runs=16, driven=DRIVEN))
    for market, beta, correlation in ((1, 1.2, 0.85), (2, -0.8, -0.6)):
        first, other = steps[:, :, 0].ravel(), steps[:, :, market].ravel()
        assert np.polyfit(first, other, 1)[0] == pytest.approx(beta, rel=0.05)
        assert np.corrcoef(first, other)[0, 1] == pytest.approx(correlation, abs=0.03)


def test_a_fully_correlated_market_has_no_noise_of_its_own():
    twin = (Driven(Quote(1_000_000, "0.01"), 1, 1),)
    paths = diffusion(runs=2, driven=twin)
    np.testing.assert_allclose(paths[:, :, 1], paths[:, :, 0], atol=1)


def test_own_noise_quietens_when_the_first_market_does():
    spec, params = crash_prices(FIRST, DRIVEN)
    path = one_path(spec, params, blocks=1800)
    steps = np.diff(np.log(path[:, :2]), axis=0)
    own = steps[:, 1] - 1.2 * steps[:, 0]
    assert own[:150].std() < own[900:1100].std() / 5


BAD_NUMBERS = {
    "price": (lambda: jump_diffusion_prices(Quote(0, 1)), "price must be a positive"),
    "tick": (lambda: jump_diffusion_prices(Quote(1, "x")), "tick of price must be"),
    "too_many_ticks": (
        lambda: jump_diffusion_prices(Quote(10**9, "0.01")),
        "allowed are 1 to 268435456",
    ),
    "volatility": (
        lambda: jump_diffusion_prices(FIRST, volatility="0.2"),
        "volatility must be from 0 to 0.1",
    ),
    "nan": (
        lambda: jump_diffusion_prices(FIRST, jump_mean=float("nan")),
        "jump_mean must be from",
    ),
    "correlation": (
        lambda: jump_diffusion_prices(FIRST, [Driven(FIRST, 1, "0.01")]),
        "correlation of market 2 must be from 0.05 to 1",
    ),
    "shock": (
        lambda: jump_diffusion_prices(FIRST, shocks=[Shock(1, -1)]),
        "shock must be from -0.95",
    ),
    "shock_time": (
        lambda: jump_diffusion_prices(FIRST, shocks=[Shock(-1, "0.1")]),
        "shock time must be zero or more",
    ),
}


@pytest.mark.parametrize("name", BAD_NUMBERS)
def test_a_number_out_of_range_is_named(name):
    make, message = BAD_NUMBERS[name]
    with pytest.raises(PriceError, match=message):
        make()
