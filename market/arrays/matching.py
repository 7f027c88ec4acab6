"""One transaction in continuous matching; see `market.kernels.matching`."""

import jax.numpy as jnp
from jax import lax

from market.arrays import book as books
from market.arrays import funds, liquidation, staged, takeover
from market.arrays.admission import (
    breaks_isolation,
    check_names,
    check_order,
    has_too_many,
    moves_money,
    reducible,
    takes_off,
)
from market.arrays.lane import Env, Lane, Sizes, any_lane, first_reason, when
from market.arrays.margin import can_afford, worst_loss
from market.kernels.admission import FOK, IMMEDIATE, POST_ONLY, REDUCE_ONLY
from market.types.orders import Kind, Status
from market.types.specs import Liquidation, SelfTrade


def execute_one(lane: Lane, tx, env: Env, sizes: Sizes):
    """Runs one transaction: ``(lane, (status, filled lots, filled quote))``."""
    bad = check_names(tx, env, sizes)
    ok, kind = bad == 0, tx.kind
    account = jnp.clip(tx.account, 0, sizes.accounts - 1)
    market = jnp.clip(tx.market, 0, sizes.markets - 1)
    lane, found, reason_cancel = run_cancels(lane, tx, sizes, ok, account, market)
    moves = ok & moves_money(kind)
    lane, moved = funds.transfer(lane, env, moves, kind, account, tx.lots)
    lane, status, lots, quote = _trade(lane, tx, env, sizes, ok, account, market, found)
    if sizes.liquidation == Liquidation.TAKEOVER:
        seizes = ok & (kind == Kind.LIQUIDATE)
        lane, *taken = takeover.run(lane, env, sizes, seizes, account, market, tx)
        ours = (status, lots, quote)
        status, lots, quote = (
            jnp.where(seizes, a, b) for a, b in zip(taken, ours, strict=True)
        )
    status = jnp.where(moves, moved, status)
    status = jnp.where(ok & takes_off(kind), reason_cancel, status)
    status = jnp.where(ok, status, bad)
    status = jnp.where(kind == Kind.NONE, 0, status)
    counted = jnp.where(kind == Kind.NONE, 0, 1)
    lane = lane._replace(counters=lane.counters.at[status].add(counted))
    return lane, (status, lots, quote)


def run_cancels(lane: Lane, tx, sizes: Sizes, ok, account, market):
    """Cancel, cancel-all, reduction, and the cancel of a replacement.

    Returns:
        ``(lane, busy, status)``: whether an order still rests under that name.
    """
    slot = jnp.clip(tx.slot, 0, sizes.slots - 1)
    found, side, index = books.find(lane, market, account * sizes.slots + slot)
    there = lane.lots[market, side, index]
    one, part = (
        (tx.kind == Kind.CANCEL) | (tx.kind == Kind.REPLACE),
        tx.kind == Kind.REDUCE,
    )
    fits = (tx.lots >= 1) & (tx.lots <= there)
    gone = jnp.where(one, there, jnp.where(part & fits, tx.lots, 0))
    gone = jnp.where(ok & found, gone, 0)
    lane = books.take_off(lane, account, market, side, index, gone)
    every = ok & (tx.kind == Kind.CANCEL_ALL)
    here = (jnp.arange(sizes.markets) == market) | (tx.market == -1)
    lane = when(
        every, lambda x: books.cancel_all(x, every, account, here, sizes.slots), lane
    )
    reason = first_reason(
        (part & (tx.lots < 1), Status.BAD_LOTS),
        ((tx.kind != Kind.CANCEL_ALL) & ~found, Status.UNKNOWN_ORDER),
        (part & ~fits, Status.BAD_LOTS),
    )
    status = jnp.where(reason == 0, int(Status.ACCEPTED), reason)
    return lane, found & ~(ok & one), status


