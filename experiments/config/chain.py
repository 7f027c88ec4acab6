"""The section of a config on the rollup."""

# pyright: reportInvalidTypeForm=false

from pathlib import Path
from typing import Annotated

from pydantic import Field, model_validator

from experiments.config.declared import section_of
from experiments.config.values import whole
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
