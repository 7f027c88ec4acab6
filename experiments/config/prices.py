"""The section of a config on prices: what the world outside does."""

# pyright: reportInvalidTypeForm=false

import hashlib
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, PrivateAttr, field_validator, model_validator

from experiments.config.errors import unknown
from experiments.config.values import Section, duration, ratio, usd, whole, wrong_value

#: First prices where a config names none, USD.
START_PRICES = {"BTC": "100000", "ETH": "3500", "SOL": "180"}
GENERIC_START = "10"


class FollowerConfig(Section):
    """A market that follows the first one."""

    beta: ratio(-5, 5) = Field(default=1.1, description="slope of log returns")
    correlation: ratio(0.05, 1) = Field(default=0.85)


class ShockConfig(Section):
    """A lasting step of the first market's price."""

    at: duration("0s")
    size: ratio(-0.95, 9) = Field(description="-0.1 takes a tenth away")


class _Prices(Section):
    """What all models share."""

    start: dict[str, usd(1e-6, 1e9)] = Field(
        default={}, description="first price by market"
    )
    followers: dict[str, FollowerConfig] = Field(
        default={}, description="how each further market follows the first"
    )
    shocks: Annotated[list[ShockConfig], Field(max_length=64)] = Field(
        default=[], description="lasting steps of the first market"
    )


class CrashFigures(Section):
    """Figures of a crash of one's own."""

    depth: ratio(0.001, 0.9) = Field(description="peak to low")
    minutes: whole(8, 1440) = Field(description="from peak to low")
    worst: ratio(0.001, 0.5) = Field(description="fall of the worst minute")
    widest: ratio(0.001, 0.5) = Field(description="range of the widest minute")
    deviation: ratio(0.0001, 0.2) = Field(description="of one-minute returns")
    rebound: ratio(0.001, 5) = Field(description="over the low")


class CrashConfig(_Prices):
    """A random path through the published figures of a real crash."""

    model: Literal["crash"] = "crash"
    figures: str = Field(default="2020-03-12", description="date of a published crash")
    custom: CrashFigures | None = Field(
        default=None, description="figures of one's own instead"
    )
    calm: ratio(0, 0.01) = Field(
        default=0.0006, description="deviation of a calm minute"
    )

    @field_validator("figures")
    @classmethod
    def _known(cls, figures: str) -> str:
        from market.prices import FIGURES

        if figures not in FIGURES:
            raise wrong_value(unknown("crash", figures, FIGURES))
        return figures


class ReplayConfig(_Prices):
    """A replay of a kline file."""

    model: Literal["replay"]
    file: str = Field(description="CSV of one-minute klines")
    start_minute: whole(0, 100_000_000) = Field(
        default=0, description="minutes left out"
    )
    _sha256: str = PrivateAttr("")

    @model_validator(mode="after")
    def _read_file(self) -> "ReplayConfig":
        path = Path(self.file).expanduser()
        try:
            self._sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        except OSError as error:
            raise wrong_value(
                f"file = {self.file!r}: cannot be read ({error.strerror})"
            ) from None
        return self

    @property
    def sha256(self) -> str:
        """What the file holds: this, not its name, is part of the experiment."""
        return self._sha256


class JumpDiffusionConfig(_Prices):
    """A jump-diffusion with optional stochastic volatility, of the log price."""

    model: Literal["jump_diffusion"]
    volatility: ratio(0, 0.1) = Field(default=0.0002, description="over one second")
    drift_per_hour: ratio(-1, 1) = 0
    jumps_per_hour: ratio(0, 3600) = 0
    jump_mean: ratio(-2, 2) = 0
    jump_deviation: ratio(0, 1) = 0
    reversion_per_second: ratio(0, 1) = 0
    volatility_of_volatility: ratio(0, 1) = 0


PricesConfig = Annotated[
    CrashConfig | ReplayConfig | JumpDiffusionConfig, Field(discriminator="model")
]
