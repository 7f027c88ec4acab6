"""The backstop vault: it takes over what the book does not, and sells it off again.

Positions come to it by the venue's rule of liquidation, not by its own decision. What
it decides is how to get rid of them: now and then it closes a share of its largest
position at the market. It owns one account and never opens a position by itself.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jax import Array

from agents.family import (
    Endowment,
    FamilySpec,
    Latency,
    View,
    only,
    pick,
    stacked,
    transactions,
)
from market.numbers.randomness import Stream, bernoulli_ppm, draw_words
from market.numbers.units import ppm_ceil
from market.types.orders import Flag, Kind

INTENTS = 1


@jax.tree_util.register_dataclass
@dataclass(frozen=True, kw_only=True)
class VaultParams:
    """Numbers of the vault; int64 scalars."""

    endowment: Endowment
    latency: Latency
    unwind_ppm: Array  # chance a block to sell some of what it holds
    portion_ppm: Array  # of its largest position, rounded up to a lot


def init(
    key: Array,
    params: VaultParams,
    collateral: Array,
    *,
    spec: FamilySpec,
    markets: int,
) -> tuple[()]:
    """The vault remembers nothing."""
    return ()


def act(key: Array, memory: tuple[()], view: View, params: VaultParams, *, spec):
    """Closes a share of the largest position, or waits; transactions [N, 1]."""
    words = draw_words(key, Stream.VAULT, (spec.count,))
    market = jnp.argmax(jnp.abs(view.position) * view.worth(), axis=1)
    held = pick(view.position, market)
    intent = transactions(
        (spec.count,),
        kind=Kind.ORDER,
        account=spec.first + jnp.arange(spec.count),
        market=market,
        side=-jnp.sign(held),
        lots=ppm_ceil(jnp.abs(held), params.portion_ppm),
        flags=Flag.MARKET | Flag.REDUCE_ONLY,
        slot=0,
    )
    sells = bernoulli_ppm(words, params.unwind_ppm) & (held != 0)
    return memory, stacked(only(intent, sells))
