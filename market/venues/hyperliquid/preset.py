"""The `hyperliquid` venue: its documented numbers, dollars and fractions in.

Source: Hyperliquid's documentation: "Margining", "Margin tiers", "Liquidations",
"Auto-deleveraging", "Robust price indices", "Funding", "Fees".
"""

from collections.abc import Collection, Sequence

from market.numbers.units import PPM, US_PER_SECOND, as_int
from market.types.specs import (
    Deleveraging,
    Funding,
    Gate,
    Liquidation,
    Mark,
    SelfTrade,
    VenueParams,
    VenueSpec,
)
from market.venues.hyperliquid.funding import (
    IMPACT_NOTIONAL_MAJOR,
    IMPACT_NOTIONAL_MINOR,
)
from market.venues.hyperliquid.liquidation import (
    COOLDOWN_SECONDS,
    PARTIAL_ABOVE,
    PARTIAL_DIVISOR,
)
from market.venues.hyperliquid.margin import TRANSFER_DIVISOR
from market.venues.listings import checked_names, market_specs
from market.venues.neutral import trading_numbers, venue_params

#: Fees of the notional.
MAKER_FEE, TAKER_FEE = "0.00015", "0.00045"
#: Largest leverage by market; any other name gets `GENERIC_LEVERAGE`.
MAX_LEVERAGE = {"BTC": 40, "ETH": 25, "SOL": 20}
GENERIC_LEVERAGE = 10
#: Markets with the larger impact notional.
MAJOR = ("BTC", "ETH")
#: A bound on premiums that none reaches: the rule caps the rate, not the premium.
NO_CLAMP_PPM = 10**14


def hyperliquid(
    markets: Sequence[str] = ("BTC", "ETH", "SOL"),
    *,
    accounts: int,
    vault: int = 0,
    slots: int = 4,
    book_capacity: int = 256,
    self_trade: SelfTrade = SelfTrade.CANCEL_OLDEST,
    isolated: Collection[str] = (),
    max_leverage: dict[str, int] | None = None,
) -> tuple[VenueSpec, VenueParams]:
    """A venue with the rules and the documented numbers of Hyperliquid.

    Initial margin is an account's notional over the market's largest leverage,
    maintenance is half of it, and both are reckoned at the mark. There is no insurance
    fund and no liquidation fee; a keeper earns nothing for a liquidation.

    The lab's own: the price grids, the price band (its edge is the limit of a
    liquidation's market order; there orders may be much further off), the largest
    order, one largest leverage a market instead of tiers by size, and the vault as an
    ordinary account of the venue, say its first market maker.

    Args:
        markets: one to eight names; BTC, ETH and SOL have numbers of their own.
        accounts: A.
        vault: account that takes over what the book does not; -1 without one.
        slots: open orders of one account in one market.
        book_capacity: C, orders on one side of one book.
        self_trade: prevention mode.
        isolated: markets that exclude all others, as on dYdX v4 (the vault apart);
            there, isolation is the choice of an account and position.
        max_leverage: by market name, where it differs; one over it in whole ppm,
            rounded up.

    Raises:
        ValueError: no market, more than eight, one twice, a leverage below one, a vault
            that is no account, or an isolated market that is not among them.
    """
    names = checked_names(markets)
    if not -1 <= vault < accounts:
        raise ValueError(f"vault: -1 or an account below {accounts}, not {vault}")
    known = {**MAX_LEVERAGE, **(max_leverage or {})}
    leverage = [known.get(name, GENERIC_LEVERAGE) for name in names]
    if min(leverage) < 1:
        raise ValueError(f"max_leverage: at least 1, not {min(leverage)}")
    spec = VenueSpec(
        liquidation=Liquidation.STAGES,
        mark=Mark.MEDIAN,
        funding=Funding.HOURLY,
        gate=Gate.NONE,
        markets=market_specs(names, isolated),
        accounts=accounts,
        slots=slots,
        book_capacity=book_capacity,
        self_trade=self_trade,
        deleverages_per_block=accounts * len(names),
        deleveraging=Deleveraging.HYPERLIQUID,
        vault=vault,
        # Of blocks of a second: a premium every five, a payment every hour.
        votes_per_sample=5,
        samples_per_funding=720,
    )
    impact = [
        IMPACT_NOTIONAL_MAJOR if name in MAJOR else IMPACT_NOTIONAL_MINOR
        for name in names
    ]
    return spec, venue_params(
        len(names),
        **_staged_numbers(),
        initial_margin_ppm=as_int([-(-PPM // times) for times in leverage]),
        maintenance_fraction_ppm=as_int([PPM // 2] * len(names)),
        transfer_margin_ppm=as_int(PPM // TRANSFER_DIVISOR),
        impact_notional=as_int(impact),
        **trading_numbers(len(names), MAKER_FEE, TAKER_FEE),
        funding_interval_us=as_int(3600 * US_PER_SECOND),
        premium_clamp_ppm=as_int(NO_CLAMP_PPM),
    )


def _staged_numbers() -> dict:
    """Liquidations: 20 % of positions above 100,000 USDC, and 30 s of cooldown."""
    return {
        "liquidation_min_notional": as_int(PARTIAL_ABOVE),
        "liquidation_max_portion_ppm": as_int(PPM // PARTIAL_DIVISOR),
        "liquidation_cooldown_us": as_int(COOLDOWN_SECONDS * US_PER_SECOND),
    }
