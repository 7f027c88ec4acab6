"""Liquidation into the book after dYdX v4: prices, insurance, sizes, order.

The names of the venue: PS signed position size, PNNV its signed notional, PMMR its
maintenance requirement, TNC and TMMR the account's equity and requirement, delta the
signed change of the position (of opposite sign to PS, no larger than it).

Every function takes plain ints or int64 arrays; amounts are quote quanta, sizes lots or
base quantums. Bounds on arrays: amounts within 2**62, BA * SMMR within 2**62.

Source: dYdX v4, ``x/clob/keeper/liquidations``.
"""

from fractions import Fraction
from typing import NamedTuple

import jax.numpy as jnp

from market.numbers.refusals import above_zero
from market.numbers.units import PPM, ppm_floor
from market.numbers.wide import (
    IntLike,
    both,
    clamp,
    compare_products,
    divide_ceil,
    either,
    larger,
    mul_add_div_floor,
    mul_div_floor,
    mul_div_rest,
    select,
    sign_of,
    smaller,
)


class LiquidationRules(NamedTuple):
    """Parameters of the liquidation engine; the defaults are the venue's genesis.

    Attributes:
      max_fee_ppm: liquidation fee at most, of the quote amount filled.
      bankruptcy_adjustment_ppm: BA, at least one (1e6).
      spread_to_maintenance_ppm: SMMR, the widest spread as a multiple of PMMR.
      min_position_notional: a position is always liquidated down to this in one go.
      max_position_portion_ppm: share of a position liquidated per block.
      max_account_notional: notional liquidated per account and block.
      max_account_insurance: insurance paid out per account and block.
    """

    max_fee_ppm: IntLike = 15_000
    bankruptcy_adjustment_ppm: IntLike = 1_000_000
    spread_to_maintenance_ppm: IntLike = 1_500_000
    min_position_notional: IntLike = 1_000_000_000
    max_position_portion_ppm: IntLike = 100_000
    max_account_notional: IntLike = 100_000_000_000
    max_account_insurance: IntLike = 1_000_000_000_000


# --- prices ------------------------------------------------------------------------


def bankruptcy_quote(
    delta_notional: IntLike, delta_mmr: IntLike, tnc: IntLike, tmmr: IntLike
) -> IntLike:
    """Quote delta at which closing leaves the account its share of nothing: BP(delta).

    ``-dNNV - floor(TNC * |dMMR| / TMMR)``, where the deltas are differences of the
    *whole* position before and after, not functions of the part that is closed. The
    floor rounds the price toward plus infinity, in favour of the insurance fund.

    Args:
      delta_notional: notional after minus before.
      delta_mmr: position's requirement after minus before, <= 0.
      tnc: equity of the account.
      tmmr: requirement of the account; at none nothing is shared, and the close is at
        the price of the notional.

    >>> bankruptcy_quote(-100_000_000, -3_000_000, -1, 3_000_000)
    100000001
    """
    share = mul_div_floor(tnc, abs(delta_mmr), larger(tmmr, 1))
    return -delta_notional - select(tmmr > 0, share, 0)


def fillable_price(
    ps: int, pnnv: int, pmmr: int, tnc: int, tmmr: int, rules: LiquidationRules
) -> Fraction:
    """The worst price at which a liquidation may fill: exact, quote per base unit.

    ``(PNNV - ABR * SMMR * PMMR) / PS`` with ``ABR = clamp(BA * (1 - TNC/TMMR), 0, 1)``.
    Independent of how much is closed. Plain ints only; arrays use
    :func:`fillable_ticks`.

    Raises:
      ValueError: there is no position, or no requirement to be liquidated for.
    """
    above_zero(position=abs(ps), tmmr=tmmr)
    adjustment = Fraction(rules.bankruptcy_adjustment_ppm, PPM)
    rating = min(max(adjustment * (1 - Fraction(tnc, tmmr)), Fraction(0)), Fraction(1))
    spread = Fraction(rules.spread_to_maintenance_ppm, PPM) * pmmr
    return (pnnv - rating * spread) / ps


def fillable_spread(
    pmmr: IntLike, tnc: IntLike, tmmr: IntLike, rules: LiquidationRules
) -> IntLike:
    """``floor(ABR * SMMR * PMMR)``: how far a fill may be from the oracle, in quanta.

    Exact for any account with PMMR <= TMMR and BA >= 1, in two divisions: with
    ``(TMMR - TNC) * PMMR = q * TMMR + r`` and ``g = BA * SMMR`` the product is
    ``(g * q + g * r / TMMR) / 1e12``, and a floor inside a floor changes nothing.
    """
    adjustment, width = rules.bankruptcy_adjustment_ppm, rules.spread_to_maintenance_ppm
    gain = adjustment * width
    # BA >= 1: from TNC <= 0 on the rating is one, so TNC below zero never matters.
    shortfall = clamp(tmmr - larger(tnc, 0), 0, tmmr)
    quotient, rest = mul_div_rest(shortfall, pmmr, larger(tmmr, 1))
    inner = mul_div_floor(gain, rest, larger(tmmr, 1))
    partial = mul_add_div_floor(gain, quotient, inner, PPM * PPM)
    is_full = compare_products(adjustment, shortfall, PPM, tmmr) >= 0
    return select(is_full, ppm_floor(pmmr, width), partial)


