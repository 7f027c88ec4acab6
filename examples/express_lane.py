"""An express lane: whoever bid most in the last round is not held back in this one.

The highest bid among the transactions included in a round wins its sender the lane of
the next, for which it pays that bid once. Everyone else is held back by a delay; where
nobody has the lane, nobody is. In a config that stands beside this file:

    sequencer: {policy: "express_lane:EXPRESS_LANE", numbers: {lane_delay: 200ms}}

Source: the express lane of Arbitrum's Timeboost, without its separate sealed auction.
"""

from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp

import shakeout


@jax.tree_util.register_dataclass
@dataclass(frozen=True, kw_only=True)
class LaneParams(shakeout.SequencerParams):
    lane_delay_us: jax.Array = shakeout.duration("200ms", "0s", "10s", what="of others")
    round_us: jax.Array = shakeout.duration("60s", "1s", "1h", what="length of a round")


class LaneState(NamedTuple):
    round: jax.Array
    holder: jax.Array  # account in the lane, -1: nobody
    bidder: jax.Array  # of the highest bid of this round, -1: nobody
    bid: jax.Array


@dataclass(frozen=True)
class ExpressLane:
    name, params, modes = "express_lane", LaneParams, (shakeout.Mode.CONTINUOUS,)
    replicas, notes, intake = 1, 0, ()
    sender_order = shakeout.SenderOrder.NOT_KEPT

    def init(self, params, *, spec):
        return LaneState(*(jnp.int64(number) for number in (0, -1, -1, 0)))

    def show(self, state, waiting, clock, viewer, params):
        return None

    def order(self, key, state, waiting, clock, room, params, *, spec):
        tx, number = waiting.tx, clock.now_us // params.round_us
        opens = number > state.round
        holder = jnp.where(opens, state.bidder, state.holder)
        is_held = (holder >= 0) & (tx.account != holder)
        release = tx.arrival_us + jnp.where(is_held, params.lane_delay_us, 0)
        due = release < clock.now_us + clock.block_us
        due &= shakeout.ready(waiting, clock)
        ranked = shakeout.by_time(release, tx, due)
        index, live = shakeout.first_of(ranked, due, room, spec)
        charge = shakeout.charge_senders(waiting, index, live, params.gas_fee, spec)
        price = jnp.where(opens & (holder >= 0), state.bid, 0)
        charge = charge.at[jnp.maximum(holder, 0)].add(price)
        bidder = jnp.where(opens, -1, state.bidder)
        bid = jnp.where(opens, 0, state.bid)
        bids = jnp.where(live, tx.fee_bid[index], 0)
        best = jnp.argmax(bids)
        bidder = jnp.where(bids[best] > bid, tx.account[index[best]], bidder)
        state = LaneState(number, holder, bidder, jnp.maximum(bid, bids[best]))
        return state, shakeout.Ordering(index, live, self.modes[0], charge)


EXPRESS_LANE = ExpressLane()
