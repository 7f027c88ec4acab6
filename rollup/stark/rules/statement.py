"""The statement that a proof is about: public inputs, their bounds and their bytes.

Plain Python; the verifier imports it. Amounts are integers in lab units: money in
quote quanta, sizes in lots, prices in ticks, ratios in ppm. A funding index is in
millionths of a quote quantum per lot, as in `market.rules.funding`.
"""

import struct
from dataclasses import asdict, dataclass, fields
from typing import Any

from rollup.stark.rules.arithmetic import P
from rollup.stark.rules.parameters import ROWS, StarkParameters

PPM = 1_000_000
#: |collateral| and |funding index| stay below this.
AMOUNT_BOUND = 1 << 59
#: |position| in lots stays below this.
POSITION_BOUND = 1 << 48
#: Value of one lot, price * multiplier, stays below this.
LOT_VALUE_BOUND = 1 << 48
#: |total value| of an account stays below this, and total risk (ppm) below the next.
VALUE_BOUND = 1 << 71
RISK_BOUND = 1 << 84
#: What one update may be allowed beyond the margin rule stays below this, in quanta.
ALLOWANCE_BOUND = 1 << 24
#: Segments of a batch at most: bounds what a verifier reads.
MAX_SEGMENTS = 1024
DOMAIN_TAG = b"shakeout/stark/batch/2"


@dataclass(frozen=True)
class Segment:
    """A stretch of a batch with prices and funding indices of its own.

    Attributes:
        updates: how many position updates belong to it.
        prices: ticks per market, 1 to 2^32 - 1.
        funding_indices: index of each market that its updates end with.
    """

    updates: int
    prices: tuple[int, ...]
    funding_indices: tuple[int, ...]


