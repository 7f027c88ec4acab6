"""Hyperliquid: the documented rules, exact.

Prices, sizes and values are plain ints or exact fractions in any one unit
(``Fraction("0.1")`` for decimals); functions that say so take int64 arrays too. Where
the documents leave a rounding open it is named here and never creates money.

Source: the venue's documentation: margining, liquidations, auto-deleveraging, oracle,
robust price indices, funding. Where two readings exist, there is a switch.
"""

from market.venues.hyperliquid.adl import adl_index, adl_queue, adl_quote, is_adl_due
from market.venues.hyperliquid.funding import (
    funding_payment,
    hourly_rate,
    premium,
    rate_8h,
)
from market.venues.hyperliquid.liquidation import (
    LiquidationStage,
    backstop,
    liquidation_price,
    liquidation_size,
    liquidation_stage,
)
from market.venues.hyperliquid.margin import (
    MarginTier,
    account_value,
    initial_margin,
    maintenance_leverage,
    maintenance_margin,
    margin_available,
    tiered_maintenance,
    transfer_margin,
)
from market.venues.hyperliquid.oracle import (
    EXTERNAL_WEIGHTS,
    SPOT_WEIGHTS,
    Ema,
    decay_factor,
    mark_price,
    median,
    oracle_price,
    updated_ema,
    weighted_median,
)

__all__ = [
    "EXTERNAL_WEIGHTS",
    "SPOT_WEIGHTS",
    "Ema",
    "LiquidationStage",
    "MarginTier",
    "account_value",
    "adl_index",
    "adl_queue",
    "adl_quote",
    "backstop",
    "decay_factor",
    "funding_payment",
    "hourly_rate",
    "initial_margin",
    "is_adl_due",
    "liquidation_price",
    "liquidation_size",
    "liquidation_stage",
    "maintenance_leverage",
    "maintenance_margin",
    "margin_available",
    "mark_price",
    "median",
    "oracle_price",
    "premium",
    "rate_8h",
    "tiered_maintenance",
    "transfer_margin",
    "updated_ema",
    "weighted_median",
]
