"""A block of the rollup: who is in it, who waits, and what a fault changes."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from market.numbers.randomness import run_key
from market.numbers.units import PPM, as_int
from market.types.orders import Kind
from rollup import chain, histogram
from rollup.admission import luck_of
from rollup.faults import FAULTS
from rollup.faults.windows import draw_windows
from rollup.replay import run_root, scheme_words
from rollup.sequencing import SCHEMES
from rollup.types import Moment, Ordered
from tests.rollup.faults.test_windows import conditions, faults
from tests.rollup.rollups import (
    BLOCK_US,
    OFFERED,
    QUEUE,
    Rollup,
    at,
    runs,
    trial,
)
from tests.rollup.settlement.test_pipeline import numbers, outage
from tests.rollup.transactions import column, txs
from tests.rollup.trial import TRIAL


def test_what_arrives_before_the_block_ends_is_in_it_and_the_rest_waits():
    rollup = Rollup()
    assert rollup.step(at(BLOCK_US - 1), at(BLOCK_US)) == [BLOCK_US - 1]
    assert column(rollup.state.waiting.tx) == [BLOCK_US]
    assert rollup.step() == [BLOCK_US]


def test_a_block_takes_what_it_can_carry_and_the_rest_waits_its_turn():
    rollup = Rollup()
    assert rollup.step(*(at(i) for i in range(6))) == [0, 1, 2, 3]
    assert rollup.step() == [4, 5]


def test_the_latency_is_counted_from_sending_to_the_end_of_the_block():
    rollup = Rollup()
    rollup.step(at(0), at(250_000))
    rollup.step(at(900_000))
    seen = [1_000_000, 750_000, 1_100_000]
    assert int(rollup.state.latency.sum()) == 3
    nothing = jnp.zeros(histogram.BUCKETS, jnp.int64)
    expected = histogram.add(nothing, as_int(seen), jnp.ones(3, bool))
    assert (rollup.state.latency == expected).all()
    assert int(rollup.state.inclusion_us) == 1_100_000


def test_a_halt_makes_no_block_and_loses_no_transaction():
    rollup = Rollup(outage("sequencer_halt", 2, 3))
    done = [rollup.step(at(i * BLOCK_US)) for i in range(7)]
    waited = [2_000_000, 3_000_000, 4_000_000, 5_000_000]
    assert done == [[0], [BLOCK_US], [], [], [], waited, [6_000_000]]
    assert int(rollup.state.height) == 4
    assert int(rollup.state.halted) == 3
    assert [bool(o.is_halted) for o in rollup.outcomes] == [0, 0, 1, 1, 1, 0, 0]


def test_prices_stand_still_in_a_halt():
    rollup = Rollup(outage("sequencer_halt", 2, 3))
    prices = []
    for _ in range(6):
        rollup.step()
        prices.append(int(rollup.exchange.oracle[0]))
    assert prices == [1, 2, 2, 2, 2, 3]


def test_nothing_expires_in_a_halt_because_expiry_counts_blocks_made():
    rollup = Rollup(outage("sequencer_halt", 0, 4))
    rollup.step({"expiry_block": 1})
    for _ in range(3):
        rollup.step()
    assert rollup.step() == [0]
    assert int(rollup.state.expired) == 0


def test_half_a_halt_halves_the_room_and_still_makes_blocks():
    rollup = Rollup(outage("sequencer_halt", 0, 9, severity_ppm=500_000))
    assert rollup.step(*(at(i) for i in range(5))) == [0, 1]
    assert int(rollup.state.height) == 1


def test_what_waits_too_long_expires_and_is_counted():
    rollup = Rollup()
    late = {"arrival_us": 3 * BLOCK_US, "expiry_block": 1}
    rollup.step(late)
    rollup.step()
    assert int(rollup.state.expired) == 0
    rollup.step()
    assert int(rollup.state.expired) == 1
    assert not column(rollup.state.waiting.tx)


def test_what_has_expired_takes_no_room_from_what_is_new():
    rollup = Rollup()
    far = {"arrival_us": 50 * BLOCK_US}
    rollup.step(*[{**far, "expiry_block": 1}] * 4)
    rollup.step(*[far] * 4)
    rollup.step(*[far] * 4)
    assert int(rollup.state.full.sum()) == 0
    assert int(rollup.state.expired) == 4


def test_a_full_mempool_drops_the_newest_aloud():
    rollup = Rollup()
    far = {"arrival_us": 50 * BLOCK_US}
    rollup.step(*[far] * 6)
    rollup.step(*[far] * 6)
    assert int(rollup.state.full.sum()) == 4
    assert int(rollup.state.entered) == 12
    assert int(rollup.state.queue_peak) == QUEUE


@pytest.mark.parametrize("scheme", SCHEMES)
def test_censored_transactions_wait_and_run_afterwards(scheme):
    censor = {**outage("censorship", 1, 3), "targets": 1 << 1}
    rollup = Rollup(censor, scheme=scheme)
    mine, theirs = {"account": 0}, {"account": 3}
    assert rollup.step(theirs) == [0]
    done = [rollup.step(mine, theirs) for _ in range(3)]
    assert done == [[1_000_000], [2_000_000], [3_000_000]]
    assert int(rollup.state.censored) == 1 + 2 + 3
    assert rollup.step() == [1_000_000, 2_000_000, 3_000_000]
    assert int(chain.unaccounted(rollup.state)) == 0


def test_censoring_liquidations_leaves_other_transactions_of_the_same_account():
    censor = {**outage("censorship", 0, 2), "transactions": 1 << Kind.LIQUIDATE}
    rollup = Rollup(censor)
    liquidation = {"kind": Kind.LIQUIDATE, "account": 3, **at(5)}
    assert rollup.step(liquidation, {"account": 3, **at(9)}) == [9]
    rollup.step()
    assert rollup.step() == [5]


def test_partial_censorship_keeps_its_choice_while_a_transaction_waits():
    half = outage("censorship", 0, 40, severity_ppm=500_000)
    rollup = Rollup({**half, "targets": 0b11})
    rollup.step(*({"account": i % 4, **at(7_919 * i)} for i in range(6)))
    stuck = column(rollup.state.waiting.tx)
    for _ in range(5):
        rollup.step()
    assert 0 < len(stuck) < 6
    assert column(rollup.state.waiting.tx) == stuck


def test_the_share_censored_is_the_severity():
    windows = draw_windows(
        run_key(0, 0),
        faults(
            {
                **outage("censorship", 0, 9, severity_ppm=300_000),
                "targets": 1,
            }
        ),
    )
    rng = np.random.default_rng(5)
    records = txs(
        {"account": int(a), "sent_us": int(t)}
        for a, t in zip(
            rng.integers(0, 1_000, 4_000), rng.integers(0, 10**9, 4_000), strict=True
        )
    )
    censor = conditions(windows).censor
    nobody = jnp.zeros((4_000,), jnp.int64)
    hit = censor.passes_over(nobody, records.kind, luck_of(records))
    assert float(hit.mean()) == pytest.approx(0.3, abs=0.03)


def test_a_da_outage_throttles_blocks_once_the_backlog_is_long():
    down = outage("da_outage", 0, 60)
    params = numbers(backlog=2, throttle_ppm=250_000)
    rollup = Rollup(down, params=params)
    sizes = [len(rollup.step(*[{}] * 2)) for _ in range(14)]
    # The second batch is sealed with the tenth block; a quarter of four is one.
    assert sizes == [2] * 10 + [1] * 4


def test_a_block_is_executed_again_from_its_outcome_without_the_scheme():
    rollup = trial()
    history = [
        [{"account": a, "lots": 2 + a, **at(a)} for a in range(4)],
        [{"kind": Kind.DEPOSIT, "account": 2, "lots": 9}, {"account": 1, "lots": 5}],
        [{"kind": Kind.WITHDRAW, "account": 2, "lots": 600_000}],
        *[[]] * 12,
    ]
    exchange, state = rollup.exchange, rollup.state
    for sent in history:
        rollup.step(*sent)
    for block, outcome in enumerate(rollup.outcomes):
        moment = Moment(
            jnp.int64(block), BLOCK_US, conditions(rollup.windows, block * BLOCK_US)
        )
        after = (state.scheme, outcome.charge_after)
        state, exchange, again = chain.apply_block(
            state,
            exchange,
            Ordered(outcome.txs, outcome.mode, outcome.charge, lambda _: after),  # noqa: B023
            moment,
            rollup.params,
            spec=rollup.spec,
            executor=runs(moment),
        )
        assert (again.receipts.status == outcome.receipts.status).all()
    words = scheme_words(rollup.state.scheme)
    original = run_root(rollup.exchange, rollup.state, words)
    assert run_root(exchange, state, words).tolist() == original.tolist()
    assert int(state.batches.payouts.paid) == 600_000


rows = st.fixed_dictionaries(
    {
        "kind": st.sampled_from(
            [Kind.NONE, Kind.ORDER, Kind.CANCEL, Kind.LIQUIDATE, Kind.WITHDRAW]
        ),
        "account": st.integers(0, 3),
        "lots": st.integers(1, 6),
        "fee_bid": st.integers(0, 100),
        "late": st.integers(0, 3_000_000),
        "expiry_block": st.sampled_from([0, 0, 1, 2, 4, 9]),
    }
)
strikes = st.tuples(
    st.sampled_from(list(FAULTS)),
    st.integers(0, 10),
    st.integers(0, 10),
    st.sampled_from([PPM, 500_000]),
)


@pytest.mark.parametrize("scheme", [*SCHEMES, TRIAL], ids=str)
@given(
    history=st.lists(st.lists(rows, max_size=OFFERED), min_size=1, max_size=14),
    struck=st.lists(strikes, max_size=2),
)
@settings(max_examples=25, deadline=None)
def test_every_transaction_and_every_quantum_is_accounted_for(scheme, history, struck):
    named = [
        {**outage(kind, start, length, size), "targets": 0b10}
        for kind, start, length, size in struck
    ]
    rollup = Rollup(*named, scheme=scheme)
    entered, executed, before = 0, [], rollup.money()
    for sent in history:
        now = rollup.block * BLOCK_US
        dated = [{**row, **at(now + row["late"])} for row in sent]
        for row in dated:
            del row["late"]
        entered += sum(row["kind"] != Kind.NONE for row in dated)
        executed += rollup.step(*dated)
        state = rollup.state
        queued = len(column(state.waiting.tx))
        assert int(state.entered) == entered
        done = int(state.executed + state.rejected)
        assert done == len(executed)
        gone = int(state.expired + state.full.sum() + state.dropped.sum())
        assert entered == done + gone + queued
        assert int(chain.unaccounted(state)) == 0
        assert rollup.money() == before
        assert int(state.height + state.halted) == rollup.block
        assert int(state.latency.sum()) == done