def fillable_ticks(
    lots: IntLike,
    notional: IntLike,
    pmmr: IntLike,
    tnc: IntLike,
    tmmr: IntLike,
    multiplier: IntLike,
    rules: LiquidationRules,
) -> IntLike:
    """Limit of the liquidation order in ticks; lanes without a position give 1.

    A long sells: rounded UP. A short buys: rounded DOWN. Never below one tick.

    Args:
      lots: signed position.
      notional: lots * ticks * multiplier at the oracle price.
      pmmr: requirement of the position.
      tnc: equity of the account.
      tmmr: requirement of the account.
      multiplier: quote quanta per lot and tick.
      rules: the engine's parameters.
    """
    spread = fillable_spread(pmmr, tnc, tmmr, rules)
    per_tick = larger(abs(lots) * multiplier, 1)
    # ceil((N - S)/k) = ceil(ceil(N - S)/k), and ceil(N - S) = N - floor(S).
    sell = divide_ceil(abs(notional) - spread, per_tick)
    buy = (abs(notional) + spread) // per_tick
    return larger(select(lots > 0, sell, buy), 1)


# --- the insurance fund ------------------------------------------------------------


def insurance_delta(
    quote_delta: IntLike, bankruptcy: IntLike, max_fee_ppm: IntLike
) -> IntLike:
    """What a liquidation fill pays into the insurance fund (negative: takes out).

    The difference between what the fill brought and the bankruptcy price. A loss is
    the fund's; a gain is the fund's up to ``floor(|quote| * max_fee)``, and the account
    keeps the rest.

    >>> insurance_delta(1_000_000, 900_000, 5_000), insurance_delta(900, 1_000, 5_000)
    (5000, -100)
    """
    # The cap is never below zero, so that it leaves losses as they are.
    return smaller(quote_delta - bankruptcy, ppm_floor(abs(quote_delta), max_fee_ppm))


def is_within_account_limits(
    fill_notional: IntLike,
    delta: IntLike,
    used_notional: IntLike,
    used_insurance: IntLike,
    rules: LiquidationRules,
):
    """Whether a liquidation fill keeps within the account's limits of this block."""
    fits_notional = abs(fill_notional) <= rules.max_account_notional - used_notional
    fits_insurance = -delta <= rules.max_account_insurance - used_insurance
    return both(fits_notional, either(delta >= 0, fits_insurance))


# --- sizes -------------------------------------------------------------------------


def max_position_notional(abs_notional: IntLike, rules: LiquidationRules) -> IntLike:
    """Most of one position that may be liquidated in a block.

    ``max(min(min_notional, N), floor(N * portion))``.
    """
    least = smaller(rules.min_position_notional, abs_notional)
    return larger(least, ppm_floor(abs_notional, rules.max_position_portion_ppm))


def liquidation_delta(
    lots: IntLike,
    notional_per_lot: IntLike,
    used_notional: IntLike,
    rules: LiquidationRules,
    step_lots: IntLike = 1,
) -> IntLike:
    """Signed lots to liquidate now, of opposite sign to the position.

    The whole position if it is within the limits or no larger than a step; otherwise
    as many whole steps as the limits buy, at least one, at most the position.

    Args:
      lots: signed position.
      notional_per_lot: ticks * multiplier, > 0.
      used_notional: liquidated from this account in this block already.
      rules: the engine's parameters.
      step_lots: smallest tradable size, > 0.
    """
    above_zero(notional_per_lot=notional_per_lot, step_lots=step_lots)
    size = abs(lots)
    abs_notional = size * notional_per_lot
    limit = smaller(
        max_position_notional(abs_notional, rules),
        larger(rules.max_account_notional - used_notional, 0),
    )
    steps = limit // notional_per_lot // step_lots * step_lots
    part = larger(smaller(steps, size), step_lots)
    is_whole = either(abs_notional <= limit, size <= step_lots)
    return -sign_of(lots) * select(is_whole, size, part)


# --- which first -------------------------------------------------------------------


def market_to_liquidate(is_open, is_done, offset: IntLike):
    """Which position of an account comes next: from a random offset, the first open.

    Args:
      is_open: bool[..., M] markets with a position.
      is_done: bool[..., M] markets of this account already liquidated in this block.
      offset: int64[...] random in [0, number of open positions).

    Returns:
      int64[...] market, or -1 if there is none.
    """
    is_open, is_done = jnp.asarray(is_open), jnp.asarray(is_done)
    markets = is_open.shape[-1]
    # The walk counts positions, not markets: rank each open market among the open.
    rank = jnp.cumsum(is_open, axis=-1) - 1
    count = jnp.maximum(jnp.sum(is_open, axis=-1, keepdims=True), 1)
    turn = (rank - jnp.asarray(offset)[..., None]) % count
    turn = jnp.where(is_open & ~is_done, turn, markets)
    best = jnp.argmin(turn, axis=-1)
    return jnp.where(jnp.min(turn, axis=-1) < markets, best, -1)