@dataclass(frozen=True)
class PublicInputs:
    """What the proof claims about a batch of position updates.

    Attributes:
        old_root, new_root: eight field elements each, roots of the account tree.
        segments: one or more, in the order of their updates.
        multipliers: quote quanta per lot and tick, at least 1.
        risk_factor_ppm: maintenance fraction per market, 1 to 1,000,000 ppm.
        net_deposit: sum over updates of collateral after, less collateral after
            funding; signed quanta.
        funding_flow: sum over updates of collateral after funding, less before.
        allowance: sum over updates of what accounts below their margin were allowed to
            lose beyond the margin rule, in quanta: gas and rounding.
        batch: batch number; binds the proof to its place.
        height: height of the account tree.
    """

    old_root: tuple[int, ...]
    new_root: tuple[int, ...]
    segments: tuple[Segment, ...]
    multipliers: tuple[int, ...]
    risk_factor_ppm: tuple[int, ...]
    net_deposit: int
    funding_flow: int
    allowance: int
    batch: int
    height: int

    @property
    def updates(self) -> int:
        """How many position updates the batch holds."""
        return sum(segment.updates for segment in self.segments)

    def lot_values(self, segment: Segment) -> tuple[int, ...]:
        """Quanta per lot in a segment: price times multiplier."""
        return tuple(
            p * m for p, m in zip(segment.prices, self.multipliers, strict=True)
        )

    def lot_risks(self, segment: Segment) -> tuple[int, ...]:
        """Maintenance requirement of a lot in a segment, in ppm of a quantum."""
        values = self.lot_values(segment)
        return tuple(v * r for v, r in zip(values, self.risk_factor_ppm, strict=True))

    def to_dict(self) -> dict:
        """JSON-able form; ``from_dict`` reads it back."""
        return _listed(asdict(self))

    @classmethod
    def from_dict(cls, data: dict) -> "PublicInputs":
        """Reads ``to_dict``'s form.

        Raises:
            ValueError: a key is missing or unknown. Values are checked by ``problem``.
        """
        values = _named(cls, data, "public inputs")
        if not isinstance(values["segments"], tuple):
            raise ValueError("segments must be a list")
        values["segments"] = tuple(
            Segment(**_named(Segment, part, "a segment")) for part in values["segments"]
        )
        return cls(**values)

    def problem(self, parameters: StarkParameters) -> str | None:
        """Why these inputs cannot be proven at all, or None."""
        markets = parameters.markets
        checks = (
            ("old_root", self.old_root, 8, 0, P),
            ("new_root", self.new_root, 8, 0, P),
            ("multipliers", self.multipliers, markets, 1, LOT_VALUE_BOUND),
            ("risk_factor_ppm", self.risk_factor_ppm, markets, 1, PPM + 1),
            ("net_deposit", (self.net_deposit,), 1, -(1 << 63), 1 << 63),
            ("funding_flow", (self.funding_flow,), 1, -(1 << 63), 1 << 63),
            ("allowance", (self.allowance,), 1, 0, 1 << 63),
            ("batch", (self.batch,), 1, 0, 1 << 63),
            ("height", (self.height,), 1, parameters.height, parameters.height + 1),
        )
        return _out_of_range("public input ", checks) or self._segment_problem(
            parameters
        )

    def _segment_problem(self, parameters: StarkParameters) -> str | None:
        markets, segments = parameters.markets, self.segments
        if not isinstance(segments, tuple) or not 0 < len(segments) <= MAX_SEGMENTS:
            return f"public input segments needs 1 to {MAX_SEGMENTS} segments"
        room = parameters.rows // ROWS
        for number, part in enumerate(segments):
            if not isinstance(part, Segment):
                return "public input segments holds something else"
            indices = part.funding_indices
            checks = (
                ("updates", (part.updates,), 1, 0, room + 1),
                ("prices", part.prices, markets, 1, 1 << 32),
                ("funding_indices", indices, markets, 1 - AMOUNT_BOUND, AMOUNT_BOUND),
            )
            found = _out_of_range(f"public input segment {number} ", checks)
            if found:
                return found
            room -= part.updates
            if room < 0:
                return "public input segments have more updates than the trace holds"
            if any(v >= LOT_VALUE_BOUND for v in self.lot_values(part)):
                return "public input prices times multipliers out of range"
        return None

    def encode(self, parameters: StarkParameters) -> bytes:
        """The bytes that the transcript starts from; injective on valid inputs."""
        p = parameters
        head = (p.markets, p.height, p.log_rows, p.queries, p.grinding)
        body = [
            *self.old_root,
            *self.new_root,
            *self.multipliers,
            *self.risk_factor_ppm,
            self.net_deposit,
            self.funding_flow,
            self.allowance,
            self.batch,
            self.height,
            len(self.segments),
        ]
        for part in self.segments:
            body += [part.updates, *part.prices, *part.funding_indices]
        return (
            DOMAIN_TAG
            + struct.pack("<5I", *head)
            + struct.pack(f"<{len(body)}q", *body)
        )


def _listed(value) -> Any:
    """Tuples as lists, all the way down."""
    if isinstance(value, dict):
        return {name: _listed(part) for name, part in value.items()}
    return [_listed(v) for v in value] if isinstance(value, list | tuple) else value


def _named(cls, data, what: str) -> dict[str, Any]:
    """The fields of a dataclass from a mapping, lists as tuples."""
    names = {f.name for f in fields(cls)}
    if not isinstance(data, dict) or set(data) != names:
        raise ValueError(f"{what} need exactly the keys {sorted(names)}")
    return {
        name: tuple(value) if isinstance(value, list | tuple) else value
        for name, value in data.items()
    }


def _out_of_range(prefix: str, checks) -> str | None:
    """The first of (name, values, length, low, high) that does not hold."""
    for name, values, length, low, high in checks:
        if not isinstance(values, tuple) or len(values) != length:
            return f"{prefix}{name} needs {length} integers"
        for value in values:
            if type(value) is not int or not low <= value < high:
                return f"{prefix}{name} out of range"
    return None
