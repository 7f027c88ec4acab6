"""The venues that the lab knows, by the name a config calls them."""

from market.preset_hyperliquid import hyperliquid
from market.presets import dydx_v4

#: Builders; all take the markets, and `accounts` as a keyword.
VENUES = {"dydx_v4": dydx_v4, "hyperliquid": hyperliquid}
