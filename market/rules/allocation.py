"""Allocation of a deleveraging over accounts: queues and pro-rata rules, in whole lots.

What an allocation hands out, and what it says it left, sum to what was asked, to the
lot. Costs are linear in the accounts: thresholds are found by bisection, not by
sorting. The same rules on plain ints, and the rankings of the venues, are in
:mod:`market.venues.rankings`; the scores of the queues in :mod:`market.rules.ranking`.

Source: Chitra et al., "Autodeleveraging: Impossibilities and Optimization", arXiv
2512.01112, for the pro-rata family.
"""

import jax
import jax.numpy as jnp
from jax import lax

from market.numbers.wide import IntLike, compare_products, mul_div_rest

# --- queues ------------------------------------------------------------------------


def _threshold(reaches, shape: tuple[int, ...]) -> jax.Array:
    """The largest int64 >= 0 for which ``reaches`` holds, given that it does for 0.

    ``reaches`` has to be monotone: 63 rounds of bisection, one bit each.
    """

    def next_bit(step, found):
        candidate = found | (jnp.int64(1) << (62 - step))
        return jnp.where(reaches(candidate), candidate, found)

    return lax.fori_loop(0, 63, next_bit, jnp.zeros(shape, jnp.int64))


def allocate_by_score(
    score: jax.Array, capacity: jax.Array, amount: IntLike
) -> jax.Array:
    """Takes all of each, highest score first, until the amount is met; linear cost.

    Everybody above the score at which the amount is met gives all, and those at it in
    account order (:func:`market.venues.rankings.in_order` on plain ints).

    Args:
      score: int64[A] >= 0.
      capacity: int64[A] most that each can give, >= 0.
      amount: lots wanted, >= 0.

    Returns:
      int64[A] lots taken; they sum to min(amount, sum of capacity).
    """

    def reaches(least):
        return jnp.sum(jnp.where(score >= least, capacity, 0)) >= amount

    at = _threshold(reaches, ())
    above = jnp.where(score > at, capacity, 0)
    equal = jnp.where(score == at, capacity, 0)
    before = jnp.cumsum(equal) - equal
    left = jnp.maximum(amount - jnp.sum(above), 0)
    # Short of the amount even with everybody, the bisection ends at zero: all give.
    return above + jnp.clip(left - before, 0, equal)


# --- pro rata ----------------------------------------------------------------------


def _floored_shares(weights: jax.Array, amount: IntLike):
    """floor(amount * w / W) of each, and the remainders of the divisions."""
    whole = jnp.maximum(jnp.sum(weights, axis=-1, keepdims=True), 1)
    return mul_div_rest(weights, jnp.asarray(amount)[..., None], whole)


def allocate_pro_rata(weights: jax.Array, amount: IntLike) -> jax.Array:
    """Shares in proportion to the weights, by largest remainder: nothing is lost.

    Args:
      weights: int64[A] >= 0, sum within 2**62.
      amount: to be shared, >= 0.

    Returns:
      int64[A] that sums to ``amount`` (to zero if all weights are zero). Units that the
      floors leave go to the largest remainders, equal ones to the lower account. While
      ``amount <= sum(weights)`` nobody gives more than its weight.
    """
    share, rest = _floored_shares(weights, amount)
    missing = jnp.asarray(amount) - jnp.sum(share, axis=-1)
    return share + (_is_largest(rest, missing) & (rest > 0))


def _is_largest(values: jax.Array, count: jax.Array) -> jax.Array:
    """Marks the ``count`` largest values >= 0; of equal ones the first."""
    count = count[..., None]

    def reaches(least):
        return jnp.sum(values >= least, axis=-1, keepdims=True) >= count

    at = _threshold(reaches, count.shape)
    above, equal = values > at, values == at
    missing = count - jnp.sum(above, axis=-1, keepdims=True)
    return above | (equal & (jnp.cumsum(equal, axis=-1) <= missing))


def allocate_floored(
    weights: jax.Array, amount: IntLike
) -> tuple[jax.Array, jax.Array]:
    """Shares in proportion to the weights, each floored, and what stays unallocated.

    Contract pro-rata as published: with positions for weights the floors leave a
    shortfall of less than a lot an account, which somebody else has to bear.
    """
    share, _ = _floored_shares(weights, amount)
    return share, jnp.asarray(amount) - jnp.sum(share, axis=-1)


def allocate_contracts(sizes: jax.Array, lots: IntLike) -> jax.Array:
    """Contract pro-rata with an end: floored shares, dust by largest remainder.

    As :func:`allocate_floored`, but fewer lots than holders go by largest remainder
    (:func:`allocate_pro_rata`). What the floors leave is always fewer, so that the
    second time it is asked for it is gone, unless its holders are. The published rule
    leaves it with the closed account for ever.

    Args:
      sizes: int64[A] >= 0, sum within 2**62.
      lots: to be shared, 0 <= lots <= sum of sizes.

    Returns:
      int64[A], none above its size.
    """
    holders = jnp.sum(sizes > 0, axis=-1)
    share, _ = _floored_shares(sizes, lots)
    is_dust = (jnp.asarray(lots) < holders)[..., None]
    return jnp.where(is_dust, allocate_pro_rata(sizes, lots), share)


def allocate_capped(
    weights: jax.Array, caps: jax.Array, amount: IntLike
) -> tuple[jax.Array, jax.Array]:
    """Capped pro-rata by water-filling: min(level * weight, cap), exactly.

    Rounds of pro-rata in which those that reach their cap drop out, until none does;
    whether one does is decided by cross products, not by rounded shares.

    Args:
      weights: int64[A] >= 0.
      caps: int64[A] >= 0, most that each gives.
      amount: to be shared.

    Returns:
      int64[A] shares within the caps, and what the caps left unallocated.
    """

    def level(full):
        open_weights = jnp.where(full, 0, weights)
        left = amount - jnp.sum(jnp.where(full, caps, 0))
        return open_weights, left

    def overflowing(full):
        open_weights, left = level(full)
        whole = jnp.sum(open_weights)
        reaches = compare_products(left, open_weights, caps, whole) >= 0
        return ~full & reaches & (whole > 0)

    def drop_out(carry):
        full, more = carry
        full = full | more
        return full, overflowing(full)

    nobody = jnp.zeros(weights.shape, bool)
    full, _ = lax.while_loop(
        lambda carry: jnp.any(carry[1]), drop_out, (nobody, overflowing(nobody))
    )
    open_weights, left = level(full)
    shared = allocate_pro_rata(open_weights, jnp.maximum(left, 0))
    taken = jnp.where(full, caps, shared)
    return taken, amount - jnp.sum(taken)
