"""The section of a config on the rollup."""

# pyright: reportInvalidTypeForm=false

from pathlib import Path
from typing import Annotated

from pydantic import Field, model_validator

from experiments.config import files
from experiments.config.declared import section_of
from experiments.config.errors import ConfigError
from experiments.config.values import format_duration, whole, wrong_value
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

            path = _whole(self.proving_law)
            law = read_law(path)
            self._take("proving", law.batch_us)
            self._take("proving_tx", law.tx_us)
            object.__setattr__(self, "proving_law", str(path))
        return self

    def _take(self, key: str, measured: int) -> None:
        """Sets a number of the law's, which the config may not give otherwise."""
        given = getattr(self, key)
        if key in self.model_fields_set and given != measured:
            raise wrong_value(
                f"{key} = {format_duration(given)}: proving_law says "
                f"{format_duration(measured)}; give one of them"
            )
        object.__setattr__(self, key, measured)


def _whole(name: str) -> Path:
    """The file of a law by its full name, found from any folder."""
    try:
        return files.expanded(name).absolute()
    except ConfigError as error:
        raise wrong_value(f"proving_law: {error}") from None
