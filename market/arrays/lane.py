"""One lane: its state, the block's constants, and masked access."""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array, lax

from market.kernels import lane as lay
from market.rules.risk_steps import Steps
from market.types import layout
from market.types.specs import RISK_STEPS

#: Name of the axis of lanes.
LANES = "lanes"
_ROW = {name: index for index, name in enumerate(layout.PARAM_FIELDS)}


class Sizes(NamedTuple):
    """Static sizes of the venue."""

    accounts: int
    markets: int
    slots: int
    capacity: int
    messages: int
    self_trade: int
    auction: int
    deleverages: int
    margin: int
    liquidation: int
    cover: int
    deleveraging: int
    vault: int
    isolated: tuple[int, ...]  # [M] flags


class Lane(NamedTuple):
    """What a block changes; the names and shapes of `ExchangeState`."""

    ticks: Array
    lots: Array
    owner: Array
    loss: Array
    expiry: Array
    came: Array
    count: Array
    collateral: Array
    position: Array
    cost: Array
    open_lots: Array
    open_loss: Array
    adl_pending: Array
    withdrawn: Array
    insurance: Array
    fees: Array
    paid_in: Array
    last: Array
    counters: Array
    gate_block: Array
    cooldown_us: Array  # [A]
    info: Array  # [INFO_ROWS, M]
    liquidated: Array  # [A, M] 1 where that position was liquidated in this block
    used: Array  # [A] notional liquidated in this block
    paid: Array  # [A] quanta of the fund for that, paid or set aside
    set_aside: Array  # [1 + M] of each fund for liquidations that wait


class Env(NamedTuple):
    """What a block reads."""

    price: Array  # [M] ticks that margin is reckoned at
    multiplier: Array  # [M]
    unit: Array  # [M] quanta of one lot at that price
    fraction: Array  # [M] initial margin fraction
    params: Array  # [P, M]
    block: Array
    seed: Array
    previous_mark: Array  # [M] ticks
    now_us: Array  # [] time of the block
    sizes: Sizes  # static
    fund: Array  # [M] insurance fund of each market

    def param(self, name: str, market=0) -> Array:
        """A parameter of one market."""
        return self.params[_ROW[name], market]

    def row(self, name: str) -> Array:
        """A parameter of all markets."""
        return self.params[_ROW[name]]

    def steps(self, market=slice(None)) -> Steps:
        """The risk steps of all markets [S, M], or of one [S]."""
        rows = self.params[:, market]
        first = (lay.RISK_UPPER, lay.RISK_PPM)
        uppers, factors = (rows[at : at + RISK_STEPS] for at in first)
        return Steps(uppers, factors, self.row("risk_by_balance")[market])


def any_lane(on: Array) -> Array:
    """Whether the condition holds in any lane; equal in all."""
    return lax.pmax(on.astype(jnp.int64), LANES) > 0


def when(on: Array, update, lane):
    """``update(lane)`` where any lane needs it; it has to mask itself.

    A loop of no or one turn: XLA keeps the state of a loop in place, where it would
    copy the state into and out of the branches of a conditional.
    """
    return lax.cond(any_lane(on), update, lambda lane: lane, lane)


def sign_of_side(side: Array) -> Array:
    """+1 of bids, -1 of asks."""
    return 1 - 2 * side


def note(lane: Lane, row: int, amount: Array, market=0) -> Lane:
    """Adds to a row of what the block reports."""
    return lane._replace(info=lane.info.at[row, market].add(amount))


def first_reason(*rules) -> Array:
    """The status of the first rule ``(broken, status)`` that is broken, else 0."""
    reason = jnp.zeros((), jnp.int64)
    for broken, status in reversed(rules):
        reason = jnp.where(broken, jnp.int64(status), reason)
    return reason
