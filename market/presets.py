"""Venues from friendly numbers: dollars and fractions in, integers out.

`dydx_v4` builds the static specification and the parameters of a venue with the rules
and the production numbers of dYdX v4. Numbers that the chain does not have, and that
the lab adds, are named as such in the docstring of the builder.

Source: margin page of the reference material, §1.3 (production genesis and liquidity
tiers) and §1.4 (funding).
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

import numpy as np

from market.specs import MarketSpec, Preset, SelfTrade, VenueParams, VenueSpec
from market.units import PPM, QUANTA_PER_USD, US_PER_SECOND, as_int, ppm, usd


class Tier(NamedTuple):
    """A liquidity tier; fractions as decimal text, money in dollars."""

    initial: str  # base initial margin fraction
    maintenance: str  # share of the base initial requirement
    impact_usd: int  # notional of the impact price
    oi_lower_usd: int  # open interest where the initial fraction starts up
    oi_upper_usd: int  # where it reaches one; 0: never scaled


#: Liquidity tiers of production.
TIERS = {
    "large_cap": Tier("0.02", "0.6", 10_000, 0, 0),
    "mid_cap": Tier("0.05", "0.6", 5_000, 40_000_000, 100_000_000),
    "small_cap": Tier("0.10", "0.5", 5_000, 20_000_000, 50_000_000),
    "long_tail": Tier("0.20", "0.5", 2_500, 5_000_000, 10_000_000),
    "isolated": Tier("0.05", "0.6", 2_500, 500_000, 1_000_000),
    "safety": Tier("1", "0.2", 2_500, 2_000_000, 5_000_000),
    "fx": Tier("0.01", "0.5", 2_500, 500_000, 1_000_000),
}


class Listing(NamedTuple):
    """Price grid and tier of a market."""

    tick_usd: str
    lot_base: str
    tier: str


#: Markets with a grid of their own; any other name gets `GENERIC`.
LISTINGS = {
    "BTC": Listing("1", "0.0001", "large_cap"),
    "ETH": Listing("0.1", "0.001", "large_cap"),
    "SOL": Listing("0.01", "0.1", "mid_cap"),
}
GENERIC = Listing("0.001", "1", "long_tail")


def market_spec(name: str, listing: Listing) -> MarketSpec:
    """The market ``name`` on the grid of ``listing``.

    Raises:
        ValueError: a lot at one tick is not a whole, positive number of quanta.
    """
    quanta = Decimal(listing.tick_usd) * Decimal(listing.lot_base) * QUANTA_PER_USD
    if quanta != int(quanta) or quanta < 1:
        raise ValueError(
            f"market {name}: a lot of {listing.lot_base} at a tick of "
            f"{listing.tick_usd} USD is {quanta} quanta; it must be a whole number"
        )
    return MarketSpec(name, listing.tick_usd, listing.lot_base, int(quanta))


def ticks_of(spec: VenueSpec, prices_usd: Sequence[float | str]) -> np.ndarray:
    """Dollar prices as ticks [M], rounded half to even, at least one tick."""
    grid = [Decimal(market.tick_usd) for market in spec.markets]
    exact = [Decimal(str(p)) / tick for p, tick in zip(prices_usd, grid, strict=True)]
    return np.array([max(1, int(e.to_integral_value())) for e in exact], np.int64)


def lots_of(spec: VenueSpec, market: int, base: float | str) -> int:
    """An amount of the base asset as lots, rounded half to even."""
    exact = Decimal(str(base)) / Decimal(spec.markets[market].lot_base)
    return int(exact.to_integral_value())


def dydx_v4(
    markets: Sequence[str] = ("BTC", "ETH", "SOL"),
    *,
    accounts: int,
    slots: int = 4,
    book_capacity: int = 256,
    self_trade: SelfTrade = SelfTrade.CANCEL_OLDEST,
    tiers: dict[str, str] | None = None,
    maker_fee: str = "0.0001",
    taker_fee: str = "0.0005",
    price_band: str = "0.1",
    max_order_lots: int = 1_000_000_000,
    liquidator_reward: str = "0.2",
) -> tuple[VenueSpec, VenueParams]:
    """A venue with the rules and the production numbers of dYdX v4.

    The lab's own, without a counterpart on that chain: the price band, the largest
    order, and the liquidator's share of the liquidation fee (there the protocol itself
    liquidates and the whole fee goes to the insurance fund).

    Args:
        markets: one to eight names; BTC, ETH and SOL have grids of their own.
        accounts: A.
        slots: open orders of one account in one market.
        book_capacity: C, orders on one side of one book.
        self_trade: prevention mode.
        tiers: liquidity tier by market name where it differs from the listing's.
        maker_fee: fraction of the notional; negative for a rebate.
        taker_fee: fraction of the notional.
        price_band: furthest limit from the oracle, as a fraction of it.
        max_order_lots: largest order in any market.
        liquidator_reward: share of the liquidation fee.

    Raises:
        ValueError: no market, more than eight, one twice, or an unknown tier.
    """
    names = tuple(markets)
    if not 1 <= len(names) <= 8 or len(set(names)) != len(names):
        raise ValueError(f"markets: one to eight different names, not {names!r}")
    listings = [LISTINGS.get(name, GENERIC) for name in names]
    chosen = [
        _tier(name, (tiers or {}).get(name, listing.tier))
        for name, listing in zip(names, listings, strict=True)
    ]
    spec = VenueSpec(
        preset=Preset.DYDX_V4,
        markets=tuple(map(market_spec, names, listings)),
        accounts=accounts,
        slots=slots,
        book_capacity=book_capacity,
        self_trade=self_trade,
    )
    return spec, VenueParams(
        **_tier_numbers(chosen),
        **_genesis_numbers(),
        maker_fee_ppm=as_int(ppm(maker_fee)),
        taker_fee_ppm=as_int(ppm(taker_fee)),
        price_band_ppm=as_int([ppm(price_band)] * len(names)),
        max_order_lots=as_int([max_order_lots] * len(names)),
        halted=as_int([0] * len(names)),
        max_open_orders=as_int(0),
        max_market_orders=as_int([0] * len(names)),
        breaker_move_ppm=as_int(0),
        breaker_window_us=as_int(0),
        breaker_pause_us=as_int(0),
        liquidator_reward_ppm=as_int(ppm(liquidator_reward)),
        default_funding_ppm=as_int([0] * len(names)),
        oracle_threshold_ppm=as_int(0),
        oracle_heartbeat_us=as_int(0),
        oracle_quorum=as_int(1),
        liquidation_cooldown_us=as_int(0),
        cooldown_waits=as_int(0),
        oracle_max_age_us=as_int(0),
        restart_grace_us=as_int(0),
    )


def _tier(market: str, name: str) -> Tier:
    if name not in TIERS:
        raise ValueError(f"tiers.{market}: {name!r} is none of {', '.join(TIERS)}")
    return TIERS[name]


def _tier_numbers(tiers: list[Tier]) -> dict:
    return {
        "initial_ppm": as_int([ppm(t.initial) for t in tiers]),
        "maintenance_fraction_ppm": as_int([ppm(t.maintenance) for t in tiers]),
        "oi_lower": as_int([usd(t.oi_lower_usd) for t in tiers]),
        "oi_upper": as_int([usd(t.oi_upper_usd) for t in tiers]),
        "impact_notional": as_int([usd(t.impact_usd) for t in tiers]),
    }


def _genesis_numbers() -> dict:
    """Liquidation and funding numbers of the production genesis."""
    return {
        "bankruptcy_adjustment_ppm": as_int(PPM),
        "spread_to_maintenance_ppm": as_int(ppm("1.5")),
        "liquidation_fee_ppm": as_int(ppm("0.015")),
        "min_liquidation_notional": as_int(usd(1_000)),
        "max_liquidation_portion_ppm": as_int(ppm("0.1")),
        "max_liquidation_notional": as_int(usd(100_000)),
        "funding_interval_us": as_int(3600 * US_PER_SECOND),
        "funding_clamp_ppm": as_int(ppm("6")),
        "premium_clamp_ppm": as_int(ppm("60")),
    }
