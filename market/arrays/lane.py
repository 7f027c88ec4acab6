"""One lane: its state, the block's constants, and masked access."""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array, lax

from market.rules.risk_steps import Steps
from market.types import layout
from market.types.specs import RISK_STEPS

#: What picks one account or market, or all of them.
Index = Array | int | slice
#: Name of the axis of lanes.
LANES = "lanes"
_PARAM_ROW = {name: row for row, name in enumerate(layout.PARAM_FIELDS)}
_STEP_ROW = {
    name: len(layout.PARAM_FIELDS) + step * RISK_STEPS
    for step, name in enumerate(layout.STEP_FIELDS)
}
_INFO_FIELDS = (*layout.INFO_PER_MARKET, *layout.INFO_SCALARS)
#: Row of what a block reports, by its name in `ExchangeInfo`.
INFO_ROW = {name: row for row, name in enumerate(_INFO_FIELDS)}


class Sizes(NamedTuple):
    """Static sizes and choices of the venue: `layout.STATIC_FIELDS`, and flags."""

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
    gate: int
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
    info: Array  # [INFO rows, M]
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

    def param(self, name: str, market: Index = 0) -> Array:
        """A parameter of one market."""
        return self.params[_PARAM_ROW[name], market]

    def row(self, name: str) -> Array:
        """A parameter of all markets."""
        return self.params[_PARAM_ROW[name]]

    def steps(self, market: Index = slice(None)) -> Steps:
        """The risk steps of all markets [S, M], or of one [S]."""
        rows = self.params[:, market]
        uppers, factors = (
            rows[_STEP_ROW[name] : _STEP_ROW[name] + RISK_STEPS]
            for name in layout.STEP_FIELDS
        )
        return Steps(uppers, factors, self.row("risk_by_balance")[market])


class Txs(NamedTuple):
    """What a block reads of a transaction, [B] or []; `layout.TX_FIELDS`."""

    kind: Array
    account: Array
    market: Array
    side: Array
    ticks: Array
    lots: Array
    flags: Array
    slot: Array
    expiry_block: Array


class Order(NamedTuple):
    """An order whose names are within bounds."""

    account: Array
    market: Array
    sign: Array  # +1 buy, -1 sell; anything else is refused
    ticks: Array
    lots: Array
    flags: Array
    slot: Array
    expiry: Array


class Request(NamedTuple):
    """A keeper's request to liquidate, its names within bounds."""

    keeper: Array
    target: Array
    market: Array
    cap: Array  # lots at most; 0 without limit
    ticks: Array  # what the keeper would pay, where it takes the position over


class Outcome(NamedTuple):
    """What became of a transaction."""

    status: Array
    lots: Array  # filled
    quote: Array  # absolute quanta exchanged


def any_lane(on: Array) -> Array:
    """Whether the condition holds in any lane; equal in all."""
    return lax.pmax(on.astype(jnp.int64), LANES) > 0


def when(on: Array, update, *values):
    """``update(*values)`` where any lane needs it, else the values as they are.

    The update has to mask itself, since it runs in all lanes or in none.
    """

    def keep(*values):
        return values[0] if len(values) == 1 else values

    return lax.cond(any_lane(on), update, keep, *values)


def choose(on: Array, chosen, other):
    """One of two records of the same shape, field by field."""
    fields = (jnp.where(on, a, b) for a, b in zip(chosen, other, strict=True))
    return type(other)(*fields)


def note(lane: Lane, name: str, amount: Array, market: Index = 0) -> Lane:
    """Adds to what the block reports under that name of `ExchangeInfo`."""
    row = INFO_ROW[name]
    return lane._replace(info=lane.info.at[row, market].add(amount))


def empty_info(markets: int) -> Array:
    """What a block reports before anything happened."""
    return jnp.zeros((len(_INFO_FIELDS), markets), jnp.int64)


def first_reason(*rules) -> Array:
    """The status of the first rule ``(broken, status)`` that is broken, else 0."""
    reason = jnp.zeros((), jnp.int64)
    for broken, status in reversed(rules):
        reason = jnp.where(broken, jnp.int64(status), reason)
    return reason
