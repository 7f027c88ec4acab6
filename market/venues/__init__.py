"""Venues from friendly numbers: dollars and fractions in, integers out.

Each builder makes the static specification and the parameters of a venue with the rules
and the production numbers of a real one. Numbers that the venue does not have, and that
the lab adds, are named as such in the docstring of the builder.
"""

from market.venues.dydx_v4.preset import TIERS, Tier, dydx_v4
from market.venues.hyperliquid.preset import hyperliquid
from market.venues.listings import (
    GENERIC,
    LISTINGS,
    Listing,
    lots_of,
    market_spec,
    ticks_of,
)
from market.venues.starkex.preset import starkex

#: Builders by the name that a config calls a venue.
VENUES = {"dydx_v4": dydx_v4, "starkex": starkex, "hyperliquid": hyperliquid}

__all__ = [
    "GENERIC",
    "LISTINGS",
    "TIERS",
    "VENUES",
    "Listing",
    "Tier",
    "dydx_v4",
    "hyperliquid",
    "lots_of",
    "market_spec",
    "starkex",
    "ticks_of",
]
