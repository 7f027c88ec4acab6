"""Reporters that lie, stick or fall silent, and what the median makes of them."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.reporters import honest_reports, reports
from market.numbers.randomness import block_key, run_key
from market.numbers.units import PPM, as_int
from market.upkeep.oracle import Feed, OracleRules, median_of_reports, updated_feed
from rollup.faults.windows import strikes_of
from tests.market.ints import EXACT
from tests.rollup.faults.test_windows import KIND, SECOND, conditions, windows

M, N = 2, 5
BOTH = 0b11
HONEST = as_int([[100, 101, 102, 103, 104], [50, 50, 50, 50, 50]])
SAID = as_int([[90, 91, 92, 93, 94], [45, 46, 47, 48, 49]])
LIE, STUCK, SILENCE = "oracle_manipulation", "oracle_stuck", "oracle_silence"


@jax.jit
def spoken(honest, said, drawn, now_us):
    """What is said in the block that starts then."""
    return reports(honest, said, conditions(drawn, now_us, *honest.shape))


def fault(kind, share=1.0, **more):
    row = {"kind": kind, "severity_ppm": round(share * PPM), "duration_us": SECOND}
    return {"markets": BOTH, **row, **more}


def heard(*rows, now_us=0):
    drawn = windows(*rows)
    return spoken(HONEST, SAID, drawn, jnp.int64(now_us)).heard.tolist()


def test_without_a_fault_everyone_says_what_they_see():
    assert heard(fault(LIE, 0, bias_ppm=PPM)) == HONEST.tolist()
    assert heard(fault("sequencer_halt")) == HONEST.tolist()


def test_the_first_reporters_lie_and_are_off_by_the_bias_rounded_down():
    lies = heard(fault(LIE, 0.4, bias_ppm=55_000))
    assert lies == [[105, 106, 102, 103, 104], [52, 52, 50, 50, 50]]
    lies = heard(fault(LIE, 0.4, bias_ppm=-55_000))
    assert lies == [[94, 95, 102, 103, 104], [47, 47, 50, 50, 50]]


def test_a_lie_never_falls_below_a_tick():
    assert heard(fault(LIE, bias_ppm=-PPM))[0] == [1] * N


def test_a_stuck_reporter_repeats_what_it_said_before():
    assert heard(fault(STUCK, 0.6)) == [
        [90, 91, 92, 103, 104],
        [45, 46, 47, 50, 50],
    ]


def test_a_silent_reporter_reports_zero_and_is_remembered_for_what_it_said_last():
    drawn = windows(fault(SILENCE, 0.4))
    got = spoken(HONEST, SAID, drawn, jnp.int64(0))
    assert got.heard.tolist() == [[0, 0, 102, 103, 104], [0, 0, 50, 50, 50]]
    assert got.said.tolist() == [[90, 91, 102, 103, 104], [45, 46, 50, 50, 50]]


def test_a_fault_names_its_markets():
    assert heard(fault(SILENCE, markets=0b10)) == [HONEST.tolist()[0], [0] * N]


def test_silence_beats_sticking_beats_lying_and_biases_add_up():
    rows = [
        fault(LIE, 1.0, bias_ppm=100_000),
        fault(LIE, 0.8, bias_ppm=-50_000),
        fault(STUCK, 0.4),
        fault(SILENCE, 0.2),
    ]
    assert heard(*rows)[0] == [0, 91, 107, 108, 114]


@pytest.mark.parametrize(
    ("share_ppm", "struck"),
    [(0, 0), (99_999, 0), (100_000, 1), (299_999, 1), (300_000, 2), (500_000, 3)],
)
def test_a_share_strikes_the_nearest_whole_number_and_a_half_counts_up(
    share_ppm, struck
):
    drawn = windows(fault(SILENCE, share_ppm / PPM))
    hit = strikes_of(drawn, KIND[SILENCE], jnp.int64(0)).reporters(M, N)
    assert hit[0, 0].tolist() == [True] * struck + [False] * (N - struck)


def test_a_third_of_three_and_a_ninth_of_nine_are_one():
    for count in (3, 7, 9, 64):
        drawn = windows(fault(SILENCE, 1 / count))
        strikes = strikes_of(drawn, KIND[SILENCE], jnp.int64(0))
        assert int(strikes.reporters(1, count).sum()) == 1


def test_a_fault_holds_its_start_and_not_its_end():
    row = fault(SILENCE, start_us=SECOND)
    assert heard(row) == heard(row, now_us=2 * SECOND) == HONEST.tolist()
    assert heard(row, now_us=SECOND) == [[0] * N] * M


def median(table):
    prices = as_int(table)
    return int(median_of_reports(prices, prices > 0)[0])


def several(liars, bias_ppm, reporters=N):
    honest = as_int([list(range(1_000, 1_000 + reporters))])
    drawn = windows(fault(LIE, liars / reporters, bias_ppm=bias_ppm))
    return honest, np.asarray(spoken(honest, honest, drawn, jnp.int64(0)).heard)[0]


@EXACT
@given(
    st.integers(0, 2),
    st.one_of(st.integers(-990_000, 100 * PPM), st.sampled_from([-PPM, 10**9])),
)
def test_fewer_than_half_liars_leave_the_median_between_the_honest(liars, bias_ppm):
    honest, said = several(liars, bias_ppm)
    truthful = np.asarray(honest)[0, liars:]
    assert truthful.min() <= median(said) <= truthful.max()


@EXACT
@given(st.integers(3, 5), st.integers(50_000, 10 * PPM), st.sampled_from([-1, 1]))
def test_a_majority_of_liars_is_followed(liars, size_ppm, sign):
    bias_ppm = sign * min(size_ppm, 900_000 if sign < 0 else size_ppm)
    _, said = several(liars, bias_ppm)
    lies = said[:liars]
    assert lies.min() <= median(said) <= lies.max()
    assert abs(median(said) - 1_002) >= 1_000 * 50_000 // PPM - 5


rules = OracleRules(as_int(3), as_int(0), as_int(0), as_int(0))
updated = jax.jit(updated_feed)


def feed_of(rows, blocks, start_price=100):
    """The feed of one market after blocks in which the truth rises by 10 each."""
    drawn = windows(*rows)
    said = as_int([[start_price] * N])
    feed = Feed(as_int([start_price]), as_int([0]))
    history = []
    for block in range(1, blocks + 1):
        now_us = jnp.int64(block * SECOND)
        round_of = spoken(as_int([[start_price + 10 * block] * N]), said, drawn, now_us)
        said = round_of.said
        feed = updated(feed, round_of.heard, round_of.heard > 0, now_us, rules)
        history.append((int(feed.price[0]), int(feed.updated_us[0]) // SECOND))
    return history


def lasting(kind, share):
    return fault(kind, share, start_us=3 * SECOND, duration_us=3 * SECOND)


def test_a_stuck_majority_freezes_the_price_and_it_does_not_look_old():
    history = feed_of([lasting(STUCK, 0.6)], 7)
    assert [price for price, _ in history] == [110, 120, 120, 120, 120, 160, 170]
    assert [since for _, since in history] == [1, 2, 3, 4, 5, 6, 7]


def test_a_stuck_minority_is_outvoted():
    history = feed_of([lasting(STUCK, 0.4)], 7)
    assert [price for price, _ in history] == [110, 120, 130, 140, 150, 160, 170]


def test_silence_below_the_quorum_keeps_the_last_price_and_its_age():
    history = feed_of([lasting(SILENCE, 0.6)], 7)
    assert [price for price, _ in history] == [110, 120, 120, 120, 120, 160, 170]
    assert [since for _, since in history] == [1, 2, 2, 2, 2, 6, 7]


def test_a_quorum_that_speaks_is_enough():
    history = feed_of([lasting(SILENCE, 0.4)], 7)
    assert [price for price, _ in history] == [110, 120, 130, 140, 150, 160, 170]


def test_honest_reports_do_not_depend_on_lanes_and_average_to_the_index():
    see = partial(honest_reports, reporters=64)
    keys = jax.vmap(lambda run: block_key(run_key(7, run), 3))(jnp.arange(50))
    index = as_int([100_000, 1])
    seen = jax.jit(jax.vmap(see, (0, None, None)))(keys, index, as_int(1_000))
    alone = see(keys[17], index, as_int(1_000))
    assert (seen[17] == alone).all()
    deviation = np.asarray(seen)[:, 0].astype(float) / 100_000 - 1
    assert abs(deviation.mean()) < 1e-4
    assert deviation.std() == pytest.approx(0.001, rel=0.1)
    assert (np.asarray(seen)[:, 1] >= 1).all(), "never below a tick"


def test_without_noise_everyone_sees_the_index():
    index = as_int([7, 9])
    seen = honest_reports(block_key(run_key(7, 0), 1), index, as_int(0), 3)
    assert seen.tolist() == [[7] * 3, [9] * 3]
