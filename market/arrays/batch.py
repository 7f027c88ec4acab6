"""A block in auction mode; see `market.kernels.batch` and `market.kernels.clearing`."""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array, lax

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
from market.arrays.auction import clear_array
from market.arrays.lane import Env, Lane, Sizes, any_lane, first_reason
from market.arrays.margin import can_afford, equity, risk, worst_loss
from market.arrays.matching import run_cancels
from market.kernels.admission import FOK, IMMEDIATE, REDUCE_ONLY
from market.kernels.lane import NO_SLOT, PART_SLOT
from market.types.limits import MAX_TICKS
from market.types.orders import Kind, Status
from market.types.specs import Liquidation


class Batch(NamedTuple):
    """Orders that wait for the clearing, [B]; a row for each transaction."""

    market: Array
    account: Array
    sign: Array
    limit: Array
    size: Array  # lots admitted; 0 where nothing waits
    slot: Array
    expiry: Array
    loss: Array
    keeps: Array  # 1 where the rest of it may rest
    reduces: Array  # 1 where it may only reduce
    liquidator: Array  # -1 for an order of the account's own
    waits: Array  # 1 from admission on, even where it was dropped since
    got: Array  # lots filled
    quote: Array


def run(lane: Lane, txs, env: Env, sizes: Sizes):
    """Runs a block: ``(lane, (status, filled lots, filled quote))`` with [B] each."""

    def cancel_first(lane, tx):
        kinds = takes_off(tx.kind)
        ok = check_names(tx, env, sizes) == 0
        account = jnp.clip(tx.account, 0, sizes.accounts - 1)
        market = jnp.clip(tx.market, 0, sizes.markets - 1)
        on = ok & (kinds | (tx.kind == Kind.REPLACE))
        lane, _, status = run_cancels(lane, tx, sizes, on, account, market)
        return lane, jnp.where(ok & kinds, status, 0)

    lane, cancelled = lax.scan(cancel_first, lane, txs)
    zero = txs.kind * 0
    batch = Batch(*([zero] * len(Batch._fields)))._replace(liquidator=zero - 1)

    def admit(carry, item):
        (lane, batch), (row, tx) = carry, item
        return _admit_one(lane, batch, row, tx, env, sizes)

    rows = jnp.arange(sizes.messages)
    (lane, batch), admitted = lax.scan(admit, (lane, batch), (rows, txs))
    status, lots, quote = admitted
    status = jnp.where(cancelled != 0, cancelled, status)
    lane, batch = lax.fori_loop(
        0,
        sizes.markets,
        lambda market, pair: _clear_market(pair[0], pair[1], env, sizes, market),
        (lane, batch),
    )
    lane, finished = lax.scan(_finish(env, sizes), lane, batch)
    status = jnp.where(batch.waits != 0, finished, status)
    status = jnp.where(txs.kind == Kind.NONE, 0, status)
    counted = jnp.where(txs.kind == Kind.NONE, 0, 1)
    lane = lane._replace(counters=lane.counters.at[status].add(counted))
    return lane, (status, lots + batch.got, quote + batch.quote)


# --- admission ---------------------------------------------------------------------


def _admit_one(lane: Lane, batch: Batch, row, tx, env: Env, sizes: Sizes):
    """Admits one transaction: ``((lane, batch), (status, lots, quote))``.

    The status is 0 for what waits; lots and quanta are those of a takeover, by a
    keeper or by the vault.
    """
    bad = check_names(tx, env, sizes)
    ok, kind = bad == 0, tx.kind
    account = jnp.clip(tx.account, 0, sizes.accounts - 1)
    market = jnp.clip(tx.market, 0, sizes.markets - 1)
    moves = ok & moves_money(kind)
    lane, moved = funds.transfer(lane, env, moves, kind, account, tx.lots)
    orders = ok & ((kind == Kind.ORDER) | (kind == Kind.REPLACE))
    seizes = ok & (kind == Kind.LIQUIDATE)
    reason, order = _check_order(lane, batch, tx, env, sizes, account, market)
    taken = (reason * 0, reason * 0)
    if sizes.liquidation == Liquidation.TAKEOVER:
        takes, seizes = seizes, seizes & False
        lane, batch, done, *taken = _take_over_first(
            lane, batch, tx, env, sizes, takes, account, market
        )
        moved, moves = jnp.where(takes, done, moved), moves | takes

    is_staged = sizes.liquidation == Liquidation.STAGES
    admitted = _admit_staged if is_staged else _admit_liquidation

    def seize(lane, batch):
        return admitted(lane, batch, tx, env, sizes, seizes, account, market)

    def leave(lane, batch):
        return lane, batch, reason * 0, order

    lane, batch, refusal, seizure = lax.cond(
        any_lane(seizes), seize, leave, lane, batch
    )
    reason = jnp.where(seizes, refusal, reason)
    order = Batch(
        *(jnp.where(seizes, a, b) for a, b in zip(seizure, order, strict=True))
    )
    on = (orders | seizes) & (reason == 0)
    batch = _append(batch, on, row, order)
    side = jnp.where(order.sign > 0, 0, 1)
    lots = jnp.where(on, order.size, 0)
    lane = books.reserve(lane, order.account, order.market, side, lots, order.loss)
    status = jnp.where(moves, moved, reason)
    in_stages = seizes & (reason == Status.FILLED)
    lots = jnp.where(in_stages, order.size, taken[0])
    quote = jnp.where(in_stages, order.size * env.unit[market], taken[1])
    return (lane, batch), (jnp.where(ok, status, bad), lots, quote)


