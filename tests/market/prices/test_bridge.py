"""Between minutes the path honours each bar's open, high, low and close exactly."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from market.numbers.randomness import WHOLE_RUN, block_key, run_key
from market.prices.bridge import bar_grid, bridge, fold, merge_bars
from tests.market.forms.jaxprs import inexact_dtypes

SECOND = 1_000_000
MINUTE = 60 * SECOND
MAX_TICKS = 1 << 28
#: Block lengths that divide a minute and that do not, and the least a bar can hold.
GRIDS = {
    length: bar_grid(6 * MINUTE // length, length, MINUTE)
    for length in (SECOND, 7 * SECOND, 15 * SECOND, 50_000)
}


def key(run):
    return block_key(run_key(11, run), WHOLE_RUN)


@st.composite
def bars(draw, count=6):
    rows = []
    for _ in range(count):
        low = draw(st.one_of(st.integers(1, 50), st.integers(1, MAX_TICKS)))
        high = draw(st.integers(low, min(low * 2, MAX_TICKS)))
        inside = st.one_of(st.integers(low, high), st.sampled_from([low, high]))
        rows.append((draw(inside), high, low, draw(inside)))
    return np.array(rows, np.int64)


COMPILED = {
    length: jax.jit(lambda run, rows, grid=grid: bridge(key(run), rows, grid))
    for length, grid in GRIDS.items()
}


@pytest.mark.parametrize("length", GRIDS)
@given(rows=bars(), run=st.integers(0, 1000))
@settings(max_examples=40, deadline=None)
def test_each_bar_opens_closes_and_touches_its_extremes(length, rows, run):
    grid = GRIDS[length]
    path = np.asarray(COMPILED[length](run, rows))
    for row, first, size in zip(rows, grid.first, grid.size, strict=True):
        inside = path[first : first + size]
        if inside.size < size:  # the run ends inside this bar
            assert (inside >= row[2]).all() and (inside <= row[1]).all()
            continue
        assert inside[0] == row[0]
        assert inside.max() == row[1]
        assert inside.min() == row[2]
        assert inside[-1] == row[3]


@pytest.mark.parametrize("length", [1, 50_000, SECOND, 7 * SECOND, 13_333_333])
def test_every_bar_holds_the_blocks_that_start_in_it(length):
    grid = bar_grid(100, length, MINUTE)
    assert (grid.size >= 4).all()
    np.testing.assert_array_equal(grid.bar[:100], np.arange(100) * length // MINUTE)


def test_bars_shorter_than_four_blocks_are_refused():
    with pytest.raises(ValueError, match="fewer than four"):
        bar_grid(10, 16 * SECOND, MINUTE)


def test_merged_bars_keep_first_open_extremes_and_last_close():
    rows = jnp.array([[5, 9, 4, 6], [6, 7, 2, 3], [3, 8, 3, 8]])
    merged = merge_bars(rows, 2, 2)
    np.testing.assert_array_equal(merged, [[5, 9, 2, 3], [3, 8, 3, 8]])


@given(
    st.integers(-(10**6), 10**6), st.integers(-(10**6), 10**6), st.integers(0, 10**4)
)
@settings(max_examples=60, deadline=None)
def test_folding_stays_inside_and_lets_no_step_grow(a, b, span):
    low, high = -span // 3, span - span // 3
    at_a, at_b = int(fold(a, low, high)), int(fold(b, low, high))
    assert low <= at_a <= high
    assert abs(at_a - at_b) <= abs(a - b)
    if low <= a <= high:
        assert at_a == a


def test_extremes_fall_all_over_the_minute():
    rows = np.tile([100, 120, 80, 100], (6, 1))
    runs = jnp.arange(200)
    paths = np.asarray(jax.vmap(lambda run: COMPILED[SECOND](run, rows))(runs))
    at_high = paths.reshape(200, 6, 60).argmax(axis=2)
    assert at_high.min() <= 4
    assert at_high.max() >= 55
    assert 25 < at_high.mean() < 34


def test_the_bridge_is_as_wild_as_its_range_implies():
    rows = np.tile([100_000, 102_000, 98_000, 100_000], (6, 1))
    paths = np.asarray(
        jax.vmap(lambda run: COMPILED[SECOND](run, rows))(jnp.arange(100))
    )
    steps = np.diff(paths.reshape(100, 6, 60), axis=2)
    implied = 4000 / np.sqrt(4 * np.log(2))
    measured = np.sqrt((steps.astype(float) ** 2).sum(axis=2).mean())
    assert 0.9 < measured / implied < 1.3


def test_the_bridge_holds_no_float():
    rows = jnp.ones((6, 4), jnp.int64)
    assert inexact_dtypes(COMPILED[SECOND], 0, rows) == set()
