"""The section of a config on who takes part: four families and their numbers."""

# pyright: reportInvalidTypeForm=false

from pydantic import Field, model_validator

from experiments.config.values import (
    Section,
    Share,
    duration,
    ratio,
    usd,
    whole,
    wrong_value,
)

#: Members of a family; accounts share arrays, so more is a slip of the pen.
MAX_MEMBERS = 1_000_000
Count = whole(0, MAX_MEMBERS)
Collateral = usd(0, 1e9)
Sigma = ratio(0, 3)


class MakersConfig(Section):
    """Market makers: two-sided quotes around the outside price."""

    count: Count = 48
    collateral: Collateral = Field(default=500_000, description="median at the start")
    collateral_spread: Sigma = Field(default=0.5, description="sigma of its logarithm")
    half_spread: ratio(1e-6, 0.2) = Field(
        default=0.0003, description="median, when calm"
    )
    diversity: Sigma = Field(
        default=0.3, description="sigma of the half spread over makers"
    )
    size: ratio(0, 100) = Field(default=0.05, description="of a quote, of equity")
    inventory: ratio(0, 100) = Field(
        default=2, description="limit in a market, of equity"
    )
    skew: ratio(0, 1) = Field(
        default=0.001, description="of quotes at a full inventory"
    )
    swing_weight: ratio(0, 100) = Field(
        default=1.5, description="half spread per swing"
    )
    stale: ratio(0, 1) = Field(
        default=0.0001, description="half spread per second of age"
    )
    requote: ratio(0, 1) = Field(
        default=0.0002, description="move that makes it requote"
    )
    refresh_blocks: whole(1, 1_000_000) = Field(default=15, description="age that does")
    quit: Share = Field(
        default=0.4, description="leaves below this share of its equity"
    )
    act: Share = Field(default=0.9, description="chance to act in a block")


class TradersConfig(Section):
    """Leveraged traders: momentum and contrarian views, stops, top-ups."""

    count: Count = 900
    collateral: Collateral = Field(default=10_000, description="median at the start")
    collateral_spread: Sigma = Field(default=1, description="sigma of its logarithm")
    activity: Share = Field(default=0.02, description="chance to reconsider in a block")
    leverage: ratio(0, 1000) = Field(default=8, description="median")
    leverage_sigma: Sigma = 0.6
    max_leverage: ratio(1, 1000) = 30
    momentum: Share = Field(default=0.5, description="share that follows moves")
    conviction: ratio(0, 100) = Field(
        default=0.6, description="weight of the market's move"
    )
    long_bias: ratio(-1, 1) = Field(default=0.25, description="adds to every whim")
    patient: Share = Field(default=0.35, description="share of orders that rest")
    slippage: ratio(0, 1) = Field(
        default=0.003, description="furthest beyond the touch"
    )
    stop: ratio(0, 10) = Field(
        default=0.06, description="median loss that triggers the stop"
    )
    stop_sigma: Sigma = 0.6
    react: Share = Field(
        default=0.4, description="chance a block to act on a stop or alarm"
    )
    outside: ratio(0, 100) = Field(default=0.3, description="money for top-ups")
    top_up: ratio(0, 100) = Field(default=0.1, description="one top-up")
    alarm: ratio(0, 100) = Field(
        default=1.4, description="of the maintenance requirement"
    )
    go_home: Share = Field(
        default=0.005, description="chance a block that a flat one leaves"
    )
    fee_bid: usd(0, 2000) = Field(default=0.2, description="largest bid for priority")
    top_up_delay: duration("0s", "1d") = Field(
        default="15s", description="of a deposit"
    )


class SearchersConfig(Section):
    """Searchers: stale quotes, back-runs, sandwiches where the mempool is visible."""

    count: Count = 32
    collateral: Collateral = Field(default=200_000, description="median at the start")
    collateral_spread: Sigma = Field(default=0.3, description="sigma of its logarithm")
    edge: ratio(0, 1) = Field(
        default=0.0012, description="median mispricing worth a trade"
    )
    edge_sigma: Sigma = 0.3
    size: ratio(0, 100) = Field(default=0.5, description="largest trade, of equity")
    alert: Share = Field(default=0.7, description="chance to act in a block")
    unwind: Share = Field(default=0.3, description="chance a block to unwind")
    bid_share: Share = Field(
        default=0.3, description="of the expected profit, for priority"
    )
    victim_notional: usd(0, 1e9) = Field(default=20_000, description="worth a sandwich")
    sandwich: Share = Field(default=0.5, description="chance to try one in a block")


class LiquidatorsConfig(Section):
    """Liquidators with limited capital that race for accounts in danger."""

    count: Count = 20
    collateral: Collateral = Field(default=300_000, description="median at the start")
    collateral_spread: Sigma = Field(default=0.5, description="sigma of its logarithm")
    alert: Share = Field(default=0.8, description="chance to act in a block")
    discount: ratio(0, 1) = Field(
        default=0.01, description="of its bid to the oracle price"
    )
    leverage: ratio(0, 1000) = Field(
        default=4, description="largest position, of equity"
    )
    unwind: Share = Field(default=0.2, description="chance a block to unwind")
    fee_bid: usd(0, 2000) = Field(default=2, description="largest bid for priority")


class VaultConfig(Section):
    """The backstop vault of a Hyperliquid venue, which sells off what it takes over."""

    count: whole(0, 1) | None = Field(
        default=None, description="one on hyperliquid, none elsewhere"
    )
    collateral: Collateral = Field(default=2_000_000, description="at the start")
    collateral_spread: Sigma = 0
    unwind: Share = Field(default=0.1, description="chance a block to sell some")
    portion: ratio(1e-6, 1) = Field(
        default=0.2, description="of its largest position, each time"
    )


class PopulationsConfig(Section):
    """The families, and the backstop vault where the venue has one."""

    market_makers: MakersConfig = MakersConfig()
    leveraged_traders: TradersConfig = TradersConfig()
    searchers: SearchersConfig = SearchersConfig()
    liquidators: LiquidatorsConfig = LiquidatorsConfig()
    vault: VaultConfig = VaultConfig()

    @model_validator(mode="after")
    def _someone(self) -> "PopulationsConfig":
        if self.total == 0:
            raise wrong_value("every count is 0; somebody must take part")
        return self

    @property
    def total(self) -> int:
        """Participants of a run."""
        sections = (getattr(self, name) for name in type(self).model_fields)
        return sum(section.count or 0 for section in sections)
