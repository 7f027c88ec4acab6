"""From the config's venue and oracle to the specs and numbers of `market`."""

from dataclasses import replace
from typing import Any

import numpy as np

from experiments.build.prices import build_prices
from experiments.build.venue_numbers import check_keys, funding_clock, overridden
from experiments.config import Config
from experiments.config.errors import ConfigError
from experiments.config.values import format_decimal
from experiments.config.world import VenueConfig
from market.numbers.units import QUANTA_PER_USD, as_int
from market.prices import PriceParams, PriceSpec
from market.types.limits import MAX_NOTIONAL
from market.types.specs import Deleveraging, SelfTrade, VenueParams, VenueSpec
from market.venues import VENUES

#: Orders are admitted up to this multiple of the first price, so that a market may
#: rise so far before the bound is met.
_HEADROOM = 4


def build_venue(
    config: Config, accounts: int, vault: int
) -> tuple[VenueSpec, VenueParams, PriceSpec, PriceParams]:
    """The exchange and its prices.

    Args:
        config: the config of a point.
        accounts: of all participants.
        vault: the account of its backstop, -1 without one.

    Raises:
        ConfigError: a number that the preset does not have or that the market layer
            refuses, or notionals beyond the range in which its arithmetic is exact.
    """
    venue = config.venue
    check_keys(venue)
    try:
        spec, params = VENUES[venue.preset](
            venue.markets, accounts=accounts, **_shape(config, vault)
        )
    except ValueError as error:
        raise ConfigError(f"venue: {error}") from None
    spec = replace(
        spec,
        deleveraging=_rule(venue, spec.deleveraging),
        deleverages_per_block=(
            venue.liquidation.deleverages_per_block or spec.deleverages_per_block
        ),
        **funding_clock(config),
    )
    price_spec, prices = build_prices(config, spec)
    lots = _order_lots(config, spec, prices)
    changed = {**overridden(venue, len(spec.markets)), **_always(config, lots)}
    if "risk_factor_ppm" in changed:  # one factor for every step
        changed["risk_factor_ppm"] = np.broadcast_to(
            changed["risk_factor_ppm"], params.risk_factor_ppm.shape
        )
    return spec, replace(params, **changed), price_spec, prices


def _shape(config: Config, vault: int) -> dict[str, Any]:
    """Arguments of the preset's builder."""
    venue = config.venue
    shape: dict[str, Any] = {
        "isolated": venue.isolated,
        "slots": venue.slots,
        "book_capacity": venue.book_capacity,
        "self_trade": SelfTrade[venue.self_trade.upper()],
    }
    if venue.preset == "dydx_v4":
        shape["tiers"] = venue.tiers
    if venue.preset == "hyperliquid":
        shape["vault"] = vault
    return shape


def _rule(venue: VenueConfig, preset: Deleveraging) -> Deleveraging:
    """The rule of deleveraging: as the config says, else the preset's."""
    return Deleveraging[venue.deleveraging.upper()] if venue.deleveraging else preset


def _always(config: Config, lots: list[int]) -> dict[str, Any]:
    """Numbers that no preset has an opinion on; the config's hold."""
    venue, oracle = config.venue, config.oracle
    breaker, markets = venue.circuit_breaker, len(lots)
    return {
        "max_order_lots": as_int(lots),
        "max_open_orders": as_int(venue.max_open_orders),
        "max_market_orders": as_int([venue.max_market_orders] * markets),
        "circuit_breaker_move_ppm": as_int(breaker.move),
        "circuit_breaker_window_us": as_int(breaker.window),
        "circuit_breaker_pause_us": as_int(breaker.pause),
        "funding_interval_us": as_int(venue.funding.interval),
        "oracle_threshold_ppm": as_int(oracle.threshold),
        "oracle_heartbeat_us": as_int(oracle.heartbeat),
        "oracle_quorum": as_int(oracle.quorum),
        "oracle_max_age_us": as_int(oracle.max_age or 0),
        "restart_grace_us": as_int(venue.liquidation.restart_grace),
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
