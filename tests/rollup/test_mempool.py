"""The mempool keeps its order, closes its gaps, and drops aloud."""

import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from market.types.orders import Kind
from rollup import mempool
from tests.rollup.transactions import column, txs

QUEUE, OFFERED = 6, 5
ADMIT = jax.jit(mempool.admit)
DROP = jax.jit(mempool.drop_expired)
SORT = jax.jit(mempool.sorted_positions)

presence = st.lists(st.booleans(), min_size=QUEUE, max_size=QUEUE)
arrivals = st.lists(st.booleans(), min_size=OFFERED, max_size=OFFERED)


def records(present, first):
    """Records numbered from ``first``, empty where not present."""
    return txs(
        {"kind": Kind.ORDER if here else Kind.NONE, "sent_us": first + place}
        for place, here in enumerate(present)
    )


@given(presence, arrivals)
@settings(max_examples=60, deadline=None)
def test_admission_appends_in_order_and_counts_what_finds_no_room(queued, offered):
    queue, new = records(queued, 100), records(offered, 200)
    admitted = ADMIT(queue, new)
    wanted = column(queue) + column(new)
    assert column(admitted.queue) == wanted[:QUEUE]
    assert int(admitted.entered) == sum(offered)
    assert int(admitted.full) == max(len(wanted) - QUEUE, 0)


@given(presence, arrivals)
@settings(max_examples=20, deadline=None)
def test_gaps_are_closed_and_empty_records_hold_nothing(queued, offered):
    queue = ADMIT(records(queued, 100), records(offered, 200)).queue
    kinds = np.asarray(queue.kind)
    live = int((kinds != Kind.NONE).sum())
    assert (kinds[:live] != Kind.NONE).all()
    for name in ("sent_us", "account", "lots", "arrival_us"):
        assert not np.asarray(getattr(queue, name))[live:].any()


def test_what_waits_keeps_its_room_before_what_is_new():
    queue = records([True] * QUEUE, 100)
    admitted = ADMIT(queue, records([True] * OFFERED, 200))
    assert column(admitted.queue) == column(queue)
    assert int(admitted.full) == OFFERED


def test_a_transaction_lives_through_its_last_block_and_no_longer():
    queue = txs([{"sent_us": e, "expiry_block": e} for e in (0, 4, 5, 6, 0, 1)])
    kept, late = DROP(queue, jnp.int64(5))
    assert column(kept) == [0, 5, 6, 0]
    assert int(late) == 2


def test_expired_records_that_are_empty_already_are_not_counted():
    queue = txs([{"kind": Kind.NONE, "expiry_block": 1}], QUEUE)
    assert int(DROP(queue, jnp.int64(5))[1]) == 0


def test_gather_takes_whole_records_and_empties_the_rest():
    queue = txs([{"sent_us": i, "lots": 10 * i, "fee_bid": i + 7} for i in range(4)])
    taken = mempool.gather(queue, jnp.array([3, 1, 1]), jnp.array([True, True, False]))
    assert column(taken, "sent_us", live_only=False) == [3, 1, 0]
    assert column(taken, "lots", live_only=False) == [30, 10, 0]
    assert column(taken, "fee_bid", live_only=False) == [10, 8, 0]
    assert column(taken, "kind", live_only=False) == [Kind.ORDER, Kind.ORDER, 0]


def test_without_empties_only_the_masked_records():
    queue = txs([{"sent_us": i} for i in range(4)])
    left = mempool.without(queue, jnp.array([True, False, True, False]))
    assert column(left) == [1, 3]


@given(
    st.lists(
        st.one_of(st.integers(0, 3), st.integers(0, (1 << 50) - 1)),
        min_size=QUEUE,
        max_size=QUEUE,
    )
)
@settings(max_examples=60, deadline=None)
def test_sorting_is_by_key_and_then_by_place(keys):
    expected = sorted(range(QUEUE), key=lambda place: (keys[place], place))
    assert SORT(jnp.array(keys)).tolist() == expected
