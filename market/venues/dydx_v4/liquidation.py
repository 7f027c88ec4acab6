"""Liquidation and deleveraging prices of dYdX v4 from base quantums.

Source: dYdX v4 ``x/clob/keeper/liquidations.go``, ``deleveraging.go``.
"""

from collections.abc import Sequence
from fractions import Fraction
from math import ceil, floor

from market.numbers.refusals import above_zero
from market.rules import liquidation
from market.rules.liquidation import LiquidationRules
from market.rules.margin import Risk, Tier
from market.venues.dydx_v4.margin import Perpetual, position_risk
from market.venues.dydx_v4.units import (
    MAX_UINT64,
    fill_quote,
    power_of_ten,
    quote_to_base,
    round_to_multiple,
)


def _check_delta(position: int, delta: int) -> None:
    """A liquidation makes a position smaller and does not turn it."""
    if position * delta >= 0 or abs(delta) > abs(position):
        raise ValueError(
            f"delta {delta} does not reduce a position of {position}: it has to have "
            "the opposite sign and no larger size"
        )


def bankruptcy_price(
    position: int, delta: int, perpetual: Perpetual, tier: Tier, total: Risk
) -> int:
    """Quote delta at which closing ``delta`` leaves the account its share of nothing.

    Args:
      position: signed base quantums held.
      delta: signed base quantums closed, of opposite sign.
      perpetual: market and price.
      tier: liquidity tier.
      total: risk of the whole account.

    Raises:
      ValueError: if ``delta`` does not reduce the position.
    """
    _check_delta(position, delta)
    before = position_risk(position, perpetual, tier)
    after = position_risk(position + delta, perpetual, tier)
    return liquidation.bankruptcy_quote(
        after.nc - before.nc, after.mmr - before.mmr, total.nc, total.mmr
    )


def fillable_price(
    position: int,
    perpetual: Perpetual,
    tier: Tier,
    total: Risk,
    rules: LiquidationRules,
) -> Fraction:
    """Worst price of a liquidation in quote quantums per base quantum, exact."""
    risk = position_risk(position, perpetual, tier)
    return liquidation.fillable_price(
        position, risk.nc, risk.mmr, total.nc, total.mmr, rules
    )


def fillable_price_to_subticks(
    price: Fraction,
    is_long: bool,
    quantum_conversion_exponent: int,
    subticks_per_tick: int,
) -> int:
    """Limit of the liquidation order: a long's sale rounded up, a short's buy down.

    Rounded to a subtick, then to a tick, both the same way; held within one tick and
    the largest multiple of a tick below 2**64.

    >>> fillable_price_to_subticks(Fraction(21, 2), True, -1, 10)
    110
    """
    above_zero(subticks_per_tick=subticks_per_tick)
    subticks = price / power_of_ten(quantum_conversion_exponent)
    rounded = ceil(subticks) if is_long else floor(subticks)
    aligned = round_to_multiple(rounded, subticks_per_tick, round_up=is_long)
    most = MAX_UINT64 - MAX_UINT64 % subticks_per_tick
    return min(max(aligned, subticks_per_tick), most)


def liquidation_insurance_delta(
    position: int,
    fill_base: int,
    subticks: int,
    quantum_conversion_exponent: int,
    perpetual: Perpetual,
    tier: Tier,
    total: Risk,
    rules: LiquidationRules,
) -> int:
    """What a liquidation fill of ``fill_base`` > 0 pays to the insurance fund.

    Raises:
      ValueError: if nothing is filled, or more than the position.
    """
    quote = fill_quote(subticks, fill_base, quantum_conversion_exponent)
    is_buy = position < 0
    delta, quote = (fill_base, -quote) if is_buy else (-fill_base, quote)
    bankruptcy = bankruptcy_price(position, delta, perpetual, tier, total)
    return liquidation.insurance_delta(quote, bankruptcy, rules.max_fee_ppm)


def liquidatable_delta(
    position: int,
    perpetual: Perpetual,
    rules: LiquidationRules,
    used_notional: int = 0,
    step_base: int = 1,
) -> int:
    """Signed base quantums to liquidate now within position and account limits."""
    notional = abs(perpetual.to_quote(position))
    limit = min(
        liquidation.max_position_notional(notional, rules),
        rules.max_account_notional - used_notional,
    )
    sign = -1 if position > 0 else 1
    if notional <= limit or abs(position) <= step_base:
        return sign * abs(position)
    base = quote_to_base(
        limit, perpetual.atomic_resolution, perpetual.price, perpetual.exponent
    )
    base = round_to_multiple(base, step_base, round_up=False)
    return sign * min(max(base, step_base), abs(position))


def deleveraging_quote(
    position: int,
    delta: int,
    perpetual: Perpetual,
    tier: Tier,
    total: Risk,
    is_wound_up: bool = False,
) -> int:
    """Quote delta of a deleveraging fill: bankruptcy price, or oracle if wound up."""
    if is_wound_up:
        return perpetual.to_quote(-delta)
    return bankruptcy_price(position, delta, perpetual, tier, total)


def sort_liquidations(
    orders: Sequence[tuple[int, Fraction, int, bytes]],
) -> list[int]:
    """Order in which liquidation orders are placed, as indices.

    Args:
      orders: (limit subticks, oracle subticks, notional in quote quantums, hash).

    Returns:
      Largest |limit - oracle| / oracle first; then largest notional; then least hash.

    Raises:
      ValueError: an oracle price is not above zero.
    """

    def key(index: int):
        limit, oracle, notional, digest = orders[index]
        above_zero(oracle=oracle)
        return -abs(Fraction(limit) - oracle) / oracle, -notional, digest

    return sorted(range(len(orders)), key=key)
