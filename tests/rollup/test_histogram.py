"""Latencies counted in eight buckets an octave, and the percentiles read back."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rollup import histogram

VALUES = np.random.default_rng(3).lognormal(12, 2, 5_000).astype(np.int64)


def counted(values):
    empty = jnp.zeros((histogram.BUCKETS,), jnp.int64)
    return histogram.add(empty, jnp.asarray(values), jnp.ones(len(values), bool))


def test_a_bucket_holds_what_is_below_its_edge_and_above_the_edge_before():
    values = jnp.asarray(np.unique(np.clip(VALUES, 1_024, 1 << 41)))
    bucket = histogram.bucket(values)
    assert (values < histogram.upper_edge(bucket)).all()
    assert (values[bucket > 0] >= histogram.upper_edge(bucket - 1)[bucket > 0]).all()


def test_buckets_cover_every_latency_and_never_fall():
    values = jnp.array([-5, 0, 1, 1_023, 1_024, 1_152, 1 << 20, 1 << 41, 1 << 60])
    bucket = histogram.bucket(values).tolist()
    assert bucket == sorted(bucket)
    assert bucket[:5] == [0] * 5 and bucket[5] == 1
    assert bucket[-1] == histogram.BUCKETS - 1


@pytest.mark.parametrize("share_ppm", [500_000, 950_000, 990_000])
def test_a_percentile_is_at_most_an_eighth_above_the_truth(share_ppm):
    values = np.maximum(VALUES, 1_024)
    rank = -(-len(values) * share_ppm // 1_000_000)
    truth = int(np.sort(values)[rank - 1])
    found = int(jax.jit(histogram.percentile_us)(counted(values), share_ppm))
    assert truth < found <= truth + truth // 8 + 1


def test_no_values_have_no_percentile_and_uncounted_ones_leave_no_trace():
    empty = jnp.zeros((histogram.BUCKETS,), jnp.int64)
    assert int(histogram.percentile_us(empty, 500_000)) == 0
    skipped = histogram.add(empty, jnp.array([5_000]), jnp.array([False]))
    assert int(skipped.sum()) == 0
