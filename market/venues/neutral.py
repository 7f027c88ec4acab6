"""Every number of a venue at the value at which it changes nothing.

A builder names the numbers that its venue has; the others stand here once.
"""

from market.numbers.units import PPM, as_int
from market.types.specs import RISK_STEPS, VenueParams

#: No notional, fee or insurance payment comes near this.
_NO_LIMIT = 1 << 62

#: Scalars that are not zero where they change nothing.
_SCALARS = {
    "bankruptcy_adjustment_ppm": PPM,
    "max_liquidation_portion_ppm": PPM,
    "max_liquidation_notional": _NO_LIMIT,
    "max_liquidation_insurance": _NO_LIMIT,
    "oracle_quorum": 1,
}
#: Numbers with one value a market.
_PER_MARKET = (
    "initial_ppm",
    "maintenance_fraction_ppm",
    "oi_lower",
    "oi_upper",
    "risk_by_balance",
    "price_band_ppm",
    "max_order_lots",
    "halted",
    "max_market_orders",
    "impact_notional",
    "default_funding_ppm",
)


def venue_params(markets: int, **numbers) -> VenueParams:
    """The parameters of a venue of that many markets: ``numbers``, the rest neutral."""
    neutral = dict.fromkeys(VenueParams.__dataclass_fields__, 0) | _SCALARS
    neutral |= {name: [0] * markets for name in _PER_MARKET}
    neutral |= {
        name: [[0] * markets] * RISK_STEPS for name in ("risk_upper", "risk_ppm")
    }
    return VenueParams(**{k: as_int(v) for k, v in neutral.items()} | numbers)
