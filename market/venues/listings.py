"""Markets that the presets know: price grids, and amounts on them."""

from collections.abc import Collection, Sequence
from decimal import Decimal
from typing import NamedTuple

from market.numbers.units import QUANTA_PER_USD
from market.types.specs import MarketSpec, VenueSpec


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


def market_specs(
    names: Sequence[str], isolated: Collection[str] = ()
) -> tuple[MarketSpec, ...]:
    """The markets of those names, some of them isolated.

    Raises:
        ValueError: an isolated market that is not among the names.
    """
    strangers = set(isolated) - set(names)
    if strangers:
        raise ValueError(f"isolated: {sorted(strangers)} are none of {list(names)}")
    return tuple(
        market_spec(name, LISTINGS.get(name, GENERIC), name in isolated)
        for name in names
    )


def market_spec(name: str, listing: Listing, is_isolated: bool = False) -> MarketSpec:
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
    grid = listing.tick_usd, listing.lot_base
    return MarketSpec(name, *grid, int(quanta), is_isolated)


def lots_of(spec: VenueSpec, market: int, base: float | str) -> int:
    """An amount of the base asset as lots, rounded half to even."""
    exact = Decimal(str(base)) / Decimal(spec.markets[market].lot_base)
    return int(exact.to_integral_value())


def checked_names(markets: Sequence[str]) -> tuple[str, ...]:
    """The names of the markets.

    Raises:
        ValueError: no market, more than eight, or one twice.
    """
    names = tuple(markets)
    if not 1 <= len(names) <= 8 or len(set(names)) != len(names):
        raise ValueError(f"markets: one to eight different names, not {names!r}")
    return names
