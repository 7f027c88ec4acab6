"""From the config's venue, prices and oracle to the specs and numbers of `market`."""

from dataclasses import replace
from decimal import Decimal
from operator import attrgetter

import numpy as np

from experiments.config import Config
from experiments.config_prices import (
    GENERIC_START,
    START_PRICES,
    CrashConfig,
    JumpDiffusionConfig,
    ReplayConfig,
)
from experiments.config_world import VenueConfig
from experiments.errors import ConfigError, unknown
from experiments.values import format_decimal
from market import presets
from market.prices import (
    Driven,
    KlineError,
    PriceError,
    PriceParams,
    PriceSpec,
    Quote,
    Shock,
    check_prices,
    crash_prices,
    jump_diffusion_prices,
    replay_prices,
)
from market.prices.crash import Figures
from market.prices.replay import ReplayParams, minutes_needed
from market.specs import Deleveraging, SelfTrade, VenueParams, VenueSpec
from market.units import PPM, QUANTA_PER_USD, US_PER_SECOND, as_int

#: No position's notional may reach this, in quanta (about 1.1 billion USD).
MAX_NOTIONAL = 1 << 50
#: Orders are admitted up to this multiple of the first price, so that a market may
#: rise so far before the bound is met.
_HEADROOM = 4


def exact(whole: int, scale: int) -> Decimal:
    """The decimal that a whole number of parts stands for."""
    return Decimal(whole) / scale


def build_prices(config: Config, venue: VenueSpec) -> tuple[PriceSpec, PriceParams]:
    """The price model, checked against the length of the run.

    Raises:
        ConfigError: a price, a figure or the price file cannot be used.
    """
    prices = config.prices
    blocks, block_us = config.world.length, config.world.block_us
    names = [market.name for market in venue.markets]
    for mapping, what in ((prices.start, "start"), (prices.followers, "followers")):
        for name in mapping:
            if name not in names:
                message = unknown("market", name, names)
                raise ConfigError(f"prices.{what}.{name}: {message}")
    if names[0] in prices.followers:
        raise ConfigError(
            f"prices.followers.{names[0]}: the first market follows none; it is driven "
            "by the model"
        )
    try:
        spec, params = _model(config, venue)
        check_prices(params, spec=spec, blocks=blocks, block_us=block_us)
    except KlineError as error:
        raise ConfigError(f"prices.file: {error}") from None
    except PriceError as error:
        key = (
            f"prices.file: {prices.file}"
            if isinstance(prices, ReplayConfig)
            else "prices"
        )
        raise ConfigError(f"{key}: {error}") from None
    if isinstance(params.model, ReplayParams):
        # The bars that a run uses, so that files of any length have one shape.
        bars = params.model.bars[: minutes_needed(blocks, block_us)]
        params = replace(params, model=ReplayParams(bars=bars))
    return spec, params


def _model(config: Config, venue: VenueSpec) -> tuple[PriceSpec, PriceParams]:
    prices = config.prices
    first, *others = [_quote(config, market) for market in venue.markets]
    driven = [
        _driven(config, market.name, quote)
        for market, quote in zip(venue.markets[1:], others, strict=True)
    ]
    shocks = [
        Shock(exact(s.at, US_PER_SECOND), exact(s.size, PPM)) for s in prices.shocks
    ]
    match prices:
        case CrashConfig():
            figures = prices.figures
            if prices.custom is not None:
                own = prices.custom
                texts = {
                    name: str(exact(getattr(own, name), PPM))
                    for name in Figures._fields
                    if name != "minutes"
                }
                figures = Figures(minutes=own.minutes, **texts)
            calm = exact(prices.calm, PPM)
            return crash_prices(first, driven, shocks, figures=figures, calm=calm)
        case ReplayConfig():
            return replay_prices(
                prices.file,
                first.tick,
                driven,
                shocks,
                start_minute=prices.start_minute,
            )
        case JumpDiffusionConfig():
            numbers = {
                name: exact(getattr(prices, name), PPM)
                for name in JumpDiffusionConfig.__annotations__
                if name != "model"
            }
            return jump_diffusion_prices(first, driven, shocks, **numbers)


def _quote(config: Config, market) -> Quote:
    start = config.prices.start.get(market.name)
    if start is None:
        price = START_PRICES.get(market.name, GENERIC_START)
    else:
        price = exact(start, QUANTA_PER_USD)
    return Quote(price, market.tick_usd)


def _driven(config: Config, name: str, quote: Quote) -> Driven:
    follower = config.prices.followers.get(name)
    if follower is None:
        return Driven(quote)
    return Driven(quote, exact(follower.beta, PPM), exact(follower.correlation, PPM))


