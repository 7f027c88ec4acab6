"""The orders that wait for an auction's clearing; see `market.kernels.rounds`."""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from market.arrays.admission import (
    breaks_isolation,
    can_afford,
    check_order,
    has_too_many,
    reducible_lots,
    worst_loss,
)
from market.arrays.book import resting_side
from market.arrays.fills import reserve
from market.arrays.lane import Env, Lane, Order, Request, first_reason
from market.arrays.liquidation import (
    bankruptcy_quote,
    check_target,
    fund_budget,
    mark_pending,
    note_liquidation,
    taker_of,
)
from market.arrays.margin import account_risk
from market.arrays.matching import Name, cancel_all, place_of, reduce
from market.types.limits import MAX_TICKS
from market.types.orders import IMMEDIATE, Flag, Status


class Round(NamedTuple):
    """Waiting orders, [B]; a row for each transaction. One of them: [] each."""

    market: Array
    account: Array
    sign: Array
    limit: Array
    size: Array  # lots that are left of it, apart from its fill; 0: nothing waits
    flags: Array
    slot: Array  # -1 for a liquidation
    expiry: Array
    loss: Array
    liquidator: Array  # -1 for an order of the account's own
    is_part: Array  # 1 for a liquidation of a part of a large position
    waits: Array  # 1 from admission on, even where it was dropped since
    got: Array  # lots filled
    quote: Array
    prevented: Array  # lots that self-trade prevention took


def open_round(messages: int) -> Round:
    """A round in which nothing waits."""
    none = jnp.zeros(messages, jnp.int64)
    return Round(*([none] * len(Round._fields)))._replace(liquidator=none - 1)


def find_waiting(waiting: Round, name: Name) -> Array:
    """Where [B] the order of that name waits in the round; at most once."""
    mine = (waiting.account == name.account) & (waiting.market == name.market)
    return mine & (waiting.slot == name.slot) & (waiting.size > 0)


def is_crowded(lane: Lane, env: Env, waiting: Round, order: Order) -> Array:
    """Whether the account or the market has as many orders as it may have."""
    may_rest = (waiting.liquidator < 0) & (waiting.flags & IMMEDIATE == 0)
    may_rest &= (waiting.waits != 0) & (waiting.size > 0)
    own = (may_rest & (waiting.account == order.account)).sum()
    here = (may_rest & (waiting.market == order.market)).sum()
    return has_too_many(lane, env, order, own, here)


def reducible_by_all(lane: Lane, order: Order, lots) -> Array:
    """Lots of a reduce-only order that its other orders of that side leave."""
    side = resting_side(order.sign)
    return reducible_lots(
        lane, order, lots, lane.open_lots[order.account, order.market, side]
    )


def append(lane: Lane, waiting: Round, on, row, order: Round):
    """Adds an order to the round and reserves for it: ``(lane, round)``."""
    waiting = Round(
        *(
            column.at[row].set(jnp.where(on, value, column[row]))
            for column, value in zip(waiting, order, strict=True)
        )
    )
    side, lots = resting_side(order.sign), jnp.where(on, order.size, 0)
    return reserve(lane, order.account, order.market, side, lots, order.loss), waiting


def admit_order(lane: Lane, env: Env, waiting: Round, on, row, order: Order):
    """Every check of an order: ``(lane, round, reason)``, 0 where it waits."""
    account, market, flags = order.account, order.market, order.flags
    reason, limit, lots = check_order(env, order)
    reduced = reducible_by_all(lane, order, lots)
    lots = jnp.where(flags & Flag.REDUCE_ONLY != 0, reduced, lots)
    name = Name(account, market, order.slot)
    is_busy = place_of(lane, env, name)[0] | find_waiting(waiting, name).any()
    crowded = (flags & IMMEDIATE == 0) & is_crowded(lane, env, waiting, order)
    order = order._replace(ticks=limit, lots=lots)
    loss = worst_loss(env, market, order.sign, limit)
    reason = first_reason(
        (reason != 0, reason),
        (breaks_isolation(lane, env, account, market), Status.ISOLATED),
        (lots == 0, Status.WOULD_INCREASE),
        (is_busy, Status.SLOT_BUSY),
        (crowded, Status.TOO_MANY_ORDERS),
        (flags & Flag.FOK != 0, Status.CANNOT_FILL),
        (~can_afford(lane, env, order, loss), Status.MARGIN),
    )
    zero = lots * 0
    entry = Round(
        market=market,
        account=account,
        sign=order.sign,
        limit=limit,
        size=lots,
        flags=flags,
        slot=order.slot,
        expiry=order.expiry,
        loss=loss,
        liquidator=zero - 1,
        is_part=zero,
        waits=zero + 1,
        got=zero,
        quote=zero,
        prevented=zero,
    )
    lane, waiting = append(lane, waiting, on & (reason == 0), row, entry)
    return lane, waiting, reason


# --- what is taken back --------------------------------------------------------------