def _take_over_first(lane, batch, tx, env, sizes, on, account, market):
    """A takeover asks no book: ``(lane, batch, status, lots, quote)``."""
    lane, status, lots, quote = takeover.run(lane, env, sizes, on, account, market, tx)
    done = on & (status == Status.FILLED)
    mine = (batch.account == account) & (batch.market == market) & (batch.reduces != 0)
    dropped = done & ((batch.account == tx.slot) | mine)
    lane = _release(lane, batch, dropped)
    batch = batch._replace(size=jnp.where(dropped, 0, batch.size))
    return lane, batch, status, lots, quote


def _append(batch: Batch, on, row, order: Batch) -> Batch:
    """Writes the order into its row."""
    return Batch(
        *(
            column.at[row].set(jnp.where(on, value, column[row]))
            for column, value in zip(batch, order, strict=True)
        )
    )


def _check_order(lane, batch, tx, env, sizes, account, market):
    """``(reason, order)`` as it would wait."""
    reason, limit, lots = check_order(tx, market, env)
    sign, flags = tx.side, tx.flags
    open_lots = lane.open_lots[account, market, jnp.where(sign > 0, 0, 1)]
    reduced = reducible(lane, account, market, sign, lots, open_lots)
    lots = jnp.where(flags & REDUCE_ONLY != 0, reduced, lots)
    slot = jnp.clip(tx.slot, 0, sizes.slots - 1)
    resting, _, _ = books.find(lane, market, account * sizes.slots + slot)
    waiting = (batch.account == account) & (batch.market == market)
    waiting = (waiting & (batch.slot == slot) & (batch.size > 0)).any()
    may_rest = (batch.keeps != 0) & (batch.size > 0)
    own, here = (
        may_rest & (batch.account == account),
        may_rest & (batch.market == market),
    )
    crowded = has_too_many(lane, env, sizes, account, market, own.sum(), here.sum())
    loss = worst_loss(env, market, sign, limit)
    affordable = can_afford(lane, env, account, market, sign, lots, limit, loss)
    reason = first_reason(
        (reason != 0, reason),
        (breaks_isolation(lane, sizes, account, market), Status.ISOLATED),
        (lots == 0, Status.WOULD_INCREASE),
        (resting | waiting, Status.SLOT_BUSY),
        ((flags & IMMEDIATE == 0) & crowded, Status.TOO_MANY_ORDERS),
        (flags & FOK != 0, Status.CANNOT_FILL),
        (~affordable, Status.MARGIN),
    )
    zero = lots * 0
    keeps = jnp.where(flags & IMMEDIATE == 0, 1, 0)
    order = Batch(
        market=market,
        account=account,
        sign=sign,
        limit=limit,
        size=lots,
        slot=slot,
        expiry=tx.expiry_block,
        loss=loss,
        keeps=keeps,
        reduces=jnp.where(flags & REDUCE_ONLY != 0, 1, 0),
        liquidator=zero - 1,
        waits=zero + 1,
        got=zero,
        quote=zero,
    )
    return reason, order


