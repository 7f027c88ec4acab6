"""The section of a config on faults: what fails, when and how badly.

The kinds there are, the keys that each reads and what it does are said by
`rollup.faults.FAULTS`; a fault of the user's own is named by its import path.
"""

# pyright: reportInvalidTypeForm=false

from typing import Annotated, Literal

from pydantic import Field, model_validator

from experiments.config.plugins import FAULT, named, resolve
from experiments.config.values import Section, Share, duration, ratio, wrong_value
from market.numbers.units import PPM
from rollup.faults import FAULTS, Fault
from rollup.faults.contract import KEYS

_Length = duration("0s")
Transaction = Literal[
    "order", "cancel", "cancel_all", "replace", "liquidate", "deposit", "withdraw"
]


class FaultConfig(Section):
    """A part of the rollup or its oracle that works less, or not at all, for a while.

    The severity of an oracle fault is the share of the reporters that it strikes: the
    nearest whole number of them, the first ones.
    """

    kind: named(FAULT) = Field(
        description="; ".join(f"{each.name}: {each.what}" for each in FAULTS.values())
    )
    start: _Length = Field(description="time since the start of the run")
    duration: _Length = Field(description="its median, where it is random")
    severity: ratio(0, 1) = Field(default=1, description="1 is total")
    targets: list[str] = Field(
        default=[], description="censored groups, or all groups of a family"
    )
    transactions: list[Transaction] = Field(
        default=[], description="censored transactions"
    )
    bias: ratio(-0.99, 100) = Field(
        default=0, description="of manipulated reports, signed"
    )
    markets: list[str] = Field(
        default=[], description="whose oracle fails; all if empty"
    )
    chance: Share = Field(default=1, description="that it happens in a run")
    jitter: _Length = Field(
        default="0s", description="the start is later by up to this"
    )
    spread: ratio(0, 3) = Field(
        default=0, description="sigma of the log duration; 0 is exact"
    )

    @property
    def fault(self) -> Fault:
        """The kind of fault itself."""
        return resolve(self.kind, FAULT)

    @model_validator(mode="after")
    def _has_what_it_needs(self) -> "FaultConfig":
        fault = self.fault
        given = [key for key in KEYS if self._is_given(key)]
        for keys in fault.needs:
            if not set(keys) & set(given):
                both = ", or both" if len(keys) > 1 else ""
                raise wrong_value(f"{self.kind} needs {' or '.join(keys)}{both}")
        for key in given:
            if key not in fault.reads:
                raise wrong_value(
                    f"{self.kind} has no {key}; it reads {', '.join(fault.reads)}"
                )
        return self

    def _is_given(self, key: str) -> bool:
        """Whether a key says something; severity 1, like any default, does not."""
        return getattr(self, key) != _SILENT[key]


#: What the keys are where a config does not give them, in whole units.
_SILENT = {"severity": PPM, "targets": [], "transactions": [], "bias": 0, "markets": []}

Faults = Annotated[list[FaultConfig], Field(max_length=64)]
