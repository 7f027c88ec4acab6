"""Margin of StarkEx (dYdX v3) in lab units: one risk factor that rises with the size.

The rules of :mod:`market.venues.starkex` with ticks, lots, quanta and ppm in the place
of fixed-point numbers. Nothing is rounded in a decision: a requirement is carried as
whole quanta rounded up and the `excess` of that rounding in ppm of a quantum, so that
the exact requirement is ``quanta - excess / 1e6``. Every function takes plain ints as
well as int64 arrays::

    >>> steps = Steps(uppers=(10, 20, 30, 40), factors=(30_000, 50_000, 70_000, 90_000))
    >>> requirement(11, factor_ppm(-11, 11, steps))  # 0.55 of a quantum
    Required(quanta=1, excess=450000)

Bounds on arrays: equities and requirements within 2**62, notionals within 2**60.

Source: starkware-libs/stark-perpetual, ``position/status.cairo``,
``position/validate_state_transition.cairo``, ``transactions/deleverage.cairo``.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jax import lax

from market.numbers.refusals import above_zero
from market.numbers.units import PPM, ppm_ceil
from market.numbers.wide import (
    IntLike,
    both,
    clamp,
    compare_sum,
    either,
    is_host,
    select,
    total,
)


class Steps(NamedTuple):
    """Risk factor of a market as a step function of a position's size.

    Attributes:
      uppers: [S] rising bounds, each inclusive; the last step has no end.
      factors: [S] ppm, rising.
      by_balance: 1: the size is |lots|; 0: the absolute notional.
    """

    uppers: IntLike
    factors: IntLike
    by_balance: IntLike = 0


class Required(NamedTuple):
    """An exact requirement: ``quanta - excess / 1e6``, with ``0 <= excess < 1e6``."""

    quanta: IntLike
    excess: IntLike


class Standing(NamedTuple):
    """An account: what it has, and what it has to have exactly."""

    equity: IntLike
    quanta: IntLike
    excess: IntLike


def factor_ppm(lots: IntLike, notional: IntLike, steps: Steps) -> IntLike:
    """The factor of the step with ``previous upper < size <= upper``.

    One factor for the whole position, not marginal tiers.

    >>> steps = Steps((10, 20, 30, 40), (100, 200, 300, 400), by_balance=1)
    >>> [factor_ppm(lots, 0, steps) for lots in (-10, 11, 99)]
    [100, 200, 400]
    """
    size = select(steps.by_balance, abs(lots), abs(notional))
    count = len(steps.uppers)
    above_zero(steps=count)
    factor = steps.factors[count - 1]
    for step in range(count - 2, -1, -1):
        factor = select(size <= steps.uppers[step], steps.factors[step], factor)
    return factor


def requirement(notional: IntLike, ppm: IntLike) -> Required:
    """The exact requirement ``|notional| * ppm / 1e6``."""
    size = abs(notional)
    return Required(ppm_ceil(size, ppm), -(size % PPM) * ppm % PPM)


def add_up(quanta, excess) -> Required:
    """Sum of requirements (lists, or over the last axis of arrays)."""
    spare = total(excess)
    return Required(total(quanta) - spare // PPM, spare % PPM)


def is_well_leveraged(equity: IntLike, quanta: IntLike):
    """TV >= TR; the equity being whole, the requirement rounded up decides exactly."""
    return equity >= quanta


def is_liquidatable(equity: IntLike, quanta: IntLike):
    """TV < TR: at exactly the requirement an account is safe."""
    return equity < quanta


def is_ratio_kept(before: Standing, after: Standing):
    """Whether TV/TR did not fall: ``TV0 * TR1 <= TV1 * TR0``, exactly.

    With ``TR = quanta - excess / 1e6`` and the rests of both products drawn together,
    ``TV1 * quanta0 + floor((TV0 * excess1 - TV1 * excess0) / 1e6) >= TV0 * quanta1``.
    """
    now, new = before.equity, after.equity
    whole = now // PPM * after.excess - new // PPM * before.excess
    rest = now % PPM * after.excess - new % PPM * before.excess
    sum_of_rests = whole + rest // PPM
    return compare_sum(new, before.quanta, sum_of_rests, now, after.quanta) >= 0


def is_transition_valid(before: Standing, after: Standing, is_smaller):
    """Whether an account may go from ``before`` to ``after``.

    Well leveraged afterwards, or: no holding enlarged, TV/TR not reduced, and with no
    risk to begin with TV not reduced.

    Args:
      before: the account with funding paid.
      after: what it would become.
      is_smaller: whether every holding kept its side and none grew.
    """
    keeps_value = either(before.quanta > 0, after.equity >= before.equity)
    improves = both(both(is_smaller, is_ratio_kept(before, after)), keeps_value)
    return either(is_well_leveraged(after.equity, after.quanta), improves)


def least_equity(before: Standing, after: Required) -> IntLike:
    """The least equity with which a smaller requirement does not lower TV/TR.

    ``ceil(TV0 * TR1 / TR0)`` for TR1 <= TR0; TV0 where there is no risk. By bisection
    on arrays, since the products take 145 bits.

    >>> least_equity(Standing(-10, 30, 0), Required(20, 0))
    -6
    """
    equity, quanta, excess = before
    low, high = select(equity < 0, equity, 0), select(equity > 0, equity, 0)
    if is_host(equity, quanta, excess, *after):
        if quanta == 0:
            return equity
        now, new = quanta * PPM - excess, after.quanta * PPM - after.excess
        above_zero(requirement=now)
        return clamp(-(-equity * new // now), low, high)

    def halve(_, bounds):
        low, high = bounds
        middle = (low + high) >> 1
        enough = is_ratio_kept(before, Standing(middle, *after))
        return jnp.where(enough, low, middle + 1), jnp.where(enough, middle, high)

    shape = jnp.broadcast_shapes(*(jnp.shape(x) for x in (*before, *after)))
    bounds = tuple(jnp.broadcast_to(jnp.asarray(x), shape) for x in (low, high))
    found = lax.fori_loop(0, 63, halve, bounds)[1]
    return jnp.where(quanta == 0, equity, found)


def close_quote(before: Standing, after: Required, delta_notional: IntLike) -> IntLike:
    """The least collateral that a position gets for a part of it: the close price.

    What keeps TV/TR where it is, rounded in the account's favour. Below zero equity it
    is the bankruptcy price, the one fair price of a deleveraging: closing the last
    position leaves exactly nothing.

    Args:
      before: the account.
      after: its requirement without the part.
      delta_notional: signed change of its notional at the oracle price.

    >>> close_quote(Standing(-100, 3_000, 0), Required(0, 0), -100_000)
    100100
    """
    return least_equity(before, after) - before.equity - delta_notional
