"""Real venues: their rules in their own units, and a builder of the lab's venue each.

``dydx_v4``, ``starkex`` (dYdX v3) and ``hyperliquid`` are rooms of their own: the rules
on plain integers, for a prompt and for tests, and in ``preset`` a builder that turns
dollars and fractions into the static specification and the parameters of a venue with
the production numbers of the real one. Numbers that a venue does not have, and that the
lab adds, are named as such in the docstring of its builder. ``rankings`` holds the
queues of centralised venues and the allocation rules, ``drift`` socialised loss.
"""

from market.venues.dydx_v4 import preset as _dydx_v4
from market.venues.hyperliquid import preset as _hyperliquid
from market.venues.listings import (
    GENERIC,
    LISTINGS,
    Listing,
    lots_of,
    market_spec,
)
from market.venues.starkex import preset as _starkex

TIERS, Tier = _dydx_v4.TIERS, _dydx_v4.Tier

#: Builders by the name that a config calls a venue.
VENUES = {
    "dydx_v4": _dydx_v4.dydx_v4,
    "starkex": _starkex.starkex,
    "hyperliquid": _hyperliquid.hyperliquid,
}

__all__ = [
    "GENERIC",
    "LISTINGS",
    "TIERS",
    "VENUES",
    "Listing",
    "Tier",
    "lots_of",
    "market_spec",
]
