"""How much memory a run of a world takes, reckoned from its shapes before it is built.

What grows with an experiment is counted: accounts with their positions and orders,
books, what waits in the mempool, the outside prices of all blocks and the samples of
the series. The program of a step, some hundred megabytes whatever it runs, is not.
"""

from agents.measure.series import SERIES
from agents.world import WorldSpec

_BYTES = 8  # every leaf of a state is a 64-bit integer, or smaller
#: Numbers of an account, and of an account in a market.
_OF_ACCOUNT, _OF_POSITION = 16, 6
#: Numbers of an order in a book, and of a transaction.
_OF_ORDER, _OF_TRANSACTION = 6, 12
#: A step holds the state before and after it, and a copy that is being changed; what
#: everybody intends is drawn, joined and ordered.
_COPIES = 3


def lane_bytes(spec: WorldSpec) -> int:
    """Bytes that one run takes while it is computed, about."""
    intents = sum(g.count * (g.family.intents if g.family else 1) for g in spec.groups)
    step = state_numbers(spec) + intents * _OF_TRANSACTION
    return _BYTES * (_COPIES * step + _kept_numbers(spec))


def state_numbers(spec: WorldSpec) -> int:
    """Integers in the state of one run."""
    venue, markets = spec.venue, len(spec.venue.markets)
    return (
        venue.accounts * (_OF_ACCOUNT + markets * _OF_POSITION)
        + markets * 2 * venue.book_capacity * _OF_ORDER
        + spec.chain.queue * _OF_TRANSACTION
    )


def _kept_numbers(spec: WorldSpec) -> int:
    """Integers of the outside prices of all blocks and of the samples of series."""
    markets = len(spec.venue.markets)
    samples = -(-spec.blocks // spec.series_every)
    columns = sum(markets if s.per_market else 1 for s in SERIES.values())
    return spec.blocks * markets + samples * columns
