"""dYdX v4 in its own units, on plain ints of any size.

    >>> btc = Perpetual(atomic_resolution=-10, price=6_000_000_000, exponent=-5)
    >>> risk = position_risk(10**10, btc, LARGE_CAP)  # one bitcoin at $60,000
    >>> risk.nc, risk.imr, risk.mmr
    (60000000000, 1200000000, 720000000)

Source: dydxprotocol/v4-chain, folder ``protocol``; the files are named in each module.
"""

from market.venues.dydx_v4.funding import (
    funding_index_delta,
    funding_payment,
    funding_sample,
    impact_price_subticks,
    premium_rate,
    premium_vote,
    remove_tails,
)
from market.venues.dydx_v4.gate import are_withdrawals_blocked, is_outage
from market.venues.dydx_v4.isolated import (
    Pools,
    close_isolated_position,
    faulty_close_isolated_position,
)
from market.venues.dydx_v4.liquidation import (
    bankruptcy_price,
    deleveraging_quote,
    fillable_price,
    fillable_price_to_subticks,
    liquidatable_delta,
    liquidation_insurance_delta,
    sort_liquidations,
)
from market.venues.dydx_v4.margin import (
    FX,
    ISOLATED,
    LARGE_CAP,
    LONG_TAIL,
    MID_CAP,
    SAFETY,
    SMALL_CAP,
    Perpetual,
    UpdateResult,
    account_risk,
    check_transition,
    initial_margin_ppm,
    position_risk,
)
from market.venues.dydx_v4.units import (
    average_price_subticks,
    base_to_quote,
    fill_quote,
    mul_ppm,
    price_to_subticks,
    quote_to_base,
)

__all__ = [
    "FX",
    "ISOLATED",
    "LARGE_CAP",
    "LONG_TAIL",
    "MID_CAP",
    "SAFETY",
    "SMALL_CAP",
    "Perpetual",
    "Pools",
    "UpdateResult",
    "account_risk",
    "are_withdrawals_blocked",
    "average_price_subticks",
    "bankruptcy_price",
    "base_to_quote",
    "check_transition",
    "close_isolated_position",
    "deleveraging_quote",
    "faulty_close_isolated_position",
    "fill_quote",
    "fillable_price",
    "fillable_price_to_subticks",
    "funding_index_delta",
    "funding_payment",
    "funding_sample",
    "impact_price_subticks",
    "initial_margin_ppm",
    "is_outage",
    "liquidatable_delta",
    "liquidation_insurance_delta",
    "mul_ppm",
    "position_risk",
    "premium_rate",
    "premium_vote",
    "price_to_subticks",
    "quote_to_base",
    "remove_tails",
    "sort_liquidations",
]
