"""Keys, streams and draws: every bit is named, integer, and where it was pinned."""

import zlib
from decimal import Decimal, localcontext

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special, stats

from market.numbers.logarithms import Q32, exp_q32, log_q32, scale_q32, sqrt_q16
from market.numbers.quantiles import (
    Q24,
    exponential_q24,
    exponential_table,
    log_normal,
    normal_q24,
    normal_table,
)
from market.numbers.randomness import (
    WHOLE_RUN,
    Stream,
    bernoulli_ppm,
    block_key,
    draw_words,
    run_key,
    split_word,
    uniform_int,
)
from tests.market.forms.jaxprs import inexact_dtypes

COUNT = 1 << 18
WORDS = draw_words(block_key(run_key(7, 0), 3), Stream.TRADERS, (COUNT,))


def words_of(seed, run, block, stream, count=3):
    key = block_key(run_key(seed, run), block)
    return [int(word) for word in draw_words(key, stream, (count,))]


PINNED = {
    (7, 0, 0, Stream.MAKERS): [3981675596, 4079315718, 181783540],
    (7, 0, 0, Stream.ORACLE): [520203879, 3533935668, 3821226725],
    (7, 1, 0, Stream.ORACLE): [3308391136, 2138593900, 3062545443],
    (7, 1, 5, Stream.NETWORK): [3328870446, 3280704033, 44526179],
    (7, 1, WHOLE_RUN, Stream.POPULATION): [1184254106, 2296674960, 3712741546],
    (1 << 40, 0, 0, Stream.OUTSIDE): [3350391723, 220048244, 3906923018],
}


@pytest.mark.parametrize("name", PINNED)
def test_the_raw_bits_of_a_stream_are_pinned(name):
    assert words_of(*name) == PINNED[name]


def test_every_part_of_a_draws_name_changes_its_bits():
    names = [(7, 0, 0, 1), (8, 0, 0, 1), (7, 1, 0, 1), (7, 0, 1, 1), (7, 0, 0, 2)]
    drawn = {tuple(words_of(*name)) for name in names}
    assert len(drawn) == len(names)


def test_streams_have_distinct_numbers():
    assert len({int(stream) for stream in Stream}) == len(Stream.__members__)


@pytest.mark.parametrize("longer", [4, 5, 64])
def test_a_longer_family_leaves_earlier_draws_as_they_were(longer):
    key = block_key(run_key(7, 0), 0)
    short = draw_words(key, Stream.MAKERS, (3, 5))
    long = draw_words(key, Stream.MAKERS, (longer, 5))
    np.testing.assert_array_equal(long[:3], short)


def test_lanes_draw_what_single_runs_draw():
    def draw(run):
        return draw_words(block_key(run_key(7, run), 9), Stream.NETWORK, (8,))

    lanes = jax.jit(jax.vmap(draw))(jnp.arange(5))
    singles = jnp.stack([draw(run) for run in range(5)])
    np.testing.assert_array_equal(lanes, singles)


def test_every_bit_of_a_word_is_fair():
    bits = (np.asarray(WORDS)[:, None] >> np.arange(32, dtype=np.uint32)) & 1
    deviation = np.abs(bits.mean(axis=0) - 0.5) * 2 * np.sqrt(COUNT)
    assert deviation.max() < 4.5


def test_the_two_halves_of_a_cipher_call_are_independent():
    even, odd = np.asarray(WORDS[::2]), np.asarray(WORDS[1::2])
    assert abs(np.corrcoef(even, odd)[0, 1]) < 4 / np.sqrt(COUNT / 2)


@given(st.integers(0, 2**32 - 1), st.integers(1, 20), st.integers(1, 12))
@settings(max_examples=50, deadline=None)
def test_fields_of_a_word_are_its_bits_from_the_low_end(word, first, second):
    low, high = split_word(jnp.asarray([word], jnp.uint32), first, second)
    assert int(low[0]) == word % 2**first
    assert int(high[0]) == (word >> first) % 2**second


def test_fields_wider_than_a_word_are_refused():
    with pytest.raises(ValueError, match="do not fit"):
        split_word(WORDS, 20, 13)


@given(st.integers(0, 2**32 - 1), st.integers(1, 2**31))
@settings(max_examples=60, deadline=None)
def test_uniform_int_is_the_high_word_of_the_product(word, n):
    drawn = int(uniform_int(jnp.asarray(word, jnp.uint32), n))
    assert drawn == word * n // 2**32
    assert 0 <= drawn < n


def test_uniform_int_visits_its_range_evenly():
    counts = np.bincount(np.asarray(uniform_int(WORDS, 7)), minlength=7)
    assert stats.chisquare(counts).pvalue > 1e-4


