"""dYdX v4 from friendly numbers.

Source: dYdX v4, ``protocol/testing/genesis.sh`` (production genesis) for liquidity
tiers, liquidation and funding.
"""

from collections.abc import Collection, Sequence
from typing import NamedTuple

from market.numbers.units import PPM, US_PER_SECOND, as_int, ppm, usd
from market.rules.funding import RATE_CLAMP_PPM, VOTE_CLAMP_PPM
from market.types.specs import SelfTrade, VenueParams, VenueSpec
from market.venues.listings import GENERIC, LISTINGS, checked_names, market_specs
from market.venues.neutral import trading_numbers, venue_params

#: Fees of the notional.
MAKER_FEE, TAKER_FEE = "0.0001", "0.0005"
#: The liquidator's share of the liquidation fee.
LIQUIDATOR_REWARD = "0.2"


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


def dydx_v4(
    markets: Sequence[str] = ("BTC", "ETH", "SOL"),
    *,
    accounts: int,
    slots: int = 4,
    book_capacity: int = 256,
    self_trade: SelfTrade = SelfTrade.CANCEL_OLDEST,
    isolated: Collection[str] = (),
    tiers: dict[str, str] | None = None,
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
        isolated: markets with margin and an insurance fund of their own.
        tiers: liquidity tier by market name where it differs from the listing's.

    Raises:
        ValueError: no market, more than eight, one twice, an unknown tier, or an
            isolated market that is not among them.
    """
    names = checked_names(markets)
    listings = [LISTINGS.get(name, GENERIC) for name in names]
    chosen = [
        _tier(name, (tiers or {}).get(name, listing.tier))
        for name, listing in zip(names, listings, strict=True)
    ]
    spec = VenueSpec(
        markets=market_specs(names, isolated),
        accounts=accounts,
        slots=slots,
        book_capacity=book_capacity,
        self_trade=self_trade,
    )
    return spec, venue_params(
        len(names),
        **_tier_numbers(chosen),
        **_genesis_numbers(),
        **trading_numbers(len(names), MAKER_FEE, TAKER_FEE),
        liquidator_reward_ppm=as_int(ppm(LIQUIDATOR_REWARD)),
    )


def _tier(market: str, name: str) -> Tier:
    if name not in TIERS:
        raise ValueError(f"tiers.{market}: {name!r} is none of {', '.join(TIERS)}")
    return TIERS[name]


def _tier_numbers(tiers: list[Tier]) -> dict:
    return {
        "initial_margin_ppm": as_int([ppm(t.initial) for t in tiers]),
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
        "liquidation_max_fee_ppm": as_int(ppm("0.015")),
        "liquidation_min_notional": as_int(usd(1_000)),
        "liquidation_max_portion_ppm": as_int(ppm("0.1")),
        "liquidation_max_notional": as_int(usd(100_000)),
        "liquidation_max_insurance": as_int(usd(1_000_000)),
        "funding_interval_us": as_int(3600 * US_PER_SECOND),
        "funding_clamp_ppm": as_int(RATE_CLAMP_PPM),
        "premium_clamp_ppm": as_int(VOTE_CLAMP_PPM),
    }
