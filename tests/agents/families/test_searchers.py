"""Searchers take stale quotes, unwind, and sandwich only what they are shown."""

import numpy as np
import pytest

from market.numbers.units import PPM
from market.types.orders import BUY, SELL, Flag, Kind
from tests.agents.cases import (
    ALWAYS,
    FIRST,
    LOT,
    NEVER,
    PRICE,
    USD,
    constant,
    decide,
    drawn,
    held,
    numbers,
    view,
)
from tests.rollup.transactions import txs

FAMILY = "searchers"
EDGE = 1_200
PARAMS = numbers(
    FAMILY,
    edge_ppm=EDGE,
    edge_sigma_ppm=0,
    alert_ppm=ALWAYS,
    unwind_ppm=ALWAYS,
    size_ppm=500_000,
    bid_share_ppm=300_000,
    sandwich_ppm=ALWAYS,
    victim_notional=5_000 * USD,
)
WAITING = 6


def sent(seen, params=PARAMS, memory=None):
    """What a single searcher sends."""
    _, (rows,) = decide(FAMILY, seen, params, memory)
    return rows


def stale_ask(ticks_below):
    """The first market's ask stands below the outside price."""
    ask = PRICE[0] - ticks_below
    return view(ask=(ask, PRICE[1] + 10), bid=(ask - 20, PRICE[1] - 10))


def test_a_quote_left_behind_is_taken_inside_the_edge():
    (order,) = sent(stale_ask(200))
    assert order["side"] == BUY and order["market"] == 0
    assert order["flags"] == Flag.IOC
    # It pays up to half its threshold from the outside price.
    assert order["ticks"] == PRICE[0] - PRICE[0] * EDGE // (2 * PPM)
    assert order["account"] == FIRST
    assert order["lots"] == 5_000 * USD // LOT
    assert order["expiry_block"] == 91


def test_a_bid_left_behind_is_sold_into():
    bid = PRICE[0] + 200
    (order,) = sent(view(bid=(bid, PRICE[1] - 10), ask=(bid + 20, PRICE[1] + 10)))
    assert order["side"] == SELL
    assert order["ticks"] == PRICE[0] + PRICE[0] * EDGE // (2 * PPM)


@pytest.mark.parametrize(("below", "trades"), [(119, False), (120, True)])
def test_an_edge_below_the_threshold_is_left_alone(below, trades):
    assert bool(sent(stale_ask(below))) is trades


def test_the_furthest_quote_is_taken():
    ask = (PRICE[0] - 200, PRICE[1] - 200)
    (order,) = sent(view(ask=ask, bid=(ask[0] - 20, ask[1] - 20)))
    assert order["market"] == 1


def test_an_empty_book_is_no_opportunity():
    assert sent(view(bid=(0, 0), ask=(0, 0))) == []


def test_a_share_of_the_gain_is_bid_for_priority():
    (order,) = sent(stale_ask(200))
    gain = order["lots"] * LOT * 2_000 // PPM
    assert order["fee_bid"] == gain * 3 // 10


def test_a_rich_searcher_with_a_wide_edge_does_not_overflow():
    seen = view(collateral=[1_000_000_000 * USD], bid=(90_000, 1), ask=(95_000, 40_000))
    (order,) = sent(seen)
    gain = order["lots"] * PRICE[1] * 100 * 200_000 // PPM
    assert order["fee_bid"] == gain * 3 // 10 > 0


def test_without_an_opportunity_a_searcher_unwinds_what_it_holds():
    (order,) = sent(view(**held(1, -70)))
    assert order["market"] == 1 and order["side"] == BUY and order["lots"] == 70
    assert order["flags"] == Flag.MARKET | Flag.REDUCE_ONLY


def test_a_searcher_without_equity_snipes_nothing():
    broke = view(collateral=[0], ask=(99_000, PRICE[1] + 10), bid=(98_900, 40_000))
    assert sent(broke) == []


def test_a_sleeping_searcher_does_nothing():
    asleep = numbers(FAMILY, alert_ppm=NEVER, unwind_ppm=NEVER)
    assert sent(stale_ask(500), asleep) == []


VICTIM = {
    "kind": Kind.ORDER,
    "account": 3,
    "market": 0,
    "side": BUY,
    "lots": 600,
    "flags": Flag.IOC,
    "fee_bid": 50_000,
    "arrival_us": 100 * USD + 400_000,
}


def pending(*rows, **changes):
    return view(pending=txs(rows, WAITING), **changes)


def test_where_nothing_is_shown_there_is_no_sandwich():
    assert sent(view()) == []


@pytest.mark.parametrize("side", [BUY, SELL])
def test_a_large_visible_taker_is_sandwiched(side):
    front, offer = sent(pending({**VICTIM, "side": side}))
    touch = PRICE[0] + side * 10
    assert front["side"] == side and offer["side"] == -side
    assert front["lots"] == offer["lots"] == 300
    # It buys at the touch and offers a little beyond it, where the victim must go.
    assert 0 < (front["ticks"] - touch) * side < (offer["ticks"] - touch) * side
    assert front["flags"] == Flag.IOC and offer["kind"] == Kind.REPLACE
    assert front["fee_bid"] > offer["fee_bid"] > VICTIM["fee_bid"]


def test_an_answer_comes_after_what_it_answers_and_for_this_block_only():
    for order in sent(pending(VICTIM)):
        assert order["arrival_us"] == 400_000, "beyond the searcher's own way"
        assert order["expiry_block"] == 90
    waited = {**VICTIM, "arrival_us": 98 * USD}
    assert {order["arrival_us"] for order in sent(pending(waited))} == {0}


@pytest.mark.parametrize(
    "change",
    [
        {"lots": 499},
        {"flags": 0},
        {"flags": Flag.POST_ONLY},
        {"kind": Kind.NONE},
        {"kind": Kind.CANCEL},
        {"account": FIRST},
    ],
    ids=["small", "resting", "post-only", "hidden", "cancel", "its own"],
)
def test_what_is_not_worth_it_is_left_alone(change):
    assert sent(pending({**VICTIM, **change})) == []


def test_a_replacement_that_takes_is_a_victim_too():
    assert len(sent(pending({**VICTIM, "kind": Kind.REPLACE}))) == 2


def test_a_sandwich_stays_within_the_searchers_means():
    front, _ = sent(pending({**VICTIM, "lots": 100_000}))
    assert front["lots"] == 5_000 * USD // LOT


def test_an_empty_side_is_not_sandwiched():
    assert sent(pending(VICTIM, ask=(0, PRICE[1] + 10))) == []


def test_searchers_do_not_all_fall_on_one_victim():
    rows = [{**VICTIM, "account": i, "lots": 600 + i} for i in range(WAITING)]
    seen = view(12, pending=txs(rows, WAITING))
    _, intents = decide(FAMILY, seen, PARAMS)
    assert len({order[0]["lots"] for order in intents}) > 1


def test_thresholds_are_drawn_around_their_median():
    params = numbers(FAMILY, edge_ppm=EDGE, edge_sigma_ppm=300_000)
    edges = np.asarray(drawn(FAMILY, params, members=12).edge_ppm)
    assert len(set(edges.tolist())) == 12
    assert 600 < np.median(edges) < 2_400


def test_each_searcher_keeps_to_its_own_threshold():
    choosy = constant(drawn(FAMILY, PARAMS), edge_ppm=2_001)
    assert sent(stale_ask(200), PARAMS, choosy) == []
