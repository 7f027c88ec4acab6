"""Deleveraging: closing a bankrupt position against the holders of the other side.

Two questions, kept apart. *Who* gives up how much: dYdX v4 walks the counterparties
from a random start (in the forms of the exchange); queues and pro-rata rules allocate
(:mod:`market.rules.allocation`). *At what price*: the bankruptcy price of the account
that is closed, the oracle, or a mark. Contracts and quote move from one account to
others and nothing is created.

Source: dYdX v4 ``x/clob/keeper/deleveraging``.
"""

import jax
import jax.numpy as jnp

from market.numbers.wide import IntLike, mul_div_floor


def can_deleverage(tnc: IntLike, is_wound_up) -> tuple:
    """Whether an account may be deleveraged: (at bankruptcy price, at oracle price).

    Below zero at its bankruptcy price; otherwise only in a market that is being wound
    up for good, at the oracle price. Stands alone: no market of the lab is wound up.
    """
    return tnc < 0, (tnc >= 0) & is_wound_up


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
