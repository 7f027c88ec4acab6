"""An ordering scheme that uses every part of the contract at once, for tests.

Blocks are auctions and continuous in turn. It sees deposits as bids and consumes them,
drops what has waited for three blocks, and gives the refused their gas back.
"""

from dataclasses import dataclass
from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from market.types.orders import Kind, Status
from rollup.sequencing.contract import (
    Drop,
    Mode,
    Ordering,
    SenderOrder,
    SequencerParams,
)
from rollup.sequencing.ranking import by_key, charge_senders, first_of, ready

#: Reasons of its own; the second is beyond those that are counted apart.
TOO_LATE, ODD = 5, 99
PATIENCE = 3


class TrialState(NamedTuple):
    bids: Array  # [] quanta of all the bids that it consumed
    price: Array  # [] gas of the block that was ordered last
    senders: Array  # [B] accounts of it


@dataclass(frozen=True)
class Trial:
    name = "trial"
    modes = (Mode.CONTINUOUS, Mode.AUCTION)
    replicas, notes = 3, 2
    sender_order = SenderOrder.NOT_KEPT
    intake = (Kind.DEPOSIT,)
    params = SequencerParams

    def init(self, params, *, spec):
        zero = jnp.zeros((), jnp.int64)
        return TrialState(zero, zero, jnp.zeros((spec.block_txs,), jnp.int64))

    def show(self, state, waiting, clock, viewer, params):
        return None

    def order(self, key, state, waiting, clock, room, params, *, spec):
        tx, due = waiting.tx, ready(waiting, clock)
        is_bid = (tx.kind == Kind.DEPOSIT) & due
        waited = waiting.notes[:, 0] + 1
        # Bids stand in the ranking too: the chain must keep them from the exchange.
        index, live = first_of(by_key(waiting.seen_us[:, 2], due), due, room, spec)
        drop = jnp.where(waited > PATIENCE, TOO_LATE, Drop.KEPT)
        drop = jnp.where(tx.fee_bid == ODD, ODD, drop)
        drop = jnp.where(is_bid, Drop.CONSUMED, drop)
        executed = live & ~is_bid[index]
        charge = charge_senders(waiting, index, executed, params.gas_fee, spec)
        state = TrialState(
            bids=state.bids + jnp.sum(jnp.where(is_bid, tx.lots, 0)),
            price=params.gas_fee,
            senders=tx.account[index],
        )
        notes = jnp.stack([waited, 7 * tx.sent_us], axis=1)
        mode = clock.block % 2
        return state, Ordering(index, live, mode, charge, drop=drop, notes=notes)

    def after(self, state, ordering, receipts, params):
        refused = ordering.live & (receipts.status >= Status.REJECTED)
        back = jnp.where(refused, -state.price, 0)
        return state, jnp.zeros_like(ordering.charge).at[state.senders].add(back)


TRIAL = Trial()
