"""Random batches for the tests: accounts, trades among them, deposits, funding."""

import numpy as np

from rollup.stark.accounts import AccountTable
from rollup.stark.parameters import StarkParameters
from rollup.stark.witness import BatchUpdates, VenueState

SMALL = StarkParameters(height=6, log_rows=12, queries=12, grinding=4)
MARKETS = 3
PRICES = (60_000, 31_000, 14_500)
MULTIPLIERS = (100, 10, 10)
RISK = (12_000, 20_000, 50_000)


def venue(rng: np.random.Generator, batch: int = 7) -> VenueState:
    """BTC-, ETH- and SOL-like markets with indices of either sign."""
    indices = tuple(int(v) for v in rng.integers(-(1 << 50), 1 << 50, MARKETS))
    return VenueState(PRICES, MULTIPLIERS, RISK, indices, batch)


def flat_venue(prices=PRICES, batch: int = 7) -> VenueState:
    """No funding."""
    return VenueState(prices, MULTIPLIERS, RISK, (0,) * MARKETS, batch)


def accounts(rng: np.random.Generator, count: int) -> AccountTable:
    """Well-collateralised accounts with positions of both signs, some flat."""
    positions = rng.integers(-(1 << 20), 1 << 20, (count, MARKETS))
    positions[rng.random((count, MARKETS)) < 0.3] = 0
    collateral = rng.integers(1 << 45, 1 << 46, count)
    indices = rng.integers(-(1 << 50), 1 << 50, (count, MARKETS))
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


def trades(
    rng: np.random.Generator, table: AccountTable, state: VenueState, pairs: int
):
    """Pairs of updates that trade with each other; accounts come more than once."""
    indices = np.array(state.funding_indices, object)
    collateral = [int(v) for v in table.collateral]
    positions = table.positions.astype(object).copy()
    cached = table.indices.astype(object).copy()
    out = []
    for _ in range(pairs):
        two = rng.choice(len(collateral), 2, replace=False)
        m = int(rng.integers(MARKETS))
        lots, paid = int(rng.integers(-(1 << 16), 1 << 16)), int(rng.integers(1 << 36))
        for account, sign in zip(two, (1, -1), strict=True):
            change = ((indices - cached[account]) * positions[account]).sum()
            collateral[account] = ((collateral[account] << 32) - change) >> 32
            cached[account] = indices
            positions[account, m] += sign * lots
            collateral[account] -= sign * paid
            out.append((int(account), collateral[account], positions[account].copy()))
    return updates(*out)
