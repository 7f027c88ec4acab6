"""What a venue is: the static specification of its markets, and its parameters.

`VenueSpec` changes shapes and code and costs a compilation; `VenueParams` is a pytree
of integers that may differ from lane to lane. Preset numbers: see `market.venues`.
"""

from dataclasses import dataclass
from enum import IntEnum

import jax
from jax import Array

from market.types.limits import MAX_ACCOUNTS, check_range

#: S, steps of a market's risk factor.
RISK_STEPS = 4


class Margin(IntEnum):
    """What an account must have for its positions."""

    FRACTIONS = 0  # shares of the notional, scaled by open interest (dYdX v4)
    RISK_STEPS = 1  # a risk factor that rises with the position (StarkEx)


class Liquidation(IntEnum):
    """How a position of an account below its maintenance margin is closed."""

    FILLABLE_PRICE = 0  # into the book, no worse than the fillable price (dYdX v4)
    TAKEOVER = 1  # a keeper takes it over, margin and all (StarkEx)
    STAGES = 2  # into the book in parts, then to the backstop vault (Hyperliquid)


class Mark(IntEnum):
    """The price at which margin is reckoned."""

    ORACLE = 0  # the oracle's
    MEDIAN = 1  # a median of oracle, book and their means (Hyperliquid)


class Funding(IntEnum):
    """How the funding rate is found, and how often it is paid."""

    VOTES = 0  # votes of every block, sampled; paid once an interval (dYdX v4)
    HOURLY = 1  # samples of the impact price against the oracle (Hyperliquid)


class Cover(IntEnum):
    """When an open order must be covered by its account's margin."""

    AT_ADMISSION = 0  # once: its reservation is frozen
    EVERY_BLOCK = 1  # reckoned anew each block; uncovered orders are dropped (StarkEx)


class Gate(IntEnum):
    """When a venue closes withdrawals for everyone, whatever an account may take."""

    BAD_DEBT = 0  # for a while after an account below zero or an outage (dYdX v4)
    NONE = 1  # never (StarkEx, Hyperliquid)


class Deleveraging(IntEnum):
    """Who gives up how much of a position that nobody can pay for."""

    RANDOM_WALK = 0  # dYdX v4: from a random start, as far as both may move
    HYPERLIQUID = 1  # queue by mark / entry times leverage
    BINANCE = 2  # queue by leveraged PnL
    BITMEX = 3  # queue by PnL and effective leverage
    PRO_RATA = 4  # in proportion to profits
    CAPPED_PRO_RATA = 5  # in proportion to profits, within each position
    CONTRACT_PRO_RATA = 6  # in proportion to positions


class SelfTrade(IntEnum):
    """What happens when an order would trade with one of its own account."""

    CANCEL_OLDEST = 0  # the resting order is cancelled, the incoming one goes on
    CANCEL_NEWEST = 1  # the incoming order stops there and its rest is dropped
    DECREMENT = 2  # both shrink by the smaller of the two, without a fill


@dataclass(frozen=True)
class MarketSpec:
    """One perpetual market.

    Attributes:
        name: ticker of the base asset.
        tick_usd: price of one tick, decimal dollars, as text.
        lot_base: size of one lot in the base asset, as text.
        multiplier: quote quanta of one lot at one tick; exact by construction.
        is_isolated: an account that trades it may trade nothing else, and its losses
            have an insurance fund of their own.
    """

    name: str
    tick_usd: str
    lot_base: str
    multiplier: int
    is_isolated: bool = False