def _available(lane: Lane, sizes: Sizes, account, market, sign, limit):
    """``(meets any, first met is own, lots of others in reach)`` for a taker."""
    side, place = jnp.where(sign > 0, 1, 0), jnp.arange(sizes.capacity)
    count = lane.count[market, side]
    met = sign * (limit - lane.ticks[market, side]) >= 0
    met = met & (place < count)
    own = met & (lane.owner[market, side] // sizes.slots == account)
    reach = met & ~own
    if sizes.self_trade != SelfTrade.CANCEL_OLDEST:
        reach = reach & (place > jnp.where(own, place, -1).max())
    lots = jnp.where(reach, lane.lots[market, side], 0).sum()
    return met.any(), own[jnp.maximum(count - 1, 0)], lots


def _check_order(lane: Lane, tx, env: Env, sizes: Sizes, account, market, busy):
    """``(reason, limit, lots, loss)`` of an order."""
    reason, limit, lots = check_order(tx, market, env)
    sign, flags = tx.side, tx.flags
    reduces = flags & REDUCE_ONLY != 0
    lots = jnp.where(reduces, reducible(lane, account, market, sign, lots), lots)
    meets, own_first, there = _available(lane, sizes, account, market, sign, limit)
    room = lane.count[market, jnp.where(sign > 0, 0, 1)] < sizes.capacity
    full = (flags & IMMEDIATE == 0) & ~room
    crowded = has_too_many(lane, env, sizes, account, market)
    crowded = (flags & IMMEDIATE == 0) & crowded
    loss = worst_loss(env, market, sign, limit)
    affordable = can_afford(lane, env, account, market, sign, lots, limit, loss)
    stopped = own_first & (sizes.self_trade == SelfTrade.CANCEL_NEWEST)
    reason = first_reason(
        (reason != 0, reason),
        (breaks_isolation(lane, sizes, account, market), Status.ISOLATED),
        (lots == 0, Status.WOULD_INCREASE),
        (busy, Status.SLOT_BUSY),
        (crowded, Status.TOO_MANY_ORDERS),
        ((flags & POST_ONLY != 0) & meets, Status.WOULD_TAKE),
        ((flags & FOK != 0) & (there < lots), Status.CANNOT_FILL),
        (full & (there == 0), Status.BOOK_FULL),
        (~affordable, Status.MARGIN),
        (stopped, Status.SELF_TRADE),
    )
    return reason, limit, lots, loss


def _plan_liquidation(lane: Lane, tx, env: Env, sizes: Sizes, on, target, market):
    """``(lane, reason, lots, sign, limit, bankruptcy quote)``, orders cancelled."""
    account = jnp.clip(tx.account, 0, sizes.accounts - 1)
    plan = liquidation.plan(lane, env, account, target, market, tx.lots)
    held = lane.position[target, market]
    filled, lot_ticks = liquidation.dry_run(
        lane, sizes, target, market, plan.sign, plan.limit, plan.lots
    )
    quote = -plan.sign * lot_ticks * env.multiplier[market]
    delta = plan.sign * filled
    bank = liquidation.bankruptcy_quote(env, market, held, delta, plan.risk)
    paid = jnp.maximum(bank - quote, 0)
    broke = (paid > 0) & (paid > liquidation.fund_budget(lane, env, target, market))
    reason = first_reason(
        (plan.reason != 0, plan.reason),
        (filled == 0, Status.NOTHING_TO_TAKE),
        (broke, Status.INSURANCE_EMPTY),
    )
    empty = (reason == Status.NOTHING_TO_TAKE) & (plan.risk.equity < 0)
    pending = on & (empty | (reason == Status.INSURANCE_EMPTY))
    lane = liquidation.mark_pending(lane, pending, target, market)
    every = jnp.ones(sizes.markets, bool)
    lane = books.cancel_all(lane, on & (reason == 0), target, every, sizes.slots)
    return lane, reason, plan.lots, plan.sign, plan.limit, bank


def _trade(lane: Lane, tx, env: Env, sizes: Sizes, ok, account, market, busy):
    """Orders and liquidations: ``(lane, status, filled lots, filled quote)``."""
    orders = ok & ((tx.kind == Kind.ORDER) | (tx.kind == Kind.REPLACE))
    seizes = ok & (tx.kind == Kind.LIQUIDATE)
    if sizes.liquidation == Liquidation.TAKEOVER:
        seizes = seizes & False  # the book has no part in it
    target = jnp.clip(tx.slot, 0, sizes.accounts - 1)
    reason, limit, lots, loss = _check_order(
        lane, tx, env, sizes, account, market, busy
    )

    is_staged = sizes.liquidation == Liquidation.STAGES
    planned = staged.plan if is_staged else _plan_liquidation

    def plan(lane):
        return planned(lane, tx, env, sizes, seizes, target, market)

    def no_plan(lane):
        return lane, *([jnp.int64(0) * tx.lots] * 5)

    lane, refusal, size, sign, price, bank = lax.cond(
        any_lane(seizes), plan, no_plan, lane
    )
    reason = jnp.where(seizes, refusal, reason)
    lots, limit = jnp.where(seizes, size, lots), jnp.where(seizes, price, limit)
    sign, taker = jnp.where(seizes, sign, tx.side), jnp.where(seizes, target, account)
    fee_ppm = jnp.where(seizes, 0, env.param("taker_fee_ppm", market))
    on = (orders | seizes) & (reason == 0)
    lane, left, filled, quote, stopped = books.take(
        lane, env, sizes, on, market, sign, limit, lots, taker, fee_ppm
    )
    done = on & seizes

    def settle(lane):
        if is_staged:
            return staged.settle(lane, env, done, target, market, quote, bank, filled)
        gain = -sign * quote
        return _bill(lane, env, done, account, target, market, gain, bank, filled)

    lane = when(done, settle, lane)
    rests = on & orders & (left > 0) & ~stopped & (tx.flags & IMMEDIATE == 0)
    lane, rested = _rest(
        lane, env, sizes, rests, account, market, sign, tx, limit, left, loss
    )
    dropped = lane.counters.at[int(Status.BOOK_FULL)].add(rests & ~rested)
    dropped = dropped.at[int(Status.SELF_TRADE)].add(on & stopped)
    lane = lane._replace(counters=dropped)
    status = jnp.where(rested, int(Status.RESTING), int(Status.PARTIAL))
    status = jnp.where(filled == lots, int(Status.FILLED), status)
    if is_staged:  # what the vault took over counts as filled at the mark
        taken = seizes & (reason == Status.FILLED)
        filled = jnp.where(taken, lots, filled)
        quote = jnp.where(taken, lots * env.unit[market], quote)
    return lane, jnp.where(reason == 0, status, reason), filled, quote


def _bill(lane, env, on, liquidator, target, market, gain, bank, filled):
    """Bills a liquidation and notes it for the limits of the block."""
    lane = liquidation.settle_insurance(
        lane, env, on, liquidator, target, market, gain, bank
    )
    paid = jnp.maximum(bank - gain, 0)
    return liquidation.note_liquidation(lane, env, on, target, market, filled, paid)


def _rest(lane, env, sizes, on, account, market, sign, tx, limit, lots, loss):
    """Rests what is left where the side has room: ``(lane, rested)``."""
    side = jnp.where(sign > 0, 0, 1)
    owner = account * sizes.slots + jnp.clip(tx.slot, 0, sizes.slots - 1)
    order = (limit, lots, owner, loss, tx.expiry_block, env.block)
    lane, rested = books.insert(lane, on, market, side, order)
    kept = jnp.where(rested, lots, 0)
    return books.reserve(lane, account, market, side, kept, loss), rested
