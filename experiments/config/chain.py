"""The sections of a config on the rollup and the network."""

# pyright: reportInvalidTypeForm=false

from pathlib import Path
from typing import Annotated

from pydantic import Field, model_validator

from experiments.config.declared import section_of
from experiments.config.values import Section, duration, ratio, whole
from rollup.settlement.stages import BatchParams

_Stages = section_of("SettlementNumbers", BatchParams)


class RollupConfig(_Stages):
    """From a block to settlement."""

    batch_blocks: whole(1, 1_000_000) = Field(
        default=60, description="blocks of a batch"
    )
    proving_law: str | None = Field(
        default=None,
        description="file of `shakeout law`: sets proving and proving_tx",
    )
    prove: bool = Field(
        default=False, description="really prove batches, after the runs"
    )
    prove_runs: Annotated[list[whole(0)], Field(max_length=1024)] = Field(
        default=[0],
        description="numbers of the runs whose batches are proven, of every point",
    )
    prove_every: whole(1, 1_000_000) = Field(
        default=1, description="of so many batches, one"
    )

    @model_validator(mode="after")
    def _take_law(self) -> "RollupConfig":
        if self.proving_law is not None:
            from experiments.config.proving_time import read_law

            law = read_law(Path(self.proving_law))
            object.__setattr__(self, "proving", law.batch_us)
            object.__setattr__(self, "proving_tx", law.tx_us)
        return self


class FamilyNetwork(Section):
    """How fast a family is."""

    latency: duration("0s", "1h") = Field(description="median way to the sequencer")
    spread: ratio(0, 3) = Field(default=0.5, description="sigma of its logarithm")
    think: duration("0s", "1h") = Field(
        default="800ms",
        description="decisions are sent within this after a block starts",
    )
    data_blocks: whole(0, 16) = Field(
        default=0, description="age of the outside price seen"
    )


def _speed(latency: str, think: str = "800ms", data_blocks: int = 0) -> FamilyNetwork:
    return FamilyNetwork(latency=latency, think=think, data_blocks=data_blocks)  # type: ignore[arg-type]


class NetworkConfig(Section):
    """Latency of each family."""

    market_makers: FamilyNetwork = _speed("5ms", "300ms")
    leveraged_traders: FamilyNetwork = _speed("80ms", "900ms", 1)
    searchers: FamilyNetwork = _speed("3ms", "500ms")
    liquidators: FamilyNetwork = _speed("10ms", "500ms")
    vault: FamilyNetwork = _speed("5ms", "300ms")
