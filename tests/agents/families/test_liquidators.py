"""Liquidators race for the endangered, back what they can afford, and unwind."""

import numpy as np
import pytest

from market.numbers.units import PPM
from market.types.orders import BUY, SELL, Flag, Kind
from market.types.specs import Liquidation
from tests.agents.cases import (
    ALWAYS,
    FIRST,
    LOT,
    NEVER,
    PRICE,
    USD,
    decide,
    held,
    numbers,
    view,
)

FAMILY = "liquidators"
CHANGED = {
    "alert_ppm": ALWAYS,
    "unwind_ppm": ALWAYS,
    "discount_ppm": 10_000,
    "leverage_ppm": 4_000_000,
    "fee_bid": 2_000_000,
}
PARAMS = numbers(FAMILY, **CHANGED)
#: One account in danger: number 5, long 700 lots of the first market.
DANGER = {
    "danger": [5, -1, -1, -1],
    "danger_market": [0, 0, 0, 0],
    "danger_lots": [700, 0, 0, 0],
}


def sent(seen, params=PARAMS):
    """What a single liquidator sends."""
    _, (rows,) = decide(FAMILY, seen, params)
    return rows


def test_a_liquidation_names_the_account_and_its_market():
    _, liquidation = sent(view(**DANGER))
    assert liquidation["kind"] == Kind.LIQUIDATE
    assert liquidation["account"] == FIRST
    assert liquidation["slot"] == 5 and liquidation["market"] == 0
    assert liquidation["expiry_block"] == 93


@pytest.mark.parametrize(("lots", "side"), [(700, BUY), (-700, SELL)])
def test_it_backs_the_liquidation_at_a_discount_before_sending_it(lots, side):
    backing, liquidation = sent(view(**{**DANGER, "danger_lots": [lots, 0, 0, 0]}))
    assert backing["kind"] == Kind.REPLACE and backing["side"] == side
    assert backing["ticks"] == PRICE[0] - side * PRICE[0] // 100
    assert backing["lots"] == 700
    assert backing["fee_bid"] == liquidation["fee_bid"] + 1


def test_backing_ends_with_the_capital():
    large = {**DANGER, "danger_lots": [100_000, 0, 0, 0]}
    assert sent(view(**large))[0]["lots"] == 40_000 * USD // LOT
    carrying = view(**large, **held(1, 2_000))
    assert sent(carrying)[0]["lots"] == 30_000 * USD // LOT


def test_without_capital_it_still_races_but_backs_no_one():
    (only,) = sent(view(**DANGER, collateral=[0]))
    assert only["kind"] == Kind.LIQUIDATE
    (only,) = sent(view(**DANGER, **held(0, 4_100)))
    assert only["kind"] == Kind.LIQUIDATE


def test_when_no_one_is_in_danger_it_unwinds_half_at_the_market():
    (order,) = sent(view(**held(0, 7)))
    assert order["side"] == SELL and order["lots"] == 4
    assert order["flags"] == Flag.MARKET | Flag.REDUCE_ONLY
    assert sent(view()) == []


def test_the_last_lot_is_unwound_too():
    assert sent(view(**held(0, 1)))[0]["lots"] == 1


def test_it_hunts_before_it_unwinds():
    backing, _ = sent(view(**DANGER, **held(0, 7)))
    assert backing["kind"] == Kind.REPLACE


def test_a_sleeping_liquidator_leaves_the_endangered_alone():
    asleep = numbers(FAMILY, alert_ppm=NEVER, unwind_ppm=NEVER)
    assert sent(view(**DANGER), asleep) == []


def taken_over(seen, params=PARAMS):
    """What a single keeper sends on StarkEx."""
    _, (rows,) = decide(FAMILY, seen, params, liquidation=Liquidation.TAKEOVER)
    return rows


def test_on_starkex_it_takes_over_what_its_capital_carries_and_bids_for_nothing():
    (liquidation,) = taken_over(view(**DANGER))
    assert liquidation["kind"] == Kind.LIQUIDATE and liquidation["slot"] == 5
    assert liquidation["lots"] == 700 and liquidation["ticks"] == 0
    (liquidation,) = taken_over(view(**{**DANGER, "danger_lots": [-100_000, 0, 0, 0]}))
    assert liquidation["lots"] == 40_000 * USD // LOT


def test_on_starkex_a_keeper_without_capital_sends_nothing_it_cannot_carry():
    idle = numbers(FAMILY, **{**CHANGED, "unwind_ppm": NEVER})
    assert taken_over(view(**DANGER, collateral=[0]), idle) == []
    assert taken_over(view(**DANGER, **held(0, 4_100)), idle) == []


def test_on_starkex_it_unwinds_what_it_took_over_when_no_one_is_in_danger():
    (order,) = taken_over(view(**held(0, -7)))
    assert order["kind"] == Kind.ORDER and order["lots"] == 4


CROWD = 400


def test_liquidators_race_for_the_worst_and_some_look_further_down():
    full = {
        "danger": [30, 31, 32, 33],
        "danger_market": [0, 1, 0, 1],
        "danger_lots": [10, 10, -10, -10],
    }
    _, rows = decide(FAMILY, view(CROWD, **full), PARAMS)
    targets = [row[-1]["slot"] for row in rows]
    assert set(targets) == {30, 31, 32, 33}
    # Half look anywhere, half at the head of the list: five eighths go for the worst.
    assert targets.count(30) == pytest.approx(CROWD * 5 / 8, abs=4 * 0.49 * CROWD**0.5)


def test_no_one_hunts_beyond_the_end_of_the_list():
    _, rows = decide(FAMILY, view(CROWD, **DANGER), PARAMS)
    assert {row[-1]["slot"] for row in rows} == {5}


def test_bids_for_priority_differ():
    _, rows = decide(FAMILY, view(CROWD, **DANGER), PARAMS)
    bids = np.array([row[-1]["fee_bid"] for row in rows])
    assert len(set(bids.tolist())) > CROWD / 2
    assert bids.min() >= 0 and bids.max() <= 2_000_000
    assert bids.max() > PPM
