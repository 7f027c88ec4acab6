"""Margin of dYdX v4 from base quantums and oracle prices.

The formulas are those of :mod:`market.rules.margin`; here the venue's conversions,
liquidity tiers and update results are put before them.

Source: dYdX v4 ``x/perpetuals/lib``, ``x/perpetuals/types/liquidity_tier.go``,
``x/subaccounts/lib/updates.go``; tiers from the production genesis.
"""

from enum import Enum
from typing import NamedTuple

from market.rules import margin
from market.rules.margin import Risk, Tier
from market.venues.dydx_v4.units import base_to_quote

_MILLION_USD = 10**12

LARGE_CAP = Tier(20_000, 600_000)
MID_CAP = Tier(50_000, 600_000, 40 * _MILLION_USD, 100 * _MILLION_USD)
SMALL_CAP = Tier(100_000, 500_000, 20 * _MILLION_USD, 50 * _MILLION_USD)
LONG_TAIL = Tier(200_000, 500_000, 5 * _MILLION_USD, 10 * _MILLION_USD)
ISOLATED = Tier(50_000, 600_000, _MILLION_USD // 2, _MILLION_USD)
SAFETY = Tier(1_000_000, 200_000, 2 * _MILLION_USD, 5 * _MILLION_USD)
FX = Tier(10_000, 500_000, _MILLION_USD // 2, _MILLION_USD)


class Perpetual(NamedTuple):
    """A market of the venue and its oracle price.

    Attributes:
      atomic_resolution: decimal exponent of a base quantum, in coins.
      price: oracle price, times 10**exponent USD.
      exponent: decimal exponent of the price.
      open_interest: base quantums.
    """

    atomic_resolution: int
    price: int
    exponent: int
    open_interest: int = 0

    def to_quote(self, base: int) -> int:
        """Quote quantums of base quantums, toward zero."""
        return base_to_quote(base, self.atomic_resolution, self.price, self.exponent)


class UpdateResult(Enum):
    """What the venue answers to an update of an account."""

    SUCCESS = "success"
    NEWLY_UNDERCOLLATERALIZED = "newly under-collateralised"
    STILL_UNDERCOLLATERALIZED = "still under-collateralised"


def initial_margin_ppm(tier: Tier, open_notional: int) -> int:
    """Initial fraction, scaled by the open interest in quote quantums."""
    return margin.initial_fraction_ppm(open_notional, tier)


def position_risk(
    base: int,
    perpetual: Perpetual,
    tier: Tier,
    quote_balance: int = 0,
    custom_imf_ppm: int = 0,
) -> Risk:
    """Net collateral and requirements of one position.

    Args:
      base: signed size in base quantums.
      perpetual: market and price.
      tier: liquidity tier.
      quote_balance: the position's own balance (isolated positions).
      custom_imf_ppm: initial fraction of the user's chosen leverage, 0 if none.
    """
    size = perpetual.to_quote(abs(base))
    fraction = initial_margin_ppm(tier, perpetual.to_quote(perpetual.open_interest))
    return Risk(
        nc=perpetual.to_quote(base) + quote_balance,
        imr=margin.initial_requirement(size, fraction, custom_imf_ppm),
        mmr=margin.maintenance_requirement(
            size, tier.initial_margin_ppm, tier.maintenance_ppm
        ),
    )


def account_risk(usdc: int, positions: list[tuple[int, Perpetual, Tier]]) -> Risk:
    """Risk of an account: a balance and positions ``(base, perpetual, tier)``."""
    risks = [position_risk(*position) for position in positions]
    return Risk(
        nc=usdc + sum(r.nc for r in risks),
        imr=sum(r.imr for r in risks),
        mmr=sum(r.mmr for r in risks),
    )


def check_transition(now: Risk, new: Risk) -> UpdateResult:
    """Whether an account may go from ``now`` to ``new``, and what the venue says."""
    if margin.is_update_allowed(now, new):
        return UpdateResult.SUCCESS
    if margin.is_initially_collateralised(now.nc, now.imr):
        return UpdateResult.NEWLY_UNDERCOLLATERALIZED
    return UpdateResult.STILL_UNDERCOLLATERALIZED
