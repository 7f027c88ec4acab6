"""The rules of an ordering scheme (`rollup.sequencing.contract`)."""

import pickle
from dataclasses import fields
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments.conform.rules import (
    Rule,
    must_be_integer,
    require,
    require_equal,
    require_integers,
)
from experiments.conform.scheme_trial import (
    BLOCK_US,
    BLOCKS,
    SPEC,
    alone,
    is_censored,
    offered_in,
    params_of,
    room_of,
    run,
)
from market.numbers.units import as_int
from market.types.orders import Kind, Tx
from rollup.sequencing.contract import REASONS, Drop, Scheme, SenderOrder
from rollup.sequencing.ranking import has_sequence

#: More than any charge of a sane scheme: 2^50 quanta are a billion dollars.
_MOST = 1 << 50
_LANES = 3


def _is_a_value(scheme: Scheme) -> str:
    hash(scheme)
    again = pickle.loads(pickle.dumps(scheme))
    require(again == scheme, "a copy sent to a worker is not equal to it")
    require(scheme.modes, "modes is empty: it says in which mode blocks match")
    require(scheme.replicas >= 1, f"replicas = {scheme.replicas}")
    require(scheme.notes >= 0, f"notes = {scheme.notes}")
    return f"{scheme.name}: {len(jax.tree.leaves(params_of(scheme)))} numbers"


def _taken(scheme: Scheme) -> tuple[np.ndarray, np.ndarray, Tx]:
    """Where blocks hold a transaction [T, B], its place [T, B], and which it is."""
    blocks = alone(scheme).blocks
    live, index = (np.asarray(x) for x in (blocks.ordering.live, blocks.ordering.index))
    place = np.clip(index, 0, SPEC.queue - 1)
    tx = jax.tree.map(
        lambda column: np.take_along_axis(np.asarray(column), place, axis=1),
        blocks.waiting.tx,
    )
    return live, index, tx


def _permutation(scheme: Scheme) -> str:
    live, index, tx = _taken(scheme)
    shape = (BLOCKS, SPEC.block_txs)
    require(index.shape == shape, f"index has the shape {index.shape[1:]}")
    outside = live & ((index < 0) | (index >= SPEC.queue))
    require(not outside.any(), "a place that the mempool does not have")
    for block in range(BLOCKS):
        places = index[block][live[block]]
        twice = len(places) - len(set(places.tolist()))
        require(not twice, f"block {block} holds {twice} transactions twice")
    nobody = live & (tx.kind == Kind.NONE)
    require(not nobody.any(), f"{nobody.sum()} places at which nobody waits")
    return f"{live.sum()} transactions in {BLOCKS} blocks"


def _drops(scheme: Scheme) -> str:
    blocks, (live, index, _) = alone(scheme).blocks, _taken(scheme)
    drop = np.asarray(blocks.drop)
    wrong = (drop < 0) | (drop >= REASONS)
    require(not wrong.any(), f"a reason outside 0 to {REASONS - 1}")
    dropped = drop != Drop.KEPT
    nobody = dropped & (np.asarray(blocks.waiting.tx.kind) == Kind.NONE)
    require(not nobody.any(), f"{nobody.sum()} places dropped at which nobody waits")
    both = live & np.take_along_axis(dropped, np.clip(index, 0, SPEC.queue - 1), 1)
    consumed = np.isin(np.asarray(blocks.waiting.tx.kind), scheme.intake)
    both &= ~np.take_along_axis(consumed, np.clip(index, 0, SPEC.queue - 1), 1)
    require(not both.any(), f"{both.sum()} both executed and dropped")
    return f"{dropped.sum()} dropped"


def _ready(scheme: Scheme) -> str:
    live, _, tx = _taken(scheme)
    block = np.arange(BLOCKS)[:, None]
    early = live & (tx.arrival_us >= (block + 1) * BLOCK_US)
    require(not early.any(), f"{early.sum()} taken before they arrived")
    passed = live & np.asarray(
        is_censored(jnp.asarray(block), jax.tree.map(jnp.asarray, tx))
    )
    require(not passed.any(), f"{passed.sum()} taken that a censor passes over")
    return "arrived, and passed over by no censor"


def _fits(scheme: Scheme) -> str:
    carried = _taken(scheme)[0].sum(axis=1)
    room = np.asarray(room_of(jnp.arange(BLOCKS)))
    for block in np.flatnonzero(carried > room):
        held = f"block {block} holds {carried[block]}, its room is {room[block]}"
        require(False, held)
    return f"at most {carried.max()} in a block, none in a halt"


