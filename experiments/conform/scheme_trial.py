"""A trial of an ordering scheme: some blocks ordered from a mempool of its own.

Some transactions arrive late, some expire, the mempool overflows; one block is halted,
some have half their room, in some a group is censored; a third of what is executed is
refused.
"""

from dataclasses import fields, replace
from functools import cache, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from experiments.build.numbers import numbers_of
from experiments.config.declared import section_of
from market.numbers.randomness import block_key, run_key
from market.numbers.units import as_int
from market.types.orders import Kind, Receipt, Status, Tx
from rollup import mempool
from rollup.sequencing.composed import Composed
from rollup.sequencing.contract import (
    Clock,
    Drop,
    Ordering,
    Scheme,
    SequencerParams,
    SequencerSpec,
    Waiting,
)

BLOCKS, BLOCK_US = 24, 1_000_000
SENT = 10  # transactions in a block
SPEC = SequencerSpec(accounts=12, queue=32, block_txs=8)
HALTED, HALF_ROOM, CENSORED = 9, range(12, 15), range(4, 18)
#: Senders of this group are censored, but for their cancels.
CENSORED_GROUP = 1
GROUP_OF = np.arange(SPEC.accounts) % 3
_NO_DROPS = np.zeros((3, mempool.KINDS))


class Block(NamedTuple):
    """One block: what the scheme was given, and what it made of it."""

    waiting: Waiting  # [Q] the mempool
    present: Tx  # [Q + N] that and what was sent meanwhile
    shown: Tx | None  # [Q + N] as others saw them
    ordering: Ordering
    drop: Array  # [Q]
    afterwards: Array  # [A] charges by outcome, 0 if the scheme has none


class Run(NamedTuple):
    """A run of a scheme: its blocks [T, ...], its last state, and those left over."""

    blocks: Block
    state: Any
    left: Waiting


def offered_in(seed: int) -> Tx:
    """Transactions sent in each block, [T, N]; each has a time of its own."""
    rng = np.random.default_rng(seed)
    shape = (BLOCKS, SENT)
    block_us = np.arange(BLOCKS)[:, None] * BLOCK_US
    sent = block_us + np.arange(SENT) * 7 + rng.integers(0, 90_000, shape) * 10
    late = np.where(rng.random(shape) < 0.2, 3 * BLOCK_US, BLOCK_US // 2)
    expiry = np.where(rng.random(shape) < 0.2, block_us // BLOCK_US + 2, 0)
    kinds = [Kind.ORDER, Kind.CANCEL, Kind.DEPOSIT, Kind.LIQUIDATE, Kind.WITHDRAW]
    columns = dict.fromkeys((field.name for field in fields(Tx)), np.zeros(shape))
    columns |= {
        "kind": np.where(rng.random(shape) < 0.8, rng.choice(kinds, shape), Kind.NONE),
        "account": rng.integers(0, SPEC.accounts, shape),
        "side": rng.choice([-1, 1], shape),
        "ticks": rng.integers(900, 1100, shape),
        "lots": rng.integers(1, 50, shape),
        "flags": rng.integers(0, 2, shape),
        "slot": rng.integers(0, 4, shape),
        "fee_bid": rng.integers(0, 5_000_000, shape),
        "sent_us": sent,
        "arrival_us": sent + (rng.random(shape) * late).astype(np.int64),
        "expiry_block": expiry,
    }
    return Tx(**{name: as_int(column) for name, column in columns.items()})


def room_of(block: Array) -> Array:
    """How many transactions a block may carry."""
    half = (block >= HALF_ROOM.start) & (block < HALF_ROOM.stop)
    room = jnp.where(half, SPEC.block_txs // 2, SPEC.block_txs)
    return jnp.where(block == HALTED, 0, room)


def is_censored(block: Array, tx: Tx) -> Array:
    """Which transactions are censored in a block: all of a group but its cancels."""
    now = (block >= CENSORED.start) & (block < CENSORED.stop)
    is_of_group = jnp.asarray(GROUP_OF)[tx.account] == CENSORED_GROUP
    return now & is_of_group & (tx.kind != Kind.CANCEL)


def params_of(scheme: Scheme) -> Any:
    """The numbers of a scheme where a config says nothing."""
    if isinstance(scheme, Composed):
        common = section_of("Numbers", SequencerParams)()
        return scheme.numbers(numbers_of(SequencerParams, common))
    return numbers_of(scheme.params, section_of("Numbers", scheme.params)())


def run(scheme: Scheme, seed: Array, offered: Tx, params: Any) -> Run:
    """Runs the scheme from the first block to the last; traceable."""

    def step(carry, given):
        state, left = carry
        block, txs = given
        height = block - (block > HALTED)
        clock = Clock(block, height, block * BLOCK_US, BLOCK_US)
        new = mempool.arriving(txs, None, scheme.replicas, scheme.notes)
        present = mempool.joined(left, new)
        shown = scheme.show(state, present, clock, 0, params)
        kept, _ = mempool.drop_expired(left, height)
        waiting = mempool.admit(kept, new, as_int(_NO_DROPS), as_int(GROUP_OF)).waiting
        account = waiting.tx.account
        waiting = replace(
            waiting,
            censored=is_censored(block, waiting.tx),
            group=jnp.asarray(GROUP_OF)[account],
        )
        key = block_key(run_key(seed, 0), block)
        room = room_of(block)
        state, ordering = scheme.order(
            key, state, waiting, clock, room, params, spec=SPEC
        )
        state, afterwards = _after(scheme, state, ordering, waiting, params)
        left, drop = _left(waiting, ordering)
        seen = Block(
            waiting,
            present.tx,
            shown,
            ordering._replace(mode=jnp.asarray(ordering.mode), drop=None, notes=None),
            drop,
            afterwards,
        )
        return (state, left), seen

    nobody = mempool.no_one_waits(SPEC.queue, scheme.replicas, scheme.notes)
    first = (scheme.init(params, spec=SPEC), nobody)
    (state, left), blocks = lax.scan(step, first, (jnp.arange(BLOCKS), offered))
    return Run(blocks, state, left)


def _after(scheme, state, ordering: Ordering, waiting: Waiting, params):
    """The scheme's charges by outcome, where it has any."""
    after = getattr(scheme, "after", None)
    if after is None:
        return state, jnp.zeros((SPEC.accounts,), jnp.int64)
    txs = mempool.gather(waiting.tx, ordering.index, ordering.live)
    status = jnp.where(txs.sent_us % 3 == 0, Status.MARGIN, Status.ACCEPTED)
    nothing = jnp.zeros_like(txs.kind)
    receipts = Receipt(
        status=jnp.where(ordering.live, status, 0),
        filled_lots=nothing,
        filled_quote=nothing,
    )
    return after(state, ordering, receipts, params)


def _left(waiting: Waiting, ordering: Ordering) -> tuple[Waiting, Array]:
    """Those that wait on, with the scheme's notes; and what it dropped, [Q]."""
    if ordering.notes is not None:
        waiting = replace(waiting, notes=ordering.notes)
    taken = jnp.zeros((SPEC.queue,), bool).at[ordering.index].max(ordering.live)
    drop = jnp.zeros((SPEC.queue,), jnp.int64)
    if ordering.drop is not None:
        drop = ordering.drop
    return mempool.without(waiting, taken | (drop != Drop.KEPT)), drop


@cache
def alone(scheme: Scheme, seed: int = 0) -> Run:
    """One run of the scheme, on the host."""
    made = jax.jit(partial(run, scheme))(
        as_int(seed), offered_in(seed), params_of(scheme)
    )
    return jax.device_get(made)
