"""The way to the sequencer: when an intent is sent and when it arrives.

Each member of each group draws its thinking time and its latency once a block, from
the network's own stream, whatever it sends and whatever the ordering scheme: two
schemes compared on one seed have the same delays. A member's transactions of one block
keep their order.
"""

from dataclasses import replace

import jax.numpy as jnp
from jax import Array

from agents.family import Latency
from market.numbers.quantiles import log_normal
from market.numbers.randomness import Stream, uniform_int
from market.types.orders import Tx


def sent(
    intents: Tx, latency: Latency, words: Array, now_us: Array, block_us: int
) -> Tx:
    """Dates the intents [N, K] of one group.

    An intent's own `arrival_us` counts as extra time on the way (a deposit through the
    settlement layer, for example).

    Args:
        intents: what the members decided.
        latency: the group's numbers.
        words: [N, 2] random words of the network stream.
        now_us: start of the block.
        block_us: its length.
    """
    # 31 bits of the word, so that blocks of an hour do not overflow the product.
    longest = jnp.minimum(latency.think_us, block_us)
    think = uniform_int(words[:, 0] >> 1, longest + 1, bits=31)
    way = log_normal(words[:, 1], latency.latency_us, latency.latency_spread_ppm)
    order = jnp.arange(intents.kind.shape[1])
    sent_us = (now_us + think)[:, None] + order
    return replace(
        intents, sent_us=sent_us, arrival_us=sent_us + way[:, None] + intents.arrival_us
    )


#: The network's stream, drawn for all accounts at once.
STREAM = Stream.NETWORK
