"""Every ordering scheme against its rule in plain Python, and what all share."""

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from market.types.orders import Kind
from rollup.sequencing import SCHEMES
from rollup.sequencing.composed import Composed, composed
from rollup.sequencing.contract import Mode, SenderOrder
from rollup.sequencing.ranking import MAX_BID
from rollup.types import ChainSpec
from tests.rollup.sequencing.queues import (
    ACCOUNTS,
    BLOCK,
    CLOCK,
    COMMON,
    GAS,
    LEAST,
    NOW_US,
    QUEUE,
    best_next_of_each_sender,
    is_ready,
    lot,
    order,
    places,
    queues,
    waiting_of,
)


def by_arrival(row, place):
    return row["arrival_us"], lot(row), place


def by_bid(row, place):
    return -paid_bid(row), row["arrival_us"], lot(row), place


def paid_bid(row):
    return min(max(row["fee_bid"], LEAST), MAX_BID)


#: By scheme: the sort key of its rule, and what a sender pays beside gas.
RULES = {
    "fcfs": (by_arrival, lambda row: 0),
    "priority_fee": (by_bid, paid_bid),
    "batch_auction": (by_arrival, lambda row: 0),
    "composed": (by_arrival, lambda row: 0),
}


def numbers(name):
    """Parameters of a scheme that has no numbers of its own."""
    scheme = SCHEMES[name]
    return scheme.numbers(COMMON) if isinstance(scheme, Composed) else COMMON


def made(name, queue, room=BLOCK):
    """The block of a scheme."""
    return order(SCHEMES[name], waiting_of(queue), numbers(name), room=room)[1]


def expected(name, queue, room):
    key, _ = RULES[name]
    there = [place for place, row in enumerate(queue) if is_ready(row)]
    ranked = sorted(there, key=lambda place: key(queue[place], place))
    if SCHEMES[name].sender_order == SenderOrder.NUMBERED:
        ranked = best_next_of_each_sender(queue, ranked)
    return ranked[: min(room, BLOCK)]


def test_every_scheme_has_its_rule_here():
    assert set(RULES) == set(SCHEMES)


@pytest.mark.parametrize("name", SCHEMES)
@given(queue=queues, room=st.integers(0, BLOCK + 2))
@settings(max_examples=50, deadline=None)
def test_the_block_is_what_the_rule_says(name, queue, room):
    assert places(made(name, queue, room)) == expected(name, queue, room)


@pytest.mark.parametrize("name", SCHEMES)
@given(queue=queues, room=st.integers(0, BLOCK + 2))
@settings(max_examples=30, deadline=None)
def test_a_block_holds_ready_transactions_once_and_no_more_than_its_room(
    name, queue, room
):
    ordering = made(name, queue, room)
    block = places(ordering)
    assert len(set(block)) == len(block) <= min(room, BLOCK)
    assert all(is_ready(queue[place]) for place in block)
    assert not np.any(np.diff(np.asarray(ordering.live, int)) > 0), "a gap"
    assert ordering.drop is None, "none of ours drops a transaction"


@pytest.mark.parametrize("name", SCHEMES)
@given(queue=queues, room=st.integers(0, BLOCK + 2))
@settings(max_examples=30, deadline=None)
def test_senders_in_the_block_pay_gas_and_bid_and_no_one_else_pays(name, queue, room):
    ordering = made(name, queue, room)
    owed = [0] * ACCOUNTS
    for place in places(ordering):
        owed[queue[place]["account"]] += GAS + RULES[name][1](queue[place])
    assert ordering.charge.tolist() == owed


@pytest.mark.parametrize("name", SCHEMES)
@given(queue=queues, room=st.integers(0, BLOCK + 2))
@settings(max_examples=30, deadline=None)
def test_the_order_of_a_sender_is_kept_as_the_scheme_says(name, queue, room):
    # Times apart: over one connection no two messages arrive together.
    queue = [
        {**row, "arrival_us": row["arrival_us"] // QUEUE * QUEUE + place}
        for place, row in enumerate(queue)
    ]
    kept = SCHEMES[name].sender_order
    assert kept != SenderOrder.NOT_KEPT
    block = places(made(name, queue, room))
    for turn, place in enumerate(block):
        earlier = [
            other
            for other, row in enumerate(queue)
            if row["kind"] != Kind.NONE and row["account"] == queue[place]["account"]
            if row["arrival_us"] < queue[place]["arrival_us"]
            if not row["censored"] or kept == SenderOrder.NUMBERED
        ]
        assert set(earlier) <= set(block[:turn])


@pytest.mark.parametrize(
    ("parts", "kept"),
    [
        ({}, True),
        ({"every": 10}, True),
        ({"classes": [["take", "rest"]]}, False),
        ({"classes": ["cancel"]}, False),
        ({"hold": {"take": 5}}, False),
        ({"rank": "fee"}, False),
        ({"rank": "random"}, False),
    ],
)
def test_holds_classes_fees_and_chance_do_not_keep_a_senders_order(parts, kept):
    assert (composed(**parts).sender_order != SenderOrder.NOT_KEPT) == kept


@pytest.mark.parametrize("name", SCHEMES)
def test_a_scheme_is_static_known_by_its_own_name_and_the_same_in_another_process(name):
    scheme = SCHEMES[name]
    assert scheme.name == name
    spec = ChainSpec(scheme=scheme)
    assert pickle.loads(pickle.dumps(spec)) == spec
    assert hash(pickle.loads(pickle.dumps(spec))) == hash(spec)


def test_a_bid_beyond_the_largest_ranks_as_the_largest():
    there = {"kind": Kind.ORDER, "censored": False}
    queue = [
        {"arrival_us": NOW_US + 2, "fee_bid": 1 << 40, "account": 1, **there},
        {"arrival_us": NOW_US + 1, "fee_bid": MAX_BID, "account": 2, **there},
    ]
    queue += [{"kind": Kind.NONE, "censored": False}] * 6
    ordering = made("priority_fee", queue)
    assert places(ordering) == [1, 0]
    assert ordering.charge.tolist() == [0, GAS + MAX_BID, GAS + MAX_BID, 0]


@pytest.mark.parametrize("name", SCHEMES)
def test_only_priority_fee_shows_what_has_arrived(name):
    queue = [
        {"kind": Kind.ORDER, "arrival_us": NOW_US},
        {"kind": Kind.NONE},
        {"kind": Kind.CANCEL, "arrival_us": NOW_US + 1_000_000},
    ]
    shown = SCHEMES[name].show((), waiting_of(queue), CLOCK, 2, numbers(name))
    if name == "priority_fee":
        assert shown.kind.tolist() == [Kind.ORDER] + [Kind.NONE] * 7
    else:
        assert shown is None


def test_only_the_batch_auction_matches_at_one_price():
    modes = {name: scheme.modes for name, scheme in SCHEMES.items()}
    assert modes.pop("batch_auction") == (Mode.AUCTION,)
    assert set(modes.values()) == {(Mode.CONTINUOUS,)}
