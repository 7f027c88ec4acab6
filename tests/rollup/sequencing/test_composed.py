"""Composed schemes: by hand, against a plain-Python oracle, and against named ones."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from market.types.orders import BUY, SELL, Flag, Kind
from rollup.sequencing import SCHEMES
from rollup.sequencing.classes import CLASSES, by_label, by_outcome
from rollup.sequencing.composed import MAX_HOLD_US, composed
from rollup.sequencing.contract import SenderOrder
from tests.rollup.sequencing.queues import (
    ACCOUNTS,
    BLOCK,
    BLOCK_US,
    CLOCK,
    COMMON,
    GAS,
    LEAST,
    NOW_US,
    QUEUE,
    is_ready,
    lot,
    order,
    places,
    queues,
    waiting_of,
)

END_US = NOW_US + BLOCK_US
MS = 1_000

#: One transaction of each class.
OF_CLASS = {
    "cancel": {"kind": Kind.CANCEL},
    "post_only": {"kind": Kind.ORDER, "flags": Flag.POST_ONLY},
    "rest": {"kind": Kind.ORDER},
    "take": {"kind": Kind.ORDER, "flags": Flag.IOC},
    "liquidation": {"kind": Kind.LIQUIDATE},
    "deposit": {"kind": Kind.DEPOSIT},
    "withdrawal": {"kind": Kind.WITHDRAW},
}


def row(name, after_us=0, **more):
    """A transaction of a class that arrives so long after the block starts."""
    arrival = {"arrival_us": NOW_US + after_us, "censored": False}
    return {**OF_CLASS[name], **arrival, **more}


def made(scheme, queue, room=BLOCK, clock=CLOCK, notes=None, run=0):
    """The block of a composed scheme, and its ordering."""
    waiting = waiting_of(queue, notes=scheme.notes)
    if notes is not None:
        waiting = type(waiting)(**{**vars(waiting), "notes": notes})
    numbers = scheme.numbers(COMMON)
    ordering = order(scheme, waiting, numbers, room=room, clock=clock, run=run)[1]
    return places(ordering), ordering


def test_every_class_is_told_by_its_label():
    labels = [OF_CLASS[name] for name in CLASSES]
    assert by_label(waiting_of(labels))[: len(CLASSES)].tolist() == list(range(7))
    more = [
        ({"kind": Kind.CANCEL_ALL}, "cancel"),
        ({"kind": Kind.REDUCE, "flags": Flag.IOC}, "cancel"),
        ({"kind": Kind.REPLACE}, "rest"),
        ({"kind": Kind.REPLACE, "flags": Flag.POST_ONLY}, "post_only"),
        ({"kind": Kind.ORDER, "flags": Flag.FOK}, "take"),
        ({"kind": Kind.ORDER, "flags": Flag.MARKET}, "take"),
        ({"kind": Kind.ORDER, "flags": Flag.IOC | Flag.REDUCE_ONLY}, "take"),
        ({"kind": Kind.FORCED_WITHDRAW}, "withdrawal"),
    ]
    numbers = by_label(waiting_of([label for label, _ in more])).tolist()
    assert [CLASSES[n] for n in numbers] == [name for _, name in more]


@pytest.mark.parametrize(
    ("label", "outcome"),
    [
        ({"side": BUY, "ticks": 101}, "take"),
        ({"side": BUY, "ticks": 100}, "rest"),
        ({"side": SELL, "ticks": 99}, "take"),
        ({"side": SELL, "ticks": 100}, "rest"),
        ({"side": BUY, "ticks": 5, "flags": Flag.IOC}, "rest"),
        ({"side": SELL, "flags": Flag.MARKET, "ticks": 10**6}, "take"),
        ({"side": BUY, "ticks": 500, "flags": Flag.POST_ONLY}, "post_only"),
        ({"kind": Kind.CANCEL, "side": BUY, "ticks": 500}, "cancel"),
    ],
)
def test_by_outcome_only_what_would_trade_at_once_takes(label, outcome):
    waiting = waiting_of([{"kind": Kind.ORDER, "touch": (99, 101), **label}])
    assert CLASSES[by_outcome(waiting)[0]] == outcome


def test_nothing_trades_against_an_empty_side():
    queue = [
        {"kind": Kind.ORDER, "touch": (99, 0), "side": BUY, "flags": Flag.MARKET},
        {"kind": Kind.ORDER, "touch": (0, 101), "side": SELL, "ticks": 1},
    ]
    numbers = by_outcome(waiting_of(queue))[:2].tolist()
    assert [CLASSES[n] for n in numbers] == ["rest", "rest"]


def test_a_held_class_is_ranked_and_taken_at_its_release():
    scheme = composed(hold={"take": 5 * MS, "rest": 2 * MS})
    queue = [
        row("take", 0),  # released at 5 ms
        row("cancel", 4 * MS),
        row("rest", 4 * MS),  # at 6 ms
        row("take", BLOCK_US - 5 * MS),  # with the end of the block: too late
        row("take", BLOCK_US - 5 * MS - 1),
    ]
    assert made(scheme, queue)[0] == [1, 0, 2, 4]


def test_a_released_transaction_is_taken_by_a_later_block():
    scheme = composed(hold={"take": 5 * MS})
    queue = [row("take", -2), row("take", -5 * MS - 1), row("cancel", -1)]
    assert made(scheme, queue)[0] == [1, 2, 0]


def test_ticks_come_before_classes_and_classes_before_arrival():
    scheme = composed(every=50 * MS, classes=["cancel", "post_only", "rest", "take"])
    queue = [
        row("take", 0),
        row("cancel", 49 * MS),
        row("take", 50 * MS),
        row("post_only", 60 * MS),
        row("deposit", 50 * MS),  # not listed: after those that are
        row("take", BLOCK_US - 1),
    ]
    assert made(scheme, queue, room=QUEUE)[0] == [1, 0, 3, 2, 4]
    assert made(scheme, queue, room=1)[0] == [1]


def test_a_tick_longer_than_a_block_is_executed_when_it_ends():
    scheme = composed(every=2 * BLOCK_US)
    queue = [row("rest", -1), row("rest", 0), row("rest", 5)]
    # Blocks 2 and 3 are one tick, so that block 3 takes all; 4 takes nothing yet.
    assert made(scheme, queue)[0] == [0, 1, 2]
    early = CLOCK._replace(block=CLOCK.block - 1, now_us=CLOCK.now_us - BLOCK_US)
    assert made(scheme, queue, clock=early)[0] == []


def test_a_tick_that_a_block_ends_in_waits_for_the_next_block():
    scheme = composed(every=300 * MS)
    # Ticks end at 3.0, 3.3, 3.6, 3.9 and 4.2 s; the block ends at 4.0 s.
    queue = [row("rest", at * MS) for at in (0, 899, 900, 999)]
    assert made(scheme, queue)[0] == [0, 1]


def test_classes_in_a_list_stand_together():
    scheme = composed(classes=[["deposit", "post_only"], "cancel", ["rest", "take"]])
    queue = [
        row("take", 0),
        row("rest", 1),
        row("cancel", 2),
        row("post_only", 4),
        row("deposit", 3),
    ]
    assert made(scheme, queue)[0] == [4, 3, 2, 0, 1]


def test_the_fee_ranks_within_a_class_and_is_paid():
    scheme = composed(classes=["cancel"], rank="fee", pay="bid")
    queue = [
        row("rest", 0, fee_bid=10, account=1),
        row("rest", 1, fee_bid=900, account=2),
        row("cancel", 2, account=3),
    ]
    block, ordering = made(scheme, queue)
    assert block == [2, 1, 0]
    assert ordering.charge.tolist() == [0, GAS + 10, GAS + 900, GAS + LEAST]


def test_a_random_rank_is_fair_and_drawn_anew_by_block_and_run():
    scheme = composed(rank="random")
    queue = [row("rest", place) for place in range(3)]
    seen = Counter(tuple(made(scheme, queue, run=run)[0]) for run in range(300))
    assert len(seen) == 6
    assert max(seen.values()) < 90 and min(seen.values()) > 20
    later = CLOCK._replace(block=CLOCK.block + 1)
    blocks = [made(scheme, queue, run=run)[0] for run in range(20)]
    assert blocks != [made(scheme, queue, run=run, clock=later)[0] for run in range(20)]


def test_a_random_hold_is_uniform_over_its_range_and_kept_while_it_waits():
    scheme = composed(hold={"take": (20 * MS, 80 * MS)})
    queue = [row("take", BLOCK_US - 1)] * QUEUE
    delays = []
    for run in range(200):
        block, ordering = made(scheme, queue, run=run)
        assert block == []
        notes = np.asarray(ordering.notes)[:, 0]
        delays += (notes - 1 - (END_US - 1)).tolist()
        later = CLOCK._replace(block=CLOCK.block + 1, now_us=CLOCK.now_us + BLOCK_US)
        kept = made(scheme, queue, clock=later, notes=ordering.notes, run=run)[1]
        assert np.asarray(kept.notes)[:, 0].tolist() == notes.tolist()
        assert places(kept) == np.argsort(notes, kind="stable")[:BLOCK].tolist()
    assert min(delays) >= 20 * MS and max(delays) <= 80 * MS
    assert np.mean(delays) == pytest.approx(50 * MS, rel=0.03)
    assert min(delays) < 21 * MS and max(delays) > 79 * MS


def test_a_delay_is_drawn_in_the_block_of_arrival_and_not_before():
    scheme = composed(hold={"take": (0, 9)})
    ordering = made(scheme, [row("take", BLOCK_US), row("cancel", 0)])[1]
    assert np.asarray(ordering.notes)[:2, 0].tolist() == [0, NOW_US + 1]


def test_an_outcome_is_judged_once_though_the_book_moves():
    scheme = composed(hold={"take": 10 * MS}, judged="outcome")
    buy = {"side": BUY, "ticks": 100}
    taking = row("rest", BLOCK_US - 1, touch=(90, 95), **buy)
    block, ordering = made(scheme, [taking])
    assert block == []
    later = CLOCK._replace(block=CLOCK.block + 1, now_us=CLOCK.now_us + BLOCK_US)
    rival = row("cancel", BLOCK_US + 9 * MS)
    resting = [{**taking, "touch": (90, 105)}, rival]
    block = made(scheme, resting, clock=later, notes=ordering.notes)[0]
    assert block == [1, 0], "still held for ten milliseconds"


def oracle(parts, queue, room):
    """The block of a composition without chance, in plain Python."""
    hold, every = parts["hold"], parts["every"]
    groups = [
        [entry] if isinstance(entry, str) else entry for entry in parts["classes"]
    ]
    ranked = []
    for place, each in enumerate(queue):
        name = "cancel" if each["kind"] == Kind.CANCEL else "rest"
        release = each["arrival_us"] + hold.get(name, 0)
        tick = release // every if every else 0
        due = (tick + 1) * every <= END_US if every else release < END_US
        if not (is_ready(each) and due):
            continue
        turn = next((n for n, g in enumerate(groups) if name in g), len(groups))
        bid = min(max(each["fee_bid"], LEAST), (1 << 31) - 1)
        by_fee = -bid if parts["rank"] == "fee" else 0
        ranked.append((tick, turn, by_fee, release, lot(each), place))
    return [key[-1] for key in sorted(ranked)][: min(room, BLOCK)]


HOLDS = [{}, {"rest": 2}, {"rest": 900_000, "cancel": 3}]
ORDERS = [(), ("cancel",), (("rest", "cancel"),), ("rest", "cancel")]


@pytest.mark.parametrize("rank", ["arrival", "fee"])
@pytest.mark.parametrize("every", [None, 10, 300_000, 2_000_000])
@given(
    queue=queues,
    room=st.integers(0, BLOCK + 2),
    hold=st.sampled_from(HOLDS[1:]),
    classes=st.sampled_from(ORDERS),
)
@settings(max_examples=40, deadline=None)
def test_a_composition_is_what_its_parts_say(rank, every, queue, room, hold, classes):
    parts = {"hold": hold, "every": every, "classes": classes, "rank": rank}
    assert made(composed(**parts), queue, room)[0] == oracle(parts, queue, room)


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("fcfs", {}),
        ("fcfs", {"hold": {"take": 0}}),
        ("fcfs", {"classes": [CLASSES]}),
        ("priority_fee", {"rank": "fee", "pay": "bid", "mempool": "open"}),
    ],
)
@given(queue=queues, room=st.integers(0, BLOCK + 2))
@settings(max_examples=40, deadline=None)
def test_a_named_scheme_is_a_composition(name, parts, queue, room):
    named, built = SCHEMES[name], composed(**parts)
    if named.sender_order == SenderOrder.NUMBERED:
        # A composition by fee is the same where nobody has an order to be kept.
        queue = [{**row, "kind": min(row["kind"], 1) * Kind.DEPOSIT} for row in queue]
    waiting = waiting_of(queue)
    ours = order(built, waiting, built.numbers(COMMON), room=room)[1]
    theirs = order(named, waiting, COMMON, room=room)[1]
    assert places(ours) == places(theirs)
    assert ours.charge.tolist() == theirs.charge.tolist()
    shown = [scheme.show((), waiting, CLOCK, 1, COMMON) for scheme in (built, named)]
    if shown[1] is None:
        assert shown[0] is None
    else:
        assert shown[0].kind.tolist() == shown[1].kind.tolist()


def test_a_delay_is_a_number_and_not_a_shape():
    assert composed(hold={"take": 1}) == composed(hold={"take": 5})
    assert hash(composed(every=10)) == hash(composed(every=99))
    assert composed(hold={"take": 1}) != composed(hold={"take": (1, 5)})
    assert composed() != composed(every=10)
    assert composed() != composed(hold={"take": 0})
    assert composed(hold={"take": 0}).notes == 0
    assert composed(hold={"take": (0, 5)}).notes == 1


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"hold": {"taker": 1}}, "unknown class 'taker'"),
        ({"hold": {"take": -1}}, "hold.take = -1"),
        ({"hold": {"take": (5, 4)}}, "least of a range first"),
        ({"hold": {"take": MAX_HOLD_US + 1}}, "must be from 0"),
        ({"every": 9}, "at least 10 us"),
        ({"classes": ["take", ["rest", "take"]]}, "take stands twice"),
        ({"rank": "size"}, "unknown rank 'size'; allowed: arrival, fee, random"),
        ({"pay": "more"}, "unknown pay"),
        ({"judged": "mood"}, "unknown judged"),
        ({"mempool": "ajar"}, "unknown mempool"),
    ],
)
def test_a_part_that_is_not_there_is_refused(parts, message):
    with pytest.raises(ValueError, match=message):
        composed(**parts)


@given(queue=queues)
@settings(max_examples=20, deadline=None)
def test_no_one_but_those_in_the_block_pays(queue):
    scheme = composed(hold={"rest": 5}, rank="random")
    block, ordering = made(scheme, queue)
    owed = Counter(queue[place]["account"] for place in block)
    assert ordering.charge.tolist() == [GAS * owed[a] for a in range(ACCOUNTS)]