@dataclass(frozen=True)
class VenueSpec:
    """Shapes and code of a venue.

    Attributes:
        markets: the M markets.
        accounts: A, everyone who can hold collateral.
        slots: order slots of one account in one market.
        book_capacity: C, resting orders of one side of one book.
        self_trade: prevention mode.
        margin, liquidation, mark, funding, cover, gate, deleveraging: the venue's
            rules, each chosen apart from the others.
        vault: account that takes over what the book does not (Hyperliquid); -1 none.
        deleverages_per_block: positions of which a block's deleveraging closes
            something, at most; a try that closes nothing does not count; ten on
            dYdX v4, and elsewhere as many as there are.
        votes_per_sample: V, blocks in one funding sample; the rule wants 15 or more.
        samples_per_funding: samples in one funding interval.
        funding_offset_blocks: how far into an interval the run starts.
    """

    markets: tuple[MarketSpec, ...]
    accounts: int
    slots: int = 4
    book_capacity: int = 256
    self_trade: SelfTrade = SelfTrade.CANCEL_OLDEST
    margin: Margin = Margin.FRACTIONS
    liquidation: Liquidation = Liquidation.FILLABLE_PRICE
    mark: Mark = Mark.ORACLE
    funding: Funding = Funding.VOTES
    cover: Cover = Cover.AT_ADMISSION
    gate: Gate = Gate.BAD_DEBT
    deleveraging: Deleveraging = Deleveraging.RANDOM_WALK
    vault: int = -1
    deleverages_per_block: int = 10
    votes_per_sample: int = 60
    samples_per_funding: int = 60
    funding_offset_blocks: int = 0

    def __post_init__(self) -> None:
        """Refuses what would be indexed past its end.

        Raises:
            ValueError: a number is out of range; says which.
        """
        interval = self.votes_per_sample * self.samples_per_funding
        for name, least, most in (
            ("accounts", 1, MAX_ACCOUNTS),
            ("slots", 1, None),
            ("book_capacity", 1, None),
            ("vault", -1, self.accounts - 1),
            ("deleverages_per_block", 0, None),
            ("votes_per_sample", 1, None),
            ("samples_per_funding", 1, None),
            ("funding_offset_blocks", 0, interval - 1),
        ):
            check_range(name, getattr(self, name), least, most)
        if not self.markets:
            raise ValueError("markets: a venue has one at least")

    @property
    def multipliers(self) -> tuple[int, ...]:
        """Quote quanta per lot and tick, one a market."""
        return tuple(market.multiplier for market in self.markets)

    @property
    def isolated(self) -> tuple[bool, ...]:
        """Which markets are isolated, one a market."""
        return tuple(market.is_isolated for market in self.markets)

    @property
    def funds(self) -> tuple[int, ...]:
        """Insurance fund of each market: 0 is shared, ``1 + m`` an isolated one's."""
        return tuple(1 + m if own else 0 for m, own in enumerate(self.isolated))


@jax.tree_util.register_dataclass
@dataclass(frozen=True, kw_only=True)
class VenueParams:
    """The numbers of a venue; int64, [M] for one per market, [] for one in all.

    Where a preset does not use a number, it stands there without effect.
    """

    # margin
    initial_margin_ppm: Array  # [M] base initial margin fraction
    maintenance_fraction_ppm: Array  # [M] share of the base initial requirement
    oi_lower: Array  # [M] quanta: open interest where the initial fraction starts up
    oi_upper: Array  # [M] quanta: where it reaches one; 0 switches the scaling off
    risk_upper: Array  # [S, M] largest size of each step, rising; the last has no end
    risk_factor_ppm: (
        Array  # [S, M] risk factor of the step, for the whole position; rising
    )
    risk_by_balance: Array  # [M] 1: sizes are lots; 0: quanta at the oracle price
    transfer_margin_ppm: Array  # [] of the notional that stays after a withdrawal
    # trading
    maker_fee_ppm: Array  # [] of the fill's notional; may be negative (a rebate)
    taker_fee_ppm: Array  # []
    price_band_ppm: Array  # [M] furthest limit from the oracle price
    max_order_lots: Array  # [M]
    halted: Array  # [M] 1: orders are rejected, cancels pass
    max_open_orders: Array  # [] resting orders of an account; 0 is no limit
    max_market_orders: Array  # [M] resting orders of a market; 0 is no limit
    # circuit breaker
    circuit_breaker_move_ppm: (
        Array  # [] largest move of the index in the window; 0 is off
    )
    circuit_breaker_window_us: Array  # []
    circuit_breaker_pause_us: Array  # []
    # liquidation
    bankruptcy_adjustment_ppm: Array  # [] BA >= 1
    spread_to_maintenance_ppm: Array  # [] SMMR
    liquidation_max_fee_ppm: Array  # [] cap of the fee, of the fill's notional
    liquidator_reward_ppm: Array  # [] the liquidator's share of that fee
    liquidation_min_notional: Array  # [] quanta
    liquidation_max_portion_ppm: Array  # [] of the position
    liquidation_max_notional: Array  # [] quanta per account and block
    liquidation_cooldown_us: Array  # [] after a partial one, of a staged liquidation
    cooldown_waits: Array  # [] 1: nothing is sent meanwhile (`market.rules.staged`)
    liquidation_max_insurance: Array  # [] quanta the fund pays per account and block
    # funding
    funding_interval_us: Array  # [] that a rate is charged for
    impact_notional: Array  # [M] quanta
    funding_clamp_ppm: Array  # [] multiple of (IMF - MMF) that caps the 8h rate
    premium_clamp_ppm: Array  # [] the same for one vote
    funding_default_rate_ppm: Array  # [M] added to the premium
    # oracle
    oracle_threshold_ppm: Array  # [] deviation that publishes at once
    oracle_heartbeat_us: Array  # [] longest silence while reports arrive
    oracle_quorum: Array  # [] reports needed for a price
    oracle_max_age_us: Array  # [] age from which a market is halted; 0: no limit
    # after a halt of the chain
    restart_grace_us: Array  # [] liquidations are held back for; 0: not at all
