"""The plain-Python exchange by itself: nothing is created or lost, and no side crosses.

Nothing is compiled here. That the other forms equal it is held by `test_twin`.
"""

import numpy as np
import pytest

from market.twin.lane import Lane, open_lane, open_lots
from market.types.orders import BUY, SELL, Status
from tests.market.forms import exchange_cases as cases

BLOCKS = 12


def errors(lane: Lane) -> dict[str, int]:
    """By how much money, contracts and orders are not where they should be."""
    money = [*lane.collateral, *lane.withdrawn, *lane.insurance, lane.fees]
    resting = [
        [sum(order.lots for order in side) for side in (book.bids, book.asks)]
        for book in lane.books
    ]
    owned = [
        [
            sum(open_lots(lane, a, m, side) for a in lane.accounts)
            for side in (BUY, SELL)
        ]
        for m in lane.markets
    ]
    return {
        "money": sum(money) - lane.paid_in,
        "contracts": sum(abs(sum(held)) for held in zip(*lane.position, strict=True)),
        "orders": int(resting != owned),
    }


def is_crossed(lane: Lane, market: int) -> bool:
    """Whether a bid rests at or above an ask."""
    book = lane.books[market]
    bids, asks = ([order.ticks for order in side] for side in (book.bids, book.asks))
    return bool(bids and asks) and max(bids) >= min(asks)


@pytest.mark.parametrize("preset", cases.PRESETS)
@pytest.mark.parametrize("auction", [False, True], ids=["continuous", "auction"])
@pytest.mark.parametrize("seed", range(4))
def test_nothing_is_created_or_lost_and_no_book_is_crossed(seed, auction, preset):
    rng = np.random.default_rng(seed)
    spec, params = cases.venue(cases.Venue(preset))
    collateral, insurance, oracle = cases.random_start(rng)
    lane = open_lane(
        spec, cases.plain(params), collateral, [insurance] + [0] * 2, oracle
    )
    for block in range(1, BLOCKS + 1):
        lane.price = oracle = cases.moved(rng, oracle)
        txs = cases.columns(cases.random_rows(rng, oracle, block, collateral))
        cases.run_twin(lane, txs, block, int(rng.integers(1 << 62)), auction)
        assert errors(lane) == {"money": 0, "contracts": 0, "orders": 0}
        assert not any(is_crossed(lane, market) for market in lane.markets)
    assert lane.counters[Status.FILLED] > 0