def build_venue(
    config: Config, accounts: int
) -> tuple[VenueSpec, VenueParams, PriceSpec, PriceParams]:
    """The exchange and its prices.

    Raises:
        ConfigError: a number that the market layer refuses, or notionals beyond the
            range in which its arithmetic is exact.
    """
    venue = config.venue
    try:
        spec, params = presets.dydx_v4(
            venue.markets,
            accounts=accounts,
            slots=venue.slots,
            book_capacity=venue.book_capacity,
            self_trade=SelfTrade[venue.self_trade.upper()],
            tiers=venue.tiers,
        )
    except ValueError as error:
        raise ConfigError(f"venue: {error}") from None
    liquidation = venue.liquidation
    spec = replace(
        spec,
        deleveraging=_rule(venue, spec.deleveraging),
        liquidations_per_block=liquidation.per_block,
        deleverages_per_block=liquidation.deleverages_per_block,
        **_funding_clock(config),
    )
    price_spec, prices = build_prices(config, spec)
    lots = _order_lots(config, spec, prices)
    changed = {**_given(venue, len(spec.markets)), **_always(config, lots)}
    return spec, replace(params, **changed), price_spec, prices


def _rule(venue: VenueConfig, preset: Deleveraging) -> Deleveraging:
    """The rule of deleveraging: as the config says, else the preset's."""
    return Deleveraging[venue.deleveraging.upper()] if venue.deleveraging else preset


def _always(config: Config, lots: list[int]) -> dict[str, np.ndarray]:
    """Numbers that no preset has an opinion on; the config's hold."""
    venue, oracle = config.venue, config.oracle
    breaker, markets = venue.circuit_breaker, len(lots)
    return {
        "max_order_lots": as_int(lots),
        "max_open_orders": as_int(venue.max_open_orders),
        "max_market_orders": as_int([venue.max_market_orders] * markets),
        "breaker_move_ppm": as_int(breaker.move),
        "breaker_window_us": as_int(breaker.window),
        "breaker_pause_us": as_int(breaker.pause),
        "funding_interval_us": as_int(venue.funding.interval),
        "default_funding_ppm": as_int([venue.funding.default_rate] * markets),
        "oracle_threshold_ppm": as_int(oracle.threshold),
        "oracle_heartbeat_us": as_int(oracle.heartbeat),
        "oracle_quorum": as_int(oracle.quorum),
        "oracle_max_age_us": as_int(oracle.max_age or 0),
        "restart_grace_us": as_int(venue.liquidation.restart_grace),
    }


#: Numbers of a preset that a config may override: parameter -> where its key stands.
_OVERRIDES = {
    "maker_fee_ppm": "maker_fee",
    "taker_fee_ppm": "taker_fee",
    "price_band_ppm": "price_band",
    "initial_ppm": "initial_margin",
    "maintenance_fraction_ppm": "maintenance_fraction",
    "bankruptcy_adjustment_ppm": "liquidation.bankruptcy_adjustment",
    "spread_to_maintenance_ppm": "liquidation.spread_to_maintenance",
    "liquidation_fee_ppm": "liquidation.max_fee",
    "liquidator_reward_ppm": "liquidation.liquidator_reward",
    "min_liquidation_notional": "liquidation.min_notional",
    "max_liquidation_portion_ppm": "liquidation.max_portion",
    "max_liquidation_notional": "liquidation.max_notional",
    "funding_clamp_ppm": "funding.clamp",
    "premium_clamp_ppm": "funding.premium_clamp",
}
_PER_MARKET = {"price_band_ppm", "initial_ppm", "maintenance_fraction_ppm"}


def _given(venue: VenueConfig, markets: int) -> dict[str, np.ndarray]:
    """Numbers of the preset that the config overrides."""
    changed = {}
    for parameter, key in _OVERRIDES.items():
        value = attrgetter(key)(venue)
        if value is not None:
            shared = parameter in _PER_MARKET
            changed[parameter] = as_int([value] * markets if shared else value)
    return changed


def _funding_clock(config: Config) -> dict[str, int]:
    """Samples and payments in blocks."""
    funding, block_us = config.venue.funding, config.world.block_us
    votes = max(1, funding.sample // block_us)
    samples = funding.interval // funding.sample
    interval = votes * samples
    first = funding.interval if funding.first is None else funding.first
    blocks_to_first = min(max(1, first // block_us), interval)
    return {
        "votes_per_sample": votes,
        "samples_per_funding": samples,
        "funding_offset_blocks": interval - blocks_to_first,
    }


def _order_lots(config: Config, spec: VenueSpec, prices: PriceParams) -> list[int]:
    """Largest order of each market in lots, so that its notional stays exact."""
    starts = [int(prices.start_ticks), *np.asarray(prices.driven.start_ticks).tolist()]
    lots = []
    for market, ticks in zip(spec.markets, starts, strict=True):
        per_lot = ticks * market.multiplier
        if per_lot * _HEADROOM >= MAX_NOTIONAL:
            raise ConfigError(
                f"prices.start.{market.name}: a lot of {market.lot_base} is worth "
                f"{format_decimal(per_lot, QUANTA_PER_USD):,} USD at the first price; "
                f"it may be worth at most {MAX_NOTIONAL // _HEADROOM // 10**6:,} USD"
            )
        bound = MAX_NOTIONAL // _HEADROOM // per_lot
        lots.append(max(1, min(config.venue.max_order // per_lot, bound)))
    return lots
