"""What a batch did to the accounts, block by block: the updates that a proof shows.

Every block is a segment of its batch, at the prices that its margin was reckoned at
(the oracle's, or the venue's own mark): one update for each account that it touched.
A block that pays funding is two: the trades at the old funding indices, then every
account at the new ones, at the same prices. Insurance funds, fees and the residue of
rounding are accounts behind those of the venue, so whatever crosses the border of the
table is a deposit or a withdrawal.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from market.numbers.units import PPM
from market.rules.margin import maintenance_fraction_ppm
from market.types.specs import Margin, VenueParams, VenueSpec
from rollup.stark.rules.statement import Segment
from rollup.stark.witness.accounts import AccountTable
from rollup.stark.witness.batch import BatchUpdates, VenueState, updates_between


@dataclass(frozen=True)
class Ledger:
    """Accounts and funds between two blocks; host arrays, int64.

    Attributes:
        collateral: [A + F], the residue of rounding last.
        positions: [A + F, M], zero for funds.
        indices: [M] funding indices, millionths of a quantum per lot.
        prices: [M] ticks, what margin was reckoned at in the block just made.
    """

    collateral: np.ndarray
    positions: np.ndarray
    indices: np.ndarray
    prices: np.ndarray

    @classmethod
    def of(cls, exchange) -> "Ledger":
        """Reads the state of an exchange."""
        funds = [
            np.asarray(fund).reshape(-1)
            for fund in (exchange.insurance, exchange.fees, exchange.residue)
        ]
        collateral = np.concatenate([np.asarray(exchange.collateral), *funds])
        held = np.asarray(exchange.position)
        positions = np.zeros((len(collateral), held.shape[1]), np.int64)
        positions[: len(held)] = held
        indices, prices = np.asarray(exchange.funding_index), exchange.mark
        return cls(collateral, positions, indices, np.asarray(prices))

    @property
    def table(self) -> AccountTable:
        """The accounts as the tree holds them: everyone has paid all funding."""
        indices = np.broadcast_to(self.indices, self.positions.shape)
        return AccountTable.of(self.collateral, self.positions, indices)

    def before_funding(self, indices: np.ndarray) -> "Ledger":
        """The ledger before the indices moved here from ``indices``.

        Payments are floors, and what the floors left is the residue.
        """
        moves = (self.indices - indices).astype(object)  # products may pass 63 bits
        paid = (-(self.positions * moves).sum(axis=1) // PPM).astype(np.int64)
        paid[-1] = -paid.sum()
        return replace(self, collateral=self.collateral - paid, indices=indices)


def block_updates(before: Ledger, after: Ledger) -> list[tuple[BatchUpdates, Segment]]:
    """The updates of one block, segment by segment."""
    traded = after.before_funding(before.indices)
    parts = [(updates_between(before.table, traded.table), before.indices)]
    if (after.indices != before.indices).any():
        parts.append((updates_between(traded.table, after.table), after.indices))
    prices = tuple(int(p) for p in after.prices)
    return [
        (part, Segment(len(part.account), prices, tuple(int(i) for i in indices)))
        for part, indices in parts
        if len(part.account)
    ]


def batch_updates(
    ledgers: Sequence[Ledger], multipliers, risk_factor_ppm, batch: int
) -> tuple[BatchUpdates, VenueState]:
    """All updates of a batch, and its segments; neighbours of equal numbers joined.

    Args:
        ledgers: before the first block, after the first, …, after the last.
        multipliers: quanta per lot and tick of each market.
        risk_factor_ppm: maintenance fraction of each market.
        batch: its number.
    """
    updates: list[BatchUpdates] = []
    segments: list[Segment] = []
    for before, after in pairwise(ledgers):
        for part, segment in block_updates(before, after):
            updates.append(part)
            if segments and replace(segments[-1], updates=segment.updates) == segment:
                joint = segments[-1].updates + segment.updates
                segments[-1] = replace(segment, updates=joint)
            else:
                segments.append(segment)
    if not segments:
        last = ledgers[-1]
        numbers = (tuple(int(v) for v in row) for row in (last.prices, last.indices))
        segments = [Segment(0, *numbers)]
        updates = [updates_between(last.table, last.table)]
    venue = VenueState(tuple(segments), multipliers, risk_factor_ppm, batch)
    return BatchUpdates.joined(updates), venue


def risk_of(venue: VenueSpec, params: VenueParams) -> tuple[int, ...]:
    """Maintenance fractions of a venue's markets, ppm, as the statement has them.

    StarkEx's risk factor rises in steps with the size of a position; the statement
    holds every size to the first, so large positions are held to less than the venue
    asks.
    """
    if venue.margin == Margin.RISK_STEPS:
        fractions = np.asarray(params.risk_factor_ppm)[0]
    else:
        fractions = maintenance_fraction_ppm(
            np.asarray(params.initial_margin_ppm),
            np.asarray(params.maintenance_fraction_ppm),
        )
    return tuple(int(r) for r in fractions)
