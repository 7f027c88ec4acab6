"""What an ordering scheme may do to a block: consume, drop, note, time, look."""

from dataclasses import replace

import jax
import jax.numpy as jnp

from market.numbers.units import as_int
from market.types.orders import Kind
from rollup import chain
from tests.rollup.rollups import (
    BLOCK_US,
    GAS,
    OFFERED,
    QUEUE,
    START,
    Rollup,
    at,
    compiled,
    trial,
)
from tests.rollup.settlement.test_pipeline import outage
from tests.rollup.transactions import column, txs
from tests.rollup.trial import ODD, PATIENCE, TOO_LATE, TRIAL


def test_what_a_scheme_consumes_is_counted_and_never_reaches_the_exchange():
    rollup = trial()
    bid = {"kind": Kind.DEPOSIT, "account": 3, "lots": 600}
    assert rollup.step(bid, {"account": 1, **at(5)}) == [5]
    assert int(rollup.state.scheme.bids) == 600
    assert rollup.state.dropped.tolist() == [0, 1, 0, 0, 0, 0, 0, 0]
    assert rollup.exchange.collateral.tolist() == [START, START - GAS, START, START]
    assert int(rollup.state.executed) == 1
    assert int(chain.unaccounted(rollup.state)) == 0


def test_what_a_scheme_drops_is_counted_by_its_reason_the_last_for_all_beyond():
    rollup = trial()
    far = {"arrival_us": 50 * BLOCK_US}
    rollup.step(far, {**far, "fee_bid": ODD}, {**far, "fee_bid": ODD})
    assert rollup.state.dropped.tolist() == [0] * 7 + [2]
    for _ in range(PATIENCE):
        assert int(rollup.state.dropped[TOO_LATE]) == 0
        rollup.step()
    assert int(rollup.state.dropped[TOO_LATE]) == 1
    assert not column(rollup.state.waiting.tx)
    assert int(chain.unaccounted(rollup.state)) == 0


def test_the_notes_of_a_scheme_stay_with_their_transaction_when_gaps_close():
    rollup = trial()
    rollup.step({"fee_bid": ODD, **at(1)}, {"sent_us": 40, "arrival_us": 5 * BLOCK_US})
    rollup.step({"sent_us": 50, "arrival_us": 9 * BLOCK_US})
    waiting = rollup.state.waiting
    assert column(waiting.tx) == [40, 50]
    assert waiting.notes[:2].tolist() == [[2, 280], [1, 350]]
    assert waiting.came_from[:2].tolist() == [1, -1]
    rollup.step()
    assert rollup.state.waiting.came_from[:2].tolist() == [0, 1]


def test_the_clocks_of_a_scheme_order_where_they_differ_from_the_arrival():
    _, step = compiled(TRIAL)
    rollup = trial()
    sent = txs([{"lots": 2, **at(5)}, {"lots": 2, **at(9)}], OFFERED)
    seen = jnp.broadcast_to(sent.arrival_us[:, None], (OFFERED, 3))
    seen = seen.at[0, 2].set(100)
    given = (rollup.state, rollup.exchange, sent, rollup.windows)
    _, _, outcome = step(*given, jnp.int64(0), rollup.params, seen)
    assert column(outcome.txs) == [9, 5]


def test_a_scheme_of_both_modes_says_which_for_every_block():
    rollup = trial()
    for _ in range(4):
        rollup.step({})
    assert [int(o.mode) for o in rollup.outcomes] == [0, 1, 0, 1]


def test_the_facts_of_a_block_are_those_of_the_transaction_and_its_market():
    rollup = Rollup({**outage("censorship", 0, 9), "targets": 1 << 1})
    book = rollup.exchange.book
    ticks = book.ticks.at[0, 0, 1].set(90).at[0, 0, 0].set(80).at[0, 1, 0].set(110)
    book = replace(book, ticks=ticks, count=book.count.at[0].set(as_int([2, 1])))
    rollup.exchange = replace(rollup.exchange, book=book)
    far = {"arrival_us": 50 * BLOCK_US}
    rollup.step({"account": 0, **far}, {"account": 3, **far})
    waiting = rollup.state.waiting
    assert waiting.group[:2].tolist() == [0, 1]
    assert waiting.touch[:2].tolist() == [[90, 110]] * 2
    assert waiting.censored[:2].tolist() == [False, True]
    assert int(rollup.state.censored) == 0, "what has not arrived is not passed over"


def program(scheme):
    """Fifty blocks as one compiled loop whose end alone is looked at."""
    rollup = Rollup(scheme=scheme)
    _, step = compiled(rollup.spec.scheme)
    sent = txs([{}], OFFERED)

    @jax.jit
    def run(state, exchange, windows, params):
        def block(number, carry):
            return step(*carry, sent, windows, number, params)[:2]

        state, exchange = jax.lax.fori_loop(0, 50, block, (state, exchange))
        return state.executed, exchange.collateral

    given = (rollup.state, rollup.exchange, rollup.windows, rollup.params)
    return run.lower(*given).compile().as_text()


def test_facts_that_a_scheme_does_not_read_are_not_computed():
    table = f"s64[{QUEUE},2]"  # the touch, and the notes of the trial scheme
    assert table in program(TRIAL)
    plain, built = program("fcfs"), program("composed")
    assert table not in plain and table not in built
    assert len(built) <= 1.01 * len(plain), "a composition costs what it is made of"
