"""Every number of a venue at the value at which it changes nothing.

A builder names the numbers that its venue has; the others stand here once.
"""

from market.numbers.units import PPM, as_int, ppm
from market.types.specs import RISK_STEPS, VenueParams

#: No notional, fee or insurance payment comes near this.
_NO_LIMIT = 1 << 62

#: Scalars that are not zero where they change nothing.
_SCALARS = {
    "bankruptcy_adjustment_ppm": PPM,
    "liquidation_max_portion_ppm": PPM,
    "liquidation_max_notional": _NO_LIMIT,
    "liquidation_max_insurance": _NO_LIMIT,
    "oracle_quorum": 1,
}
#: Numbers with one value a market.
_PER_MARKET = (
    "initial_margin_ppm",
    "maintenance_fraction_ppm",
    "oi_lower",
    "oi_upper",
    "risk_by_balance",
    "price_band_ppm",
    "max_order_lots",
    "halted",
    "max_market_orders",
    "impact_notional",
    "funding_default_rate_ppm",
)
#: Furthest limit from the oracle price or the mark, as a fraction of it.
PRICE_BAND = "0.1"
#: Largest order in any market.
MAX_ORDER_LOTS = 1_000_000_000


def trading_numbers(markets: int, maker_fee: str, taker_fee: str) -> dict:
    """Fees of the notional, and the lab's own bounds of an order.

    Args:
        markets: how many.
        maker_fee: fraction of the notional; negative for a rebate.
        taker_fee: fraction of the notional.
    """
    return {
        "maker_fee_ppm": as_int(ppm(maker_fee)),
        "taker_fee_ppm": as_int(ppm(taker_fee)),
        "price_band_ppm": as_int([ppm(PRICE_BAND)] * markets),
        "max_order_lots": as_int([MAX_ORDER_LOTS] * markets),
    }


def venue_params(markets: int, **numbers) -> VenueParams:
    """The parameters of a venue of that many markets: ``numbers``, the rest neutral."""
    neutral = dict.fromkeys(VenueParams.__dataclass_fields__, 0) | _SCALARS
    neutral |= {name: [0] * markets for name in _PER_MARKET}
    neutral |= {
        name: [[0] * markets] * RISK_STEPS for name in ("risk_upper", "risk_factor_ppm")
    }
    return VenueParams(**{k: as_int(v) for k, v in neutral.items()} | numbers)
