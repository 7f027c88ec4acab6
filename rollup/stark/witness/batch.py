"""What is to be proven: the updates of a batch, and the numbers they are held to."""

from dataclasses import dataclass

import numpy as np

from rollup.stark.rules.statement import Segment
from rollup.stark.witness.accounts import AccountTable


class UnprovableBatchError(ValueError):
    """The batch breaks a rule that the proof enforces, or leaves its bounds."""


@dataclass(frozen=True)
class BatchUpdates:
    """Position updates in order.

    Attributes:
        account: int64 [U]; the same account may come again.
        collateral: int64 [U], after the update.
        positions: int64 [U, M], after the update.
    """

    account: np.ndarray
    collateral: np.ndarray
    positions: np.ndarray

    @classmethod
    def joined(cls, parts: "list[BatchUpdates]") -> "BatchUpdates":
        """Updates one after the other."""
        columns = ("account", "collateral", "positions")
        return cls(*(np.concatenate([getattr(p, c) for p in parts]) for c in columns))


@dataclass(frozen=True)
class VenueState:
    """Public numbers of a batch besides roots and sums: see ``PublicInputs``."""

    segments: tuple[Segment, ...]
    multipliers: tuple[int, ...]
    risk_factor_ppm: tuple[int, ...]
    batch: int = 0

    @property
    def updates(self) -> int:
        """Updates of all segments."""
        return sum(segment.updates for segment in self.segments)

    def by_update(self, name: str) -> np.ndarray:
        """Prices or funding indices of each update, and of the idle one: [U+1, M]."""
        rows = np.array([getattr(s, name) for s in self.segments], np.int64)
        counts = [segment.updates for segment in self.segments]
        counts[-1] += 1
        return np.repeat(rows, counts, axis=0)


def updates_between(old: AccountTable, new: AccountTable) -> BatchUpdates:
    """One update for every account whose row differs between two tables."""
    changed = (
        (old.collateral != new.collateral)
        | (old.positions != new.positions).any(axis=1)
        | (old.indices != new.indices).any(axis=1)
    )
    touched = np.flatnonzero(changed)
    return BatchUpdates(touched, new.collateral[touched], new.positions[touched])