def _admit_liquidation(lane, batch, tx, env, sizes, on, account, market):
    """``(lane, batch, reason, order)`` of a liquidation, at an affordable limit."""
    target = jnp.clip(tx.slot, 0, sizes.accounts - 1)
    plan = liquidation.plan(lane, env, account, target, market, tx.lots)
    sign, held = plan.sign, lane.position[target, market]
    delta = sign * plan.lots
    bank = liquidation.bankruptcy_quote(env, market, held, delta, plan.risk)
    fund = liquidation.fund_budget(lane, env, target, market)
    value = plan.lots * env.multiplier[market]
    bound = (fund - bank) // jnp.maximum(value, 1)
    limit = jnp.where(
        sign < 0, jnp.maximum(plan.limit, -bound), jnp.minimum(plan.limit, bound)
    )
    fits = (limit >= 1) & (limit <= MAX_TICKS)
    reason = first_reason(
        (plan.reason != 0, plan.reason), (~fits, Status.INSURANCE_EMPTY)
    )
    lost = on & (reason == Status.INSURANCE_EMPTY)
    lane = liquidation.mark_pending(lane, lost, target, market)
    on = on & (reason == 0)
    limit = jnp.clip(limit, 1, MAX_TICKS)
    aside = jnp.where(on, jnp.maximum(bank + sign * limit * value, 0), 0)
    lane = lane._replace(set_aside=lane.set_aside.at[env.fund[market]].add(aside))
    every = jnp.ones(sizes.markets, bool)
    lane = books.cancel_all(lane, on, target, every, sizes.slots)
    own = on & (batch.account == target) & (batch.liquidator < 0)
    lane = _release(lane, batch, own)
    batch = batch._replace(size=jnp.where(own, 0, batch.size))
    lane = liquidation.note_liquidation(lane, env, on, target, market, plan.lots, aside)
    zero = limit * 0
    order = Batch(
        market=market,
        account=target,
        sign=sign,
        limit=limit,
        size=plan.lots,
        slot=zero - 1,
        expiry=zero,
        loss=zero,
        keeps=zero,
        reduces=zero,
        liquidator=account,
        waits=zero + 1,
        got=zero,
        quote=zero,
    )
    return lane, batch, reason, order


def _admit_staged(lane, batch, tx, env, sizes, on, account, market):
    """The same in stages, at the edge of the price band; see `arrays.staged`."""
    target = jnp.clip(tx.slot, 0, sizes.accounts - 1)
    stage = staged.next_stage(lane, env, sizes, account, target, market, tx.lots)
    lane = staged.pass_on(lane, env, sizes, on, stage.status, target)
    taken, sent = on & (stage.status == Status.FILLED), on & (stage.status == 0)
    every = jnp.ones(sizes.markets, bool)
    lane = books.cancel_all(lane, sent, target, every, sizes.slots)
    own = (taken | sent) & (batch.account == target) & (batch.liquidator < 0)
    lane = _release(lane, batch, own)
    batch = batch._replace(size=jnp.where(own, 0, batch.size))
    lane = liquidation.note_liquidation(lane, env, sent, target, market, stage.lots, 0)
    zero = stage.limit * 0
    order = Batch(
        market=market,
        account=target,
        sign=stage.sign,
        limit=stage.limit,
        size=stage.lots,
        slot=jnp.where(stage.is_part, int(PART_SLOT), int(NO_SLOT)),
        expiry=zero,
        loss=zero,
        keeps=zero,
        reduces=zero,
        liquidator=account,
        waits=zero + 1,
        got=zero,
        quote=zero,
    )
    return lane, batch, stage.status, order


def _release(lane: Lane, batch: Batch, dropped) -> Lane:
    """Frees what waiting orders reserved that are ``dropped`` [B]."""
    lots, side = jnp.where(dropped, batch.size, 0), jnp.where(batch.sign > 0, 0, 1)
    return books.reserve(lane, batch.account, batch.market, side, -lots, batch.loss)


# --- clearing ----------------------------------------------------------------------


def _columns(lane: Lane, batch: Batch, env: Env, sizes: Sizes, market):
    """Resting bids and asks best first, then the batch: four arrays [2 C + B]."""
    place = jnp.arange(sizes.capacity)
    present = place < lane.count[market][:, None]
    columns = (lane.ticks, lane.lots, lane.came)
    best_first = [column[market][:, ::-1].reshape(-1) for column in columns]
    signs = jnp.where(present, jnp.array([[1], [-1]]), 0)[:, ::-1].reshape(-1)
    here = batch.market == market
    side = jnp.concatenate([signs, jnp.where(here, batch.sign, 0)])
    ticks = jnp.concatenate([best_first[0], batch.limit])
    lots = jnp.concatenate([best_first[1], jnp.where(here, batch.size, 0)])
    now = jnp.full(sizes.messages, env.block)
    numbers = jnp.concatenate([best_first[2], now])
    return side, ticks, lots, numbers


