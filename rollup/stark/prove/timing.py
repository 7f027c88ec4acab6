"""How long a proof takes as a function of its updates: measured, then interpolated.

A trace has a power of two of rows, so the time is a staircase; between the measured
sizes it is taken as affine in the rows. Batches beyond the largest trace are proven
one trace after the other.
"""

import time
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from rollup.stark.prove.prover import prove
from rollup.stark.rules.parameters import MAX_LOG_ROWS, StarkParameters
from rollup.stark.rules.statement import Segment
from rollup.stark.witness.accounts import AccountTable
from rollup.stark.witness.batch import BatchUpdates, VenueState

#: No trace takes longer; sums of a few stay in 63 bits.
MAX_MICROSECONDS = 1 << 49


@dataclass(frozen=True)
class ProvingLaw:
    """Proving time by rows of the trace.

    Attributes:
        parameters: of the proofs that were measured; ``log_rows`` plays no part.
        points: (log2 of rows, microseconds), by increasing rows.
    """

    parameters: StarkParameters
    points: tuple[tuple[int, int], ...]

    def microseconds(self, updates: int) -> int:
        """Time to prove a batch of ``updates``, rounded up to the next row count."""
        largest = StarkParameters(log_rows=MAX_LOG_ROWS).capacity
        whole, rest = divmod(max(updates, 1), largest)
        total = whole * self._rows_microseconds(MAX_LOG_ROWS)
        if rest:
            total += self._rows_microseconds(self.parameters.for_updates(rest).log_rows)
        return total

    def _rows_microseconds(self, log_rows: int) -> int:
        """Affine in rows between the two nearest points; outside, by the end pair."""
        points = self.points
        if len(points) == 1:
            (log, micros) = points[0]
            return micros << (log_rows - log) if log_rows >= log else micros
        upper = 1
        while upper < len(points) - 1 and points[upper][0] < log_rows:
            upper += 1
        (log0, t0), (log1, t1) = points[upper - 1], points[upper]
        step = (1 << log_rows) - (1 << log0)
        value = t0 + (t1 - t0) * step // ((1 << log1) - (1 << log0))
        return max(value, min(t for _, t in points) if log_rows < log0 else 0)

    def to_dict(self) -> dict:
        """JSON-able form."""
        return {
            "parameters": self.parameters.to_dict(),
            "points": [list(point) for point in self.points],
        }

    @classmethod
    def from_dict(cls, data: dict) -> "ProvingLaw":
        """Reads ``to_dict``'s form.

        Raises:
            ValueError, KeyError, TypeError: it is not that form.
        """
        points = tuple((int(log), int(micros)) for log, micros in data["points"])
        logs = [log for log, _ in points]
        if not logs or logs != sorted(set(logs)):
            raise ValueError("points must stand by rising rows, one at least")
        if not (0 <= logs[0] and logs[-1] <= MAX_LOG_ROWS):
            raise ValueError(f"rows must be 2^0 to 2^{MAX_LOG_ROWS}")
        if not all(0 < micros < MAX_MICROSECONDS for _, micros in points):
            raise ValueError("microseconds of a point must be positive, below 2^49")
        return cls(StarkParameters(**data["parameters"]), points)


def sample_batch(
    accounts: int, updates: int, markets: int = 3
) -> tuple[AccountTable, BatchUpdates, VenueState]:
    """A batch to time the prover on: pairs of accounts trade one lot of market 0."""
    rng = np.random.default_rng(0)
    table = AccountTable.of(
        rng.integers(1 << 44, 1 << 45, accounts),
        rng.integers(-(1 << 16), 1 << 16, (accounts, markets)),
        np.zeros((accounts, markets), np.int64),
    )
    pairs = updates // 2
    account = rng.permutation(accounts)[: 2 * pairs]
    if len(account) < 2 * pairs:
        raise ValueError(f"{updates} updates need as many accounts")
    positions = table.positions[account].copy()
    positions[:pairs, 0] += 1
    positions[pairs:, 0] -= 1
    collateral = table.collateral[account].copy()
    collateral[:pairs] -= 1_000_000
    collateral[pairs:] += 1_000_000
    segment = Segment(len(account), (10_000,) * markets, (0,) * markets)
    venue = VenueState((segment,), (100,) * markets, (20_000,) * markets)
    return table, BatchUpdates(account, collateral, positions), venue


def measure_law(
    parameters: StarkParameters | None = None,
    log_rows: Iterable[int] = (12, 14, 16),
    repeats: int = 2,
) -> ProvingLaw:
    """Proves full traces of the given sizes and keeps the best time of each.

    Compilation is not counted: each size is proven once more at the start.
    """
    parameters = parameters or StarkParameters()
    points = []
    for log in sorted(log_rows):
        sized = StarkParameters(**{**parameters.to_dict(), "log_rows": log})
        count = min(sized.capacity, 1 << sized.height)
        batch = sample_batch(1 << sized.height, count, sized.markets)
        best = None
        for _ in range(repeats + 1):
            start = time.perf_counter()
            prove(*batch, sized)
            micros = int((time.perf_counter() - start) * 1e6)
            best = micros if best is None else min(best, micros)
        points.append((log, best))
    return ProvingLaw(parameters, tuple(points))
