"""The backstop vault: it takes over what the book does not, and sells it off again.

Positions come to it by the venue's rule of liquidation, not by its own decision. What
it decides is how to get rid of them: now and then it closes a share of its largest
position at the market. It owns one account and never opens a position by itself.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jax import Array

from agents.family import Family, GroupSpec, View
from agents.intents import only, pick, stacked, transactions
from market.numbers.declared import ratio
from market.numbers.randomness import Stream, bernoulli_ppm, words_of
from market.numbers.units import ppm_ceil
from market.types.orders import Flag, Kind


@jax.tree_util.register_dataclass
@dataclass(frozen=True, kw_only=True)
class VaultParams:
    """The backstop vault of a Hyperliquid venue, which sells off what it takes over."""

    unwind_ppm: Array = ratio(0.1, what="chance a block to sell some")
    #: Rounded up to a lot.
    portion_ppm: Array = ratio(0.2, 1e-6, 1, what="of its largest position, each time")


def init(
    key: Array,
    params: VaultParams,
    collateral: Array,
    *,
    spec: GroupSpec,
    markets: int,
) -> tuple[()]:
    """The vault remembers nothing."""
    return ()


def act(key: Array, memory: tuple[()], view: View, params: VaultParams, *, spec):
    """Closes a share of the largest position, or waits; transactions [N, 1]."""
    words = words_of(key, (view.members,))
    market = jnp.argmax(jnp.abs(view.position) * view.worth(), axis=1)
    held = pick(view.position, market)
    intent = transactions(
        (view.members,),
        kind=Kind.ORDER,
        account=view.accounts,
        market=market,
        side=-jnp.sign(held),
        lots=ppm_ceil(jnp.abs(held), params.portion_ppm),
        flags=Flag.MARKET | Flag.REDUCE_ONLY,
        slot=0,
    )
    sells = bernoulli_ppm(words, params.unwind_ppm) & (held != 0)
    return memory, stacked(only(intent, sells))


FAMILY = Family(
    name="vault",
    title="vault",
    params=VaultParams,
    init=init,
    act=act,
    intents=1,
    stream=Stream.VAULT,
    defaults={
        "collateral": 2_000_000,
        "latency": "5ms",
        "think": "300ms",
    },
    most=1,
    is_backstop=True,
    is_welcome=True,
)
