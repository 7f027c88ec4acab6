"""The way to the sequencer: thinking time, latency, order, extra time."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agents.family import Latency
from agents.intents import transactions
from agents.network import sent
from market.numbers.randomness import Stream, block_key, draw_words, run_key
from market.numbers.units import as_int
from market.types.orders import Kind

BLOCK, NOW = 1_000_000, 5_000_000
MEMBERS = 1_000
SENT = jax.jit(sent, static_argnames="block_us")


def dated(think=500_000, median=10_000, sigma=0, block_us=BLOCK, extra=0, intents=2):
    latency = Latency(
        think_us=as_int(think),
        latency_us=as_int(median),
        latency_spread_ppm=as_int(sigma),
        data_blocks=as_int(0),
    )
    words = draw_words(block_key(run_key(7, 0), 5), Stream.NETWORK, (MEMBERS, 2))
    records = transactions((MEMBERS, intents), kind=Kind.ORDER, arrival_us=extra)
    nobody = as_int([-1] * MEMBERS)
    result, _ = SENT(records, latency, words, nobody, jnp.int64(NOW), block_us=block_us)
    return np.asarray(result.sent_us), np.asarray(result.arrival_us)


def test_thinking_is_uniform_after_the_start_of_the_block():
    sent_us, _ = dated()
    thought = sent_us[:, 0] - NOW
    assert 0 <= thought.min() < 10_000 and 490_000 < thought.max() <= 500_000
    assert thought.mean() == pytest.approx(250_000, rel=0.08)


def test_no_one_thinks_longer_than_a_block():
    sent_us, _ = dated(think=90 * BLOCK, intents=1)
    assert sent_us.max() <= NOW + BLOCK


def test_an_hour_of_thought_in_an_hour_long_block_does_not_overflow():
    hour = 3_600_000_000
    sent_us, _ = dated(think=hour, block_us=hour, intents=1)
    thought = sent_us - NOW
    assert thought.min() >= 0 and thought.max() <= hour
    assert thought.mean() == pytest.approx(hour / 2, rel=0.08)


def test_the_transactions_of_a_member_keep_their_order():
    sent_us, arrival_us = dated(sigma=1_000_000)
    assert (np.diff(sent_us, axis=1) == 1).all()
    assert (np.diff(arrival_us, axis=1) == 1).all()


def test_latency_has_the_median_and_spread_of_the_family():
    sent_us, arrival_us = dated(median=80_000, sigma=500_000)
    way = (arrival_us - sent_us)[:, 0]
    assert np.median(way) == pytest.approx(80_000, rel=0.06)
    assert np.log(way).std() == pytest.approx(0.5, rel=0.08)


def test_an_intents_own_time_on_the_way_is_added():
    _, plain = dated()
    _, slow = dated(extra=15_000_000)
    assert (slow - plain == 15_000_000).all()


def test_delays_do_not_depend_on_what_is_sent():
    one, two = dated(intents=1), dated(intents=2)
    assert (one[1][:, 0] == two[1][:, 0]).all()


def on_the_way(rows, heard, way, now=NOW):
    """Arrivals of one member's intents, and when its last message arrives.

    Args:
        rows: kind and extra time of each intent.
        heard: when its last message arrived.
        way: latency.
        now: start of the block, at which it sends.
    """
    kinds, extra = as_int([rows]).transpose(2, 0, 1)
    latency = Latency(
        think_us=as_int(0),
        latency_us=as_int(way),
        latency_spread_ppm=as_int(0),
        data_blocks=as_int(0),
    )
    words = draw_words(block_key(run_key(7, 0), 5), Stream.NETWORK, (1, 2))
    dated, heard = SENT(
        transactions((1, len(rows)), kind=kinds, arrival_us=extra),
        latency,
        words,
        as_int([heard]),
        jnp.int64(now),
        block_us=BLOCK,
    )
    return (np.asarray(dated.arrival_us)[0] - now).tolist(), int(heard[0]) - now


def test_nothing_overtakes_an_earlier_message_of_its_sender():
    order, cancel = (Kind.ORDER, 0), (Kind.CANCEL, 0)
    assert on_the_way([order, cancel], -1, way=50) == ([50, 51], 51)
    # The last message, sent over a slower way, is still under way.
    assert on_the_way([order, cancel], NOW + 900, way=50) == ([901, 902], 902)
    assert on_the_way([order, cancel], NOW + 50, way=50) == ([51, 52], 52)


def test_a_message_that_waits_holds_up_what_its_sender_sends_after_it():
    assert on_the_way([(Kind.ORDER, 400), (Kind.CANCEL, 0)], -1, 50)[0] == [450, 451]


def test_what_comes_through_the_settlement_layer_holds_up_nothing():
    deposit, order = (Kind.DEPOSIT, 15_000_000), (Kind.ORDER, 0)
    assert on_the_way([deposit, order], -1, way=50) == ([15_000_050, 51], 51)
    forced = (Kind.FORCED_WITHDRAW, 0)
    assert on_the_way([forced], NOW + 900, way=50) == ([50], 900)


def test_an_empty_intent_is_no_message():
    assert on_the_way([(Kind.NONE, 0)], NOW + 7, way=50)[1] == 7
