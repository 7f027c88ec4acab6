"""Deleveraging: closing a bankrupt position against the holders of the other side.

Two questions, kept apart. *Who* gives up how much: dYdX v4 walks the counterparties
from a random start (here); queues and pro-rata rules allocate
(:mod:`market.rules.allocation`). *At what price*: the bankruptcy price of the account
that is closed, the oracle, or a mark. Contracts and quote move from one account to
others and nothing is created.

Source: dYdX v4 ``x/clob/keeper/deleveraging``.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from market.numbers.wide import (
    IntLike,
    mul_div_floor,
    smaller,
)
from market.rules.liquidation import bankruptcy_quote_of_position
from market.rules.margin import (
    Risk,
    Tier,
    initial_requirement,
    is_update_allowed,
    maintenance_requirement,
)
from market.types.limits import MAX_COUNTERPARTIES

# --- dYdX v4: a random walk over the counterparties --------------------------------


class Walk(NamedTuple):
    """Accounts during and after a walk; ``A`` accounts, one market.

    Attributes:
      collateral: int64[A] balances.
      lots: int64[A] signed positions in the market.
      risk: Risk of int64[A] over all markets.
      remaining: signed change still to be found for the closed account.
      fills: counterparties that gave way.
      rejected: counterparties whose bankruptcy price did not overlap.
    """

    collateral: jax.Array
    lots: jax.Array
    risk: Risk
    remaining: jax.Array
    fills: jax.Array
    rejected: jax.Array


def position_requirements(lots, notional_per_lot, tier: Tier, fraction_ppm):
    """Initial and maintenance requirement of positions in one market."""
    size = abs(lots) * notional_per_lot
    return (
        initial_requirement(size, fraction_ppm),
        maintenance_requirement(size, tier.initial_ppm, tier.maintenance_ppm),
    )


def _after_fill(walk: Walk, account, delta, quote, notional_per_lot, tier, fraction):
    """Risk of one account before, and after ``delta`` lots for ``quote``."""
    now = Risk(*(part[account] for part in walk.risk))
    lots = walk.lots[account]
    before = position_requirements(lots, notional_per_lot, tier, fraction)
    after = position_requirements(lots + delta, notional_per_lot, tier, fraction)
    new = Risk(
        nc=now.nc + quote + delta * notional_per_lot,
        imr=now.imr + after[0] - before[0],
        mmr=now.mmr + after[1] - before[1],
    )
    return now, new


def random_walk(
    walk: Walk,
    target: IntLike,
    start: IntLike,
    notional_per_lot: IntLike,
    tier: Tier,
    fraction_ppm: IntLike,
    is_at_oracle=False,
    max_counterparties: int = MAX_COUNTERPARTIES,
) -> Walk:
    """Closes ``walk.remaining`` of the target's position against the other side.

    Holders of the other side are taken in account order from ``start``, cyclically.
    Each gives min(remaining, its own position) at the bankruptcy price of the target
    (at the oracle price in a market that is wound up), if both accounts pass
    :func:`market.rules.margin.is_update_allowed`. Fills stand even if the walk ends
    early. The quote one side gains the other loses; no fee, and no insurance.

    Args:
      walk: the accounts; ``remaining`` is the negated position of the target.
      target: account that is closed.
      start: random index below the number of holders of the other side.
      notional_per_lot: ticks * multiplier of the market.
      tier: its margin parameters (scalars).
      fraction_ppm: its initial fraction now, kept during the walk.
      is_at_oracle: bool, a solvent account in a market that is wound up.
      max_counterparties: holders looked at, at most.
    """
    is_holder = walk.lots * jnp.sign(walk.remaining) > 0
    holders = jnp.nonzero(is_holder, size=walk.lots.shape[0], fill_value=0)[0]
    count = jnp.sum(is_holder)
    steps = jnp.minimum(count, max_counterparties)
    per_lot = notional_per_lot

    def try_next(carry):
        step, walk = carry
        other = holders[(step + start) % jnp.maximum(count, 1)]
        size = smaller(abs(walk.remaining), abs(walk.lots[other]))
        delta = jnp.sign(walk.remaining) * size
        at_bankruptcy = bankruptcy_quote_of_position(
            walk.lots[target],
            delta,
            per_lot,
            tier.initial_ppm,
            tier.maintenance_ppm,
            walk.risk.nc[target],
            walk.risk.mmr[target],
        )
        quote = jnp.where(is_at_oracle, -delta * per_lot, at_bankruptcy)
        rest = (per_lot, tier, fraction_ppm)
        target_now, target_new = _after_fill(walk, target, delta, quote, *rest)
        other_now, other_new = _after_fill(walk, other, -delta, -quote, *rest)
        is_fill = is_update_allowed(target_now, target_new) & is_update_allowed(
            other_now, other_new
        )
        gate = jnp.asarray(is_fill, jnp.int64)
        # One scatter a field: target and counterparty are never the same account.
        pair = jnp.stack([jnp.asarray(target, holders.dtype), other])
        moved = jnp.stack([delta, -delta]) * gate
        paid = jnp.stack([quote, -quote]) * gate
        risk = Risk(
            *(
                field.at[pair].add(jnp.stack([t1 - t0, o1 - o0]) * gate)
                for field, t0, t1, o0, o1 in zip(
                    walk.risk,
                    target_now,
                    target_new,
                    other_now,
                    other_new,
                    strict=True,
                )
            )
        )
        return step + 1, Walk(
            collateral=walk.collateral.at[pair].add(paid),
            lots=walk.lots.at[pair].add(moved),
            risk=risk,
            remaining=walk.remaining - delta * gate,
            fills=walk.fills + gate,
            rejected=walk.rejected + 1 - gate,
        )

    def goes_on(carry):
        step, walk = carry
        return (step < steps) & (walk.remaining != 0)

    return lax.while_loop(goes_on, try_next, (jnp.int64(0), walk))[1]


def can_deleverage(tnc: IntLike, is_wound_up) -> tuple:
    """Whether an account may be deleveraged: (at bankruptcy price, at oracle price).

    Below zero at its bankruptcy price; otherwise only in a market that is being
    wound up for good, at the oracle price.
    """
    return tnc < 0, (tnc >= 0) & is_wound_up


# --- what is paid ------------------------------------------------------------------


def split_quote(quote: IntLike, taken: jax.Array) -> jax.Array:
    """Splits the quote of a whole close over the lots taken: exact, nothing lost.

    Account i pays the difference of ``floor(quote * lots so far / all lots)``, so that
    the parts telescope to ``quote`` whatever the rounding.
    """
    so_far = jnp.cumsum(taken, axis=-1)
    whole = jnp.maximum(so_far[..., -1:], 1)
    reached = mul_div_floor(jnp.asarray(quote)[..., None], so_far, whole)
    before = jnp.concatenate([jnp.zeros_like(whole), reached[..., :-1]], axis=-1)
    return reached - before


def close_against(
    collateral: jax.Array,
    lots: jax.Array,
    target: IntLike,
    taken: jax.Array,
    quote: IntLike,
) -> tuple[jax.Array, jax.Array]:
    """Books an allocation: the target loses the lots taken, the others their share.

    Args:
      collateral: int64[A].
      lots: int64[A] signed positions in the market.
      target: account that is closed.
      taken: int64[A] lots taken from each, >= 0, zero for the target.
      quote: signed quote delta of the target for all lots together.

    Returns:
      New collateral and lots; both sums are unchanged.
    """
    side = jnp.sign(lots[target])
    parts = split_quote(quote, taken)
    collateral = (collateral - parts).at[target].add(jnp.sum(parts))
    moved = side * taken
    return collateral, (lots + moved).at[target].add(-jnp.sum(moved))
