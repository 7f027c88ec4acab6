"""The vault sells off what it was made to take over, and does nothing else."""

import pytest

from market.types.orders import BUY, SELL, Flag, Kind
from tests.agents.cases import ALWAYS, FIRST, NEVER, decide, held, numbers, view

FAMILY = "vault"
PARAMS = numbers(FAMILY, unwind_ppm=ALWAYS, portion_ppm=200_000)


def sent(seen, params=PARAMS):
    _, (rows,) = decide(FAMILY, seen, params)
    return rows


@pytest.mark.parametrize(("lots", "side"), [(500, SELL), (-500, BUY)])
def test_it_closes_a_share_of_its_position_at_the_market(lots, side):
    (order,) = sent(view(**held(1, lots)))
    assert order["kind"] == Kind.ORDER and order["account"] == FIRST
    assert (order["market"], order["side"], order["lots"]) == (1, side, 100)
    assert order["flags"] == Flag.MARKET | Flag.REDUCE_ONLY


def test_the_share_is_rounded_up_so_that_the_last_lot_goes_too():
    assert sent(view(**held(0, 6)))[0]["lots"] == 2
    assert sent(view(**held(0, 1)))[0]["lots"] == 1


def test_the_largest_position_by_value_comes_first():
    # A lot of the first market is worth twice a lot of the second.
    assert sent(view(position=[[60, -110]]))[0]["market"] == 0
    assert sent(view(position=[[50, -110]]))[0]["market"] == 1


def test_a_flat_vault_and_one_that_waits_send_nothing():
    assert sent(view()) == []
    assert sent(view(**held(0, 9)), numbers(FAMILY, unwind_ppm=NEVER)) == []
