"""Self-trade prevention in a round; see `market.twin.prevention`."""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array, lax

from market.arrays.fills import reserve
from market.arrays.lane import Env, Lane
from market.arrays.rounds import Round, drop
from market.types.orders import BUY, SELL
from market.types.specs import SelfTrade


class Columns(NamedTuple):
    """The orders of one market as the auction takes them, [2 C + B].

    The bids and asks of the book, best first, then the round in sequence.
    """

    side: Array  # +1 buy, -1 sell, 0 none
    ticks: Array
    lots: Array
    came: Array
    account: Array


def has_self_trade(columns: Columns, filled: Array, env: Env) -> Array:
    """Whether an account would trade on both sides of the market."""
    nobody = jnp.zeros(env.sizes.accounts, bool)
    buys, sells = (
        nobody.at[columns.account].max((filled > 0) & (columns.side == side))
        for side in (BUY, SELL)
    )
    return (buys & sells).any()


def prevent_self_trades(
    lane: Lane, env: Env, waiting: Round, market, columns: Columns, filled: Array
) -> tuple[Lane, Round, Columns]:
    """Takes lots off orders of accounts that would trade with themselves.

    Args:
        lane: the exchange.
        env: the block.
        waiting: its round.
        market: that is cleared.
        columns: its orders.
        filled: lots of each that would trade, [2 C + B].
    """
    mode = SelfTrade(env.sizes.self_trade)
    lots = lots_left(columns, filled, waiting.liquidator >= 0, mode)
    lane, waiting = _take_off(lane, env, waiting, market, columns.lots - lots)
    return lane, waiting, columns._replace(lots=lots)


def lots_left(columns: Columns, filled: Array, stays: Array, mode: SelfTrade) -> Array:
    """The lots [2 C + B] that prevention leaves, one order of the round at a time.

    Args:
        columns: orders of one market.
        filled: [2 C + B] lots of each that would trade.
        stays: [B] bool: liquidations of the round.
        mode: of the venue.
    """
    first = filled.shape[0] - stays.shape[0]
    places, trades = jnp.arange(filled.shape[0]), filled > 0
    stays = jnp.concatenate([jnp.zeros(first, bool), stays])

    def step(lots, newer):
        own = meets(columns, lots, trades, newer) & (places < newer)
        return prevent(lots, newer, own, (own & stays).any(), mode), None

    return lax.scan(step, columns.lots, places[first:])[0]


def meets(columns: Columns, lots: Array, trades: Array, newer) -> Array:
    """Which orders [2 C + B] that would trade are of one's account, on either side."""
    left = trades & (lots > 0)
    own = columns.account == columns.account[newer]
    return own & (columns.side == -columns.side[newer]) & left & left[newer]


def prevent(lots: Array, newer, own: Array, is_stopped, mode: SelfTrade) -> Array:
    """The lots [2 C + B] after one order met those of its account before it.

    Args:
        lots: of each order.
        newer: column of the one.
        own: bool: those that it meets.
        is_stopped: one of them is a liquidation, which stays.
        mode: of the venue.
    """
    there, mine = jnp.where(own, lots, 0), lots[newer]
    if mode == SelfTrade.CANCEL_NEWEST:
        is_stopped = own.any()
    taken, kept = there, mine
    if mode == SelfTrade.DECREMENT:
        before = jnp.cumsum(there) - there
        taken = jnp.clip(mine - before, 0, there)
        kept = mine - taken.sum()
    lots = lots - jnp.where(is_stopped, 0, taken)
    return lots.at[newer].set(jnp.where(is_stopped, 0, kept))


def _take_off(lane: Lane, env: Env, waiting: Round, market, gone: Array):
    """Takes lots off orders, with what they reserved: ``(lane, round)``."""
    capacity = env.sizes.capacity
    resting = gone[: 2 * capacity].reshape(2, capacity)[:, ::-1]
    account, side = lane.owner[market] // env.sizes.slots, jnp.array([[0], [1]])
    lane = reserve(lane, account, market, side, -resting, lane.loss[market])
    lane = lane._replace(lots=lane.lots.at[market].add(-resting))
    waits = gone[2 * capacity :]
    lane, waiting = drop(lane, waiting, waits)
    return lane, waiting._replace(prevented=waiting.prevented + waits)
