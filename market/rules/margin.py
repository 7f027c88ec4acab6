"""Margin after dYdX v4: equity, requirements, what may be done when they are not met.

All amounts are quote quanta. Every function takes plain ints as well as int64 arrays,
so that a rule can be tried at a prompt::

    >>> maintenance_requirement(1_000_000_001, 50_000, 600_000)
    30000001

Notionals come from the caller: the lab multiplies lots by ticks
(:func:`market.numbers.units.notional`), the venue converts base quantums at an oracle
price (:func:`market.venues.dydx_v4.base_to_quote`). From there the formulas are the
same, and stand here once. The rules of other venues are in ``market/rules/``.

Bounds on arrays: every notional, sum of notionals and balance within 2**62; ratios
within 2**31 ppm. Then nothing here overflows.

Source: dYdX v4, ``x/perpetuals/lib``, ``x/perpetuals/types/liquidity_tier``,
``lib/margin``, ``x/subaccounts/lib``.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jax import lax

from market.numbers import units
from market.numbers.units import PPM
from market.numbers.wide import (
    IntLike,
    both,
    compare_products,
    either,
    is_host,
    larger,
    mul_div_floor,
    select,
    sign_of,
    total,
)


class Tier(NamedTuple):
    """Margin parameters of a market, or of ``M`` markets as int64[M].

    Attributes:
      initial_margin_ppm: base initial margin fraction.
      maintenance_ppm: maintenance margin as a fraction of the base initial margin.
      oi_lower: open interest (quote quanta) from which the initial fraction rises.
      oi_upper: open interest at which it reaches one; 0 switches the scaling off.
    """

    initial_margin_ppm: IntLike
    maintenance_ppm: IntLike
    oi_lower: IntLike = 0
    oi_upper: IntLike = 0


class Risk(NamedTuple):
    """What an account, or one position of it, has and has to have.

    Attributes:
      nc: net collateral (equity), signed.
      imr: initial margin requirement, >= 0.
      mmr: maintenance margin requirement, >= 0.
    """

    nc: IntLike
    imr: IntLike
    mmr: IntLike


def equity(collateral: IntLike, notionals) -> IntLike:
    """Net collateral: balance plus signed notionals (over the last axis).

    >>> equity(1_000, [500, -200])
    1300
    """
    return collateral + total(notionals)


def initial_fraction_ppm(open_notional: IntLike, tier: Tier) -> IntLike:
    """Initial margin fraction, scaled by open interest, rounded down.

    The base fraction up to ``oi_lower`` inclusive, one from ``oi_upper`` inclusive, and
    linear in between: ``base + floor((1e6 - base) * (OI - lower) / (upper - lower))``.

    >>> initial_fraction_ppm(60, Tier(100_000, 500_000, oi_lower=20, oi_upper=100))
    550000
    """
    base, lower, upper = tier.initial_margin_ppm, tier.oi_lower, tier.oi_upper
    # Off the ramp the quotient is not used; the divisor only has to be positive there.
    span = larger(upper - lower, 1)
    ramp = base + mul_div_floor(PPM - base, larger(open_notional - lower, 0), span)
    scaled = select(open_notional >= upper, PPM, ramp)
    return select(either(upper == 0, open_notional <= lower), base, scaled)


def initial_requirement(
    abs_notional: IntLike, fraction_ppm: IntLike, custom_ppm: IntLike = 0
) -> IntLike:
    """Initial margin of a position, rounded up.

    Args:
      abs_notional: |notional|.
      fraction_ppm: what :func:`initial_fraction_ppm` gives.
      custom_ppm: the account's own, stricter fraction (its chosen leverage); 0 if none.
    """
    return _share_up(abs_notional, larger(fraction_ppm, custom_ppm))


def _share_up(amount: IntLike, ppm: IntLike) -> IntLike:
    """``ceil(amount * ppm / 1e6)`` for amounts and shares that are not negative.

    There truncation is the floor, which halves the work of the two ceilings. The amount
    is split before it is multiplied, so that 63 bits are enough.
    """
    if is_host(amount, ppm):
        return -(-amount * ppm // PPM)
    amount = jnp.asarray(amount, jnp.int64)
    whole = lax.div(amount, jnp.int64(PPM))
    rest = (amount - whole * PPM) * ppm
    return whole * ppm + lax.div(rest + (PPM - 1), jnp.int64(PPM))


def maintenance_requirement(
    abs_notional: IntLike, initial_margin_ppm: IntLike, maintenance_ppm: IntLike
) -> IntLike:
    """Maintenance margin: a fraction of the *base* initial margin, two ceilings.

    >>> maintenance_requirement(1, 50_000, 600_000)  # ceil(ceil(0.05) * 0.6)
    1
    """
    return _share_up(_share_up(abs_notional, initial_margin_ppm), maintenance_ppm)


def maintenance_fraction_ppm(
    initial_margin_ppm: IntLike, maintenance_ppm: IntLike
) -> IntLike:
    """Maintenance margin as a fraction of notional, rounded down (funding clamps)."""
    return units.ppm_floor(initial_margin_ppm, maintenance_ppm)


def position_risk(
    notional: IntLike, open_notional: IntLike, tier: Tier, custom_ppm: IntLike = 0
) -> Risk:
    """Risk of positions by their signed notionals; shapes broadcast."""
    size = abs(notional)
    fraction = initial_fraction_ppm(open_notional, tier)
    return Risk(
        nc=notional,
        imr=initial_requirement(size, fraction, custom_ppm),
        mmr=maintenance_requirement(
            size, tier.initial_margin_ppm, tier.maintenance_ppm
        ),
    )


def account_risk(
    collateral: IntLike,
    notionals,
    open_notionals,
    tier: Tier,
    custom_ppm: IntLike = 0,
) -> Risk:
    """Risk of cross-margined accounts.

    Args:
      collateral: int64[A], or an int.
      notionals: int64[A M] signed, or a list of ints.
      open_notionals: int64[M] open interest, or a list of ints.
      tier: int64[M] parameters, or a list of tiers.
      custom_ppm: int64[A M] chosen fractions, 0 where none.

    Returns:
      Risk of int64[A], or of ints.
    """
    if isinstance(notionals, list | tuple):
        rows = zip(notionals, open_notionals, tier, strict=True)
        positions = [position_risk(n, oi, t, custom_ppm) for n, oi, t in rows]
        nc, imr, mmr = ([p[i] for p in positions] for i in range(3))
    else:
        nc, imr, mmr = position_risk(notionals, open_notionals, tier, custom_ppm)
    return Risk(equity(collateral, nc), total(imr), total(mmr))


# --- what the risk says ------------------------------------------------------------


def is_initially_collateralised(nc: IntLike, imr: IntLike):
    """Whether a position may be opened: NC >= IMR."""
    return nc >= imr


def is_liquidatable(nc: IntLike, mmr: IntLike):
    """MMR > 0 and MMR > NC: at exactly the requirement an account is safe."""
    return both(mmr > 0, mmr > nc)


def compare_risk(
    nc_a: IntLike, mmr_a: IntLike, nc_b: IntLike, mmr_b: IntLike
) -> IntLike:
    """1 if ``a`` is riskier than ``b``, -1 if less risky, 0 if equal.

    Compares NC/MMR by cross products, so that nothing is rounded and a zero
    requirement needs no case: a riskier iff NC_a * MMR_b < NC_b * MMR_a. On equal
    ratios the larger MMR is riskier; with both MMR zero, the smaller NC.

    >>> compare_risk(-10, 100, -30, 100)
    -1
    """
    by_ratio = compare_products(nc_b, mmr_a, nc_a, mmr_b)
    both_flat = both(mmr_a == 0, mmr_b == 0)
    tie = select(both_flat, _order(nc_b, nc_a), _order(mmr_a, mmr_b))
    return select(by_ratio != 0, by_ratio, tie)


def _order(a: IntLike, b: IntLike) -> IntLike:
    """Sign of a - b, with no subtraction that could overflow."""
    if is_host(a, b):
        return sign_of(a - b)
    return (a > b).astype(jnp.int64) - (a < b).astype(jnp.int64)


def is_valid_transition(
    nc_now: IntLike, mmr_now: IntLike, nc_new: IntLike, mmr_new: IntLike
):
    """What an account below its initial requirement may still do.

    The requirement must not grow. With both requirements zero the equity has to rise;
    with only one zero nothing is allowed; otherwise NC/MMR must not fall.

    Ties of the ratio are allowed because MMR cannot have grown: :func:`compare_risk`
    then calls the smaller requirement the less risky one.
    """
    both_flat = both(mmr_now == 0, mmr_new == 0)
    one_flat = either(mmr_now == 0, mmr_new == 0)
    safer = select(
        one_flat,
        both(both_flat, nc_new > nc_now),
        compare_risk(nc_new, mmr_new, nc_now, mmr_now) <= 0,
    )
    return both(mmr_new <= mmr_now, safer)


def is_update_allowed(now: Risk, new: Risk):
    """Whether an account may go from ``now`` to ``new``.

    Either it is initially collateralised afterwards, or the transition is valid.
    Orders, withdrawals, liquidation fills and both sides of a deleveraging pass here.
    """
    return either(
        is_initially_collateralised(new.nc, new.imr),
        is_valid_transition(now.nc, now.mmr, new.nc, new.mmr),
    )


def open_interest_delta(
    before_a: IntLike, after_a: IntLike, before_b: IntLike, after_b: IntLike
) -> IntLike:
    """Change of open interest by a match of two positions (signed base amounts).

    The long side counts: sum over both of max(after, 0) - max(before, 0).

    >>> open_interest_delta(0, 5, 0, -5), open_interest_delta(5, 0, 0, 5)
    (5, 0)
    """
    longs_before = larger(before_a, 0) + larger(before_b, 0)
    return larger(after_a, 0) + larger(after_b, 0) - longs_before