def _charges(scheme: Scheme) -> str:
    blocks = alone(scheme).blocks
    total = 0
    for name, charge in (
        ("charge", np.asarray(blocks.ordering.charge)),
        ("after", np.asarray(blocks.afterwards)),
    ):
        shape = (BLOCKS, SPEC.accounts)
        require(charge.shape == shape, f"{name} has the shape {charge.shape[1:]}")
        require(charge.dtype == np.int64, f"{name} is {charge.dtype}")
        largest = int(np.abs(charge).max())
        require(largest < _MOST, f"{name} of {largest:,} quanta in a block")
        total += int(charge.sum())
    return f"{total:,} quanta from {SPEC.accounts} accounts"


def _modes(scheme: Scheme) -> str:
    used = {int(mode) for mode in np.unique(alone(scheme).blocks.ordering.mode)}
    unknown = used - {int(mode) for mode in scheme.modes}
    require(not unknown, f"mode {sorted(unknown)}, which is not among its modes")
    return ", ".join(mode.name.lower() for mode in scheme.modes)


def _shown(scheme: Scheme) -> str:
    blocks = alone(scheme).blocks
    if blocks.shown is None:
        return "nothing is ever shown"
    real = blocks.present
    there = np.asarray(blocks.shown.kind) != Kind.NONE
    for field in fields(Tx):
        truth = np.asarray(getattr(real, field.name))
        said = np.asarray(getattr(blocks.shown, field.name))
        require(said.shape == truth.shape, f"{field.name}: shape {said.shape[1:]}")
        invented = there & (said != 0) & (said != truth)
        require(not invented.any(), f"{field.name} is shown other than it is")
    return f"{int(there.sum())} transactions shown, each column as it is or hidden"


def _sender_order(scheme: Scheme) -> str:
    kept = SenderOrder(scheme.sender_order)
    if kept == SenderOrder.NOT_KEPT:
        return "a sender's later transaction may be executed first, as it says"
    overtaken = 0
    blocks, (live, index, _) = alone(scheme).blocks, _taken(scheme)
    waits = np.asarray(has_sequence(blocks.waiting.tx))
    if kept == SenderOrder.BY_TIME:
        waits &= ~np.asarray(blocks.waiting.censored)
    account, arrival = (
        np.asarray(getattr(blocks.waiting.tx, name))
        for name in ("account", "arrival_us")
    )
    for block in range(BLOCKS):
        still = waits[block].copy()
        for place in index[block][live[block]]:
            own = still & (account[block] == account[block, place])
            earlier = own & (arrival[block] < arrival[block, place])
            overtaken += int(earlier.any() and waits[block, place])
            still[place] = False
    require(not overtaken, f"{overtaken} taken before an earlier one of their sender")
    return f"kept, {kept.name.lower().replace('_', ' ')}"


def _again(scheme: Scheme) -> str:
    again = jax.jit(partial(run, scheme))
    made = again(as_int(0), offered_in(0), params_of(scheme))
    require_equal(alone(scheme), made, "the same run again is another")
    return "the same run twice, traced anew"


def _lanes(scheme: Scheme) -> str:
    seeds = jnp.arange(_LANES)
    offered = jax.tree.map(
        lambda *rows: jnp.stack(rows), *(offered_in(seed) for seed in range(_LANES))
    )
    lanes = jax.vmap(partial(run, scheme), in_axes=(0, 0, None))
    together = jax.device_get(jax.jit(lanes)(seeds, offered, params_of(scheme)))
    lane: Any = jax.tree.map(lambda rows: rows[0], together)
    require_equal(alone(scheme), lane, "a lane beside others differs from it alone")
    return f"one of {_LANES} lanes equal to the run alone"


def _integers(scheme: Scheme) -> str:
    require_integers(alone(scheme).state, "state")
    whole = partial(run, scheme)
    return must_be_integer(whole, as_int(0), offered_in(0), params_of(scheme))


RULES = (
    Rule("it is a value that a worker can be sent, and has numbers", _is_a_value),
    Rule("a block is made of those that wait, each once", _permutation),
    Rule("what it drops waits, is not executed, and has a reason", _drops),
    Rule("only what is ready is taken", _ready),
    Rule("no block carries more than its room", _fits),
    Rule("charges are whole quanta of accounts", _charges),
    Rule("blocks match in its modes alone", _modes),
    Rule("what it shows is true", _shown),
    Rule("it keeps the order of a sender as it says", _sender_order),
    Rule("the same run again is the same", _again),
    Rule("the same alone and in a lane", _lanes),
    Rule("integers only", _integers),
)