def reduce_in_round(
    lane: Lane, env: Env, waiting: Round, on, name: Name, lots, is_whole
):
    """Takes lots off an order that rests or waits: ``(lane, round, status)``.

    The last lot takes it away, and so does ``is_whole``: then it is a cancel.
    """
    here = find_waiting(waiting, name)
    does_wait, row = here.any(), jnp.argmax(here)
    lane, status = reduce(lane, env, on & ~does_wait, name, lots, is_whole)
    there, side = waiting.size[row], resting_side(waiting.sign[row])
    fits = is_whole | ((lots >= 1) & (lots <= there))
    gone = jnp.where(on & does_wait & fits, jnp.where(is_whole, there, lots), 0)
    lane = reserve(lane, name.account, name.market, side, -gone, waiting.loss[row])
    waiting = waiting._replace(size=waiting.size.at[row].add(-gone))
    done = jnp.where(fits, int(Status.ACCEPTED), int(Status.BAD_LOTS))
    return lane, waiting, jnp.where(does_wait, done, status)


def cancel_all_in_round(
    lane: Lane, env: Env, waiting: Round, on, account, market: Array | int = -1
):
    """Takes back all orders of the account in one market, or in all if it is -1."""
    lane = cancel_all(lane, env, on, account, market)
    mine = on & (waiting.account == account) & (waiting.liquidator < 0)
    mine &= (waiting.market == market) | (market == -1)
    return drop(lane, waiting, jnp.where(mine, waiting.size, 0))


def drop(lane: Lane, waiting: Round, lots):
    """Takes lots [B] off the orders, with what they reserved: ``(lane, round)``."""
    account, market = waiting.account, waiting.market
    side = resting_side(waiting.sign)
    lane = reserve(lane, account, market, side, -lots, waiting.loss)
    return lane, waiting._replace(size=waiting.size - lots)


# --- liquidations --------------------------------------------------------------------


def affordable_limit(lane: Lane, env: Env, request: Request, lots, limit):
    """The limit at which the fund can still bear the whole size: ``(limit, quanta)``.

    The quanta are what the fund may have to pay at that limit; they are set aside. A
    limit of 0 says that no price is good enough.
    """
    target, market = request.target, request.market
    sign, held = taker_of(lane, request).sign, lane.position[target, market]
    now, value = account_risk(lane, env, target), lots * env.multiplier[market]
    bankruptcy = bankruptcy_quote(env, market, held, sign * lots, now)
    fund = fund_budget(lane, env, target, market)
    bound = (fund - bankruptcy) // jnp.maximum(value, 1)
    lowest, highest = jnp.maximum(limit, -bound), jnp.minimum(limit, bound)
    limit = jnp.where(sign < 0, lowest, highest)
    fits = (limit >= 1) & (limit <= MAX_TICKS)
    limit = jnp.where(fits, limit, 0)
    return limit, jnp.where(fits, jnp.maximum(bankruptcy + sign * limit * value, 0), 0)


def drop_reductions(lane: Lane, waiting: Round, on, account, market: Array | int = -1):
    """Drops the waiting reduce-only orders of who was handed a position.

    That is a keeper, in one market, or the vault, in all of them (-1).
    """
    mine = on & (waiting.account == account) & (waiting.flags & Flag.REDUCE_ONLY != 0)
    mine &= (waiting.market == market) | (market == -1)
    return drop(lane, waiting, jnp.where(mine, waiting.size, 0))


def waiting_liquidation(request: Request, sign, limit, lots) -> Round:
    """A liquidation as it waits; it reserves nothing and never rests."""
    zero = limit * 0
    return Round(
        market=request.market,
        account=request.target,
        sign=sign,
        limit=limit,
        size=lots,
        flags=zero + IMMEDIATE,
        slot=zero - 1,
        expiry=zero,
        loss=zero,
        liquidator=request.keeper,
        is_part=zero,
        waits=zero + 1,
        got=zero,
        quote=zero,
        prevented=zero,
    )


def admit_liquidation(lane: Lane, env: Env, waiting: Round, on, row, request: Request):
    """Every check of a liquidation: ``(lane, round, reason)``, 0 where it waits."""
    target, market = request.target, request.market
    reason, lots, limit = check_target(lane, env, request)
    limit, fund = affordable_limit(lane, env, request, lots, limit)
    reason = first_reason((reason != 0, reason), (limit == 0, Status.INSURANCE_EMPTY))
    lane = mark_pending(lane, on & (reason == Status.INSURANCE_EMPTY), target, market)
    on = on & (reason == 0)
    aside = jnp.where(on, fund, 0)
    sign = taker_of(lane, request).sign
    lane = lane._replace(set_aside=lane.set_aside.at[env.fund[market]].add(aside))
    lane, waiting = cancel_all_in_round(lane, env, waiting, on, target)
    lane = note_liquidation(lane, env, on, request, lots, aside)
    order = waiting_liquidation(request, sign, limit, lots)
    lane, waiting = append(lane, waiting, on, row, order)
    return lane, waiting, reason
