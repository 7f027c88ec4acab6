"""The sections of a config on time, the venue and the oracle."""

# pyright: reportInvalidTypeForm=false

from typing import Annotated, Literal

from pydantic import Field, StringConstraints, field_validator, model_validator

from experiments.config.values import (
    Section,
    Share,
    duration,
    format_duration,
    ratio,
    usd,
    whole,
    wrong_value,
)

#: Blocks of a run; more is a slip of the pen.
MAX_BLOCKS = 10_000_000
#: Samples of a series where the config does not say.
_SAMPLES = 180

_Length = duration("1ms")
Name = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9]{0,11}$", strict=True)]


class WorldConfig(Section):
    """How long a run is, and how finely it is watched."""

    blocks: whole(1, MAX_BLOCKS) | None = Field(
        default=None, description="L2 blocks of a run; or give duration"
    )
    duration: _Length | None = Field(
        default=None, description="length of a run; or give blocks"
    )
    block_ms: whole(1, 3_600_000) = Field(
        default=1000, description="length of a block in ms"
    )
    series_every: whole(1, MAX_BLOCKS) | None = Field(
        default=None,
        description="blocks between two samples of the series; about 180 samples",
    )

    @model_validator(mode="after")
    def _one_length(self) -> "WorldConfig":
        if self.blocks is not None and self.duration is not None:
            raise wrong_value("give blocks or duration, not both")
        if self.duration is not None and self.duration < self.block_us:
            raise wrong_value("duration must be at least one block")
        if self.length > MAX_BLOCKS:
            raise wrong_value(f"{self.length:,} blocks; at most {MAX_BLOCKS:,}")
        if self.series_every is not None and self.series_every > self.length:
            raise wrong_value(f"series_every must be at most the {self.length} blocks")
        return self

    @property
    def block_us(self) -> int:
        """Microseconds of a block."""
        return self.block_ms * 1000

    @property
    def length(self) -> int:
        """Blocks of a run; a duration is cut to whole blocks."""
        if self.duration is not None:
            return self.duration // self.block_us
        return self.blocks if self.blocks is not None else 1800

    @property
    def sampling(self) -> int:
        """Blocks between two samples."""
        return self.series_every or max(1, self.length // _SAMPLES)


class LiquidationConfig(Section):
    """The liquidation engine; names as in the rules of dYdX v4.

    A number that is not given is the preset's.
    """

    max_fee: ratio(0, 0.5) | None = Field(
        default=None, description="of the fill, to the fund"
    )
    liquidator_reward: Share | None = Field(default=None, description="share of it")
    bankruptcy_adjustment: ratio(1, 10) | None = Field(default=None, description="BA")
    spread_to_maintenance: ratio(0, 10) | None = Field(default=None, description="SMMR")
    min_notional: usd(0, 1e9) | None = Field(
        default=None, description="liquidated in one go"
    )
    max_portion: ratio(1e-6, 1) | None = Field(
        default=None, description="of a position, a block"
    )
    max_notional: usd(0, 1e9) | None = Field(
        default=None, description="of an account, a block"
    )
    deleverages_per_block: whole(1, 1024) | None = Field(
        default=None,
        description="positions that a block closes something of, at most; 10 on "
        "dydx_v4, else all",
    )
    cooldown: duration("0s", "1d") | None = Field(
        default=None, description="after a partial one, on hyperliquid"
    )
    restart_grace: duration("0s", "7d") = Field(
        default="0s", description="without liquidations after a halt of the sequencer"
    )


class FundingConfig(Section):
    """Funding payments; a number that is not given is the preset's."""

    interval: duration("1s") = Field(default="1h", description="between two payments")
    sample: duration("1ms") | None = Field(
        default=None, description="length of a premium sample"
    )
    first: duration("1ms") | None = Field(
        default=None,
        description="time to the first payment; a whole interval if not given",
    )
    clamp: ratio(0, 1000) | None = Field(
        default=None, description="of IMF - MMF; caps the 8h rate"
    )
    premium_clamp: ratio(0, 1000) | None = Field(
        default=None, description="the same for one vote"
    )
    default_rate: ratio(-0.1, 0.1) | None = Field(
        default=None, description="added to the premium"
    )

    @model_validator(mode="after")
    def _divides(self) -> "FundingConfig":
        if self.sample is not None and self.interval % self.sample:
            raise wrong_value("interval must be a whole number of samples")
        if self.first is not None and self.first > self.interval:
            raise wrong_value("first must be at most interval")
        return self


class CircuitBreakerConfig(Section):
    """A pause of a market whose index price moved too far too fast."""

    move: Share = Field(default=0, description="largest move of the index; 0 is off")
    window: duration("8ms") = Field(
        default="5m", description="time within which it counts"
    )
    pause: duration("1ms") = Field(default="5m", description="length of the pause")


Rule = Literal[
    "random_walk",
    "hyperliquid",
    "binance",
    "bitmex",
    "pro_rata",
    "capped_pro_rata",
    "contract_pro_rata",
]


class VenueConfig(Section):
    """The exchange: its markets and rules; what is not given is the preset's."""

    preset: str = Field(default="dydx_v4", description="rules and numbers")
    deleveraging: Rule | None = Field(
        default=None, description="who gives up positions that nobody can pay for"
    )
    markets: Annotated[list[Name], Field(min_length=1, max_length=8)] = Field(
        default=["BTC", "ETH", "SOL"],
        description="the first is driven, the others follow",
    )
    isolated: list[str] = Field(
        default=[],
        description="markets with margin and an insurance fund of their own",
    )
    isolated_insurance: usd(0, 1e9) = Field(
        default=0, description="the fund of each isolated market at the start"
    )
    tiers: dict[str, str] = Field(default={}, description="liquidity tier by market")
    initial_margin: ratio(0.001, 1) | None = Field(
        default=None, description="of every market; its tier's where not given"
    )
    maintenance_fraction: ratio(0.01, 1) | None = Field(
        default=None,
        description="of the initial requirement; the tier's where not given",
    )
    risk_factor: ratio(0.001, 1) | None = Field(
        default=None, description="maintenance margin of every market on starkex"
    )
    maker_fee: ratio(-0.01, 0.05) | None = Field(
        default=None, description="negative: a rebate"
    )
    taker_fee: ratio(0, 0.05) | None = None
    price_band: ratio(0.001, 0.9) | None = Field(
        default=None, description="limits from the oracle"
    )
    max_order: usd(1, 1e8) = Field(
        default=10_000_000, description="notional of an order"
    )
    slots: whole(1, 64) = Field(
        default=4, description="orders of an account and market"
    )
    book_capacity: whole(8, 8192) = Field(
        default=512, description="orders of a book's side"
    )
    self_trade: Literal["cancel_oldest", "cancel_newest", "decrement"] = "cancel_oldest"
    max_open_orders: whole(0, 512) = Field(
        default=0, description="resting orders of an account; 0 is no limit"
    )
    max_market_orders: whole(0, 16384) = Field(
        default=0, description="resting orders of a market; 0 is no limit"
    )
    circuit_breaker: CircuitBreakerConfig = CircuitBreakerConfig()
    insurance: usd(0, 1e9) | None = Field(
        default=None, description="the fund at the start; 250,000 if not given"
    )
    liquidation: LiquidationConfig = LiquidationConfig()
    funding: FundingConfig = FundingConfig()

    @field_validator("preset")
    @classmethod
    def _known(cls, preset: str) -> str:
        from experiments.config.errors import unknown
        from market.venues import VENUES

        if preset not in VENUES:
            raise wrong_value(unknown("preset", preset, VENUES))
        return preset

    @model_validator(mode="after")
    def _known_markets(self) -> "VenueConfig":
        from experiments.config.errors import unknown
        from market.venues import TIERS

        if len(set(self.markets)) != len(self.markets):
            raise wrong_value("markets: a name stands twice")
        for market in self.isolated:
            if market not in self.markets:
                message = unknown("market", market, self.markets)
                raise wrong_value(f"isolated: {message}")
        if self.isolated_insurance and not self.isolated:
            raise wrong_value("isolated_insurance: no market is isolated")
        for market, tier in self.tiers.items():
            if market not in self.markets:
                raise wrong_value(f"tiers: {unknown('market', market, self.markets)}")
            if tier not in TIERS:
                raise wrong_value(f"tiers.{market}: {unknown('tier', tier, TIERS)}")
        return self


class OracleConfig(Section):
    """How the venue learns outside prices."""

    reporters: whole(1, 64) = Field(default=5, description="independent reporters")
    quorum: whole(1, 64) = Field(default=1, description="reports needed for a price")
    delay: duration("0s", "1h") = Field(
        default="1s", description="age of what is reported"
    )
    noise: ratio(0, 0.1) = Field(
        default=0.0001, description="deviation of a report's error"
    )
    own_weight: Share = Field(
        default=0, description="weight of the venue's own mid price"
    )
    threshold: ratio(0, 1) = Field(
        default=0, description="a move that is published at once"
    )
    heartbeat: duration("0s") = Field(default="0s", description="longest silence")
    max_age: duration("1ms") | None = Field(
        default=None,
        description="a market whose price is older is halted; no limit if null",
    )

    @model_validator(mode="after")
    def _reachable(self) -> "OracleConfig":
        if self.quorum > self.reporters:
            raise wrong_value(
                f"quorum = {self.quorum}: must be at most reporters = {self.reporters}"
            )
        if self.max_age is not None and self.max_age < self.heartbeat:
            raise wrong_value(
                f"max_age = {format_duration(self.max_age)}: must be at least "
                f"heartbeat = {format_duration(self.heartbeat)}, or prices grow stale "
                "between two"
            )
        return self
