"""The statement that a proof is about: public inputs, their bounds and their bytes.

Plain Python; the verifier imports it. Amounts are integers in lab units: money in
quote quanta, sizes in lots, prices in ticks, ratios in ppm. A funding index is quote
quanta per lot with 32 fractional bits.
"""

import struct
from dataclasses import asdict, dataclass, fields
from typing import Any

from rollup.stark.arithmetic import P
from rollup.stark.parameters import ROWS, StarkParameters

PPM = 1_000_000
INDEX_FRACTION_BITS = 32
#: |collateral| and |funding index| stay below this.
AMOUNT_BOUND = 1 << 59
#: |position| in lots stays below this.
POSITION_BOUND = 1 << 48
#: Value of one lot, price * multiplier, stays below this.
LOT_VALUE_BOUND = 1 << 48
#: |total value| of an account stays below this, and total risk (ppm) below the next.
VALUE_BOUND = 1 << 71
RISK_BOUND = 1 << 84
DOMAIN_TAG = b"shakeout/stark/batch/1"


@dataclass(frozen=True)
class PublicInputs:
    """What the proof claims about a batch of position updates.

    Attributes:
        old_root, new_root: eight field elements each, roots of the account tree.
        prices: ticks per market, 1 to 2^32 - 1.
        multipliers: quote quanta per lot and tick, at least 1.
        risk_ppm: maintenance fraction per market, 1 to 1,000,000 ppm.
        funding_indices: index of each market that every touched account ends with.
        net_deposit: sum over updates of collateral after, less collateral after
            funding; signed quanta.
        funding_flow: sum over updates of collateral after funding, less before.
        updates: how many position updates the batch holds.
        batch: batch number; binds the proof to its place.
        height: height of the account tree.
    """

    old_root: tuple[int, ...]
    new_root: tuple[int, ...]
    prices: tuple[int, ...]
    multipliers: tuple[int, ...]
    risk_ppm: tuple[int, ...]
    funding_indices: tuple[int, ...]
    net_deposit: int
    funding_flow: int
    updates: int
    batch: int
    height: int

    @property
    def lot_values(self) -> tuple[int, ...]:
        """Quanta per lot: price times multiplier."""
        return tuple(p * m for p, m in zip(self.prices, self.multipliers, strict=True))

    @property
    def lot_risks(self) -> tuple[int, ...]:
        """Maintenance requirement of a lot, in ppm of a quantum."""
        return tuple(v * r for v, r in zip(self.lot_values, self.risk_ppm, strict=True))

    def to_dict(self) -> dict:
        """JSON-able form; ``from_dict`` reads it back."""
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in asdict(self).items()
        }

    @classmethod
    def from_dict(cls, data: dict) -> "PublicInputs":
        """Reads ``to_dict``'s form.

        Raises:
            ValueError: a key is missing or unknown. Values are checked by ``problem``.
        """
        names = {f.name for f in fields(cls)}
        if not isinstance(data, dict) or set(data) != names:
            raise ValueError(f"public inputs need exactly the keys {sorted(names)}")
        values: dict[str, Any] = {
            name: tuple(value) if isinstance(value, (list, tuple)) else value
            for name, value in data.items()
        }
        return cls(**values)

    def problem(self, parameters: StarkParameters) -> str | None:
        """Why these inputs cannot be proven at all, or None."""
        markets = parameters.markets
        checks = (
            ("old_root", self.old_root, 8, 0, P),
            ("new_root", self.new_root, 8, 0, P),
            ("prices", self.prices, markets, 1, 1 << 32),
            ("multipliers", self.multipliers, markets, 1, LOT_VALUE_BOUND),
            ("risk_ppm", self.risk_ppm, markets, 1, PPM + 1),
            (
                "funding_indices",
                self.funding_indices,
                markets,
                -AMOUNT_BOUND,
                AMOUNT_BOUND,
            ),
            ("net_deposit", (self.net_deposit,), 1, -(1 << 63), 1 << 63),
            ("funding_flow", (self.funding_flow,), 1, -(1 << 63), 1 << 63),
            ("updates", (self.updates,), 1, 0, parameters.rows // ROWS + 1),
            ("batch", (self.batch,), 1, 0, 1 << 63),
            ("height", (self.height,), 1, parameters.height, parameters.height + 1),
        )
        for name, values, length, low, high in checks:
            if not isinstance(values, tuple) or len(values) != length:
                return f"public input {name} needs {length} integers"
            for value in values:
                if type(value) is not int or not low <= value < high:
                    return f"public input {name} out of range"
        if any(v >= LOT_VALUE_BOUND for v in self.lot_values):
            return "public input prices times multipliers out of range"
        return None

    def encode(self, parameters: StarkParameters) -> bytes:
        """The bytes that the transcript starts from; injective on valid inputs."""
        p = parameters
        head = (p.markets, p.height, p.log_rows, p.queries, p.grinding)
        body = (
            *self.old_root,
            *self.new_root,
            *self.prices,
            *self.multipliers,
            *self.risk_ppm,
            *self.funding_indices,
            self.net_deposit,
            self.funding_flow,
            self.updates,
            self.batch,
            self.height,
        )
        return (
            DOMAIN_TAG
            + struct.pack("<5I", *head)
            + struct.pack(f"<{len(body)}q", *body)
        )
