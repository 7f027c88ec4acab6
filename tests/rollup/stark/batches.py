"""Random batches for the tests: accounts, trades among them, deposits, funding."""

import numpy as np

from rollup.stark.rules.parameters import StarkParameters
from rollup.stark.rules.statement import Segment
from rollup.stark.witness.accounts import AccountTable
from rollup.stark.witness.batch import BatchUpdates, VenueState

SMALL = StarkParameters(height=6, log_rows=12, queries=12, grinding=4)
MARKETS = 3
PRICES = (60_000, 31_000, 14_500)
MULTIPLIERS = (100, 10, 10)
RISK = (12_000, 20_000, 50_000)


def venue(rng: np.random.Generator, counts, batch: int = 7) -> VenueState:
    """Segments of so many updates, prices and indices of either sign moving between."""
    segments = []
    for count in counts:
        indices = tuple(int(v) for v in rng.integers(-(1 << 37), 1 << 37, MARKETS))
        prices = tuple(int(p * rng.uniform(0.9, 1.1)) for p in PRICES)
        segments.append(Segment(int(count), prices, indices))
    return VenueState(tuple(segments), MULTIPLIERS, RISK, batch)


def flat_venue(
    count: int, prices=PRICES, indices=(0,) * MARKETS, batch: int = 7
) -> VenueState:
    """One segment of so many updates; no funding unless indices are given."""
    return VenueState((Segment(count, prices, indices),), MULTIPLIERS, RISK, batch)


def accounts(rng: np.random.Generator, count: int) -> AccountTable:
    """Well-collateralised accounts with positions of both signs, some flat."""
    positions = rng.integers(-(1 << 20), 1 << 20, (count, MARKETS))
    positions[rng.random((count, MARKETS)) < 0.3] = 0
    collateral = rng.integers(1 << 45, 1 << 46, count)
    indices = rng.integers(-(1 << 37), 1 << 37, (count, MARKETS))
    return AccountTable.of(collateral, positions, indices)


def table(collateral, positions, indices=None) -> AccountTable:
    """Accounts given row by row, without funding unless indices are given."""
    zero = np.zeros_like(np.asarray(positions)) if indices is None else indices
    return AccountTable.of(collateral, positions, zero)


def updates(*rows) -> BatchUpdates:
    """Updates given as (account, collateral, positions)."""
    return BatchUpdates(
        np.array([r[0] for r in rows], np.int64),
        np.array([r[1] for r in rows], np.int64),
        np.array([r[2] for r in rows], np.int64).reshape(len(rows), MARKETS),
    )


def trades(rng: np.random.Generator, table: AccountTable, state: VenueState):
    """As many updates as the segments hold, in pairs that trade with each other.

    Accounts come more than once, within a segment and in different ones; a segment of
    an odd number of updates ends with a deposit.
    """
    collateral = [int(v) for v in table.collateral]
    positions = table.positions.astype(object).copy()
    cached = table.indices.astype(object).copy()
    out = []

    def change(account: int, indices, m: int, lots: int, paid: int) -> None:
        owed = ((indices - cached[account]) * positions[account]).sum()
        collateral[account] = (collateral[account] * 1_000_000 - owed) // 1_000_000
        cached[account] = indices
        positions[account, m] += lots
        collateral[account] -= paid
        out.append((int(account), collateral[account], positions[account].copy()))

    for segment in state.segments:
        indices = np.array(segment.funding_indices, object)
        for _ in range(segment.updates // 2):
            two = rng.choice(len(collateral), 2, replace=False)
            m = int(rng.integers(MARKETS))
            lots, paid = (
                int(rng.integers(-(1 << 16), 1 << 16)),
                int(rng.integers(1 << 36)),
            )
            for account, sign in zip(two, (1, -1), strict=True):
                change(account, indices, m, sign * lots, sign * paid)
        if segment.updates % 2:
            change(int(rng.integers(len(collateral))), indices, 0, 0, -1_000)
    return updates(*out)
