"""Every ordering scheme against its rule in plain Python, and what all share."""

from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from market.numbers.units import as_int
from market.types.orders import Kind
from rollup.sequencing import POLICIES, SequencerParams
from rollup.sequencing.priority_fee import MAX_BID
from tests.rollup.transactions import txs

QUEUE, BLOCK = 8, 5
GAS, LEAST = 7, 3


def by_arrival(row, place):
    return row["arrival_us"], place


def by_bid(row, place):
    return -paid_bid(row), row["arrival_us"], place


def paid_bid(row):
    return min(max(row["fee_bid"], LEAST), MAX_BID)


#: By policy: the sort key of its rule, and what a sender pays beside gas.
RULES = {
    "fcfs": (by_arrival, lambda row: 0),
    "priority_fee": (by_bid, paid_bid),
    "batch_auction": (by_arrival, lambda row: 0),
}

few_times = st.one_of(st.integers(0, 3), st.integers(0, 1 << 49))
bids = st.one_of(st.integers(0, 5), st.integers(0, 1 << 40))
rows = st.fixed_dictionaries(
    {"arrival_us": few_times, "fee_bid": bids, "eligible": st.booleans()}
)
queues = st.lists(rows, min_size=QUEUE, max_size=QUEUE)


@cache
def ordering(policy):
    params = SequencerParams(gas_fee=as_int(GAS), min_fee_bid=as_int(LEAST))
    return jax.jit(partial(POLICIES[policy].order, params=params, size=BLOCK))


def order(policy, queue, room):
    """The block as places in the mempool, and the payments."""
    records = txs(
        {"arrival_us": row["arrival_us"], "fee_bid": row["fee_bid"]} for row in queue
    )
    eligible = jnp.array([row["eligible"] for row in queue])
    result = ordering(policy)(records, eligible, jnp.int64(room))
    live = np.asarray(result.live)
    index, payment = np.asarray(result.index), np.asarray(result.payment)
    return index[live].tolist(), live, payment


def expected(policy, queue, room):
    key, _ = RULES[policy]
    there = [place for place, row in enumerate(queue) if row["eligible"]]
    ranked = sorted(there, key=lambda place: key(queue[place], place))
    return ranked[: min(room, BLOCK)]


def test_every_policy_has_its_rule_here():
    assert set(RULES) == set(POLICIES)


@pytest.mark.parametrize("policy", POLICIES)
@given(queue=queues, room=st.integers(0, BLOCK + 2))
@settings(max_examples=50, deadline=None)
def test_the_block_is_what_the_rule_says(policy, queue, room):
    block, _, _ = order(policy, queue, room)
    assert block == expected(policy, queue, room)


@pytest.mark.parametrize("policy", POLICIES)
@given(queue=queues, room=st.integers(0, BLOCK + 2))
@settings(max_examples=30, deadline=None)
def test_a_block_holds_eligible_transactions_once_and_no_more_than_its_room(
    policy, queue, room
):
    block, live, _ = order(policy, queue, room)
    assert len(set(block)) == len(block) <= min(room, BLOCK)
    assert all(queue[place]["eligible"] for place in block)
    assert not np.any(np.diff(live.astype(int)) > 0), "a gap in the block"


@pytest.mark.parametrize("policy", POLICIES)
@given(queue=queues, room=st.integers(0, BLOCK + 2))
@settings(max_examples=30, deadline=None)
def test_senders_in_the_block_pay_gas_and_bid_and_no_one_else_pays(policy, queue, room):
    block, live, payment = order(policy, queue, room)
    _, bid = RULES[policy]
    assert payment[live].tolist() == [GAS + bid(queue[place]) for place in block]
    assert not payment[~live].any()


@pytest.mark.parametrize("policy", POLICIES)
def test_a_policy_is_static_and_known_by_its_own_name(policy):
    assert POLICIES[policy].name == policy
    assert hash(POLICIES[policy]) == hash(type(POLICIES[policy])())


def test_a_bid_beyond_the_largest_ranks_as_the_largest():
    huge, largest = {"fee_bid": 1 << 40}, {"fee_bid": MAX_BID}
    queue = [
        {"arrival_us": 2, "eligible": True, **huge},
        {"arrival_us": 1, "eligible": True, **largest},
    ] + [{"arrival_us": 0, "fee_bid": 0, "eligible": False}] * (QUEUE - 2)
    block, live, payment = order("priority_fee", queue, BLOCK)
    assert block == [1, 0]
    assert payment[live].tolist() == [GAS + MAX_BID] * 2


@pytest.mark.parametrize("policy", POLICIES)
def test_only_priority_fee_shows_what_waits(policy):
    queue = txs([{"kind": Kind.ORDER}, {"kind": Kind.NONE}])
    shown = POLICIES[policy].visible(queue)
    if policy == "priority_fee":
        assert shown.tolist() == [True, False]
    else:
        assert shown is None


def test_only_the_batch_auction_matches_at_one_price():
    assert {name for name, policy in POLICIES.items() if policy.auction} == {
        "batch_auction"
    }
