"""Clearing a round, and what becomes of the rest; see `market.kernels.clearing`."""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array, lax

from market.arrays.auction import Clearing
from market.arrays.auction import clear as find_price
from market.arrays.book import Resting, drop_empty, insert, resting_side
from market.arrays.fills import (
    record_fill,
    reserve,
    trade,
)
from market.arrays.lane import Env, Lane, Request, any_lane, first_reason, when
from market.arrays.liquidation import (
    apply_insurance,
    bankruptcy_quote,
    mark_pending,
    note_fill,
)
from market.arrays.margin import account_equity, account_risk
from market.arrays.prevention import Columns, has_self_trade, prevent_self_trades
from market.arrays.rounds import Round
from market.arrays.staged import start_cooldown
from market.types.orders import IMMEDIATE, Flag, Status
from market.types.specs import Liquidation, SelfTrade


class Filled(NamedTuple):
    """One order that fills at the uniform price."""

    column: Array
    sign: Array
    lots: Array
    ticks: Array


def gather(lane: Lane, env: Env, waiting: Round, market) -> Columns:
    """Resting bids and asks best first, then the round."""
    place = jnp.arange(env.sizes.capacity)
    present = place < lane.count[market][:, None]
    columns = (lane.ticks, lane.lots, lane.came, lane.owner)
    ticks, lots, came, owner = (x[market][:, ::-1].reshape(-1) for x in columns)
    signs = jnp.where(present, jnp.array([[1], [-1]]), 0)[:, ::-1].reshape(-1)
    here = waiting.market == market
    return Columns(
        side=jnp.concatenate([signs, jnp.where(here, waiting.sign, 0)]),
        ticks=jnp.concatenate([ticks, waiting.limit]),
        lots=jnp.concatenate([lots, jnp.where(here, waiting.size, 0)]),
        came=jnp.concatenate([came, jnp.full(env.sizes.messages, env.block)]),
        account=jnp.concatenate([owner // env.sizes.slots, waiting.account]),
    )


def apply_column(lane: Lane, env: Env, waiting: Round, on, market, filled: Filled):
    """Fills the order of one column at the uniform price: ``(lane, round)``."""
    capacity, (column, sign, lots, ticks) = env.sizes.capacity, filled
    resting, side = column < 2 * capacity, resting_side(sign)
    index = jnp.clip(capacity - 1 - column % capacity, 0, capacity - 1)
    row = jnp.clip(column - 2 * capacity, 0, env.sizes.messages - 1)
    owner = lane.owner[market, side, index] // env.sizes.slots
    account = jnp.where(resting, owner, waiting.account[row])
    loss = jnp.where(resting, lane.loss[market, side, index], waiting.loss[row])
    liquidator = jnp.where(resting, -1, waiting.liquidator[row])
    lane = reserve(lane, account, market, side, -lots, loss)
    left = lane.lots.at[market, side, index].add(jnp.where(resting, -lots, 0))
    lane = lane._replace(lots=left)
    value, delta = ticks * env.multiplier[market], sign * lots
    now, held = account_risk(lane, env, account), lane.position[account, market]
    bankruptcy = bankruptcy_quote(env, market, held, delta, now)
    makes = resting | (waiting.flags[row] & Flag.POST_ONLY != 0)
    fee = jnp.where(makes, env.param("maker_fee_ppm"), env.param("taker_fee_ppm"))
    seized = on & (liquidator >= 0)
    fee = jnp.where(seized, 0, fee)
    lane = trade(lane, on, account, market, delta, value, fee)
    if env.sizes.liquidation != Liquidation.STAGES:
        keeper = jnp.maximum(liquidator, 0)
        request = Request(keeper, account, market, lots * 0, lots * 0)
        quote = -delta * value
        lane = apply_insurance(lane, env, seized, request, quote, bankruptcy)
    lane = note_fill(lane, seized, lots * value)
    lane = record_fill(lane, on & (sign > 0), market, ticks, lots, lots * value)
    mine = jnp.where(resting, 0, lots)
    return lane, waiting._replace(
        got=waiting.got.at[row].add(mine),
        quote=waiting.quote.at[row].add(mine * value),
    )


def _find_fills(lane: Lane, env: Env, waiting: Round, market):
    """The price at which nobody trades with itself: ``(lane, round, columns, found)``.

    Found once, and anew as long as prevention takes something off.
    """
    columns = gather(lane, env, waiting, market)
    none = columns.lots * 0

    def prevent(lane, waiting, columns, filled):
        prevented = prevent_self_trades(lane, env, waiting, market, columns, filled)
        return *prevented, filled

    def body(carry):
        lane, waiting, columns, found, _ = carry
        clash = has_self_trade(columns, found.filled, env)
        lane, waiting, columns, _ = when(
            clash, prevent, lane, waiting, columns, found.filled
        )
        found = find_price(columns.side, columns.ticks, columns.lots, columns.came)
        return lane, waiting, columns, found, has_self_trade(columns, found.filled, env)

    start = Clearing(none[0], none[0], none)
    carry = (lane, waiting, columns, start, jnp.bool_(True))
    return lax.while_loop(lambda carry: any_lane(carry[-1]), body, carry)[:-1]


def clear_market(lane: Lane, env: Env, waiting: Round, market):
    """Finds the price of one market and applies it, order after order."""
    lane, waiting, columns, found = _find_fills(lane, env, waiting, market)
    total = columns.side.shape[0]
    places = jnp.arange(total)

    def following(after):
        ahead = (found.filled > 0) & (places > after)
        return jnp.where(ahead.any(), jnp.argmax(ahead), total)

    def body(carry):
        lane, waiting, column = carry
        on, column = column < total, jnp.minimum(column, total - 1)
        got = jnp.where(on, found.filled[column], 0)
        filled = Filled(column, columns.side[column], got, found.ticks)
        lane, waiting = apply_column(lane, env, waiting, on, market, filled)
        return lane, waiting, following(jnp.where(on, column, total))

    def goes_on(carry):
        return any_lane(carry[2] < total)

    carry = (lane, waiting, following(jnp.int64(-1)))
    lane, waiting, _ = lax.while_loop(goes_on, body, carry)
    return drop_empty(lane), waiting


def finish_liquidation(lane: Lane, env: Env, on, order: Round):
    """What becomes of a liquidation that waited: ``(lane, status)``."""
    nothing, account = order.got == 0, order.account
    broke = on & nothing & (account_equity(lane, env, account) < 0)
    lane = mark_pending(lane, broke, account, order.market)
    if env.sizes.liquidation == Liquidation.STAGES:
        is_part = on & ~nothing & (order.is_part != 0)
        lane = start_cooldown(lane, env, is_part, account)
    status = first_reason(
        (nothing, Status.NOTHING_TO_TAKE),
        (order.size == order.got, Status.FILLED),
        (~nothing, Status.PARTIAL),
    )
    return lane, status


def finish_order(lane: Lane, env: Env, on, order: Round):
    """Rests or drops what is left of a waiting order: ``(lane, status)``."""
    left, market = order.size - order.got, order.market
    rests = on & (order.waits != 0) & (order.flags & IMMEDIATE == 0) & (left > 0)
    name = order.account * env.sizes.slots + order.slot
    entry = Resting(order.limit, left, name, order.loss, order.expiry, env.block)
    lane, rested = insert(lane, rests, market, order.sign, entry)
    full, nothing = rests & ~rested, order.got == 0
    over = lane.counters.at[int(Status.BOOK_FULL)].add(full & ~nothing)
    gone, whole = order.size == 0, order.prevented == 0
    shrinks = env.sizes.self_trade == SelfTrade.DECREMENT
    status = first_reason(
        (gone & whole, Status.CANCELLED),
        (gone & ~jnp.bool_(shrinks), Status.SELF_TRADE),
        ((left == 0) & whole, Status.FILLED),
        (left == 0, Status.PARTIAL),
        (rested, Status.RESTING),
        (full & nothing, Status.BOOK_FULL),
        (left > 0, Status.PARTIAL),
    )
    freed = jnp.where(rested, 0, left)
    side = resting_side(order.sign)
    lane = reserve(lane, order.account, market, side, -freed, order.loss)
    return lane._replace(counters=over), status


def clear(lane: Lane, env: Env, waiting: Round):
    """Clears every market, then deals with what is left, in sequence.

    Returns:
        ``(lane, round, status [B])``; the status means nothing where nothing waited.
    """
    lane, waiting = lax.fori_loop(
        0,
        env.sizes.markets,
        lambda market, carry: clear_market(carry[0], env, carry[1], market),
        (lane, waiting),
    )

    def finish(lane: Lane, order: Round):
        seized = order.liquidator >= 0
        lane, bare = finish_liquidation(lane, env, seized, order)
        lane, status = finish_order(lane, env, ~seized, order)
        return lane, jnp.where(seized, bare, status)

    lane, status = lax.scan(finish, lane, waiting)
    return lane, waiting, status
