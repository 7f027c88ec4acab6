"""Rankings are stable, and those that are not among the ready come last."""

import jax
import jax.numpy as jnp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from market.numbers.units import as_int
from market.types.orders import Kind
from rollup.mempool import arriving
from rollup.sequencing.ranking import (
    LAST,
    by_key,
    by_time,
    in_sequence,
    lot_of,
    sorted_positions,
)
from tests.rollup.sequencing.queues import lot
from tests.rollup.transactions import txs

SIZE = 6
SORT = jax.jit(sorted_positions)
TWICE = jax.jit(
    lambda first, second, among: by_key(second, among, by_key(first, among))
)

keys = st.lists(
    st.one_of(st.integers(0, 3), st.integers(0, LAST - 1)), min_size=SIZE, max_size=SIZE
)


@given(keys)
@settings(max_examples=60, deadline=None)
def test_sorting_is_by_key_and_then_by_place(keys):
    expected = sorted(range(SIZE), key=lambda place: (keys[place], place))
    assert SORT(jnp.array(keys)).tolist() == expected


@given(keys, keys, st.lists(st.booleans(), min_size=SIZE, max_size=SIZE))
@settings(max_examples=60, deadline=None)
def test_a_later_key_is_laid_over_an_earlier_one(first, second, among):
    ranked = TWICE(jnp.array(first), jnp.array(second), jnp.array(among)).tolist()
    there = [place for place in range(SIZE) if among[place]]
    expected = sorted(there, key=lambda place: (second[place], first[place], place))
    assert ranked[: len(there)] == expected
    assert sorted(ranked) == list(range(SIZE))


BY_TIME = jax.jit(by_time)
HOURS = 3_600_000_000


def times(*arrivals, **columns):
    rows = [{"arrival_us": time, **columns} for time in arrivals]
    return txs({**row, "account": account} for account, row in enumerate(rows))


def test_the_earliest_comes_first_and_a_lot_decides_between_equals():
    wins = 0
    for block in range(200):
        tx = times(500, 7, 500, sent_us=block * 1_000_000)
        ranked = BY_TIME(tx.arrival_us, tx, as_int([1, 1, 1]) > 0).tolist()
        assert ranked[0] == 1
        wins += ranked[1] == 0
    assert 70 < wins < 130, "of two that tie, each comes first every second time"


def test_lots_are_even_over_accounts():
    tx = txs({"account": a, "sent_us": 5_000_000} for a in range(4_000))
    lots = lot_of(tx)
    assert lots.tolist() == [
        lot({"account": account, "sent_us": 5_000_000}) for account in range(4_000)
    ]
    assert int(lots.min()) >= 0 and int(lots.max()) < 1_024
    assert float(lots[:2_000].mean()) == pytest.approx(511.5, rel=0.05)
    assert float(lots[2_000:].mean()) == pytest.approx(511.5, rel=0.05)


@pytest.mark.parametrize("late", [0, 10_000 * HOURS])
def test_times_are_ranked_over_a_week_of_waiting(late):
    tx = times(late + 150 * HOURS, late, late + 1, late + 149 * HOURS)
    ranked = BY_TIME(tx.arrival_us, tx, as_int([1, 1, 1, 1]) > 0)
    assert ranked.tolist() == [1, 2, 3, 0]


NUMBERED = jax.jit(in_sequence)
PLACES = 8
waiting_rows = st.lists(
    st.fixed_dictionaries(
        {
            "account": st.integers(0, 2),
            "kind": st.sampled_from([Kind.ORDER, Kind.CANCEL, Kind.DEPOSIT]),
            "ready": st.sampled_from([True, True, True, False]),
        }
    ),
    max_size=PLACES,
)


def best_next_of_each_sender(rows, rank):
    """The rule as geth has it: the best of the senders' next ones, time after time."""
    lines: dict = {}
    for place, row in enumerate(rows):
        alone = row["kind"] == Kind.DEPOSIT
        lines.setdefault(place + 100 if alone else row["account"], []).append(place)
    taken = []
    while heads := [line[0] for line in lines.values() if line]:
        heads = [place for place in heads if rows[place]["ready"]]
        if not heads:
            break
        best = min(heads, key=rank.index)
        taken.append(best)
        next(line for line in lines.values() if line[:1] == [best]).pop(0)
    return taken


@given(waiting_rows, st.permutations(range(PLACES)))
@settings(max_examples=200, deadline=None)
def test_a_later_one_waits_for_the_earlier_ones_of_its_sender(rows, rank):
    sent = [
        {"account": row["account"], "kind": row["kind"], "arrival_us": place}
        for place, row in enumerate(rows)
    ]
    empty = {"kind": Kind.NONE}
    waiting = arriving(txs([*sent, *[empty] * (PLACES - len(rows))]), None, 1, 0)
    among = as_int([*(row["ready"] for row in rows), *[0] * (PLACES - len(rows))]) > 0
    ranked, may_go = NUMBERED(as_int(rank), waiting, among)
    taken = [place for place in ranked.tolist() if bool(may_go[place])]
    assert taken == best_next_of_each_sender(rows, list(rank))
    assert sorted(ranked.tolist()) == list(range(PLACES))
