"""The mempool keeps its order, moves whole records, closes its gaps, drops aloud."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from market.numbers.units import as_int
from market.types.orders import Kind
from rollup import mempool
from tests.rollup.transactions import column, txs

QUEUE, OFFERED = 6, 5
GROUP_OF = as_int([0, 0, 1, 1])
NO_DROPS = as_int([[0] * mempool.KINDS] * 2)
ADMIT = jax.jit(lambda old, new: mempool.admit(old, new, NO_DROPS, GROUP_OF))
DROP = jax.jit(mempool.drop_expired)

presence = st.lists(st.booleans(), min_size=QUEUE, max_size=QUEUE)
arrivals = st.lists(st.booleans(), min_size=OFFERED, max_size=OFFERED)


def records(present, first, clocks=1, notes=0):
    """Records numbered from ``first``, empty where not present.

    Each clock saw the record so many units later, and each note is its number negated.
    """
    rows = [
        {
            "kind": Kind.ORDER if here else Kind.NONE,
            "sent_us": first + place,
            "arrival_us": 2 * (first + place),
        }
        for place, here in enumerate(present)
    ]
    number = first + jnp.arange(len(rows))
    seen = None if clocks == 1 else 10 * number[:, None] + jnp.arange(clocks)
    waiting = mempool.arriving(txs(rows), seen, clocks, notes)
    noted = jnp.broadcast_to(-number[:, None], (len(rows), notes))
    return replace(waiting, notes=noted)


def numbers(waiting):
    """The numbers of those that wait, in order."""
    return column(waiting.tx)


@given(presence, arrivals)
@settings(max_examples=60, deadline=None)
def test_admission_appends_in_order_and_counts_what_finds_no_room(queued, offered):
    waiting, new = records(queued, 100), records(offered, 200)
    admitted = ADMIT(waiting, new)
    wanted = numbers(waiting) + numbers(new)
    assert numbers(admitted.waiting) == wanted[:QUEUE]
    assert int(admitted.entered) == sum(offered)
    assert int(admitted.full.sum()) == max(len(wanted) - QUEUE, 0)


@pytest.mark.parametrize(("clocks", "notes"), [(1, 0), (1, 2), (3, 0), (4, 2)])
@given(presence, arrivals)
@settings(max_examples=30, deadline=None)
def test_a_record_moves_as_one_and_remembers_where_it_stood(
    clocks, notes, queued, offered
):
    waiting = records(queued, 100, clocks, notes)
    new = replace(
        records(offered, 200, clocks, notes), notes=jnp.zeros((OFFERED, notes), int)
    )
    moved = ADMIT(waiting, new).waiting
    expected = [(place, 100 + place) for place, here in enumerate(queued) if here]
    expected += [
        (mempool.NEW, 200 + place) for place, here in enumerate(offered) if here
    ]
    for place, (stood, number) in enumerate(expected[:QUEUE]):
        assert int(moved.tx.sent_us[place]) == number
        assert int(moved.came_from[place]) == stood
        noted = 0 if stood == mempool.NEW else -number
        assert moved.notes[place].tolist() == [noted] * notes
        seen = [2 * number] if clocks == 1 else [10 * number + c for c in range(clocks)]
        assert moved.seen_us[place].tolist() == seen
    left = len(expected[:QUEUE])
    assert (np.asarray(moved.came_from)[left:] == mempool.NEW).all()
    for rest in (moved.seen_us, moved.notes, moved.censored, moved.touch, moved.group):
        assert not np.asarray(rest)[left:].any()


@given(presence, arrivals)
@settings(max_examples=20, deadline=None)
def test_gaps_are_closed_and_empty_records_hold_nothing(queued, offered):
    tx = ADMIT(records(queued, 100), records(offered, 200)).waiting.tx
    kinds = np.asarray(tx.kind)
    live = int((kinds != Kind.NONE).sum())
    assert (kinds[:live] != Kind.NONE).all()
    for name in ("sent_us", "account", "lots", "arrival_us"):
        assert not np.asarray(getattr(tx, name))[live:].any()


def sent(*rows):
    """Transactions (kind, account, arrival) as they reach a mempool."""
    return mempool.arriving(
        txs(
            {"kind": kind, "account": account, "arrival_us": time, "sent_us": number}
            for number, (kind, account, time) in enumerate(rows)
        ),
        None,
        1,
        0,
    )


def admitted_to(places, *rows):
    """What an empty mempool keeps of transactions offered in this order."""
    return ADMIT(mempool.no_one_waits(places, 1, 0), sent(*rows))


def test_whoever_arrives_first_is_kept_whatever_its_place_in_the_array():
    orders = [(Kind.ORDER, 0, 900_000)] * 4
    admitted = admitted_to(4, *orders, (Kind.LIQUIDATE, 3, 10_000))
    kinds = admitted.waiting.tx.kind.tolist()
    assert kinds == [Kind.ORDER] * 3 + [Kind.LIQUIDATE]
    assert admitted.full[0, Kind.ORDER] == 1 == admitted.full.sum()


def test_what_is_still_on_its_way_gives_its_place_to_what_arrives_now():
    far = sent(*[(Kind.DEPOSIT, 2, 15_000_000)] * 3)
    admitted = ADMIT(far, sent((Kind.ORDER, 0, 20), (Kind.CANCEL, 1, 30)))
    assert column(admitted.waiting.tx, "arrival_us") == [15_000_000, 20, 30]
    assert admitted.full[1, Kind.DEPOSIT] == 2 == admitted.full.sum()


def test_drops_are_counted_by_group_and_kind():
    rows = [(Kind.ORDER, 0, 1), (Kind.CANCEL, 1, 5), (Kind.CANCEL, 2, 6)]
    full = admitted_to(1, *rows, (Kind.LIQUIDATE, 3, 7)).full
    assert full[0].tolist() == [0, 0, 1] + [0] * 7
    assert full[1].tolist() == [0, 0, 1, 0, 0, 1] + [0] * 4


def test_of_those_that_arrive_together_every_place_is_as_good():
    """Of two senders that tie, each is kept about every second time."""
    kept = []
    for block in range(200):
        rows = txs(
            {"account": account, "sent_us": block * 1_000_000, "arrival_us": 77}
            for account in range(2)
        )
        new = mempool.arriving(rows, None, 1, 0)
        waiting = ADMIT(mempool.no_one_waits(1, 1, 0), new).waiting
        kept.append(int(waiting.tx.account[0]))
    assert 70 < sum(kept) < 130


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 9)), min_size=1, max_size=12),
    st.integers(1, 6),
)
@settings(max_examples=40, deadline=None)
def test_the_earliest_arrivals_are_kept(offered, places):
    rows = [(Kind.ORDER, account, time) for account, time in offered]
    rows += [(Kind.NONE, 0, 0)] * (12 - len(rows))
    admitted = admitted_to(places, *rows)
    kept = sorted(column(admitted.waiting.tx, "arrival_us"))
    times = sorted(time for _, time in offered)
    assert kept == times[:places]
    assert int(admitted.full.sum()) == max(len(times) - places, 0)


def test_what_waits_keeps_its_room_before_what_is_new():
    waiting = records([True] * QUEUE, 100)
    admitted = ADMIT(waiting, records([True] * OFFERED, 200))
    assert numbers(admitted.waiting) == numbers(waiting)
    assert int(admitted.full.sum()) == OFFERED


def test_without_clocks_of_their_own_all_see_a_transaction_as_it_arrives():
    waiting = mempool.arriving(txs([{"arrival_us": 7}, {"arrival_us": 9}]), None, 3, 0)
    assert waiting.seen_us.tolist() == [[7] * 3, [9] * 3]


def expiring(*blocks):
    rows = [{"sent_us": block, "expiry_block": block} for block in blocks]
    return mempool.arriving(txs(rows, QUEUE), None, 1, 0)


def test_a_transaction_lives_through_its_last_block_and_no_longer():
    kept, late = DROP(expiring(0, 4, 5, 6, 0, 1), jnp.int64(5))
    assert numbers(kept) == [0, 5, 6, 0]
    assert int(late) == 2


def test_expired_records_that_are_empty_already_are_not_counted():
    rows = txs([{"kind": Kind.NONE, "expiry_block": 1}], QUEUE)
    waiting = mempool.arriving(rows, None, 1, 0)
    assert int(DROP(waiting, jnp.int64(5))[1]) == 0


def test_gather_takes_whole_records_and_empties_the_rest():
    queue = txs([{"sent_us": i, "lots": 10 * i, "fee_bid": i + 7} for i in range(4)])
    taken = mempool.gather(queue, jnp.array([3, 1, 1]), jnp.array([True, True, False]))
    assert column(taken, "sent_us", live_only=False) == [3, 1, 0]
    assert column(taken, "lots", live_only=False) == [30, 10, 0]
    assert column(taken, "fee_bid", live_only=False) == [10, 8, 0]
    assert column(taken, "kind", live_only=False) == [Kind.ORDER, Kind.ORDER, 0]


def test_without_empties_only_the_masked_records():
    waiting = records([True] * 4, 0)
    left = mempool.without(waiting, jnp.array([True, False, True, False]))
    assert numbers(left) == [1, 3]