def _clear_market(lane: Lane, batch: Batch, env: Env, sizes: Sizes, market):
    """Finds the price of one market and settles at it, order after order."""
    side, ticks, lots, numbers = _columns(lane, batch, env, sizes, market)
    clearing = clear_array(side, ticks, lots, numbers)
    filled, total = clearing.filled, side.shape[0]
    places = jnp.arange(total)

    def following(after):
        ahead = (filled > 0) & (places > after)
        return jnp.where(ahead.any(), jnp.argmax(ahead), total)

    def body(carry):
        lane, batch, column = carry
        on, column = column < total, jnp.minimum(column, total - 1)
        got = jnp.where(on, filled[column], 0)
        lane, batch = _settle(
            lane, batch, env, sizes, on, market, column, side, got, clearing.ticks
        )
        return lane, batch, following(jnp.where(on, column, total))

    carry = (lane, batch, following(jnp.int64(-1)))
    cond = lambda carry: any_lane(carry[2] < total)  # noqa: E731
    lane, batch, _ = lax.while_loop(cond, body, carry)
    present = books.is_present(lane)
    return books.keep(lane, present & (lane.lots > 0)), batch


def _settle(lane, batch, env, sizes, on, market, column, sides, lots, ticks):
    """Fills one column at the uniform price."""
    capacity, sign = sizes.capacity, sides[column]
    resting = column < 2 * capacity
    side = jnp.where(sign > 0, 0, 1)
    index = jnp.clip(capacity - 1 - column % capacity, 0, capacity - 1)
    row = jnp.clip(column - 2 * capacity, 0, sizes.messages - 1)
    owner = lane.owner[market, side, index] // sizes.slots
    account = jnp.where(resting, owner, batch.account[row])
    loss = jnp.where(resting, lane.loss[market, side, index], batch.loss[row])
    liquidator = jnp.where(resting, -1, batch.liquidator[row])
    lane = books.reserve(lane, account, market, side, -lots, loss)
    book_lots = lane.lots.at[market, side, index].add(jnp.where(resting, -lots, 0))
    lane = lane._replace(lots=book_lots)
    value, delta = ticks * env.multiplier[market], sign * lots
    now, held = risk(lane, env, account), lane.position[account, market]
    bank = liquidation.bankruptcy_quote(env, market, held, delta, now)
    fee = jnp.where(resting, env.param("maker_fee_ppm"), env.param("taker_fee_ppm"))
    seized = on & (liquidator >= 0)
    lane = books.trade(
        lane, on, account, market, delta, value, jnp.where(seized, 0, fee)
    )
    if sizes.liquidation == Liquidation.STAGES:
        lane = staged.note_fill(lane, seized, lots * value)
    else:
        payee = jnp.maximum(liquidator, 0)
        lane = liquidation.settle_insurance(
            lane, env, seized, payee, account, market, -delta * value, bank
        )
    buys = on & (sign > 0)
    lane = books.record_fill(lane, buys, market, ticks, lots, lots * value)
    mine = jnp.where(resting, 0, lots)
    return lane, batch._replace(
        got=batch.got.at[row].add(mine), quote=batch.quote.at[row].add(mine * value)
    )


def _finish(env: Env, sizes: Sizes):
    """The step that rests or drops what is left of a row: ``(lane, status)``."""

    def step(lane: Lane, order: Batch):
        left, seized = order.size - order.got, order.liquidator >= 0
        side = jnp.where(order.sign > 0, 0, 1)
        rests = (order.keeps != 0) & (left > 0)
        owner = order.account * sizes.slots + order.slot
        entry = (order.limit, left, owner, order.loss, order.expiry, env.block)
        lane, rested = books.insert(lane, rests, order.market, side, entry)
        freed = jnp.where(rested, 0, left)
        lane = books.reserve(
            lane, order.account, order.market, side, -freed, order.loss
        )
        full, nothing = rests & ~rested, order.got == 0
        over = lane.counters.at[int(Status.BOOK_FULL)].add(full & ~nothing)
        lane = lane._replace(counters=over)
        broke = seized & nothing & (equity(lane, env, order.account) < 0)
        lane = liquidation.mark_pending(lane, broke, order.account, order.market)
        if sizes.liquidation == Liquidation.STAGES:
            part = seized & ~nothing & (order.slot == PART_SLOT)
            lane = staged.start_cooldown(lane, env, part, order.account)
        status = first_reason(
            (seized & nothing, Status.NOTHING_TO_TAKE),
            (order.size == 0, Status.PARTIAL),
            (left == 0, Status.FILLED),
            (rested, Status.RESTING),
            (full & nothing, Status.BOOK_FULL),
            (left > 0, Status.PARTIAL),
        )
        return lane, status

    return step
