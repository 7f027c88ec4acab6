"""Mempools for ordering schemes, from rows of numbers, and the blocks made of them."""

from dataclasses import replace
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import strategies as st

from market.numbers.randomness import block_key, run_key
from market.numbers.units import as_int
from market.types.orders import Kind
from rollup import mempool
from rollup.sequencing.contract import Clock, SequencerParams, SequencerSpec
from tests.rollup.transactions import txs

QUEUE, BLOCK, ACCOUNTS = 8, 5, 4
GAS, LEAST = 7, 3
BLOCK_US = 1_000_000
#: The block of these tests starts here.
NOW_US = 3 * BLOCK_US
CLOCK = Clock(jnp.int64(3), jnp.int64(3), jnp.int64(NOW_US), BLOCK_US)
SPEC = SequencerSpec(ACCOUNTS, QUEUE, BLOCK)
COMMON = SequencerParams(gas_fee=as_int(GAS), min_fee_bid=as_int(LEAST))

few_times = st.one_of(
    st.integers(NOW_US, NOW_US + 3),
    st.integers(0, NOW_US + 2 * BLOCK_US),
    st.sampled_from([NOW_US + BLOCK_US - 1, NOW_US + BLOCK_US]),
)
bids = st.one_of(st.integers(0, 5), st.integers(0, 1 << 40))
rows = st.fixed_dictionaries(
    {
        "kind": st.sampled_from([Kind.NONE, Kind.ORDER, Kind.ORDER, Kind.CANCEL]),
        "account": st.integers(0, ACCOUNTS - 1),
        "arrival_us": few_times,
        "fee_bid": bids,
        "censored": st.sampled_from([False, False, True]),
    }
)
queues = st.lists(rows, min_size=QUEUE, max_size=QUEUE)


def waiting_of(queue, replicas=1, notes=0):
    """A mempool of these rows: columns of a transaction, `censored`, `touch`."""
    facts = ("censored", "touch")
    records = txs(
        ({k: v for k, v in row.items() if k not in facts} for row in queue), QUEUE
    )
    waiting = mempool.arriving(records, None, replicas, notes)
    spare = [{}] * (QUEUE - len(queue))
    return replace(
        waiting,
        censored=jnp.array([row.get("censored", False) for row in [*queue, *spare]]),
        touch=as_int([row.get("touch", (0, 0)) for row in [*queue, *spare]]),
    )


@cache
def _ordering(scheme):
    @jax.jit
    def order(key, state, waiting, clock, room, params):
        return scheme.order(key, state, waiting, clock, room, params, spec=SPEC)

    return order


def order(scheme, waiting, params, *, room=BLOCK, clock=CLOCK, state=(), run=0):
    """The new state and the ordering of one block."""
    key = block_key(run_key(5, run), clock.block)
    clock = clock._replace(block_us=jnp.int64(clock.block_us))
    return _ordering(scheme)(key, state, waiting, clock, jnp.int64(room), params)


def places(ordering):
    """The block as places in the mempool."""
    return np.asarray(ordering.index)[np.asarray(ordering.live)].tolist()


def is_ready(row, end_us=NOW_US + BLOCK_US):
    """Whether a block may take a row at all."""
    there = row["kind"] != Kind.NONE and not row["censored"]
    return there and row["arrival_us"] < end_us
