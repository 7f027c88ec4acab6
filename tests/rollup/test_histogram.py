"""Latencies counted in buckets, and the percentiles read back within their width."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from market.numbers.units import as_int
from rollup import histogram

RNG = np.random.default_rng(3)
VALUES = RNG.lognormal(12, 2, 5_000).astype(np.int64)
PERCENTILE = jax.jit(histogram.percentile_us, static_argnums=1)
ERROR = jax.jit(histogram.error_us, static_argnums=1)


def counted(values):
    empty = as_int([0] * histogram.BUCKETS)
    return histogram.add(empty, as_int(values), jnp.ones(len(values), bool))


def test_every_bucket_begins_where_the_one_before_ends():
    index = as_int(range(histogram.BUCKETS))
    edges = np.asarray(histogram.lower_edge(index))
    assert edges[0] == 0
    assert (np.diff(edges) == np.asarray(histogram.width(index))[:-1]).all()
    assert histogram.bucket(as_int(edges)).tolist() == index.tolist()
    assert histogram.bucket(as_int(edges[1:] - 1)).tolist() == index[:-1].tolist()


def test_a_bucket_is_16_us_wide_or_a_64th_of_what_it_holds():
    index = as_int(range(histogram.BUCKETS))
    edges = np.asarray(histogram.lower_edge(index))
    assert (np.asarray(histogram.width(index)) <= np.maximum(edges // 64, 16)).all()


def test_buckets_cover_every_latency_and_never_fall():
    values = as_int([-5, 0, 1, 15, 16, 1_024, 1 << 20, 1 << 41, 1 << 60])
    bucket = histogram.bucket(values).tolist()
    assert bucket == sorted(bucket)
    assert bucket[:5] == [0, 0, 0, 0, 1]
    assert bucket[-2:] == [histogram.BUCKETS - 1] * 2


@pytest.mark.parametrize("share_ppm", [10, 500_000, 950_000, 990_000, 1_000_000])
@pytest.mark.parametrize("count", [1, 2, 7, 5_000])
def test_a_percentile_is_closer_to_the_truth_than_its_error(share_ppm, count):
    values = VALUES[:count]
    rank = -(-count * share_ppm // 1_000_000)
    truth = int(np.sort(values)[rank - 1])
    found = int(PERCENTILE(counted(values), share_ppm))
    error = int(ERROR(counted(values), share_ppm))
    assert abs(found - truth) < error <= max(truth // 64, 16)


def test_two_samples_a_little_apart_have_percentiles_a_little_apart():
    """Edges of buckets would say that nothing changed, or a whole bucket at once."""
    values = RNG.integers(400_000, 600_000, 20_000)
    before = int(PERCENTILE(counted(values), 950_000))
    after = int(PERCENTILE(counted(values + 3_000), 950_000))
    assert after - before == pytest.approx(3_000, abs=600)


def test_no_values_have_no_percentile_and_uncounted_ones_leave_no_trace():
    empty = as_int([0] * histogram.BUCKETS)
    assert int(PERCENTILE(empty, 500_000)) == int(ERROR(empty, 500_000)) == 0
    skipped = histogram.add(empty, as_int([5_000]), jnp.array([False]))
    assert int(skipped.sum()) == 0
