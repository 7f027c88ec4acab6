"""A small world with a few of everybody, in which things of a user's own are tried."""

from experiments.build.worlds import build
from experiments.config import expand
from experiments.engine import World

DOCUMENT = {
    "world": {"blocks": 20, "series_every": 10},
    "venue": {"markets": ["BTC", "ETH"], "book_capacity": 16},
    "sequencer": {"queue": 64, "block_txs": 32},
    "populations": {
        "market_makers": {"count": 3},
        "leveraged_traders": {"count": 4, "activity": 0.2},
        "searchers": {"count": 1},
        "liquidators": {"count": 1},
    },
}


def small_world() -> World:
    """The world of that document."""
    (world,) = build(expand(DOCUMENT).configs)
    return world
