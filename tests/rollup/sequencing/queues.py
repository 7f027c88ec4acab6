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


def lot(row) -> int:
    """The lot that decides between equal times, in plain Python."""
    word = row.get("account", 0) * 0x9E3779B97F4A7C15
    word = (word + row.get("sent_us", 0) * 0xC2B2AE3D27D4EB4F) % 2**64
    word = (word ^ (word >> 29)) * 0xBF58476D1CE4E5B9 % 2**64
    word = (word ^ (word >> 32)) * 0x94D049BB133111EB % 2**64
    return word >> 54


def best_next_of_each_sender(queue, ranked):
    """Places taken one after the other, each sender's in the order of its arrivals.

    The rule of geth: of the senders' next transactions the best is taken, time after
    time; whoever's next one is not ``ranked`` has no more turns.
    """
    lines: dict = {}
    there = [place for place, row in enumerate(queue) if row["kind"] != Kind.NONE]
    for place in sorted(
        there, key=lambda p: (queue[p]["arrival_us"], lot(queue[p]), p)
    ):
        through_l1 = queue[place]["kind"] in (Kind.DEPOSIT, Kind.FORCED_WITHDRAW)
        sender = ("alone", place) if through_l1 else queue[place]["account"]
        lines.setdefault(sender, []).append(place)
    taken = []
    while heads := {line[0]: line for line in lines.values() if line}:
        best = min((p for p in heads if p in ranked), key=ranked.index, default=None)
        if best is None:
            break
        taken.append(heads[best].pop(0))
    return taken


def is_ready(row, end_us=NOW_US + BLOCK_US):
    """Whether a block may take a row at all."""
    there = row["kind"] != Kind.NONE and not row["censored"]
    return there and row["arrival_us"] < end_us