@pytest.mark.parametrize("chance", [0, 1, 25_000, 500_000, 1_000_000])
def test_bernoulli_happens_with_its_chance(chance):
    share = float(np.asarray(bernoulli_ppm(WORDS, chance)).mean())
    p = chance / 1e6
    assert abs(share - p) <= 4.5 * np.sqrt(p * (1 - p) / COUNT)


def spread_words():
    """Words over every octave of the tail, its ends included."""
    rng = np.random.default_rng(5)
    words = rng.integers(0, 1 << 32, 200_000, dtype=np.uint32)
    deep = words >> rng.integers(0, 32, words.size).astype(np.uint32)
    return np.concatenate([words, deep, np.array([0, 1, 2, 2**32 - 1], np.uint32)])


def test_normal_draws_are_within_their_stated_error():
    words = spread_words()
    exact = -special.ndtri((words | 1) / 2**33) * np.where(words & 1, -1, 1)
    drawn = np.asarray(normal_q24(jnp.asarray(words))) / Q24
    assert np.abs(drawn - exact).max() < 3.3e-6


def test_exponential_draws_are_within_their_stated_error():
    words = spread_words()
    drawn = np.asarray(exponential_q24(jnp.asarray(words))) / Q24
    assert np.abs(drawn + np.log((words | 1) / 2**32)).max() < 7.6e-6


def test_moments_of_the_draws_are_those_of_their_laws():
    z = np.asarray(normal_q24(WORDS)) / Q24
    e = np.asarray(exponential_q24(WORDS)) / Q24
    root = np.sqrt(COUNT)
    assert abs(z.mean()) < 4 / root
    assert abs(z.var() - 1) < 4 * np.sqrt(2) / root
    assert abs(stats.kurtosis(z)) < 4 * np.sqrt(24) / root
    assert abs(e.mean() - 1) < 4 / root
    assert abs(e.var() - 1) < 4 * np.sqrt(8) / root


@pytest.mark.parametrize("median", [0, 1, 50_000, 10_000_000_000, (1 << 47) - 1])
def test_log_normal_has_its_median_and_its_spread(median):
    drawn = np.asarray(log_normal(WORDS, median, 500_000))
    assert drawn.min() >= 0
    assert abs(np.median(drawn) - median) <= max(1, 0.01 * median)
    if median > 10_000:
        assert abs(np.log(drawn).std() - 0.5) < 0.005


TABLES = {
    "normal": (normal_table, 0x939CF2BA),
    "exponential": (exponential_table, 0x65A390F9),
}


@pytest.mark.parametrize("name", TABLES)
def test_tables_are_the_same_on_every_host(name):
    make, checksum = TABLES[name]
    assert zlib.crc32(make().astype("<i8").tobytes()) == checksum


@given(st.integers(-20 * Q32, 21 * Q32))
@settings(max_examples=60, deadline=None)
def test_exponential_function_is_within_its_stated_error(x):
    with localcontext() as context:
        context.prec = 40
        exact = (Decimal(x) / Q32).exp() * Q32
    error = abs(int(exp_q32(jnp.int64(x))) - exact)
    assert error <= max(2, 3 * exact / Q32)


@given(st.integers(1, 61).flatmap(lambda k: st.integers(1, 2**k)))
@settings(max_examples=60, deadline=None)
def test_logarithm_is_within_its_stated_error(x):
    with localcontext() as context:
        context.prec = 40
        exact = Decimal(x).ln() * Q32
    assert abs(int(log_q32(jnp.int64(x))) - exact) <= 3


@given(st.integers(0, 2**60 - 1))
@settings(max_examples=60, deadline=None)
def test_square_root_is_within_its_stated_error(x):
    root = int(sqrt_q16(jnp.int64(x))) / 2**16
    assert abs(root - x**0.5) <= 2**-15 * (x**0.5 + 1)


@given(st.integers(0, 2**61 - 1), st.integers(0, 2**62 - 1))
@settings(max_examples=100, deadline=None)
def test_scaling_by_a_q32_factor_is_the_exact_floor(amount, factor):
    exact = amount * factor // Q32
    if exact < 2**62:
        assert int(scale_q32(jnp.int64(amount), jnp.int64(factor))) == exact


def test_no_draw_holds_a_float():
    def draw(run):
        key = block_key(run_key(7, run), 1)
        words = draw_words(key, Stream.TRADERS, (16,))
        low, high = split_word(words, 12, 20)
        return (
            uniform_int(low, 9, bits=12),
            bernoulli_ppm(high, 10, bits=20),
            normal_q24(words),
            log_normal(words, 50_000, 300_000),
            sqrt_q16(low),
        )

    assert inexact_dtypes(jax.jit(draw), 0) == set()
    assert inexact_dtypes(jax.jit(lambda x: (x / 2) > 1), 0)  # the walk does find one
