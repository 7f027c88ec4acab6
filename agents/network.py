"""The way to the sequencer: when an intent is sent and when it arrives.

Each member of each group draws its thinking time and its latency once a block, from
the network's own stream, whatever it sends and whatever the ordering scheme: two
schemes compared on one seed have the same delays. A member has one connection, on which
nothing overtakes: a message that would arrive before an earlier one of its sender
arrives a microsecond after it. Deposits and forced withdrawals take another way,
through the settlement layer.
"""

from dataclasses import replace

import jax.numpy as jnp
from jax import Array, lax

from agents.family import GroupSpec, Latency
from market.numbers.quantiles import log_normal
from market.numbers.randomness import Stream, uniform_int
from market.types.orders import Tx
from rollup.sequencing.ranking import has_sequence


def nobody_heard(group: GroupSpec) -> Array:
    """When the last message of each member arrived, before the first; [N]."""
    return jnp.full((group.count,), -1, jnp.int64)


def sent(
    intents: Tx,
    latency: Latency,
    words: Array,
    heard_us: Array,
    now_us: Array,
    block_us: int,
) -> tuple[Tx, Array]:
    """Dates the intents [N, K] of one group.

    An intent's own `arrival_us` counts as extra time on the way (a deposit through the
    settlement layer, for example).

    Args:
        intents: what the members decided.
        latency: the group's numbers.
        words: [N, 2] random words of the network stream.
        heard_us: [N] when each one's last message arrives, -1 without any.
        now_us: start of the block.
        block_us: its length.

    Returns:
        The intents with their times, and the new ``heard_us``.
    """
    # 31 bits of the word, so that blocks of an hour do not overflow the product.
    longest = jnp.minimum(latency.think_us, block_us)
    think = uniform_int(words[:, 0] >> 1, longest + 1, bits=31)
    way = log_normal(words[:, 1], latency.latency_us, latency.latency_spread_ppm)
    order = jnp.arange(intents.kind.shape[1])
    sent_us = (now_us + think)[:, None] + order
    arrival_us = sent_us + way[:, None] + intents.arrival_us
    queues = has_sequence(intents)
    # Each behind the latest of those before it, and by as much as it was sent later.
    behind = jnp.where(queues, arrival_us - order, heard_us[:, None] + 1)
    behind = jnp.maximum(lax.cummax(behind, axis=1), heard_us[:, None] + 1)
    arrival_us = jnp.where(queues, behind + order, arrival_us)
    last_us = jnp.max(jnp.where(queues, arrival_us, -1), axis=1)
    dated = replace(intents, sent_us=sent_us, arrival_us=arrival_us)
    return dated, jnp.maximum(heard_us, last_us)


#: The network's stream, drawn for all accounts at once.
STREAM = Stream.NETWORK
